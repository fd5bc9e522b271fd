"""Auto Scaling's lifecycle hooks `emq-elb-ready` and `emq-elb-drain`: let the instances go on that wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.aws import autoscaling, elb
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent, AwsError
from chalicelib.model.load_balancer import Instance, Member
from chalicelib.model.step import Step
from chalicelib.register.apply import Work
from chalicelib.register.lifecycle import LifecycleCall, in_warm_pool, lifecycle_calls, waits
from chalicelib.register.observe import Clusters


def complete_lifecycle_actions(clusters: Clusters, work: Work, invocation: Invocation) -> None:
    """Complete what is done, and ask for more time for what still drains; failures stay in `work`.

    An instance whose load balancer is not ours is left alone; where there is none, nothing can drain.
    """
    waiting: dict[str, list[Instance]] = {}
    for instance in clusters.instances.values():
        if waits(instance) and instance.cluster and instance.cluster not in clusters.foreign:
            waiting.setdefault(instance.cluster, []).append(instance)
    for name, instances in sorted(waiting.items()):
        try:
            members = _members(name, instances, clusters, invocation)
        except AwsError as error:
            work.failures.append((name, error))
            continue
        for instance in sorted(instances, key=lambda one: one.id):
            for call in lifecycle_calls(instance, members.get(instance.id)):
                try:
                    make(name, instance, call, work, invocation)
                except AwsError as error:
                    work.failures.append((f"{name}, {instance.id}", error))


def _members(
    name: str, instances: Iterable[Instance], clusters: Clusters, invocation: Invocation
) -> Mapping[str, Member]:
    if name not in clusters.load_balancers or all(in_warm_pool(instance) for instance in instances):
        return {}
    return {member.id: member for member in elb.members(invocation.clients.elb, name)}


def make(
    name: str,
    instance: Instance,
    call: LifecycleCall,
    work: Work,
    invocation: Invocation,
    *,
    token: str | None = None,
) -> None:
    """Make the call; an action that is no longer active is no fault."""
    client, group = invocation.clients.autoscaling, instance.group_name or ""
    try:
        if call.action == "CompleteLifecycleAction":
            autoscaling.proceed(client, group, call.hook, instance.id, token)
        else:
            autoscaling.heartbeat(client, group, call.hook, instance.id)
    except Absent:
        return
    fields = {"instances": [instance.id], "group": group, "hook": call.hook}
    work.told(name, Step(action=call.action, reason=call.reason, fields=fields), invocation)
