"""EC2 Auto Scaling: the lifecycle states of instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chalicelib.adapters.faults import translated

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

# DescribeAutoScalingInstances takes at most this many ids
# (https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html).
_PAGE = 50


def lifecycles(client: AutoScalingClient, ids: Iterable[str]) -> Mapping[str, str]:
    """The lifecycle state (`InService`, `Terminating:Wait` …) by instance id: one call for each 50."""
    ordered = sorted(ids)
    states: dict[str, str] = {}
    for start in range(0, len(ordered), _PAGE):
        with translated("DescribeAutoScalingInstances"):
            answer = client.describe_auto_scaling_instances(InstanceIds=ordered[start : start + _PAGE])
        states |= {found["InstanceId"]: found["LifecycleState"] for found in answer["AutoScalingInstances"]}
    return states
