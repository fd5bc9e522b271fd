"""The calls that change who is registered: one for a classic load balancer, one for each target group of a
network one that it concerns, and there one for each `TARGETS_AT_ONCE` instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from chalicelib.model import actions as do
from chalicelib.model.batches import batches
from chalicelib.model.load_balancer import LoadBalancer, LoadBalancerType

ChangeName = Literal["register", "deregister"]
MembershipCall = do.RegisterInstances | do.DeregisterInstances | do.RegisterTargets | do.DeregisterTargets


def membership_calls(
    load_balancer: LoadBalancer, change: ChangeName, ids: Sequence[str], reason: str
) -> tuple[MembershipCall, ...]:
    """The calls for these instances, in their order."""
    return tuple(_CALLS[load_balancer.type](load_balancer, change, ids, reason))


def _classic(
    _: LoadBalancer, change: ChangeName, ids: Sequence[str], reason: str
) -> Iterator[MembershipCall]:
    of_kind = do.RegisterInstances if change == "register" else do.DeregisterInstances
    if ids:
        yield of_kind(reason=reason, instances=tuple(ids))


def _network(
    load_balancer: LoadBalancer, change: ChangeName, ids: Sequence[str], reason: str
) -> Iterator[MembershipCall]:
    of_kind = do.RegisterTargets if change == "register" else do.DeregisterTargets
    for _, group in sorted(load_balancer.target_groups.items()):
        concerned = [id_ for id_ in ids if (id_ in group.registered) == (change == "deregister")]
        for some in batches(concerned, do.TARGETS_AT_ONCE):
            yield of_kind(reason=reason, arn=group.arn or "", target_group=group.name, instances=tuple(some))


_CALLS: Mapping[
    LoadBalancerType, Callable[[LoadBalancer, ChangeName, Sequence[str], str], Iterator[MembershipCall]]
] = {"classic": _classic, "network": _network}
