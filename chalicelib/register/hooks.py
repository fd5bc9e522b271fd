"""Auto Scaling's lifecycle hooks `emq-elb-ready` and `emq-elb-drain`: let the instances go on that wait."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from chalicelib import telemetry
from chalicelib.apply import Progress, apply
from chalicelib.aws import autoscaling
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent, AwsError, Denied
from chalicelib.model.load_balancer import Instance, LoadBalancer, Member
from chalicelib.model.names import CLUSTER_TAG
from chalicelib.model.target_groups import members_of
from chalicelib.register.lifecycle import LifecycleCall, in_warm_pool, lifecycle_calls, waits
from chalicelib.register.observe import Clusters, read_health
from chalicelib.register.plan import why_not

Health = Sequence[tuple[LoadBalancer, Mapping[str, Member]]]


def complete_lifecycle_actions(clusters: Clusters, work: Progress, invocation: Invocation) -> None:
    """Complete lifecycle actions whose instance is ready, and send heartbeats for those that still drain.

    Failures stay in `work`. An instance of a cluster that only others' load balancers serve is left alone;
    where no load balancer serves the cluster, nothing can drain. The instances of a group that carries no
    cluster's tag itself are left alone too: our policies deny its hooks, and each look logs the first denial.
    While the load balancers of one kind are not known, every instance waits.
    """
    if clusters.unlisted:
        return
    not_ours: set[str | None] = set()
    waiting: dict[str, list[Instance]] = {}
    for instance in clusters.instances.values():
        if waits(instance) and instance.cluster and not clusters.foreign(instance.cluster):
            waiting.setdefault(instance.cluster, []).append(instance)
    for cluster, instances in sorted(waiting.items()):
        try:
            health = _health(cluster, instances, clusters, invocation)
        except AwsError as error:
            work.failures.append((cluster, error))
            continue
        for instance in sorted(instances, key=lambda one: one.id):
            if instance.group_name not in not_ours:
                members = _members(instance, health, invocation)
                _complete(instance, members, not_ours, work, invocation)


def _complete(
    instance: Instance,
    members: Collection[Member | None],
    not_ours: set[str | None],
    work: Progress,
    invocation: Invocation,
) -> None:
    cluster = instance.cluster or ""
    for call in lifecycle_calls(instance, members):
        try:
            make(cluster, call, work, invocation)
        except AwsError as error:
            if isinstance(error, Denied) and not _ours(instance, invocation):
                not_ours.add(instance.group_name)
                telemetry.group_not_ours(cluster, instance.group_name or "", str(error))
                return
            work.failures.append((f"{cluster}, {instance.id}", error))


def _ours(instance: Instance, invocation: Invocation) -> bool:
    """Whether the instance's group carries a cluster's tag itself, so that we may answer its hooks.

    Also where Auto Scaling cannot be asked: then the denial is a failure.
    """
    client, group = invocation.clients.autoscaling, instance.group_name or ""
    try:
        return autoscaling.tagged(client, group, CLUSTER_TAG) is not None
    except AwsError:
        return True


def _health(
    cluster: str, instances: Iterable[Instance], clusters: Clusters, invocation: Invocation
) -> Health:
    """The members of each load balancer that serves the cluster, ours or not.

    One call for each classic one; of network ones of ours the look has read it.
    """
    if all(in_warm_pool(instance) for instance in instances):
        return ()
    return [
        (one, {member.id: member for member in members_of(read_health(one, clusters, invocation))})
        for one in (*clusters.serving(cluster), *clusters.beside(cluster))
    ]


def _members(instance: Instance, health: Health, invocation: Invocation) -> tuple[Member | None, ...]:
    """Return what the load balancers for which the group waits say of the instance."""
    return tuple(
        member
        for load_balancer, members in health
        for member in [members.get(instance.id)]
        if _counts(instance, load_balancer, member, invocation)
    )


def _counts(
    instance: Instance, load_balancer: LoadBalancer, member: Member | None, invocation: Invocation
) -> bool:
    """Whether the group waits for this load balancer: ours, where the instance is or shall be a member.

    The group waits for a load balancer of others only while the instance drains there.
    """
    if load_balancer.owner != invocation.settings.owner:
        return member is not None and member.draining
    if instance.lifecycle != "Pending:Wait" or member is not None:
        return True
    return why_not(instance, load_balancer, invocation.now()) is None


def make(cluster: str, call: LifecycleCall, work: Progress, invocation: Invocation) -> None:
    """Make the call; an action that is no longer active is no fault."""
    with suppress(Absent):
        apply(cluster, [call], work, invocation)
