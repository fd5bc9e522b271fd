"""What a network load balancer's target groups hold for MQTT, and what their health says of an instance.

    target_health_state.unhealthy.connection_termination.enabled   false: a slow status page would otherwise
                                                                   reset the sessions of every device
    deregistration_delay.connection_termination.enabled            true: a drained instance would otherwise
                                                                   keep its sessions for ever
    preserve_client_ip.enabled                                     true: without it one address and port of an
                                                                   instance takes about 55,000 sessions

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.model.load_balancer import Member

DELAY = "deregistration_delay.timeout_seconds"
PROXY_PROTOCOL = "proxy_protocol_v2.enabled"
FOR_MQTT: Mapping[str, str] = {
    "target_health_state.unhealthy.connection_termination.enabled": "false",
    "deregistration_delay.connection_termination.enabled": "true",
    "preserve_client_ip.enabled": "true",
}
BORN: Mapping[str, str] = {
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "deregistration_delay.connection_termination.enabled": "false",
    "preserve_client_ip.enabled": "true",
    DELAY: "300",
    PROXY_PROTOCOL: "false",
}
"""What a target group of instances has of these when it was made."""

BORN_IDLE_TIMEOUT = 350
"""Seconds, of a new TCP listener."""


def managed_attributes(draining: int, *, proxying: bool) -> Mapping[str, str]:
    """Return every attribute that we set on a target group."""
    return {**FOR_MQTT, DELAY: str(draining), PROXY_PROTOCOL: "true" if proxying else "false"}


# What of an instance's states in several groups speaks for all: it serves when it does in each.
_WORST_FIRST = ("unhealthy", "unhealthy.draining", "unused", "initial", "draining", "unavailable", "healthy")


def members_of(health: Mapping[int, Mapping[str, Member]]) -> tuple[Member, ...]:
    """Return one member for each instance, given what each target group says, by instance port.

    An instance that is registered in one group does not drain, and where it lacks in another it is not in
    service; that it serves in one is kept.
    """
    ids = {id_ for members in health.values() for id_ in members}
    return tuple(
        _together(id_, {port: members.get(id_) for port, members in sorted(health.items())})
        for id_ in sorted(ids)
    )


def _together(id_: str, states: Mapping[int, Member | None]) -> Member:
    there = {port: member for port, member in states.items() if member is not None}
    staying = {port: member for port, member in there.items() if not member.draining}
    lacking = Member(id_, "unused", "Target.NotRegistered", "Target is not registered to the target group")
    counted = {port: staying.get(port, lacking) for port in states} if staying else there
    serving = any(member.in_service for member in there.values())
    port, worst = min(counted.items(), key=lambda one: _rank(one[1].state))
    worst = replace(worst, serves_elsewhere=serving)
    if not worst.description or (counted.keys() == states.keys() and _agree(counted)):
        return worst
    return replace(worst, description=f"port {port}: {worst.description}")


def _rank(state: str) -> int:
    return _WORST_FIRST.index(state) if state in _WORST_FIRST else len(_WORST_FIRST)


def _agree(states: Mapping[int, Member]) -> bool:
    return len({one.state for one in states.values()}) == 1
