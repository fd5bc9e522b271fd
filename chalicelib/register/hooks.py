"""Auto Scaling's lifecycle hooks `emq-elb-ready` and `emq-elb-drain`: let the instances go on that wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from chalicelib.apply import Progress, apply
from chalicelib.aws import elb
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent, AwsError
from chalicelib.model.load_balancer import Instance, Member
from chalicelib.register.lifecycle import LifecycleCall, in_warm_pool, lifecycle_calls, waits
from chalicelib.register.observe import Clusters


def complete_lifecycle_actions(clusters: Clusters, work: Progress, invocation: Invocation) -> None:
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
                    make(name, call, work, invocation)
                except AwsError as error:
                    work.failures.append((f"{name}, {instance.id}", error))


def _members(
    name: str, instances: Iterable[Instance], clusters: Clusters, invocation: Invocation
) -> Mapping[str, Member]:
    if name not in clusters.load_balancers or all(in_warm_pool(instance) for instance in instances):
        return {}
    return {member.id: member for member in elb.members(invocation.clients.elb, name)}


def make(name: str, call: LifecycleCall, work: Progress, invocation: Invocation) -> None:
    """Make the call; an action that is no longer active is no fault."""
    with suppress(Absent):
        apply(name, [call], work, invocation)
