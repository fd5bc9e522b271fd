"""Register and deregister: at most one call of either for each load balancer."""

from __future__ import annotations

from typing import Literal

from chalicelib.apply import Progress, apply
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.register.observe import Clusters, membership, read_one
from chalicelib.register.plan import Membership

ChangeName = Literal["RegisterInstances", "DeregisterInstances"]


def converge(
    name: str, clusters: Clusters, because: str, work: Progress, invocation: Invocation
) -> Membership:
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
            decided = membership(name, clusters, invocation)
        if ids := _ids(decided, kind):
            reasons = ", ".join(sorted({decided.reasons[id_] for id_ in ids}))
            apply_change(name, kind, ids, work, invocation, reason=f"{reasons} ({because})")
    return decided


def _ids(decided: Membership, kind: ChangeName) -> tuple[str, ...]:
    return decided.register if kind == "RegisterInstances" else decided.deregister


def apply_change(
    name: str, kind: ChangeName, ids: tuple[str, ...], work: Progress, invocation: Invocation, *, reason: str
) -> None:
    """Register or deregister the instances; one that AWS refuses holds up no other one, and is a failure.

    One that has ended meanwhile is none: there is nothing left to do for it.
    """
    of_kind = do.RegisterInstances if kind == "RegisterInstances" else do.DeregisterInstances
    before = len(work.not_taken)
    apply(name, [of_kind(reason=reason, instances=ids)], work, invocation)
    work.failures += [(name, one.error) for one in work.not_taken[before:] if one.error]
