"""Read the clusters behind our load balancers, decide who belongs, and change who is registered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from chalicelib.aws.registration import NotTaken, register_or_deregister
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.actions import to_step
from chalicelib.model.errors import Absent, AwsError, InvalidInstance
from chalicelib.model.step import Step
from chalicelib.register.observe import Clusters, membership, read_one
from chalicelib.register.plan import Membership

ChangeName = Literal["RegisterInstances", "DeregisterInstances"]


@dataclass
class Work:
    """What one look has done so far: the one value here that grows. `failures` are with their place.

    `refused` are writes that AWS refuses and another try would not mend; the work goes on without them.
    `ended` are instances that were to be registered or deregistered, and have ended or do not run by now.
    """

    steps: list[tuple[str, Step]] = field(default_factory=list)
    failures: list[tuple[str, AwsError]] = field(default_factory=list)
    refused: list[tuple[str, AwsError]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    wrote: bool = False

    def told(self, load_balancer: str, step: Step, invocation: Invocation) -> None:
        """Keep a step that was done, and tell it."""
        self.steps.append((load_balancer, step))
        invocation.told(load_balancer, step)


def converge(name: str, clusters: Clusters, because: str, work: Work, invocation: Invocation) -> Membership:
    """Make at most one call to register and one to deregister, and return what was decided last.

    The first call of a look rests on what the look has just read; before every further one its load balancer
    is read again (docs/decisions/0006-one-look-sees-everything.md).
    """
    decided = membership(name, clusters, invocation)
    kinds: tuple[ChangeName, ...] = ("RegisterInstances", "DeregisterInstances")
    for kind in kinds:
        if not _ids(decided, kind):
            continue
        if work.wrote:
            clusters = read_one(name, invocation)
            if name not in clusters.load_balancers:
                raise Absent("DescribeLoadBalancers", "LoadBalancerNotFound", f"{name} is no longer ours")
            decided = membership(name, clusters, invocation)
        if ids := _ids(decided, kind):
            reasons = ", ".join(sorted({decided.reasons[id_] for id_ in ids}))
            work.wrote = True
            apply_change(name, kind, ids, work, invocation, reason=f"{reasons} ({because})")
    return decided


def _ids(decided: Membership, kind: ChangeName) -> tuple[str, ...]:
    return decided.register if kind == "RegisterInstances" else decided.deregister


def apply_change(
    name: str, kind: ChangeName, ids: tuple[str, ...], work: Work, invocation: Invocation, *, reason: str
) -> None:
    """Register or deregister the instances; one that AWS refuses holds nobody else up, and is a failure.

    One that has ended meanwhile is none: there is nothing left to do for it.
    """
    of_kind = do.RegisterInstances if kind == "RegisterInstances" else do.DeregisterInstances
    for outcome in register_or_deregister(invocation.clients, name, of_kind(reason=reason, instances=ids)):
        match outcome:
            case NotTaken(instance=instance, error=None):
                work.ended.add(instance)
            case NotTaken(error=InvalidInstance() as error):
                work.failures.append((name, error))
            case do.RegisterInstances() | do.DeregisterInstances():
                work.told(name, to_step(outcome), invocation)
