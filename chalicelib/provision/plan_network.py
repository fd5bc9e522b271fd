"""The part of the plan that is about a network load balancer: target groups, listeners, targets.

    desired  actual           target group of one instance port
    -------  ---------------  ------------------------------------------------------------------------
    there    -                CreateTargetGroup, ModifyTargetGroupAttributes where AWS's defaults differ
    there    there            ModifyTargetGroup, ModifyTargetGroupAttributes
    -        there, ours      DeleteTargetGroup, once no listener forwards to it

    desired  actual           listener of one port
    -------  ---------------  ------------------------------------------------------------------------
    there    -                CreateListener, ModifyListenerAttributes
    there    there            ModifyListener in place, whatever differs; ModifyListenerAttributes
    -        there            DeleteListener

    owner tags of listeners and groups (our own policies ask for them) · subnets · security groups · target
    groups · instances in · listeners changed, made and removed · instances out · attributes · target groups
    that nothing uses

A listener is pointed only to a group in which the members are registered by then: a group without a target
takes no traffic. A certificate that ELB does not know yet fails before anything is taken away. A group's
protocol and VPC are fixed: one that does not fit is replaced where no listener uses it, else the review
refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chalicelib.model import actions as do
from chalicelib.model.batches import batches
from chalicelib.model.load_balancer import (
    NETWORK_LISTENERS_MAX,
    HealthCheck,
    Listener,
    LoadBalancer,
    PredefinedPolicy,
    State,
    TargetGroup,
)
from chalicelib.model.names import OWNER_TAG, future_arn
from chalicelib.model.target_groups import BORN, BORN_IDLE_TIMEOUT
from chalicelib.model.unmanaged import keeps_certificate, keeps_idle_timeout, keeps_policy


def network_as_created(wanted: LoadBalancer) -> LoadBalancer:
    """What CreateLoadBalancer makes of it: subnets with addresses, groups and tags."""
    return replace(
        wanted,
        arn=future_arn("loadbalancer", wanted.name),
        listeners=(),
        target_groups={},
        health_check=HealthCheck(),
        idle_timeout=BORN_IDLE_TIMEOUT,
        connection_draining=int(BORN["deregistration_delay.timeout_seconds"]),
        cross_zone=False,
        access_logs=None,
        proxy_protocol_ports=frozenset(),
        instances=frozenset(),
    )


def plan_network(
    desired: State, actual: State, wanted: LoadBalancer, there: LoadBalancer
) -> Iterator[do.Action]:
    """The calls for everything but tags, rules of the security group and access logs, in their order."""
    groups = {**_spare(wanted, actual), **there.target_groups}
    kept = {port: group for port, group in groups.items() if _fits(group, wanted.target_groups.get(port))}
    yield from _parts_become_ours(wanted, there, kept)
    yield from _subnets(wanted, there)
    yield from _security_groups(wanted, there)
    yield from (_deleted(group, "it cannot be changed so") for group in _in_the_way(wanted, actual))
    references: dict[int, str] = {}
    for port, group in sorted(wanted.target_groups.items()):
        references[port] = _reference(kept.get(port, group))
        yield from _target_group(group, kept.get(port))
        yield from _registered(group, kept.get(port), wanted, desired)
    yield from _listeners(wanted, there, references)
    for _, group in sorted(kept.items()):
        yield from _deregistered(group, wanted, desired)
    if wanted.cross_zone != there.cross_zone:
        yield do.ModifyLoadBalancerAttributes(
            reason="attributes differ", arn=there.arn, cross_zone=wanted.cross_zone
        )
    used = {group.arn for group in kept.values()} | {group.arn for group in _in_the_way(wanted, actual)}
    ours = [group for group in there.target_groups.values() if group.owner == wanted.owner]
    for group in (*ours, *actual.spare_groups):
        if group.arn not in used:
            yield _deleted(group, "no listener forwards to it any more")


def target_groups_gone(actual: State) -> Iterator[do.DeleteTargetGroup]:
    """Target groups of ours that a load balancer leaves behind when it goes."""
    there = actual.load_balancer
    ours = [group for group in there.target_groups.values() if group.owner == there.owner] if there else []
    for group in (*ours, *actual.spare_groups):
        yield _deleted(group, "it was made for this load balancer")


def _deleted(group: TargetGroup, reason: str) -> do.DeleteTargetGroup:
    return do.DeleteTargetGroup(reason=reason, arn=group.arn or "", target_group=group.name)


def _fits(there: TargetGroup, wanted: TargetGroup | None) -> bool:
    """Whether the properties that AWS cannot change in a target group are the wanted ones."""
    return wanted is not None and (there.protocol, there.port, there.vpc) == (
        wanted.protocol,
        wanted.port,
        wanted.vpc,
    )


def _spare(wanted: LoadBalancer, actual: State) -> Mapping[int, TargetGroup]:
    """Groups that an earlier, killed run made for instance ports of ours, and no listener uses yet."""
    return {
        group.port: group
        for group in actual.spare_groups
        if _fits(group, wanted.target_groups.get(group.port))
    }


def _in_the_way(wanted: LoadBalancer, actual: State) -> list[TargetGroup]:
    """Unused groups of ours that have the name of one that is to be made, and do not fit."""
    names = {group.name for group in wanted.target_groups.values()}
    fitting = _spare(wanted, actual).values()
    return [group for group in actual.spare_groups if group.name in names and group not in fitting]


def _reference(group: TargetGroup) -> str:
    return group.arn or future_arn("targetgroup", group.name)


def _parts_become_ours(
    wanted: LoadBalancer, there: LoadBalancer, kept: Mapping[int, TargetGroup]
) -> Iterator[do.Action]:
    """Tag listeners and target groups that do not carry our owner tag, each by a call of its own.

    Also those that are to go: our own policies ask for the tag.
    """
    parts = [
        *((one.arn, one.owner, f"the listener on port {one.port}") for one in there.listeners),
        *((one.arn, one.owner, f"target group {one.name}") for one in kept.values()),
    ]
    for arn, owner, part in parts:
        if arn is not None and owner != wanted.owner:
            yield do.AddTags(
                reason=f"{part} becomes ours", tags=((OWNER_TAG, wanted.owner or ""),), arn=arn, part=part
            )


def _subnets(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.SetSubnets]:
    """Add zones, then exchange subnets zone by zone, each in two calls, then take zones off.

    A zone's subnet is removed before another one comes
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html).
    """
    zone_of = wanted.zone_of
    leaving = {zone_of.get(subnet, subnet): subnet for subnet in there.subnets - wanted.subnets}
    coming = wanted.subnets - there.subnets
    exchanged = {zone_of[subnet]: subnet for subnet in sorted(coming) if zone_of.get(subnet) in leaving}
    if not exchanged:
        if there.subnets != wanted.subnets:
            yield _set_subnets("other zones are to be served", wanted.subnets, wanted, there)
        return
    now = there.subnets
    if new := coming - {*exchanged.values()}:
        now |= new
        yield _set_subnets("zones to be served", now, wanted, there)
    for zone, subnet in exchanged.items():
        reason = f"{zone} gets another subnet"
        yield _set_subnets(reason, now - {leaving[zone]}, wanted, there)
        now = (now - {leaving[zone]}) | {subnet}
        yield _set_subnets(reason, now, wanted, there)
    if now != wanted.subnets:
        yield _set_subnets("zones no longer served", wanted.subnets, wanted, there)


def _set_subnets(
    reason: str, subnets: frozenset[str], wanted: LoadBalancer, there: LoadBalancer
) -> do.SetSubnets:
    """What is enabled keeps the address that it has; what comes gets the one that is declared."""
    addresses = {
        subnet: address
        for subnet in sorted(subnets)
        if (address := (there if subnet in there.subnets else wanted).addresses.get(subnet))
    }
    return do.SetSubnets(
        reason=reason,
        arn=there.arn or "",
        subnets=tuple(sorted(subnets)),
        addresses=tuple(addresses.items()),
    )


def _security_groups(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    if wanted.security_groups != there.security_groups:
        yield do.SetSecurityGroups(
            reason="security groups differ", arn=there.arn or "", groups=tuple(sorted(wanted.security_groups))
        )


def _target_group(wanted: TargetGroup, there: TargetGroup | None) -> Iterator[do.Action]:
    if there is None:
        yield do.CreateTargetGroup(
            reason=f"there is no target group for instance port {wanted.port}", target_group=wanted
        )
    elif wanted.health_check != there.health_check:
        yield do.ModifyTargetGroup(
            reason="the health check differs",
            arn=_reference(there),
            target_group=there.name,
            health_check=wanted.health_check,
        )
    has = there.attributes if there else BORN
    differing = {key: value for key, value in wanted.attributes.items() if has.get(key) != value}
    if differing:
        yield do.ModifyTargetGroupAttributes(
            reason="attributes differ" if there else "AWS's own are not for MQTT",
            arn=_reference(there or wanted),
            target_group=(there or wanted).name,
            attributes=tuple(sorted(differing.items())),
        )


def _registered(
    group: TargetGroup, there: TargetGroup | None, wanted: LoadBalancer, desired: State
) -> Iterator[do.RegisterTargets]:
    has = there.registered if there else frozenset[str]()
    one = there or group
    for some in batches(sorted(wanted.instances - has - desired.untouched), do.TARGETS_AT_ONCE):
        yield do.RegisterTargets(
            reason=desired.because(some),
            arn=_reference(one),
            target_group=one.name,
            instances=tuple(some),
        )


def _deregistered(group: TargetGroup, wanted: LoadBalancer, desired: State) -> Iterator[do.DeregisterTargets]:
    for some in batches(sorted(group.registered - wanted.instances - desired.untouched), do.TARGETS_AT_ONCE):
        yield do.DeregisterTargets(
            reason=desired.because(some),
            arn=_reference(group),
            target_group=group.name,
            instances=tuple(some),
        )


def _listeners(wanted: LoadBalancer, there: LoadBalancer, groups: Mapping[int, str]) -> Iterator[do.Action]:
    """The highest port first: the lowest says what was declared before (`model/unmanaged.py`).

    What is new is there before what is not wanted goes. Where AWS has no room for both they are exchanged one
    by one.
    """
    actual = {listener.port: listener for listener in there.listeners}
    going = sorted(actual.keys() - {listener.port for listener in wanted.listeners})
    room = NETWORK_LISTENERS_MAX - len(actual) - len(there.foreign_listeners)
    for listener in sorted(wanted.listeners, key=lambda one: -one.port):
        before = actual.get(listener.port)
        reference = groups[listener.instance_port]
        if before is None:
            if room <= 0 and going:
                yield _unwanted(actual[going.pop()])
            else:
                room -= 1
            yield do.CreateListener(
                reason="a listener that is missing",
                arn=there.arn or "",
                load_balancer=wanted.name,
                listener=replace(listener, target_group=reference, owner=wanted.owner),
            )
        else:
            yield from _changed(listener, before, reference, there)
        yield from _idle_timeout(listener, before, wanted, there)
    for port in going:
        yield _unwanted(actual[port])


def _unwanted(listener: Listener) -> do.DeleteListener:
    return do.DeleteListener(
        reason="a listener that is not wanted", arn=listener.arn or "", port=listener.port
    )


def _changed(
    wanted: Listener, before: Listener, group: str, there: LoadBalancer
) -> Iterator[do.ModifyListener]:
    """One call with all differences; a listener that becomes a TLS one gets its certificate with it."""
    becomes_secure = wanted.secure and not before.secure
    certificate, policy = wanted.certificate, wanted.ssl_policy
    keeps = not becomes_secure and keeps_certificate(before, certificate, there)
    if before.certificate == certificate or keeps:
        certificate = certificate if becomes_secure else None
    if not becomes_secure and (before.ssl_policy == policy or keeps_policy(before, policy, there)):
        policy = None
    change = do.ModifyListener(
        reason="",
        arn=before.arn or "",
        port=wanted.port,
        protocol=wanted.protocol if wanted.protocol != before.protocol else None,
        certificate=certificate,
        ssl_policy=policy if isinstance(policy, PredefinedPolicy) else None,
        instance_port=wanted.instance_port if before.target_group != group else None,
        target_group_arn=group if before.target_group != group else None,
    )
    reasons = {
        f"it speaks {before.protocol}": change.protocol,
        f"it has the certificate {before.certificate or 'none'}": change.certificate,
        "it negotiates otherwise": change.ssl_policy,
        "it forwards elsewhere": change.target_group_arn,
    }
    if found := [reason for reason, value in reasons.items() if value is not None]:
        yield replace(change, reason=", ".join(found))


def _idle_timeout(
    listener: Listener, before: Listener | None, wanted: LoadBalancer, there: LoadBalancer
) -> Iterator[do.ModifyListenerAttributes]:
    """A TCP listener's alone can be set; a new one, or one that spoke TLS before, has AWS's."""
    if listener.secure:
        return
    has = before.idle_timeout if before else None
    has = BORN_IDLE_TIMEOUT if has is None else has
    if has != wanted.idle_timeout and not keeps_idle_timeout(wanted.idle_timeout, has, wanted):
        arn = before.arn if before else None
        yield do.ModifyListenerAttributes(
            reason="the idle timeout differs",
            arn=arn or future_arn("listener", f"{there.name}/{listener.port}"),
            port=listener.port,
            idle_timeout=wanted.idle_timeout,
        )
