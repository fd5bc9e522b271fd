"""The part of the plan that is about a classic load balancer.

subnets (attach before detach, a zone's exchange one after another) · security groups · policies made ·
certificates in place · listeners removed and added · policies set · unused policies of ours deleted ·
health check · attributes · instances in, then out
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from chalicelib.model import actions as do
from chalicelib.model.load_balancer import HealthCheck, LoadBalancer, State
from chalicelib.model.unmanaged import keeps_idle_timeout
from chalicelib.provision.plan_listeners import AWS_DEFAULT_POLICY, plan_listeners

T = TypeVar("T")

# What a load balancer has that CreateLoadBalancer alone made
# (https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html).
_BORN_HEALTH_CHECK = HealthCheck("TCP:80", 30, 5, 2, 10)
_BORN_IDLE_TIMEOUT = 60
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html
_MOST_INSTANCES = 1000


def classic_as_created(wanted: LoadBalancer) -> LoadBalancer:
    """What CreateLoadBalancer makes of it: subnets, groups, listeners, tags; the rest as AWS defaults it."""
    return replace(
        wanted,
        listeners=tuple(
            replace(listener, ssl_policy=AWS_DEFAULT_POLICY if listener.secure else None)
            for listener in wanted.listeners
        ),
        health_check=_BORN_HEALTH_CHECK,
        idle_timeout=_BORN_IDLE_TIMEOUT,
        connection_draining=0,
        cross_zone=False,
        access_logs=None,
        proxy_protocol_ports=frozenset(),
        instances=frozenset(),
        policies={},
        backend_policies={},
    )


def plan_classic(
    desired: State, _actual: State, wanted: LoadBalancer, there: LoadBalancer
) -> Iterator[do.Action]:
    """The calls for everything but tags, rules of the security group and access logs, in their order."""
    yield from _subnets(wanted, there)
    yield from _groups(wanted, there)
    yield from plan_listeners(wanted, there)
    yield from _health_check(wanted, there)
    yield from _attributes(wanted, there)
    yield from _instances(wanted, there, desired)


def _subnets(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    """Attach what is in a new zone, detach what goes, and exchange within a zone one after another.

    A zone takes one subnet at a time, and the last subnet cannot be detached
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html).
    """
    zone_of = wanted.zone_of
    leaving = {zone_of.get(subnet, subnet): subnet for subnet in sorted(there.subnets - wanted.subnets)}
    coming = sorted(wanted.subnets - there.subnets)
    exchanged = {zone_of[subnet]: subnet for subnet in coming if zone_of.get(subnet) in leaving}
    if new := tuple(subnet for subnet in coming if subnet not in exchanged.values()):
        yield do.AttachLoadBalancerToSubnets(reason="zones to be served", subnets=new)
    for zone, subnet in exchanged.items():
        reason = f"{zone} gets another subnet"
        yield do.DetachLoadBalancerFromSubnets(reason=reason, subnets=(leaving[zone],))
        yield do.AttachLoadBalancerToSubnets(reason=reason, subnets=(subnet,))
    if old := tuple(subnet for zone, subnet in leaving.items() if zone not in exchanged):
        yield do.DetachLoadBalancerFromSubnets(reason="zones no longer served", subnets=old)


def _groups(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    if wanted.security_groups != there.security_groups:
        yield do.ApplySecurityGroupsToLoadBalancer(
            reason="security groups differ", groups=tuple(sorted(wanted.security_groups))
        )


def _health_check(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    if wanted.health_check != there.health_check:
        yield do.ConfigureHealthCheck(reason="the health check differs", health_check=wanted.health_check)


def _attributes(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    change = do.ModifyLoadBalancerAttributes(
        reason="attributes differ",
        idle_timeout=None
        if keeps_idle_timeout(wanted.idle_timeout, there.idle_timeout, wanted)
        else _differing(wanted.idle_timeout, there.idle_timeout),
        connection_draining=_differing(wanted.connection_draining, there.connection_draining),
        cross_zone=_differing(wanted.cross_zone, there.cross_zone),
    )
    if change != do.ModifyLoadBalancerAttributes(reason=change.reason):
        yield change


def _differing(wanted: T, there: T) -> T | None:
    return wanted if wanted != there else None


def _instances(wanted: LoadBalancer, there: LoadBalancer, desired: State) -> Iterator[do.Action]:
    calls: list[do.Action] = []
    if coming := tuple(sorted(wanted.instances - there.instances)):
        calls.append(do.RegisterInstances(reason=desired.because(coming), instances=coming))
    if leaving := tuple(sorted(there.instances - wanted.instances)):
        calls.append(do.DeregisterInstances(reason=desired.because(leaving), instances=leaving))
    # The guards leave half of the members and one in service, also where some have to make room.
    yield from calls if len(there.instances) + len(coming) <= _MOST_INSTANCES else reversed(calls)
