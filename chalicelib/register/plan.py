"""Which instances belong behind a load balancer, and why the others do not.

An instance belongs behind a load balancer when every line of `_CHECKS` lets it pass. A registered instance
that does not belong is deregistered, with these guards: an instance that is itself going away may always
leave; of the others, no look takes out more than half of the members, nor the last one in service, nor one
that its Auto Scaling group registers itself.

A tag alone overrides no guard, because others may be able to write it: neither the cluster's, nor a
`draining` mark on an instance that EC2 or Auto Scaling does not take away, nor `emq-elb:members`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.model.load_balancer import Instance, LoadBalancer, Member
from chalicelib.model.members import read_members_tag
from chalicelib.model.moments import moment_of, rfc3339
from chalicelib.model.names import MEMBERS_TAG

REBALANCE = "rebalance-recommendation"
SPOT_INTERRUPTION = "spot-interruption"
_REBALANCE_LASTS = timedelta(hours=1)
# A Spot instance that has just started is registered without another question, as any instance is.
_JUST_STARTED = timedelta(minutes=5)
# Tags a resource, those of AWS's own not counted (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html).
_MOST_TAGS = 50
_GOING = frozenset({"shutting-down", "terminated", "stopping", "stopped"})


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What one look decides: ids to register and to deregister, and a reason for each considered id.

    `held` are registered and do not belong, but a guard keeps them for now.
    """

    register: tuple[str, ...] = ()
    deregister: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


def draining_tag(since: datetime, reason: str) -> str:
    """The text of an instance's `emq-elb:draining` tag: the event's time (RFC 3339, UTC) and the reason."""
    return f"{rfc3339(since)} {reason}"


def drained_by(instance: Instance, now: datetime) -> str | None:
    """Why the instance is draining, or None.

    The tag holds only while its time is not before the instance's launch, so that a restarted instance is a
    member again; that of a rebalance recommendation holds for an hour. A text that only a person writes holds
    until it is removed.
    """
    if instance.draining is None:
        return None
    time, _, reason = instance.draining.partition(" ")
    since = moment_of(time)
    if since is None:
        return instance.draining or "draining"
    if since < instance.launched:
        return None
    if reason == REBALANCE and now - since >= _REBALANCE_LASTS:
        return None
    return reason or "draining"


def tag_to_write(instance: Instance, since: datetime, reason: str, now: datetime) -> str | None:
    """The `emq-elb:draining` text that an event leads to; None when the event is late, or changes nothing.

    Of two events the stronger one stays, in whichever order they come: an interruption before a
    recommendation, then the later one. A person's text stays.
    """
    text = draining_tag(since, reason)
    if drained_by(replace(instance, draining=text), now) is None:
        return None
    if instance.draining is None or drained_by(instance, now) is None:
        return text
    written = instance.draining.partition(" ")[2]
    if written not in {REBALANCE, SPOT_INTERRUPTION}:
        return None
    stronger = (reason == SPOT_INTERRUPTION, text) > (written == SPOT_INTERRUPTION, instance.draining)
    return text if stronger else None


def may_be_interrupted(instance: Instance, now: datetime) -> bool:
    """Whether EC2 has to be asked, before the instance is registered, if it takes the instance back.

    Such an instance carries the draining tag, unless AWS refused the tag.
    """
    return instance.spot and now - instance.launched >= _JUST_STARTED


def has_no_room(instance: Instance) -> bool:
    """Whether the instance cannot be tagged into a cluster, since it carries all the tags that it may."""
    return instance.cluster is None and instance.user_tags >= _MOST_TAGS


def going_away(instance: Instance, now: datetime) -> str | None:
    """Why the instance will end soon whatever we do; None when it stays.

    EC2 interrupts Spot instances only: on another instance, or with other words, a person wrote the
    `draining` tag.
    """
    if instance.state in _GOING:
        return instance.state
    if instance.spot and (reason := drained_by(instance, now)) in {REBALANCE, SPOT_INTERRUPTION}:
        return f"draining: {reason}"
    if instance.interrupted:
        return "EC2 takes the Spot instance back"
    lifecycle = instance.lifecycle or ""
    if lifecycle.startswith("Terminating"):
        return "its Auto Scaling group is terminating it"
    # The instance stays, but its group reboots it from another volume
    # (https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html).
    if lifecycle.startswith("ReplacingRootVolume"):
        return "its Auto Scaling group is replacing its root volume"
    # Its group has taken it out of service, and will stop it
    # (https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html).
    return "is in a warm pool" if lifecycle.startswith("Warmed:") else None


def _not_tagged(instance: Instance, load_balancer: LoadBalancer, _now: datetime) -> str | None:
    if instance.cluster is None:
        return "carries no emq-elb:cluster tag"
    return None if instance.cluster == load_balancer.cluster else f"is tagged for {instance.cluster}"


def not_admitted(instance: Instance, load_balancer: LoadBalancer) -> str | None:
    """Why the load balancer's `members` does not let the instance join; None when it does."""
    admitted = read_members_tag(load_balancer.tags.get(MEMBERS_TAG))
    if admitted is None or admitted.admits(instance.profile, instance.group_name):
        return None
    profile, group = instance.profile or "none", instance.group_name or "none"
    return f"is not admitted by `members`: its instance profile is {profile}, its Auto Scaling group {group}"


def _kept_out(instance: Instance, load_balancer: LoadBalancer, _now: datetime) -> str | None:
    return not_admitted(instance, load_balancer)


def _leaving(instance: Instance, _load_balancer: LoadBalancer, now: datetime) -> str | None:
    if reason := going_away(instance, now):
        return reason
    return f"draining: {marked}" if (marked := drained_by(instance, now)) else None


def _not_running(instance: Instance, _load_balancer: LoadBalancer, _now: datetime) -> str | None:
    return None if instance.state == "running" else f"is {instance.state}"


def _not_serving(instance: Instance, _load_balancer: LoadBalancer, _now: datetime) -> str | None:
    return "is in standby" if instance.lifecycle in {"Standby", "EnteringStandby"} else None


def _elsewhere(instance: Instance, load_balancer: LoadBalancer, _now: datetime) -> str | None:
    if instance.vpc != load_balancer.vpc:
        return f"is in another VPC ({instance.vpc})"
    return None if instance.zone in load_balancer.zones else f"is in {instance.zone}, which is not enabled"


_CHECKS: tuple[Callable[[Instance, LoadBalancer, datetime], str | None], ...] = (
    _not_tagged,
    _leaving,
    _kept_out,
    _not_running,
    _not_serving,
    _elsewhere,
)


def why_not(instance: Instance, load_balancer: LoadBalancer, now: datetime) -> str | None:
    """Why the instance does not belong behind the load balancer; None when it does."""
    return next((reason for check in _CHECKS if (reason := check(instance, load_balancer, now))), None)


def decide_membership(
    load_balancer: LoadBalancer,
    members: Iterable[Member],
    instances: Mapping[str, Instance],
    now: datetime,
    attaching: Collection[str] = (),
) -> Membership:
    """Compare the instances that belong with those that are registered.

    `attaching` are Auto Scaling groups that attach the load balancer: such a group registers its instances
    itself, and would do so again.

    `load_balancer.instances` are the registered ones, of a network load balancer in at least one target
    group: an instance that lacks in another group is registered there too. `members` is their health, which
    must be known whenever an instance may have to leave. `instances` holds every tagged instance, and every
    other registered one, asked for by id; a registered id that it does not hold is gone from EC2.
    """
    registered = load_balancer.instances
    reasons: dict[str, str] = {}
    going: set[str] = set()
    strangers: set[str] = set()
    belong: set[str] = set()
    for id_ in sorted(registered | instances.keys()):
        instance = instances.get(id_)
        if instance is None:
            reasons[id_] = "no longer exists"
            going.add(id_)
        elif reason := why_not(instance, load_balancer, now):
            reasons[id_] = reason
            (going if going_away(instance, now) else strangers).add(id_)
        else:
            belong.add(id_)
            reasons[id_] = f"is tagged emq-elb:cluster={load_balancer.cluster}"
    leaving = going & registered
    serving = {member.id for member in members if member.may_serve}
    theirs = {id_ for id_ in strangers & registered if instances[id_].group_name in attaching}
    out, held = _guarded(registered, strangers & registered - theirs, leaving, serving)
    for id_ in theirs:
        held[id_] = f"its Auto Scaling group {instances[id_].group_name} attaches the load balancer"
    for id_, guard in held.items():
        reasons[id_] = f"{reasons[id_]}; kept for now: {guard}"
    return Membership(
        register=tuple(sorted(belong - load_balancer.everywhere)),
        deregister=tuple(sorted(leaving | out)),
        held=tuple(sorted(held)),
        reasons=reasons,
    )


def _guarded(
    registered: frozenset[str], strangers: set[str], leaving: set[str], serving: set[str]
) -> tuple[set[str], dict[str, str]]:
    """Return the strangers that may leave now, and for each of the others the guard that keeps it."""
    staying = serving & registered - leaving
    out: set[str] = set()
    held: dict[str, str] = {}
    # Those that serve nobody go first: each of them costs nothing.
    for id_ in sorted(strangers, key=lambda id_: (id_ in serving, id_)):
        if 2 * (len(out) + 1) > len(registered):
            held[id_] = "no look takes out more than half of the members"
        elif staying == {id_}:
            held[id_] = "the last one in service stays"
        else:
            out.add(id_)
            staying.discard(id_)
    return out, held
