"""After a PUT: whether any member answers the health check that it set."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from chalicelib import observe, telemetry
from chalicelib.invocation import Invocation
from chalicelib.model.errors import AwsError
from chalicelib.model.load_balancer import HealthCheck, Member


def watch_health_check(name: str, invocation: Invocation) -> bool:
    """Wait until the members' health is that of the new check; False, and a warning, where none passes it.

    ELB needs as many checks as the threshold says before it takes a member out, so that a target which no
    broker answers shows itself only then. True also where there is nothing to say: no members, no time.
    """
    try:
        found = observe.find_load_balancer(name, invocation)
        if found is None:
            return True
        check = found.load_balancer.health_check
        settled = invocation.now() + takes_effect_within(check)
        if settled >= invocation.deadline:
            return True
        for _ in invocation.waits():
            if invocation.now() >= settled:
                break
        again = observe.find_load_balancer(name, invocation)
        members = again.members if again else ()
    except AwsError as error:  # deleted since, or AWS cannot be asked: the alarm `nodes` looks too
        telemetry.unwatched(name, str(error))
        return True
    if not unanswered(members):
        return True
    telemetry.health_check_unanswered(name, check.target, {one.id: one.description for one in members})
    return False


def takes_effect_within(check: HealthCheck) -> timedelta:
    """How long ELB needs until the members' states come from the new check."""
    checks = max(check.unhealthy_threshold, check.healthy_threshold)
    return timedelta(seconds=checks * check.interval + check.timeout)


def unanswered(members: Collection[Member]) -> bool:
    """Whether there are members, and ELB finds every one of them out of service."""
    return bool(members) and all(member.out_of_service for member in members)
