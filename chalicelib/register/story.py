"""Keep the instances that carry a cluster's tag behind its load balancers, and no others.

    answer      an EC2 or tag event: wait until it has settled, then look. No look where a later one saw the
                change already, or for a state change of an instance without a cluster's tag
    drain       urgent: an interruption, or an Auto Scaling group that holds an instance for us
    reconcile   every minute: look without an event, and complete lifecycle actions

All three end in the same decision (`register/plan.py`), on what is read from AWS at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from chalicelib import telemetry
from chalicelib.announce import MEMBERSHIP, announce, of_steps
from chalicelib.apply import Progress, apply
from chalicelib.aws import ec2
from chalicelib.aws.autoscaling import with_lifecycles
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.errors import Absent, AwsError, Conflict, Unserved, in_vain
from chalicelib.model.load_balancer import Instance, LoadBalancer
from chalicelib.model.names import DRAINING_TAG
from chalicelib.model.same_name import left_alone
from chalicelib.model.step import Step
from chalicelib.register.apply import apply_change, converge
from chalicelib.register.events import (
    Event,
    LifecycleAction,
    RebalanceRecommendation,
    SpotInterruption,
    StateChange,
    TagChange,
    Unreadable,
    read_event,
)
from chalicelib.register.hooks import complete_lifecycle_actions, make
from chalicelib.register.lifecycle import DRAIN_HOOK, READY_HOOK, in_warm_pool, let_go_on, waits
from chalicelib.register.observe import Clusters, read_again, read_clusters, read_load_balancers
from chalicelib.register.plan import (
    REBALANCE,
    SPOT_INTERRUPTION,
    Membership,
    going_away,
    tag_to_write,
    why_not,
)
from chalicelib.register.settle import LastLook, Memory, answered, one_by_one, wait_for_look

_DRIFT = "drift: an event was lost or is late, or somebody changed it by hand"
_EVERYWHERE = "every load balancer"
_REGISTERING = {"RegisterInstances", "RegisterTargets"}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look found and did.

    `steps` and `failures` come with their load balancer. `registered` counts the instances afterwards, by
    load balancer; `left_out` says, by load balancer and id, why a tagged or registered instance does not
    belong. Both cover the load balancers that the look compared. `load_balancers` are all of ours, None where
    a read failed. `same_name` are names of which the network load balancer is left alone.
    """

    began: datetime
    steps: tuple[tuple[str, Step], ...] = ()
    failures: tuple[tuple[str, AwsError], ...] = ()
    registered: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    load_balancers: Mapping[str, LoadBalancer] | None = None
    same_name: frozenset[str] = frozenset()

    @property
    def drift(self) -> list[str]:
        """The load balancers at which the look changed who is registered."""
        return sorted({name for name, step in self.steps if step.action in MEMBERSHIP})

    @property
    def memory(self) -> Memory:
        """What a warm container remembers after it."""
        return Memory(LastLook(self.began, served=not self.failures))

    @property
    def left_alone(self) -> list[tuple[str, Conflict]]:
        """What is not served until somebody acts, for `reconcile` to raise: another try would not help."""
        return left_alone(self.same_name)

    def complain(self) -> None:
        """Raise `Unserved` with every failure, so that Lambda tries again; nothing where there is none."""
        _complain(self.failures)


@dataclass(frozen=True, kw_only=True)
class Untagged:
    """An event that needed no look: its instance carries no cluster's tag."""

    memory: Memory


@dataclass(frozen=True, kw_only=True)
class Drained:
    """What one urgent event led to.

    `steps`, `failures` and `refused` come with their place. `refused` are writes that AWS refused and that
    another try would not make; the rest was done without them.
    """

    steps: tuple[tuple[str, Step], ...] = ()
    failures: tuple[tuple[str, AwsError], ...] = ()
    refused: tuple[tuple[str, AwsError], ...] = ()

    def complain(self) -> None:
        """Raise `Unserved` with every failure, so that Lambda tries again; nothing where there is none."""
        _complain(self.failures)


def _complain(failures: Sequence[tuple[str, AwsError]]) -> None:
    if failures:
        raise Unserved(failures)


def readable(function: str, event: Mapping[str, Any]) -> Event | None:
    """The event as a value; an unreadable one is logged and dropped, since Lambda would try it again."""
    event_read = read_event(event)
    if isinstance(event_read, Unreadable):
        telemetry.dropped(function, event_read.id, event_read.reason)
        return None
    return event_read


def answer_event(event: Event, invocation: Invocation, memory: Memory) -> Look | Untagged | None:
    """Look once the event has settled; None when the last look saw its change already."""
    settle, now = invocation.settings.settle, invocation.now()
    if answered(event.at, memory.look, settle):
        return None
    # What a change of the tag says has always a look: the tag may be seen late, or be gone from a member.
    if isinstance(event, StateChange) and one_by_one(memory, settle, now) and _untagged(event, invocation):
        return Untagged(memory=memory.answered_without_look(now))
    wait = min(wait_for_look(event.at, memory.look, settle, now), invocation.deadline - now)
    if wait > timedelta():
        invocation.sleep(wait.total_seconds())
    work = Progress()
    look, _ = _look(f"seen after event {event.id}", work, invocation, about=event.instance)
    announce(of_steps(work.done), invocation.clients)
    return look


def _untagged(event: StateChange, invocation: Invocation) -> bool:
    """Whether no cluster has the instance; False where EC2 cannot be asked, or does not know it (yet)."""
    try:
        found = ec2.instances_by_id(invocation.clients.ec2, [event.instance])
    except AwsError:
        return False
    return bool(found) and all(instance.cluster is None for instance in found.values())


def reconcile(invocation: Invocation) -> Look:
    """Look without an event, let waiting instances go on, and put the gauge."""
    work = Progress()
    look, clusters = _look(_DRIFT, work, invocation)
    complete_lifecycle_actions(clusters, work, invocation)
    announce(of_steps(work.done), invocation.clients)
    for name, count in look.registered.items():
        telemetry.emit(name, RegisteredInstances=count)
    return replace(look, steps=tuple(work.done), failures=tuple(work.failures))


def _look(
    because: str, work: Progress, invocation: Invocation, *, about: str | None = None
) -> tuple[Look, Clusters]:
    """Serve every load balancer of ours, also when one of them fails.

    `about` is the instance that an event named.
    """
    began, clusters = invocation.now(), Clusters()
    registered: dict[str, int] = {}
    left_out: dict[str, Mapping[str, str]] = {}
    try:
        clusters = read_clusters(invocation, about)
    except AwsError as error:
        work.failures.append((_EVERYWHERE, error))
    work.failures += clusters.failures
    unread = bool(work.failures)
    for name, load_balancer in sorted(clusters.load_balancers.items()):
        if load_balancer.arn in clusters.unread:
            continue
        if unknown := clusters.undecided(load_balancer):
            work.failures.append((name, unknown))
            continue
        before = len(work.done)
        try:
            decided = converge(name, clusters, because, work, invocation)
        except AwsError as error:
            work.failures.append((name, error))
            continue
        ended = {one.instance for one in work.not_taken if one.error is None}
        after = _after(load_balancer, work.done[before:]) - ended
        registered[name] = len(after)
        if out := _left_out(decided, after | ended):
            left_out[name] = out
    look = Look(
        began=began,
        steps=tuple(work.done),
        failures=tuple(work.failures),
        registered=registered,
        left_out=left_out,
        load_balancers=None if unread else clusters.load_balancers,
        same_name=clusters.same_name,
    )
    return look, clusters


def _after(load_balancer: LoadBalancer, steps: list[tuple[str, Step]]) -> frozenset[str]:
    """Return the ids that are registered after the steps."""
    ids = {*load_balancer.instances}
    for _, step in steps:
        changed = step.fields["instances"]
        if isinstance(changed, list):
            (ids.update if step.action in _REGISTERING else ids.difference_update)(changed)
    return frozenset(ids)


def _left_out(decided: Membership, registered: frozenset[str]) -> Mapping[str, str]:
    """Why each instance does not belong; terminated ones, which EC2 shows for an hour, are left out."""
    return {
        id_: reason
        for id_, reason in decided.reasons.items()
        if (id_ not in registered or id_ in decided.held) and reason != "terminated"
    }


def drain(event: Event, invocation: Invocation) -> Drained:
    """Do at once what the event asks for, about its one instance.

    An interruption is first written on the instance, so that a look in between does not register it again.
    Where AWS refuses the tag, the instance drains all the same. An event that AWS does not confirm, because
    the instance is no Spot instance or waits for no hook, is logged, and nothing follows from it.
    """
    instance = ec2.instances_by_id(invocation.clients.ec2, [event.instance]).get(event.instance)
    if instance is None:
        return Drained()
    work = Progress()
    try:
        instance = with_lifecycles({instance.id: instance}, invocation.clients)[instance.id]
    except AwsError as error:
        # An interruption needs no more than EC2 has said; a hook waits for the next try.
        work.failures.append((instance.cluster or instance.id, error))
        if isinstance(event, LifecycleAction):
            return Drained(failures=tuple(work.failures))
    try:
        _act(event, instance, work, invocation)
    except AwsError as error:
        work.failures.append((instance.cluster or instance.id, error))
    announce(of_steps(work.done), invocation.clients)
    return Drained(steps=tuple(work.done), failures=tuple(work.failures), refused=tuple(work.refused))


def _act(event: Event, instance: Instance, work: Progress, invocation: Invocation) -> None:
    match event:
        case SpotInterruption():
            _leave(instance, event.at, SPOT_INTERRUPTION, work, invocation)
        case RebalanceRecommendation():
            if invocation.settings.drain_on_rebalance:
                _leave(instance, event.at, REBALANCE, work, invocation)
        case LifecycleAction():
            if event.hook in {READY_HOOK, DRAIN_HOOK}:
                _held(instance, event, work, invocation)
        case StateChange() | TagChange():
            pass  # `answer` is for them
        case _:
            assert_never(event)


def _leave(instance: Instance, since: datetime, reason: str, work: Progress, invocation: Invocation) -> None:
    cluster = instance.cluster
    if cluster is None:
        return
    if not instance.spot:
        telemetry.unconfirmed(cluster, instance.id, reason, "it is no Spot instance")
        return
    found = read_load_balancers(instance, invocation)
    if text := tag_to_write(instance, since, reason, invocation.now()):
        if found.serving(cluster):
            _mark(instance, text, reason, work, invocation)
        instance = replace(instance, draining=text)
    _at_once(instance, found, work, invocation)


def _mark(instance: Instance, text: str, reason: str, work: Progress, invocation: Invocation) -> None:
    """Write the `emq-elb:draining` tag on the instance; where AWS refuses it, that stops nothing."""
    cluster = instance.cluster or ""
    try:
        mark = do.CreateTags(reason=reason, resources=(instance.id,), tag=(DRAINING_TAG, text))
        apply(cluster, [mark], work, invocation)
    except AwsError as error:
        telemetry.unmarked(cluster, instance.id, reason, str(error))
        (work.refused if in_vain(error) else work.failures).append((f"{cluster}, {instance.id}", error))


def _held(instance: Instance, event: LifecycleAction, work: Progress, invocation: Invocation) -> None:
    """Register or deregister an instance that its group holds; `reconcile` completes the action later.

    An instance on its way to a warm pool is let go at once, and so is one that ends and drains from no load
    balancer, where Auto Scaling confirms the event; else `reconcile` decides.
    """
    cluster = instance.cluster or ""
    found = read_load_balancers(instance, invocation) if cluster else Clusters()
    to_pool = event.destination == "WarmPool" or in_warm_pool(instance)
    _at_once(instance, found, work, invocation, register=not to_pool)
    if found.foreign(cluster) or found.unlisted:
        return
    ends = event.transition == "terminating" and not found.serving(cluster)
    if not waits(instance):
        telemetry.unconfirmed(cluster, instance.id, event.hook, "its Auto Scaling group does not hold it")
    elif in_warm_pool(instance) or (ends and instance.lifecycle != "Pending:Wait"):
        why = "it goes to a warm pool" if in_warm_pool(instance) else "it has no load balancer to drain from"
        make(cluster, let_go_on(instance, event.hook, why, token=event.token), work, invocation)


def _at_once(
    instance: Instance, found: Clusters, work: Progress, invocation: Invocation, *, register: bool = True
) -> None:
    """Bring this one instance, and no other, to where it belongs, also when one load balancer fails."""
    work.failures += found.failures
    for load_balancer in found.around(instance):
        if load_balancer.arn in found.unread:
            continue
        try:
            _at_one(instance, load_balancer, work, invocation, register=register)
        except AwsError as error:
            work.failures.append((load_balancer.name, error))


def _at_one(
    instance: Instance, load_balancer: LoadBalancer, work: Progress, invocation: Invocation, *, register: bool
) -> None:
    """Register or deregister the one instance; after a write the load balancer is read again."""
    if work.wrote:
        try:
            (load_balancer,) = read_again(load_balancer, invocation).load_balancers.values()
        except Absent:
            return
    now, ids = invocation.now(), (instance.id,)
    if instance.id in load_balancer.instances and (why := going_away(instance, now)):
        apply_change(load_balancer, "deregister", ids, work, invocation, reason=why)
    elif (
        register
        and instance.id not in load_balancer.everywhere
        and why_not(instance, load_balancer, now) is None
    ):
        why = f"is tagged emq-elb:cluster={load_balancer.cluster}"
        apply_change(load_balancer, "register", ids, work, invocation, reason=why)
