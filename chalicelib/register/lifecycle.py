"""What is owed to an Auto Scaling group that holds an instance for us.

    lifecycle            load balancer says          owed
    Pending:Wait         in service                  continue `emq-elb-ready`
    Pending:Wait         anything else               nothing: the group's own time-out decides
    Terminating:Wait     draining                    a heartbeat for `emq-elb-drain`
    Terminating:Wait     still registered            nothing yet: it is about to be deregistered
    Terminating:Wait     not registered              continue `emq-elb-drain`
    Warmed:…:Wait        anything                    continue both: what is in a warm pool serves nobody

Other hooks are never touched. States:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chalicelib.model.load_balancer import Instance, Member

READY_HOOK = "emq-elb-ready"
DRAIN_HOOK = "emq-elb-drain"


@dataclass(frozen=True)
class LifecycleCall:
    """One call to Auto Scaling about an instance, and why."""

    action: Literal["CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"]
    hook: str
    reason: str


def waits(instance: Instance) -> bool:
    """Whether a hook, ours or not, holds the instance."""
    return (instance.lifecycle or "").endswith(":Wait")


def in_warm_pool(instance: Instance) -> bool:
    """Whether the instance stays in a warm pool, or is on its way there."""
    return (instance.lifecycle or "").startswith("Warmed:")


def lifecycle_calls(instance: Instance, member: Member | None) -> tuple[LifecycleCall, ...]:
    """The calls that are due now; `member` is the instance's health, None when it is not registered."""
    if not waits(instance):
        return ()
    if in_warm_pool(instance):
        return (
            LifecycleCall("CompleteLifecycleAction", READY_HOOK, "it goes to a warm pool"),
            LifecycleCall("CompleteLifecycleAction", DRAIN_HOOK, "it goes to a warm pool"),
        )
    if instance.lifecycle == "Pending:Wait":
        if member is not None and member.in_service:
            return (LifecycleCall("CompleteLifecycleAction", READY_HOOK, "it is in service"),)
        return ()
    if instance.lifecycle != "Terminating:Wait":
        return ()
    if member is None:
        return (LifecycleCall("CompleteLifecycleAction", DRAIN_HOOK, "no connection is left to drain"),)
    if member.draining:
        return (LifecycleCall("RecordLifecycleActionHeartbeat", DRAIN_HOOK, "it is draining"),)
    return ()
