"""EC2 Auto Scaling: the lifecycle states of instances, and the hooks' actions that wait for us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib.aws.clients import Clients
from chalicelib.aws.errors import translated
from chalicelib.model.batches import batches
from chalicelib.model.load_balancer import Instance, LoadBalancer

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

# DescribeAutoScalingInstances takes at most this many ids
# (https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html).
_PAGE = 50
# Groups a page of DescribeAutoScalingGroups, at most, and as many names
# (https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html).
_GROUPS = 100


def lifecycles(client: AutoScalingClient, ids: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """The group and the lifecycle state (`InService`, `Terminating:Wait` …) by instance id.

    One call for each 50.
    """
    states: dict[str, tuple[str, str]] = {}
    for part in batches(sorted(ids), _PAGE):
        with translated("DescribeAutoScalingInstances"):
            answer = client.describe_auto_scaling_instances(InstanceIds=part)
        states |= {
            found["InstanceId"]: (found["AutoScalingGroupName"], found["LifecycleState"])
            for found in answer["AutoScalingInstances"]
        }
    return states


def attaching(
    client: AutoScalingClient, load_balancer: LoadBalancer, among: Iterable[str] | None = None
) -> frozenset[str]:
    """The groups that attach the load balancer, and so register their instances with it: a call for each 100.

    A classic one is attached by its name, a network one by its target groups. All groups of the region are
    looked at, or those `among` these names.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/attach-load-balancer-asg.html
    """
    names = set() if load_balancer.arn else {load_balancer.name}
    target_groups = {group.arn for group in load_balancer.target_groups.values() if group.arn}
    asked = client.get_paginator("describe_auto_scaling_groups")
    pages = (
        [asked.paginate(PaginationConfig={"PageSize": _GROUPS})]
        if among is None
        else [asked.paginate(AutoScalingGroupNames=part) for part in batches(sorted(among), _GROUPS)]
    )
    with translated("DescribeAutoScalingGroups"):
        return frozenset(
            group["AutoScalingGroupName"]
            for part in pages
            for page in part
            for group in page["AutoScalingGroups"]
            if not names.isdisjoint(group.get("LoadBalancerNames", []))
            or not target_groups.isdisjoint(group.get("TargetGroupARNs", []))
        )


def tagged(client: AutoScalingClient, group: str, key: str) -> str | None:
    """What the group carries under a tag's key; None without the tag, or the group."""
    with translated("DescribeAutoScalingGroups"):
        found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    tags = {tag.get("Key"): tag.get("Value") for one in found for tag in one.get("Tags", [])}
    return tags.get(key)


def proceed(
    client: AutoScalingClient, group: str, hook: str, instance: str, token: str | None = None
) -> None:
    """Complete the hook's action with CONTINUE; `Absent` when none is active.

    Without its token it is the action that is active for the instance now.
    """
    with translated("CompleteLifecycleAction"):
        client.complete_lifecycle_action(
            AutoScalingGroupName=group,
            LifecycleHookName=hook,
            LifecycleActionResult="CONTINUE",
            InstanceId=instance,
            **({"LifecycleActionToken": token} if token else {}),
        )


def heartbeat(client: AutoScalingClient, group: str, hook: str, instance: str) -> None:
    """Give the hook's action its time again; `Absent` when none is active."""
    with translated("RecordLifecycleActionHeartbeat"):
        client.record_lifecycle_action_heartbeat(
            AutoScalingGroupName=group, LifecycleHookName=hook, InstanceId=instance
        )


def with_lifecycles(instances: Mapping[str, Instance], clients: Clients) -> Mapping[str, Instance]:
    """Add the group and the lifecycle state, as Auto Scaling says them, of the instances in a group."""
    grouped = [id_ for id_, one in instances.items() if one.group_name and one.state != "terminated"]
    if not grouped:
        return instances
    states = lifecycles(clients.autoscaling, grouped)
    asked, none = {*grouped}, (None, None)
    return {
        id_: replace(one, group_name=states.get(id_, none)[0], lifecycle=states.get(id_, none)[1])
        if id_ in asked
        else one
        for id_, one in instances.items()
    }
