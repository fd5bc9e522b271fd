"""Make the wanted state from the declaration and from what was read at AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace

from chalicelib.certificates.chosen import Chosen, ToOrder, ToUpload, reference, source_of
from chalicelib.model.load_balancer import (
    TCP_PROTOCOLS,
    Listener,
    LoadBalancer,
    LoadBalancerType,
    Protocol,
    SslPolicy,
    State,
    TargetGroup,
    idle_timeout,
    tcp_idle_timeout,
)
from chalicelib.model.members import Members, members_tag, read_members_tag
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    CLUSTER_TAG,
    DNS_TAG,
    HOSTNAME_TAG,
    MEMBERS_TAG,
    OWNER_TAG,
    PENDING_TAG,
    PROBE_TAG,
    security_group_name,
    target_group_name,
)
from chalicelib.model.probe_options import probe_tag, read_probe_tag
from chalicelib.model.syntax import SOURCE_PATTERN, matches
from chalicelib.model.target_groups import managed_attributes
from chalicelib.model.vpc import Rule, SecurityGroup
from chalicelib.provision.declaration import DEFAULTS, Declaration
from chalicelib.provision.facts import Facts
from chalicelib.provision.hostname import hostname_tag
from chalicelib.register.plan import Membership, decide_membership, has_no_room

# What a body sets or, by not naming it, takes off. `emq-elb:rejected` is not among them: it is `rotate`'s.
_FROM_BODY = frozenset({CERTIFICATE_TAG, HOSTNAME_TAG, DNS_TAG, MEMBERS_TAG, PROBE_TAG, PENDING_TAG})


def desire(declaration: Declaration, facts: Facts, owner: str) -> State:
    """The state that the declaration asks for, in the words of `provision/plan.py`.

    Subnets that nobody read are those that the load balancer has. With an owner that the load balancer does
    not carry yet it is adopted: its registered instances are tagged into the cluster.
    """
    there = facts.actual.load_balancer
    zone_of = {id_: subnet.zone for id_, subnet in facts.subnets.items()}
    vpc = next((facts.subnets[id_].vpc for id_ in declaration.subnets if id_ in facts.subnets), None)
    group = _group(declaration, facts, vpc or (there.vpc if there else ""))
    wanted = LoadBalancer(
        name=declaration.name,
        type=declaration.type,
        arn=there.arn if there else None,
        scheme=declaration.scheme,
        vpc=vpc or (there.vpc if there else ""),
        subnets=frozenset(declaration.subnets),
        zones=frozenset(zone_of[id_] for id_ in declaration.subnets if id_ in zone_of)
        or (there.zones if there else frozenset()),
        listeners=tuple(
            replace(
                listener,
                certificate=reference(facts.chosen) if listener.secure and facts.chosen else None,
                ssl_policy=_policy(declaration, listener, there) if listener.secure else None,
            )
            for listener in sorted(declaration.listeners, key=lambda listener: listener.port)
        ),
        security_groups=frozenset(
            declaration.security_groups
            if group is None and declaration.security_groups is not None
            else [group.id or group.name]
            if group
            else []
        ),
        health_check=declaration.health_check,
        idle_timeout=idle_timeout(declaration.keepalive),
        connection_draining=declaration.connection_draining,
        cross_zone=declaration.cross_zone,
        access_logs=declaration.access_logs,
        proxy_protocol_ports=_proxying(declaration),
        tags=_tags(declaration, facts, owner),
        instances=frozenset(),
        zone_of=zone_of,
        dns_name=there.dns_name if there else None,
        created=there.created if there else facts.now,
    )
    wanted = _OF_TYPE[declaration.type](wanted, declaration, there)
    adopted = _registered(facts) if there and there.owner != owner else frozenset()
    full = {id_ for id_, instance in facts.instances.items() if has_no_room(instance)}
    cluster = (facts.actual.cluster | adopted | {*declaration.instances}) - full
    membership = _membership(wanted, facts, cluster)
    registered = there.instances if there else frozenset()
    return State(
        name=declaration.name,
        load_balancer=replace(
            wanted, instances=(registered | {*membership.register}) - {*membership.deregister}
        ),
        group=group,
        certificates=facts.actual.certificates | _uploaded(facts),
        cluster=cluster,
        reasons=membership.reasons,
    )


def _as_classic(wanted: LoadBalancer, _declaration: Declaration, _there: LoadBalancer | None) -> LoadBalancer:
    return wanted


_WORDS: Mapping[Protocol, Protocol] = {"SSL": "TLS", "HTTPS": "TLS", "HTTP": "TCP"}


def network_word(protocol: Protocol) -> Protocol:
    """Return the protocol, TLS or TCP, that a network load balancer uses for this one."""
    return _WORDS.get(protocol, protocol)


def _as_network(wanted: LoadBalancer, declaration: Declaration, there: LoadBalancer | None) -> LoadBalancer:
    """The same in the words of a network load balancer: a target group for each instance port.

    A subnet that is enabled keeps its address, which nobody can change.
    """
    listeners = tuple(
        replace(
            listener,
            protocol=network_word(listener.protocol),
            instance_protocol=network_word(listener.instance_protocol),
        )
        for listener in wanted.listeners
    )
    logs = wanted.access_logs
    enabled = there.addresses if there else {}
    return replace(
        wanted,
        listeners=listeners,
        # A TLS listener's cannot be set.
        idle_timeout=tcp_idle_timeout(declaration.keepalive)
        if any(not listener.secure for listener in listeners)
        else 0,
        access_logs=logs and replace(logs, interval=None),
        addresses={**declaration.addresses, **enabled},
        target_groups={
            listener.instance_port: _target_group(listener, wanted, there) for listener in listeners
        },
    )


def _target_group(listener: Listener, wanted: LoadBalancer, there: LoadBalancer | None) -> TargetGroup:
    port = listener.instance_port
    before = there.target_groups.get(port) if there else None
    return TargetGroup(
        name=before.name if before else target_group_name(wanted.name, port),
        arn=before.arn if before else None,
        port=port,
        protocol=listener.instance_protocol,
        vpc=wanted.vpc,
        health_check=wanted.health_check,
        attributes=managed_attributes(
            wanted.connection_draining, proxying=port in wanted.proxy_protocol_ports
        ),
        owner=wanted.owner,
    )


def _policy(declaration: Declaration, listener: Listener, there: LoadBalancer | None) -> SslPolicy | None:
    """Return the SSL policy that is declared, else the one that the listener has, or none as it has none."""
    if declaration.ssl_policy is not None:
        return declaration.ssl_policy
    default: SslPolicy = DEFAULTS[declaration.type]["ssl_policy"]
    before = (one for one in (there.listeners if there else ()) if one.port == listener.port and one.secure)
    return next((one.ssl_policy for one in before), default)


_OF_TYPE: Mapping[
    LoadBalancerType, Callable[[LoadBalancer, Declaration, LoadBalancer | None], LoadBalancer]
] = {"classic": _as_classic, "network": _as_network}


def _proxying(declaration: Declaration) -> frozenset[int]:
    if isinstance(declaration.proxy_protocol, tuple):
        return frozenset(declaration.proxy_protocol)
    return frozenset(
        listener.instance_port
        for listener in declaration.listeners
        if declaration.proxy_protocol and listener.protocol in TCP_PROTOCOLS
    )


def left_as_they_are(desired: State, actual: State, instances: Set[str]) -> State:
    """Return the same state with these instances as they are now: registered, or not."""
    wanted, there = desired.load_balancer, actual.load_balancer
    if wanted is None or not instances:
        return desired
    registered = there.instances if there else frozenset()
    stay = (wanted.instances - instances) | (registered & instances)
    return replace(
        desired, load_balancer=replace(wanted, instances=frozenset(stay)), untouched=frozenset(instances)
    )


def _registered(facts: Facts) -> frozenset[str]:
    """The registered instances that are there: AWS takes terminated ones out by itself, but not at once."""
    there = facts.actual.load_balancer
    return frozenset(
        id_
        for id_ in (there.instances if there else ())
        if id_ in facts.instances and facts.instances[id_].state != "terminated"
    )


def _membership(wanted: LoadBalancer, facts: Facts, cluster: frozenset[str]) -> Membership:
    """Return the ids that will be registered once the tags are set."""
    there = facts.actual.load_balancer
    tagged = {
        id_: replace(instance, cluster=wanted.cluster)
        if id_ in cluster and instance.cluster is None
        else instance
        for id_, instance in facts.instances.items()
    }
    registered = there.instances if there else frozenset()
    return decide_membership(
        replace(wanted, instances=registered), facts.members, tagged, facts.now, facts.attaching
    )


def _group(declaration: Declaration, facts: Facts, vpc: str) -> SecurityGroup | None:
    if declaration.security_groups is not None:
        return None
    found = facts.actual.group
    return SecurityGroup(
        name=security_group_name(declaration.name),
        vpc=vpc,
        id=found.id if found else None,
        owner=found.owner if found else None,
        rules=frozenset(
            Rule("tcp", listener.port, listener.port, cidr)
            for listener in declaration.listeners
            for cidr in (declaration.allow.mqtt if listener.secure else declaration.allow.dashboard)
        ),
    )


def _tags(declaration: Declaration, facts: Facts, owner: str) -> Mapping[str, str]:
    """Tags that the body does not name are left alone; ours follow from it.

    One of ours of which nothing can be read, so that GET shows nothing, is left alone as well.
    """
    there = facts.actual.load_balancer
    before = there.tags if there else {}
    ours = {
        OWNER_TAG: owner,
        CLUSTER_TAG: _cluster(declaration, there, owner),
        CERTIFICATE_TAG: _source(facts.chosen, there, owner),
        HOSTNAME_TAG: _hostname(declaration, there),
        DNS_TAG: hostname_tag(declaration, facts),
        MEMBERS_TAG: _members(declaration, before.get(MEMBERS_TAG)),
        PROBE_TAG: _probe(declaration, before.get(PROBE_TAG)),
    }
    kept = {key: value for key, value in before.items() if key not in _FROM_BODY}
    return {**kept, **declaration.tags, **{key: value for key, value in ours.items() if value is not None}}


def _cluster(declaration: Declaration, there: LoadBalancer | None, owner: str) -> str | None:
    """The tag's text; one of ours that serves the cluster already stays as it is, with the tag or without."""
    if there is not None and there.owner == owner and there.cluster == declaration.serves:
        return there.tags.get(CLUSTER_TAG)
    return declaration.serves


def _source(chosen: Chosen | None, there: LoadBalancer | None, owner: str) -> str | None:
    """The tag's text; one that says no source, or none at all, means `external` as well."""
    said = source_of(chosen) if chosen else None
    if there is None or there.owner != owner:
        return said
    before = there.tags.get(CERTIFICATE_TAG)
    if said is None and not any(listener.secure for listener in there.listeners):
        return before
    unread = before is None or not matches(SOURCE_PATTERN, before)
    return before if said == "external" and unread else said


def _hostname(declaration: Declaration, there: LoadBalancer | None) -> str | None:
    if declaration.hostname is None and there is not None and there.hostname is None:
        return there.tags.get(HOSTNAME_TAG)
    return declaration.hostname


def _members(declaration: Declaration, there: str | None) -> str | None:
    """The tag's text; a text with the same meaning in another order or spelling stays."""
    before = read_members_tag(there)
    nobody = declaration.members is None and before == Members()
    return there if nobody or before == declaration.members else members_tag(declaration.members)


def _probe(declaration: Declaration, there: str | None) -> str | None:
    """The tag's text; a text with the same meaning stays."""
    return there if read_probe_tag(there) == declaration.probe else probe_tag(declaration.probe)


def _uploaded(facts: Facts) -> frozenset[str]:
    match facts.chosen:
        case ToUpload() | ToOrder() as chosen:
            return frozenset(filter(None, [reference(chosen)]))
        case _:
            return frozenset()
