"""Register and deregister: at most one change of either for each load balancer."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.apply import Progress, apply
from chalicelib.invocation import Invocation
from chalicelib.model.errors import AwsError
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.register.changes import ChangeName, membership_calls
from chalicelib.register.observe import Clusters, membership, read_one
from chalicelib.register.plan import Membership


def converge(
    name: str, clusters: Clusters, because: str, work: Progress, invocation: Invocation
) -> Membership:
    """Make at most one change to register and one to deregister, and return the last decision.

    The first change rests on what the look has just read; before each further one the load balancer is read
    again (docs/decisions/0006-one-look-sees-everything.md). Where AWS refuses to register, the instances that
    have to leave are deregistered all the same, within the guards; the error is a failure of `work`.
    """
    decided = membership(name, clusters, invocation)
    changes: tuple[ChangeName, ...] = ("register", "deregister")
    for change in changes:
        if not _ids(decided, change):
            continue
        if work.wrote:
            clusters = read_one(clusters.load_balancers[name], invocation)
            decided = membership(name, clusters, invocation)
        if ids := _ids(decided, change):
            reasons = ", ".join(sorted({decided.reasons[id_] for id_ in ids}))
            there = clusters.load_balancers[name]
            try:
                apply_change(there, change, ids, work, invocation, reason=f"{reasons} ({because})")
            except AwsError as error:
                work.failures.append((name, error))
    return decided


def _ids(decided: Membership, change: ChangeName) -> tuple[str, ...]:
    return decided.register if change == "register" else decided.deregister


def apply_change(
    load_balancer: LoadBalancer,
    change: ChangeName,
    ids: tuple[str, ...],
    work: Progress,
    invocation: Invocation,
    *,
    reason: str,
) -> None:
    """Register or deregister the instances; one that AWS refuses holds up no other one, and is a failure.

    One that has ended meanwhile is none: there is nothing left to do for it. The calls of a network load
    balancer's target groups are one change: each is made whatever AWS says to another, and raises then.
    """
    name, before = load_balancer.name, len(work.not_taken)
    errors: list[AwsError] = []
    for call in membership_calls(load_balancer, change, ids, reason):
        refused = {one.instance for one in work.not_taken[before:]}
        if not (rest := tuple(id_ for id_ in call.instances if id_ not in refused)):
            continue
        try:
            apply(name, [replace(call, instances=rest)], work, invocation)
        except AwsError as error:
            errors.append(error)
    work.failures += [(name, one.error) for one in work.not_taken[before:] if one.error]
    if errors:
        raise errors[0]
