"""Network load balancers: what AWS's API says of them, and how HAProxy does it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/introduction.html

What HAProxy cannot do: a member sees HAProxy's address in the place of the client's, and an idle connection
ends at once where AWS's is reset by the next packet. Certificates beside a listener's default one, mutual TLS
and targets by IP address are not rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from lab.elb.balancer import Check
from lab.elb.haproxy import NOWHERE, Endpoint, HealthCheck, Listener, LoadBalancer, Member, Pool
from lab.elb.observation import Observed, Zones
from lab.elb.sslpolicies import SslNegotiation, bind_options

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import ListenerTypeDef, LoadBalancerTypeDef, TargetGroupTypeDef

IDLE = 350
"""Seconds of a TLS listener, and of a TCP listener where nothing else is set.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html
"""

CROSS_ZONE = "load_balancing.cross_zone.enabled"
INITIAL = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
FAILURES = {
    "TOUT": ("unhealthy", "Target.Timeout", "Request timed out"),
    "L7STS": ("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with an unexpected code"),
}
FAILED = ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")

Attributes = Mapping[str, str]


def key(name: str) -> str:
    """Return what the lab calls a network load balancer: a classic one may have the same name, but no dot."""
    return f"net.{name}"


def pool(group: TargetGroupTypeDef, attributes: Attributes, *, cross_zone: bool, second: float) -> Pool:
    """Return a target group; `cross_zone` is the load balancer's own setting, which the group may override.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    """
    own = attributes[CROSS_ZONE]
    port = group["HealthCheckPort"]
    return Pool(
        owner=group["TargetGroupArn"],
        name=group["TargetGroupName"],
        check=HealthCheck(
            protocol=cast("Any", group["HealthCheckProtocol"]),
            port=group["Port"] if port == "traffic-port" else int(port),
            path=group.get("HealthCheckPath", ""),
            interval=group["HealthCheckIntervalSeconds"],
            timeout=group["HealthCheckTimeoutSeconds"],
            unhealthy_threshold=group["UnhealthyThresholdCount"],
            healthy_threshold=group["HealthyThresholdCount"],
            second=second,
            passing=group.get("Matcher", {}).get("HttpCode", "200-399"),
            proxied=_on(attributes, "proxy_protocol_v2.enabled"),
        ),
        cross_zone=cross_zone if own == "use_load_balancer_configuration" else own == "true",
        draining_seconds=int(attributes["deregistration_delay.timeout_seconds"]),
        cut=_on(attributes, "deregistration_delay.connection_termination.enabled"),
    )


def listener(
    port: int,
    group: TargetGroupTypeDef,
    attributes: Attributes,
    *,
    ssl: SslNegotiation | None = None,
    idle_timeout: int = IDLE,
) -> Listener:
    """Return a listener that forwards to a target group with these attributes; `ssl` belongs to TLS.

    Which target is next depends on a hash of the client's port too: the sessions of one client are spread.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/introduction.html#network-load-balancer-overview
    """
    server = [
        "ssl verify none" if group["Protocol"] == "TLS" else "",
        "send-proxy-v2" if _on(attributes, "proxy_protocol_v2.enabled") else "",
        "on-marked-down shutdown-sessions"
        if _on(attributes, "target_health_state.unhealthy.connection_termination.enabled")
        else "",
    ]
    return Listener(
        port=port,
        instance_port=group["Port"],
        lines=("mode tcp", "balance random"),
        tls="" if ssl is None else bind_options(ssl),
        server="".join(f" {words}" for words in server if words),
        pool=group["TargetGroupName"],
        idle_timeout=idle_timeout,
        fail_open=True,
    )


def observe(
    elbv2: ElasticLoadBalancingv2Client,
    zones: Zones,
    endpoints: Callable[[str], Mapping[int, Endpoint]],
    second: float,
) -> tuple[Observed, ...]:
    """Return every network load balancer of the account and region that serves already."""
    found = [
        one
        for page in elbv2.get_paginator("describe_load_balancers").paginate()
        for one in page["LoadBalancers"]
        if one["Type"] == "network" and one["State"]["Code"] != "provisioning"
    ]
    return tuple(_observed(elbv2, one, zones, endpoints, second) for one in found)


def _observed(
    elbv2: ElasticLoadBalancingv2Client,
    one: LoadBalancerTypeDef,
    zones: Zones,
    endpoints: Callable[[str], Mapping[int, Endpoint]],
    second: float,
) -> Observed:
    arn, name = one["LoadBalancerArn"], one["LoadBalancerName"]
    own = _values(elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    groups = {
        group["TargetGroupArn"]: group
        for group in elbv2.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    }
    attributes = {
        group: _values(elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"])
        for group in groups
    }
    described = [each for each in _listeners(elbv2, arn) if _forwards_to(each) in groups]
    return Observed(
        key=key(name),
        born=one["CreatedTime"].isoformat(),
        dns_name=one["DNSName"],
        load_balancer=LoadBalancer(
            name=key(name),
            zones=tuple((zone, "") for zone in sorted(each["ZoneName"] for each in one["AvailabilityZones"])),
            listeners=tuple(
                listener(
                    each["Port"],
                    groups[_forwards_to(each)],
                    attributes[_forwards_to(each)],
                    ssl=_policy(elbv2, each["SslPolicy"]) if each["Protocol"] == "TLS" else None,
                    idle_timeout=_idle(elbv2, each),
                )
                for each in described
            ),
            pools=tuple(
                pool(group, attributes[group_arn], cross_zone=_on(own, CROSS_ZONE), second=second)
                for group_arn, group in groups.items()
            ),
            idle_timeout=IDLE,
        ),
        certificates={
            each["Port"]: certificate["CertificateArn"]
            for each in described
            for certificate in each.get("Certificates", [])
        },
        members={
            group["TargetGroupName"]: _members(elbv2, group, zones, endpoints) for group in groups.values()
        },
        zonal=True,
    )


def _listeners(elbv2: ElasticLoadBalancingv2Client, arn: str) -> list[ListenerTypeDef]:
    pages = elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
    return sorted((one for page in pages for one in page["Listeners"]), key=lambda one: one["Port"])


def _forwards_to(one: ListenerTypeDef) -> str:
    """Return the target group; empty where there are several: weights among groups are not rendered."""
    return one["DefaultActions"][0].get("TargetGroupArn", "")


def _policy(elbv2: ElasticLoadBalancingv2Client, name: str) -> SslNegotiation:
    (found,) = elbv2.describe_ssl_policies(Names=[name])["SslPolicies"]
    return SslNegotiation(
        protocols=tuple(found["SslProtocols"]), ciphers=tuple(cipher["Name"] for cipher in found["Ciphers"])
    )


def _idle(elbv2: ElasticLoadBalancingv2Client, one: ListenerTypeDef) -> int:
    """Return the idle time: only a TCP listener has an attribute for it."""
    if one["Protocol"] != "TCP":
        return IDLE
    found = _values(elbv2.describe_listener_attributes(ListenerArn=one["ListenerArn"])["Attributes"])
    return int(found.get("tcp.idle_timeout.seconds", IDLE))


def _members(
    elbv2: ElasticLoadBalancingv2Client,
    group: TargetGroupTypeDef,
    zones: Zones,
    endpoints: Callable[[str], Mapping[int, Endpoint]],
) -> dict[str, Member]:
    """Return the targets that are to serve: not those that drain, nor those whose registration goes on."""
    described = elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
    found = [
        (one["Target"]["Id"], one["Target"]["Port"])
        for one in described["TargetHealthDescriptions"]
        if one["TargetHealth"]["State"] not in {"draining", "unused"}
        and one["TargetHealth"].get("Reason") != "Elb.RegistrationInProgress"
    ]
    zones.learn(instances=(id_ for id_, _ in found))
    members = {}
    for id_, port in found:
        there = endpoints(id_)
        # A target may have another port than its group, by whose the listener and the check know it.
        at = there if port == group["Port"] else {**there, group["Port"]: there.get(port, NOWHERE)}
        members[target(id_, port)] = Member(target(id_, port), zones.instances.get(id_, ""), at)
    return members


def target(id_: str, port: int) -> str:
    """Return the name of a target among those of its group."""
    return f"{id_}:{port}"


def health(check: Check | None) -> tuple[str, str, str] | None:
    """Return a check's result in AWS's words: state, reason and description; None for a healthy target.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html#target-health-states
    """
    if check is None:
        return INITIAL
    if check.up:
        return None
    if not check.failed:
        return INITIAL
    return next((said for sign, said in FAILURES.items() if sign in check.last), FAILED)


def _values(attributes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in attributes}


def _on(attributes: Attributes, name: str) -> bool:
    return attributes[name] == "true"
