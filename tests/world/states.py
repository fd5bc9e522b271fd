"""Hypothesis strategies for `State`: what there may be at AWS, and what may be wanted of it.

Everything is drawn from small sets, so that two states often share what they have.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from chalicelib.model.load_balancer import (
    SECURE_PROTOCOLS,
    TCP_PROTOCOLS,
    AccessLogs,
    CustomPolicy,
    ForeignPolicy,
    HealthCheck,
    Listener,
    LoadBalancer,
    Policy,
    PredefinedPolicy,
    Protocol,
    ProxyProtocolPolicy,
    SslPolicy,
    State,
)
from chalicelib.model.names import OWNER_TAG
from chalicelib.model.vpc import Rule, SecurityGroup
from chalicelib.provision.plan_listeners import AWS_DEFAULT_POLICY, policy_name
from tests.world.pure_aws import KNOWN_CERTIFICATES, KNOWN_GROUPS, OWN_GROUP, ZONES

GROUP = "demo-elb"
POLICIES: tuple[SslPolicy, ...] = (
    AWS_DEFAULT_POLICY,
    PredefinedPolicy("ELBSecurityPolicy-TLS-1-2-2017-01"),
    CustomPolicy(frozenset({"TLSv1.2"}), frozenset({"AES128-SHA256"})),
    CustomPolicy(frozenset({"TLSv1.2"}), frozenset({"AES128-SHA256"}), server_defined_order=False),
)
STICKY = ForeignPolicy("LBCookieStickinessPolicyType")
BEHIND: dict[Protocol, tuple[Protocol, Protocol]] = {
    "TCP": ("TCP", "SSL"),
    "SSL": ("TCP", "SSL"),
    "HTTP": ("HTTP", "HTTPS"),
    "HTTPS": ("HTTP", "HTTPS"),
}
instances = st.frozensets(st.sampled_from(("i-1", "i-2", "i-3", "i-4")))
rules = st.frozensets(
    st.builds(
        Rule, st.just("tcp"), st.just(0), st.sampled_from((1883, 8883)), st.sampled_from(("a/8", "b/8"))
    )
)
tags = st.dictionaries(st.sampled_from(("team", "stage", "emq-elb:hostname")), st.sampled_from("xy"))


@st.composite
def subnets(draw: st.DrawFn) -> frozenset[str]:
    zones = draw(st.sets(st.sampled_from("abc"), min_size=1))
    return frozenset(f"subnet-{zone}{draw(st.sampled_from((1, 2)))}" for zone in zones)


@st.composite
def listeners(draw: st.DrawFn, certificates: frozenset[str]) -> tuple[Listener, ...]:
    """One certificate and one policy for all, as a declaration has them."""
    ports = draw(st.sets(st.sampled_from((443, 1883, 8883, 8884, 18083)), min_size=1, max_size=4))
    secure_behind: dict[int, bool] = {}
    certificate, policy = draw(st.sampled_from(sorted(certificates))), draw(st.sampled_from(POLICIES))
    made = []
    for port in sorted(ports):
        protocol = draw(st.sampled_from(list(BEHIND)))
        back = draw(st.sampled_from((1883, 8883, 18083)))
        behind = BEHIND[protocol][secure_behind.setdefault(back, draw(st.booleans()))]
        secure = protocol in SECURE_PROTOCOLS
        made.append(
            Listener(
                port, protocol, back, behind, certificate if secure else None, policy if secure else None
            )
        )
    return tuple(made)


@st.composite
def load_balancers(draw: st.DrawFn, certificates: frozenset[str], groups: frozenset[str]) -> LoadBalancer:
    """One that is wanted: no policies yet, only what they are to be."""
    fronts = draw(listeners(certificates))
    backs = sorted({one.instance_port for one in fronts if one.protocol in TCP_PROTOCOLS})
    attached = draw(subnets())
    return LoadBalancer(
        name="demo",
        scheme="internet-facing",
        vpc="vpc-1",
        subnets=attached,
        zones=frozenset(ZONES[one] for one in attached),
        listeners=fronts,
        security_groups=groups,
        health_check=draw(st.sampled_from((HealthCheck(), HealthCheck("TCP:80", 30, 5, 2, 10)))),
        idle_timeout=draw(st.sampled_from((60, 450))),
        connection_draining=draw(st.sampled_from((0, 300))),
        cross_zone=draw(st.booleans()),
        access_logs=draw(st.sampled_from((None, AccessLogs("logs"), AccessLogs("others")))),
        proxy_protocol_ports=draw(st.frozensets(st.sampled_from(backs))) if backs else frozenset(),
        tags={OWNER_TAG: "us", **draw(tags)},
        instances=draw(instances),
        zone_of=ZONES,
    )


@st.composite
def at_aws(draw: st.DrawFn, wanted: LoadBalancer) -> LoadBalancer:
    """The same load balancer as AWS has it, with the policies that make it so, and others beside them."""
    policies: dict[str, Policy] = {}
    shown = []
    for listener in wanted.listeners:
        names = set()
        if listener.ssl_policy is not None:
            by_hand = draw(st.booleans())
            name = "by-hand" if by_hand else policy_name(listener.ssl_policy)
            if listener.ssl_policy == AWS_DEFAULT_POLICY and not by_hand:
                name = AWS_DEFAULT_POLICY.name
            policies[name] = listener.ssl_policy
            names.add(name)
        if listener.protocol in {"HTTP", "HTTPS"} and draw(st.booleans()):
            policies["sticky"] = STICKY
            names.add("sticky")
        shown.append(replace(listener, policy_names=frozenset(names)))
    backends: dict[int, frozenset[str]] = {}
    if wanted.proxy_protocol_ports:
        name = draw(st.sampled_from(("proxy", policy_name(ProxyProtocolPolicy()))))
        policies[name] = ProxyProtocolPolicy()
        backends = {port: frozenset({name}) for port in wanted.proxy_protocol_ports}
    for unused in draw(st.sets(st.sampled_from(POLICIES))):
        policies.setdefault(policy_name(unused), unused)
    return replace(
        wanted,
        listeners=tuple(shown),
        policies=policies,
        backend_policies=backends,
        zone_of={},
        dns_name="demo-1.elb",
    )


@st.composite
def actual_states(draw: st.DrawFn) -> State:
    """What there may be: a load balancer or none, a group of ours or none."""
    group = draw(st.none() | rules.map(lambda some: SecurityGroup(GROUP, "vpc-1", some, OWN_GROUP, "us")))
    attached = KNOWN_GROUPS | ({OWN_GROUP} if group else set())
    groups = draw(st.frozensets(st.sampled_from(sorted(attached)), min_size=1))
    there = draw(st.none() | load_balancers(KNOWN_CERTIFICATES, groups).flatmap(at_aws))
    return State(name="demo", load_balancer=there, group=group, cluster=draw(instances))


@st.composite
def desired_states(draw: st.DrawFn, actual: State) -> State:
    """What may be wanted, given what there is: as `desire` words it."""
    uploads = draw(st.booleans())
    certificates = frozenset({"new"}) if uploads else KNOWN_CERTIFICATES
    own = draw(st.booleans())
    id_ = actual.group.id if actual.group else None
    group = SecurityGroup(GROUP, "vpc-1", draw(rules), id_, "us") if own else None
    groups = (
        frozenset({id_ or GROUP})
        if own
        else draw(st.frozensets(st.sampled_from(sorted(KNOWN_GROUPS)), min_size=1))
    )
    wanted = draw(load_balancers(certificates, groups))
    there = actual.load_balancer
    if there and not there.subnets & wanted.subnets and len({ZONES[one] for one in wanted.subnets}) == 1:
        # The one exchange that AWS cannot make, which the review refuses.
        wanted = replace(wanted, subnets=wanted.subnets | (there.subnets - wanted.subnets))
        zones = {ZONES[one]: one for one in sorted(wanted.subnets)}
        wanted = replace(wanted, subnets=frozenset(zones.values()), zones=frozenset(zones))
        if not there.subnets & wanted.subnets and len(zones) == 1:
            wanted = replace(wanted, subnets=there.subnets, zones=there.zones)
    return State(
        name="demo",
        load_balancer=wanted,
        group=group,
        certificates=certificates if uploads else frozenset(),
        cluster=actual.cluster | draw(instances),
        private_ca=draw(st.sampled_from((None, "us/private-ca"))),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[State, State]:
    """(desired, actual)."""
    actual = draw(actual_states())
    return draw(desired_states(actual)), actual
