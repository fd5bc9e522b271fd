"""Of which network load balancers a look reads the targets.

Who is registered with a classic load balancer stands in the listing. Of a network one each target group has
to be asked, and AWS takes 40 reads at once, and 10 more each second
(https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html). So a look reads:

    up to AT_ONCE network load balancers    all of them
    more than that                          those of each cluster in which something changes, and of the
                                            others AT_ONCE, which take turns minute by minute

docs/decisions/0015-network-load-balancers-take-turns.md has the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from chalicelib.model.load_balancer import Instance, LoadBalancer
from chalicelib.register.plan import drained_by

AT_ONCE = 10
_NEW = timedelta(minutes=15)
_MOVING = ("Pending", "Terminating", "ReplacingRootVolume", "Detaching", "EnteringStandby")


def to_read(
    networks: Iterable[LoadBalancer], instances: Collection[Instance], now: datetime, about: str | None = None
) -> frozenset[str]:
    """The names of those whose targets a look reads; `about` is the instance that an event named."""
    found = sorted(networks, key=lambda one: one.name)
    rounds, minute = math.ceil(len(found) / AT_ONCE), int(now.timestamp()) // 60
    clusters = {one.cluster for one in instances if one.id == about or _changes(one, now)}
    return frozenset(
        one.name
        for number, one in enumerate(found)
        if one.cluster in clusters or number % rounds == minute % rounds
    )


def _changes(instance: Instance, now: datetime) -> bool:
    """Whether the instance has just come, is about to go, or waits for us.

    One that has stopped or ended changes nothing any more: AWS sends it no traffic.
    """
    return (
        now - instance.launched < _NEW
        or instance.state in {"pending", "shutting-down", "stopping"}
        or (instance.lifecycle or "").startswith(_MOVING)
        or (instance.state == "running" and drained_by(instance, now) is not None)
    )
