"""What AWS makes of each action about a network load balancer, as pure functions; see `pure_aws.py`.

An ARN is the name that stood for it, after `arn:`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from chalicelib.model import actions as do
from chalicelib.model.load_balancer import (
    NETWORK_LISTENERS_MAX,
    TCP_IDLE_TIMEOUTS,
    Listener,
    LoadBalancer,
    PredefinedPolicy,
    State,
    TargetGroup,
)
from chalicelib.model.names import future_arn
from chalicelib.model.target_groups import BORN, BORN_IDLE_TIMEOUT, PROXY_PROTOCOL

ZONE_OF = {f"subnet-{zone}{number}": f"zone-{zone}" for zone in "abc" for number in (1, 2)}


def network_arns(actual: State) -> dict[str, str]:
    """The ARNs of what there is, by the names that stand for them."""
    there = actual.load_balancer
    groups = [*actual.spare_groups, *(there.target_groups.values() if there else ())]
    named = {future_arn("targetgroup", group.name) for group in groups}
    if there and there.type == "network":
        named |= {future_arn("loadbalancer", there.name)}
        named |= {future_arn("listener", f"{there.name}/{one.port}") for one in there.listeners}
    return {name: f"arn:{name}" for name in named}


def network_created(actual: State, born: LoadBalancer) -> State:
    """A load balancer without listeners; it cannot do without a security group."""
    assert actual.load_balancer is None, "DuplicateLoadBalancerName"
    assert born.security_groups, "none can be added later"
    made = replace(
        born,
        arn=f"arn:{future_arn('loadbalancer', born.name)}",
        listeners=(),
        target_groups={},
        instances=frozenset(),
    )
    return replace(actual, load_balancer=made)


def without_load_balancer(actual: State) -> State:
    """It takes its listeners with it, not its target groups."""
    there = actual.load_balancer
    left = tuple(there.target_groups.values()) if there else ()
    return replace(actual, load_balancer=None, spare_groups=(*actual.spare_groups, *left))


def target_group_created(actual: State, wanted: TargetGroup) -> State:
    """One that no listener uses yet, with AWS's own attributes."""
    assert wanted.name not in {group.name for group in _groups(actual)}, "DuplicateTargetGroupName"
    made = replace(
        wanted,
        arn=f"arn:{future_arn('targetgroup', wanted.name)}",
        attributes=dict(BORN),
        registered=frozenset(),
    )
    return replace(actual, spare_groups=(*actual.spare_groups, made))


def target_group_deleted(actual: State, arn: str) -> State:
    """Only one that no listener uses."""
    there = actual.load_balancer
    used = {one.target_group for one in there.listeners} if there else set()
    assert arn not in used, "ResourceInUse"
    assert arn in {group.arn for group in actual.spare_groups}, "TargetGroupNotFound"
    return replace(actual, spare_groups=tuple(group for group in actual.spare_groups if group.arn != arn))


def network_changed(actual: State, there: LoadBalancer, action: do.Action) -> State:  # noqa: C901, PLR0912 - one case an action
    """The state after a call on the load balancer, a listener or a target group."""
    match action:
        case do.AddTags(arn=arn, tags=tags) if arn == there.arn:
            return _with(actual, replace(there, tags={**there.tags, **dict(tags)}))
        case do.AddTags(arn=arn, tags=((_, owner),)):
            listeners = tuple(replace(one, owner=owner) if one.arn == arn else one for one in there.listeners)
            return _each_group(
                _with(actual, replace(there, listeners=listeners)), arn, lambda one: replace(one, owner=owner)
            )
        case do.RemoveTags(keys=keys):
            assert there.tags.keys() >= {*keys}
            left = {key: text for key, text in there.tags.items() if key not in keys}
            return _with(actual, replace(there, tags=left))
        case do.SetSubnets(subnets=subnets):
            zones = [ZONE_OF[one] for one in subnets]
            assert subnets
            assert len(zones) == len({*zones}), "two subnets in one zone"
            before = {ZONE_OF[one]: one for one in there.subnets}
            assert all(before.get(zone, one) == one for zone, one in zip(zones, subnets, strict=True)), (
                "a zone's subnet is exchanged in two steps"
            )
            return _with(actual, replace(there, subnets=frozenset(subnets)))
        case do.SetSecurityGroups(groups=groups):
            assert groups
            return _with(actual, replace(there, security_groups=frozenset(groups)))
        case do.ModifyLoadBalancerAttributes(cross_zone=cross_zone, access_logs=logs):
            return _with(
                actual,
                replace(
                    there,
                    cross_zone=there.cross_zone if cross_zone is None else cross_zone,
                    access_logs=there.access_logs
                    if logs is None
                    else None
                    if isinstance(logs, bool)
                    else logs,
                ),
            )
        case do.ModifyTargetGroup(arn=arn, health_check=check):
            return _each_group(actual, arn, lambda one: replace(one, health_check=check))
        case do.ModifyTargetGroupAttributes(arn=arn, attributes=attributes):
            return _each_group(
                actual,
                arn,
                lambda one: replace(one, attributes={**one.attributes, **dict(attributes)}),
            )
        case do.RegisterTargets(arn=arn, instances=ids):
            assert ids
            return _each_group(actual, arn, lambda one: replace(one, registered=one.registered | {*ids}))
        case do.DeregisterTargets(arn=arn, instances=ids):
            return _each_group(actual, arn, lambda one: replace(one, registered=one.registered - {*ids}))
        case do.CreateListener(arn=arn, listener=listener):
            assert arn == there.arn, "LoadBalancerNotFound"
            assert listener.port not in {one.port for one in there.listeners}, "DuplicateListener"
            assert len(there.listeners) < NETWORK_LISTENERS_MAX, "TooManyListeners"
            made = replace(
                listener,
                arn=f"arn:{future_arn('listener', f'{there.name}/{listener.port}')}",
                idle_timeout=None if listener.secure else BORN_IDLE_TIMEOUT,
            )
            return _listening(actual, there, (*there.listeners, made))
        case do.ModifyListener():
            return _listening(actual, there, tuple(_modified(actual, one, action) for one in there.listeners))
        case do.DeleteListener(arn=arn):
            assert arn in {one.arn for one in there.listeners}, "ListenerNotFound"
            return _listening(actual, there, tuple(one for one in there.listeners if one.arn != arn))
        case do.ModifyListenerAttributes(arn=arn, idle_timeout=seconds):
            (listener,) = (one for one in there.listeners if one.arn == arn)
            assert not listener.secure, "InvalidConfigurationRequest"
            assert TCP_IDLE_TIMEOUTS[0] <= seconds <= TCP_IDLE_TIMEOUTS[1]
            others = tuple(one for one in there.listeners if one.arn != arn)
            return _listening(actual, there, (*others, replace(listener, idle_timeout=seconds)))
        case _:
            raise AssertionError(f"no call of the second API: {action}")


def _modified(actual: State, one: Listener, action: do.ModifyListener) -> Listener:
    if one.arn != action.arn:
        return one
    protocol = action.protocol or one.protocol
    secure = protocol == "TLS"
    assert secure or not (action.certificate or action.ssl_policy), "a TCP listener has neither"
    group = next((each for each in _groups(actual) if each.arn == action.target_group_arn), None)
    return replace(
        one,
        protocol=protocol,
        certificate=(action.certificate or one.certificate) if secure else None,
        ssl_policy=(action.ssl_policy or one.ssl_policy) if secure else None,
        idle_timeout=None if secure else one.idle_timeout or BORN_IDLE_TIMEOUT,
        target_group=group.arn if group else one.target_group,
        instance_port=group.port if group else one.instance_port,
        instance_protocol=group.protocol if group else one.instance_protocol,
    )


def _groups(actual: State) -> list[TargetGroup]:
    there = actual.load_balancer
    return [*actual.spare_groups, *(there.target_groups.values() if there else ())]


def _with(actual: State, there: LoadBalancer) -> State:
    return replace(actual, load_balancer=there)


def _each_group(actual: State, arn: str | None, change: Callable[[TargetGroup], TargetGroup]) -> State:
    """The state with the group of that ARN changed, and what the load balancer has in common after it."""
    there = actual.load_balancer
    assert there is not None
    groups = {port: change(one) if one.arn == arn else one for port, one in there.target_groups.items()}
    spare = tuple(change(one) if one.arn == arn else one for one in actual.spare_groups)
    return _in_common(replace(actual, spare_groups=spare), there, there.listeners, groups.values())


def _listening(actual: State, there: LoadBalancer, listeners: Iterable[Listener]) -> State:
    for one in listeners:
        assert (one.certificate is not None) == (one.protocol == "TLS"), "CertificateNotFound"
        assert isinstance(one.ssl_policy, PredefinedPolicy) == (one.protocol == "TLS")
        assert one.target_group in {group.arn for group in _groups(actual)}, "TargetGroupNotFound"
    return _in_common(actual, there, listeners, there.target_groups.values())


def _in_common(
    actual: State, there: LoadBalancer, listeners: Iterable[Listener], groups: Iterable[TargetGroup]
) -> State:
    """What the adapter reads: groups are the load balancer's when a listener forwards to them."""
    ordered = tuple(sorted(listeners, key=lambda one: one.port))
    every = [*groups, *actual.spare_groups]
    used = {one.target_group for one in ordered}
    by_port = {one.port: one for one in every if one.arn in used}
    first = sorted(ordered, key=lambda one: (not one.secure, one.port))
    speaking = by_port[first[0].instance_port] if first else None
    after = replace(
        there,
        listeners=ordered,
        target_groups=by_port,
        instances=frozenset(id_ for one in by_port.values() for id_ in one.registered),
        health_check=speaking.health_check if speaking else there.health_check,
        connection_draining=int(speaking.attributes["deregistration_delay.timeout_seconds"])
        if speaking
        else there.connection_draining,
        idle_timeout=next((one.idle_timeout for one in ordered if one.idle_timeout is not None), 0),
        proxy_protocol_ports=frozenset(
            port for port, one in by_port.items() if one.attributes[PROXY_PROTOCOL] == "true"
        ),
    )
    spare = tuple(one for one in every if one.arn not in used)
    return replace(actual, load_balancer=after, spare_groups=spare)
