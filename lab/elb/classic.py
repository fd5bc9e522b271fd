"""Classic load balancers: what AWS's API says of them, and how HAProxy does it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/introduction.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, assert_never, cast

from lab.elb.balancer import Check
from lab.elb.haproxy import Endpoint, HealthCheck, Listener, LoadBalancer, Member, Pool
from lab.elb.observation import Observed, Zones
from lab.elb.sslpolicies import DEFAULT, PREDEFINED, SslNegotiation, bind_options, negotiation
from lab.fidelity.knobs import FAILED_CHECKS, IN_SERVICE, REGISTERING, Health

if TYPE_CHECKING:
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elb.type_defs import (
        HealthCheckTypeDef,
        ListenerDescriptionTypeDef,
        LoadBalancerDescriptionTypeDef,
        PolicyDescriptionTypeDef,
    )

Protocol = Literal["TCP", "SSL", "HTTP", "HTTPS"]


def listener(
    protocol: Protocol,
    port: int,
    instance_protocol: Protocol,
    instance_port: int,
    ssl: SslNegotiation | None = None,
    *,
    proxy_protocol: bool = False,
) -> Listener:
    """Return a listener; `ssl` belongs to SSL and HTTPS."""
    secure_behind = " ssl verify none" if instance_protocol in {"SSL", "HTTPS"} else ""
    return Listener(
        port=port,
        instance_port=instance_port,
        lines=tuple(_lines(protocol, port)),
        tls="" if ssl is None else bind_options(ssl),
        server=f"{secure_behind}{' send-proxy' if proxy_protocol else ''}",
    )


def _lines(protocol: Protocol, port: int) -> list[str]:
    """Say which instance is next, and what it hears of the client.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html
    """
    match protocol:
        case "TCP" | "SSL":
            return ["mode tcp", "balance roundrobin"]
        case "HTTP" | "HTTPS":
            return [
                "mode http",
                "balance leastconn",
                "option forwardfor",
                f"http-request set-header X-Forwarded-Proto {protocol.lower()}",
                f"http-request set-header X-Forwarded-Port {port}",
            ]
        case _:
            assert_never(protocol)


def observe(
    elb: ElasticLoadBalancingClient,
    zones: Zones,
    endpoints: Callable[[str], Mapping[int, Endpoint]],
    second: float,
) -> tuple[Observed, ...]:
    """Return every classic load balancer of the account and region."""
    descriptions = [
        description
        for page in elb.get_paginator("describe_load_balancers").paginate()
        for description in page["LoadBalancerDescriptions"]
    ]
    zones.learn(
        subnets=(subnet for one in descriptions for subnet in one["Subnets"]),
        instances=(instance["InstanceId"] for one in descriptions for instance in one["Instances"]),
    )
    return tuple(_observed(elb, one, zones, endpoints, second) for one in descriptions)


def _observed(
    elb: ElasticLoadBalancingClient,
    one: LoadBalancerDescriptionTypeDef,
    zones: Zones,
    endpoints: Callable[[str], Mapping[int, Endpoint]],
    second: float,
) -> Observed:
    name = one["LoadBalancerName"]
    attributes = elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
    draining = attributes.get("ConnectionDraining", {"Enabled": False})
    own = one.get("Policies", {}).get("OtherPolicies", [])
    policies = elb.describe_load_balancer_policies(LoadBalancerName=name)["PolicyDescriptions"] if own else []
    pool = Pool(
        owner=name,
        check=health_check(one["HealthCheck"], second),
        cross_zone=attributes.get("CrossZoneLoadBalancing", {"Enabled": False})["Enabled"],
        draining_seconds=draining.get("Timeout", 300) if draining["Enabled"] else 0,
    )
    enabled = sorted(one["AvailabilityZones"] or {zones.subnets[subnet] for subnet in one["Subnets"]})
    instances = [instance["InstanceId"] for instance in one["Instances"]]
    return Observed(
        key=name,
        born=one["CreatedTime"].isoformat(),
        dns_name=one["DNSName"],
        load_balancer=LoadBalancer(
            name=name,
            zones=tuple((zone, "") for zone in enabled),
            listeners=listeners(one, policies),
            pools=(pool,),
            idle_timeout=attributes.get("ConnectionSettings", {"IdleTimeout": 60})["IdleTimeout"],
        ),
        certificates={
            described["Listener"]["LoadBalancerPort"]: described["Listener"]["SSLCertificateId"]
            for described in one["ListenerDescriptions"]
            if described["Listener"].get("SSLCertificateId")
        },
        members={
            pool.name: {id_: Member(id_, zones.instances.get(id_, ""), endpoints(id_)) for id_ in instances}
        },
    )


def listeners(
    description: LoadBalancerDescriptionTypeDef, policies: Iterable[PolicyDescriptionTypeDef]
) -> tuple[Listener, ...]:
    """Return the listeners with what their policies, and those of the instance ports, mean."""
    policies = list(policies)
    attributes = {
        policy["PolicyName"]: {
            attribute["AttributeName"]: attribute["AttributeValue"]
            for attribute in policy["PolicyAttributeDescriptions"]
        }
        for policy in policies
    }
    kinds = {policy["PolicyName"]: policy["PolicyTypeName"] for policy in policies}
    proxied = {
        backend["InstancePort"]
        for backend in description["BackendServerDescriptions"]
        for name in backend["PolicyNames"]
        if kinds.get(name) == "ProxyProtocolPolicyType"
        and attributes[name].get("ProxyProtocol", "").lower() == "true"
    }

    def ssl(described: ListenerDescriptionTypeDef) -> SslNegotiation:
        for name in described["PolicyNames"]:
            if kinds.get(name) == "SSLNegotiationPolicyType":
                return negotiation(attributes[name])
            if name in PREDEFINED:
                return PREDEFINED[name]
        return DEFAULT

    return tuple(
        listener(
            protocol=(protocol := cast("Protocol", described["Listener"]["Protocol"].upper())),
            port=described["Listener"]["LoadBalancerPort"],
            instance_protocol=cast(
                "Protocol", described["Listener"].get("InstanceProtocol", protocol).upper()
            ),
            instance_port=described["Listener"]["InstancePort"],
            ssl=ssl(described) if protocol in {"SSL", "HTTPS"} else None,
            proxy_protocol=described["Listener"]["InstancePort"] in proxied,
        )
        for described in sorted(
            description["ListenerDescriptions"], key=lambda one: one["Listener"]["LoadBalancerPort"]
        )
    )


def health_check(described: HealthCheckTypeDef, second: float = 1.0) -> HealthCheck:
    """Return a health check from AWS's words: its target reads `PROTOCOL:port/path`. Only 200 passes.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html
    """
    protocol, _, rest = described["Target"].partition(":")
    port, slash, path = rest.partition("/")
    return HealthCheck(
        protocol=cast("Protocol", protocol.upper()),
        port=int(port),
        path=f"{slash}{path}",
        interval=described["Interval"],
        timeout=described["Timeout"],
        unhealthy_threshold=described["UnhealthyThreshold"],
        healthy_threshold=described["HealthyThreshold"],
        second=second,
    )


def health(check: Check | None) -> Health:
    """Return a check's result in AWS's words; what was not looked at yet is registering.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
    """
    if check is None:
        return REGISTERING
    if check.up:
        return IN_SERVICE
    return FAILED_CHECKS if check.failed else REGISTERING
