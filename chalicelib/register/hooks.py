"""Auto Scaling's lifecycle hooks `emq-elb-ready` and `emq-elb-drain`: let the instances go on that wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from chalicelib import telemetry
from chalicelib.apply import Progress, apply
from chalicelib.aws import autoscaling, elb
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent, AwsError, Denied
from chalicelib.model.load_balancer import Instance, Member
from chalicelib.model.names import CLUSTER_TAG
from chalicelib.register.lifecycle import LifecycleCall, in_warm_pool, lifecycle_calls, waits
from chalicelib.register.observe import Clusters


def complete_lifecycle_actions(clusters: Clusters, work: Progress, invocation: Invocation) -> None:
    """Complete what is done, and ask for more time for what still drains; failures stay in `work`.

    An instance whose load balancer is not ours is left alone; where there is none, nothing can drain. So are
    the instances of a group that carries no cluster's tag itself: our policies deny its hooks, and of a look
    the first denial is logged.
    """
    not_ours: set[str | None] = set()
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
            if instance.group_name not in not_ours:
                _complete(name, instance, members.get(instance.id), not_ours, work, invocation)


def _complete(  # noqa: PLR0917 - one instance, and what is known of its world
    name: str,
    instance: Instance,
    member: Member | None,
    not_ours: set[str | None],
    work: Progress,
    invocation: Invocation,
) -> None:
    for call in lifecycle_calls(instance, member):
        try:
            make(name, call, work, invocation)
        except AwsError as error:
            if isinstance(error, Denied) and not _ours(instance, invocation):
                not_ours.add(instance.group_name)
                telemetry.group_not_ours(name, instance.group_name or "", str(error))
                return
            work.failures.append((f"{name}, {instance.id}", error))


def _ours(instance: Instance, invocation: Invocation) -> bool:
    """Whether the instance's group carries a cluster's tag itself, so that we may answer its hooks.

    Also where Auto Scaling cannot be asked: then the denial is a failure.
    """
    client, group = invocation.clients.autoscaling, instance.group_name or ""
    try:
        return autoscaling.tagged(client, group, CLUSTER_TAG) is not None
    except AwsError:
        return True


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
