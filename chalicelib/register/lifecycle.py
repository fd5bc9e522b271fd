"""What is owed to an Auto Scaling group that holds an instance for us.

    lifecycle                  its load balancers say    owed
    Pending:Wait               all: in service           continue `emq-elb-ready`
    Pending:Wait               anything else             nothing: the group's own time-out decides
    Terminating:Wait           one: draining             a heartbeat for `emq-elb-drain`
    Terminating:Wait           one: still registered     nothing yet: it is about to be deregistered
    Terminating:Wait           all: not registered       continue `emq-elb-drain`
    ReplacingRootVolume:Wait   as above                  the same: the hook for terminating holds it
    Warmed:…:Wait              anything                  continue both: what is in a warm pool serves nobody

Its load balancers are all of ours that serve its cluster; for one that launches those that it may join.

Other hooks are never touched, and in a state that is not here nothing is owed. States:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
"""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.model.actions import CompleteLifecycleAction, RecordLifecycleActionHeartbeat
from chalicelib.model.load_balancer import Instance, Member

READY_HOOK = "emq-elb-ready"
DRAIN_HOOK = "emq-elb-drain"
_HELD_TO_DRAIN = frozenset({"Terminating:Wait", "ReplacingRootVolume:Wait"})


LifecycleCall = CompleteLifecycleAction | RecordLifecycleActionHeartbeat


def waits(instance: Instance) -> bool:
    """Whether a hook, ours or not, holds the instance."""
    return (instance.lifecycle or "").endswith(":Wait")


def in_warm_pool(instance: Instance) -> bool:
    """Whether the instance stays in a warm pool, or is on its way there."""
    return (instance.lifecycle or "").startswith("Warmed:")


def lifecycle_calls(instance: Instance, members: Collection[Member | None]) -> tuple[LifecycleCall, ...]:
    """Return the calls that are due; `members` is its health by load balancer, None if not registered."""
    if not waits(instance):
        return ()
    if in_warm_pool(instance):
        return (
            let_go_on(instance, READY_HOOK, "it goes to a warm pool"),
            let_go_on(instance, DRAIN_HOOK, "it goes to a warm pool"),
        )
    if instance.lifecycle == "Pending:Wait":
        if members and all(member is not None and member.in_service for member in members):
            return (let_go_on(instance, READY_HOOK, "it is in service"),)
        return ()
    if instance.lifecycle not in _HELD_TO_DRAIN:
        return ()
    if all(member is None for member in members):
        return (let_go_on(instance, DRAIN_HOOK, "no connection is left to drain"),)
    if any(member is not None and member.draining for member in members):
        group = instance.group_name or ""
        return (
            RecordLifecycleActionHeartbeat(
                reason="it is draining", instance=instance.id, group=group, hook=DRAIN_HOOK
            ),
        )
    return ()


def let_go_on(
    instance: Instance, hook: str, reason: str, *, token: str | None = None
) -> CompleteLifecycleAction:
    """Complete the action, in the group that Auto Scaling names; `token` where an event brought one."""
    group = instance.group_name or ""
    return CompleteLifecycleAction(reason=reason, instance=instance.id, group=group, hook=hook, token=token)
