"""Two load balancers of ours that have one name, a classic and a network one.

AWS may allow it, since each of its two APIs keeps names of its own; a PUT never makes it, but two at one time
may, or somebody who tags by hand. Certificates, the security group, metrics, alarms and records are all named
after the load balancer, so that only one of the two can be looked after: the classic one.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.model.errors import Conflict

_WHAT_TO_DO = (
    "delete one of them at AWS, or take its tag emq-elb:owner off, and this deployment leaves it alone"
)


def two_of_one_name(name: str) -> str:
    """Say of which name there are two, and how to end that."""
    return f"a classic and a network load balancer of ours are both named {name}: {_WHAT_TO_DO}"


def unserved(name: str) -> str:
    """Say which of the two is not looked after."""
    return f"the network load balancer is not looked after, since {two_of_one_name(name)}"


def left_alone(names: Iterable[str]) -> list[tuple[str, Conflict]]:
    """Return each name with why its network load balancer is not served, for a story to end with."""
    return [(name, Conflict(unserved(name))) for name in sorted(names)]
