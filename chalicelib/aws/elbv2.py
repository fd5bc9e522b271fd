"""Elastic Load Balancing, API 2015-12-01: what is read there of network load balancers, as values.

Application and gateway load balancers are in the same listing: they are somebody else's, and take names away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from chalicelib.aws.errors import translated
from chalicelib.aws.quotas import parse_quota
from chalicelib.model import errors
from chalicelib.model.batches import batches, of_those_there
from chalicelib.model.load_balancer import (
    AccessLogs,
    ForeignListener,
    HealthCheck,
    Listener,
    LoadBalancer,
    Member,
    PredefinedPolicy,
    Protocol,
    TargetGroup,
)
from chalicelib.model.names import OWNER_TAG
from chalicelib.model.target_groups import BORN, DELAY, PROXY_PROTOCOL

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import (
        AvailabilityZoneTypeDef,
        ListenerAttributeTypeDef,
        ListenerTypeDef,
        LoadBalancerAttributeTypeDef,
        LoadBalancerTypeDef,
        TargetGroupAttributeTypeDef,
        TargetGroupTypeDef,
    )

    _Attribute = ListenerAttributeTypeDef | LoadBalancerAttributeTypeDef | TargetGroupAttributeTypeDef

NETWORK: Literal["network"] = "network"
IDLE = "tcp.idle_timeout.seconds"
CROSS_ZONE = "load_balancing.cross_zone.enabled"
LOGS, LOGS_BUCKET, LOGS_PREFIX = "access_logs.s3.enabled", "access_logs.s3.bucket", "access_logs.s3.prefix"
_LOAD_BALANCER_ATTRIBUTES = frozenset({CROSS_ZONE, LOGS, LOGS_BUCKET, LOGS_PREFIX})
_PROTOCOLS = frozenset({"TCP", "TLS"})
_ARNS_AT_ONCE = 20
# AWS takes 40 reads at once of an account and a region, and 10 more each second
# (https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html).
_UNPACED, _PAUSE, _READS_AT_ONCE = 32, 1.0, 8

Attributes = Mapping[str, str]


def describe_second_kind(client: ElasticLoadBalancingv2Client) -> tuple[LoadBalancerTypeDef, ...]:
    """Every load balancer of the region that is no classic one, ours or not: one call for each 400."""
    with translated("DescribeLoadBalancers"):
        pages = client.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 400})
        return tuple(found for page in pages for found in page["LoadBalancers"])


def describe_network(client: ElasticLoadBalancingv2Client, name: str) -> LoadBalancerTypeDef | None:
    """The network load balancer of that name, or None."""
    try:
        with translated("DescribeLoadBalancers"):
            found = client.describe_load_balancers(Names=[name])["LoadBalancers"]
    except errors.Absent:
        return None
    return next((one for one in found if is_network(one)), None)


def is_network(found: LoadBalancerTypeDef) -> bool:
    """Whether it is a network load balancer."""
    return found.get("Type") == NETWORK


def is_there(client: ElasticLoadBalancingv2Client, arn: str) -> bool:
    """Whether there is a load balancer, a listener or a target group of that ARN."""
    try:
        with translated("DescribeTags"):
            return bool(client.describe_tags(ResourceArns=[arn])["TagDescriptions"])
    except errors.Absent:
        return False


def resource_tags(
    client: ElasticLoadBalancingv2Client, arns: Sequence[str]
) -> Mapping[str, Mapping[str, str]]:
    """The tags of load balancers, listeners and target groups, by ARN: one call for each 20 of any kind.

    None of one that vanished.
    """
    return of_those_there(arns, _ARNS_AT_ONCE, partial(_tags, client))


def owned_by(owner: str, tags: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """The ARNs of what carries the owner's tag, of those whose tags are given."""
    return tuple(arn for arn, those in tags.items() if those.get(OWNER_TAG) == owner)


def _tags(client: ElasticLoadBalancingv2Client, arns: Sequence[str]) -> dict[str, Mapping[str, str]]:
    with translated("DescribeTags"):
        answer = client.describe_tags(ResourceArns=list(arns))
    return {
        found.get("ResourceArn", ""): {tag["Key"]: tag.get("Value", "") for tag in found.get("Tags", [])}
        for found in answer["TagDescriptions"]
    }


def network_attributes(client: ElasticLoadBalancingv2Client, arn: str) -> Attributes:
    """The load balancer's attributes, in AWS's own texts."""
    with translated("DescribeLoadBalancerAttributes"):
        answer = client.describe_load_balancer_attributes(LoadBalancerArn=arn)
    return _by_key(answer["Attributes"])


def _by_key(attributes: Iterable[_Attribute]) -> Attributes:
    return {one.get("Key", ""): one.get("Value", "") for one in attributes}


def listeners_of(client: ElasticLoadBalancingv2Client, arn: str) -> tuple[ListenerTypeDef, ...]:
    """The load balancer's listeners, as AWS shapes them."""
    with translated("DescribeListeners"):
        pages = client.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
        return tuple(found for page in pages for found in page["Listeners"])


def listeners_of_each(
    client: ElasticLoadBalancingv2Client, arns: Sequence[str], sleep: Callable[[float], None]
) -> Iterable[tuple[ListenerTypeDef, ...] | errors.AwsError]:
    """The listeners of each load balancer, or why AWS does not show them: as many at a time as AWS takes."""

    def read(arn: str) -> tuple[ListenerTypeDef, ...] | errors.AwsError:
        try:
            return listeners_of(client, arn)
        except errors.AwsError as error:
            return error

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for number, some in enumerate(batches(arns, _READS_AT_ONCE)):
            if number * _READS_AT_ONCE >= _UNPACED:
                sleep(_PAUSE)
            yield from pool.map(read, some)


def find_listener(client: ElasticLoadBalancingv2Client, arn: str) -> ListenerTypeDef | None:
    """The listener of that ARN, or None."""
    try:
        with translated("DescribeListeners"):
            return client.describe_listeners(ListenerArns=[arn])["Listeners"][0]
    except errors.Absent:
        return None


def default_certificate(listener: ListenerTypeDef) -> str | None:
    """The ARN of the listener's default certificate; None where it has none."""
    return next((one.get("CertificateArn") for one in listener.get("Certificates", [])), None)


def served_certificates(client: ElasticLoadBalancingv2Client, arn: str) -> frozenset[str]:
    """The ARNs of every certificate on a load balancer's listeners: the default ones, and those beside them.

    One call, and one for each listener that speaks TLS; none where the load balancer vanished.
    """
    found: set[str] = set()
    try:
        for listener in listeners_of(client, arn):
            if listener.get("Certificates"):
                with translated("DescribeListenerCertificates"):
                    pages = client.get_paginator("describe_listener_certificates").paginate(
                        ListenerArn=listener.get("ListenerArn", "")
                    )
                    found |= {one.get("CertificateArn", "") for page in pages for one in page["Certificates"]}
    except errors.Absent:
        pass
    return frozenset(found)


def idle_timeout_of(client: ElasticLoadBalancingv2Client, arn: str) -> int | None:
    """The idle timeout in seconds of a TCP listener; None where the listener vanished."""
    try:
        with translated("DescribeListenerAttributes"):
            answer = client.describe_listener_attributes(ListenerArn=arn)
    except errors.Absent:
        return None
    attributes = _by_key(answer["Attributes"])
    return int(attributes[IDLE]) if IDLE in attributes else None


def target_groups(
    client: ElasticLoadBalancingv2Client, load_balancer: str | None = None
) -> tuple[TargetGroupTypeDef, ...]:
    """The target groups behind a load balancer's listeners, or all of the region: one call for each 400."""
    asked = {"LoadBalancerArn": load_balancer} if load_balancer else {}
    with translated("DescribeTargetGroups"):
        pages = client.get_paginator("describe_target_groups").paginate(
            **asked, PaginationConfig={"PageSize": 400}
        )
        return tuple(found for page in pages for found in page["TargetGroups"])


def target_group_attributes(client: ElasticLoadBalancingv2Client, arn: str) -> Attributes:
    """The target group's attributes, in AWS's own texts; none where it vanished."""
    try:
        with translated("DescribeTargetGroupAttributes"):
            answer = client.describe_target_group_attributes(TargetGroupArn=arn)
    except errors.Absent:
        return {}
    return _by_key(answer["Attributes"])


@dataclass(frozen=True)
class Targets:
    """Who is in a target group: at the group's own port by id, and the others as `id:port`."""

    members: Mapping[str, Member]
    elsewhere: tuple[str, ...] = ()


NOBODY = Targets({})


def target_health(client: ElasticLoadBalancingv2Client, arn: str, port: int) -> Targets:
    """The targets of a group whose port is `port`, with their health; nobody where it vanished."""
    try:
        with translated("DescribeTargetHealth"):
            answer = client.describe_target_health(TargetGroupArn=arn)
    except errors.Absent:
        return NOBODY
    members: dict[str, Member] = {}
    elsewhere = []
    for one in answer["TargetHealthDescriptions"]:
        target, health = one.get("Target", {"Id": ""}), one.get("TargetHealth", {})
        if target.get("Port", port) != port:
            elsewhere.append(f"{target['Id']}:{target['Port']}")
            continue
        members[target["Id"]] = Member(
            id=target["Id"],
            state=health.get("State", "unavailable"),
            reason_code=health.get("Reason", ""),
            description=health.get("Description", ""),
        )
    return Targets(members, tuple(sorted(elsewhere)))


def network_quota(client: ElasticLoadBalancingv2Client) -> int | None:
    """How many network load balancers the account may have in the region; None when AWS does not say."""
    with translated("DescribeAccountLimits"):
        return parse_quota(client.describe_account_limits()["Limits"], "network-load-balancers")


def listed_networks(
    client: ElasticLoadBalancingv2Client, described: Sequence[LoadBalancerTypeDef]
) -> Mapping[str, LoadBalancer]:
    """Network load balancers by name as a listing and tags show them: without listeners and target groups.

    One call for each 20; one that vanished in between is left out.
    """
    networks = [one for one in described if is_network(one)]
    tags = resource_tags(client, [one.get("LoadBalancerArn", "") for one in networks])
    return {
        one.get("LoadBalancerName", ""): parse_network(one, tags[one.get("LoadBalancerArn", "")])
        for one in networks
        if one.get("LoadBalancerArn") in tags
    }


def registered(targets: Targets) -> frozenset[str]:
    """The instances that are registered at the group's own port, without those that drain."""
    return frozenset(id_ for id_, member in targets.members.items() if not member.draining)


def parse_target_group(
    found: TargetGroupTypeDef,
    attributes: Attributes,
    tags: Mapping[str, str],
    targets: Targets = NOBODY,
) -> TargetGroup:
    """One value of what three calls return about a target group of instances."""
    port = found.get("Port", 0)
    return TargetGroup(
        name=found.get("TargetGroupName", ""),
        port=port,
        protocol=cast("Protocol", found.get("Protocol", "TCP")),
        vpc=found.get("VpcId", ""),
        health_check=HealthCheck(
            target=_target(found, port),
            interval=found.get("HealthCheckIntervalSeconds", 0),
            timeout=found.get("HealthCheckTimeoutSeconds", 0),
            unhealthy_threshold=found.get("UnhealthyThresholdCount", 0),
            healthy_threshold=found.get("HealthyThresholdCount", 0),
        ),
        attributes={key: value for key, value in attributes.items() if key in BORN},
        arn=found.get("TargetGroupArn"),
        owner=tags.get(OWNER_TAG),
        registered=registered(targets),
        additional_attributes={key: value for key, value in attributes.items() if key not in BORN},
        unmanaged=tuple(
            f"target group {found.get('TargetGroupName')} has the target {target}, at a port that is not its"
            " own"
            for target in targets.elsewhere
        ),
    )


def _target(found: TargetGroupTypeDef, port: int) -> str:
    asked = found.get("HealthCheckPort", "traffic-port")
    check = f"{found.get('HealthCheckProtocol', 'TCP')}:{port if asked == 'traffic-port' else asked}"
    return (
        check
        if found.get("HealthCheckProtocol", "TCP") == "TCP"
        else check + found.get("HealthCheckPath", "/")
    )


def why_foreign(listener: ListenerTypeDef, groups: Mapping[str, TargetGroupTypeDef]) -> str | None:
    """Why a PUT cannot say the listener, as `speaks UDP`; None when it can."""
    protocol = listener.get("Protocol", "")
    if protocol not in _PROTOCOLS:
        return f"speaks {protocol}"
    group = next((groups[arn] for arn in forwarded(listener) if arn in groups), None)
    if group is None:
        return "forwards to no target group that is there"
    name = group.get("TargetGroupName")
    if not holds_instances(group):
        return f"forwards to {name}, a {group.get('Protocol')} group of targets by {group.get('TargetType')}"
    return None


def holds_instances(group: TargetGroupTypeDef) -> bool:
    """Whether its targets are instances that are spoken to by TCP or TLS."""
    return group.get("TargetType") == "instance" and group.get("Protocol") in _PROTOCOLS


def forwarded(listener: ListenerTypeDef) -> tuple[str, ...]:
    """The ARNs of the target groups to which it forwards: one, unless somebody weighs several."""
    found: list[str] = []
    for action in listener.get("DefaultActions", []):
        weighed = [
            one.get("TargetGroupArn") for one in action.get("ForwardConfig", {}).get("TargetGroups", [])
        ]
        found += filter(None, weighed or [action.get("TargetGroupArn")])
    return tuple(dict.fromkeys(found))


def parse_network_listeners(
    listeners: Iterable[ListenerTypeDef],
    groups: Mapping[str, TargetGroupTypeDef],
    tags: Mapping[str, Mapping[str, str]],
    idle: Mapping[str, int | None],
) -> tuple[Listener, ...]:
    """Those listeners that a PUT can say, by port; tags and idle timeouts are by their ARNs."""
    found = []
    for one in listeners:
        if why_foreign(one, groups):
            continue
        arn, forwards = one.get("ListenerArn", ""), forwarded(one)
        group = next(groups[each] for each in forwards if each in groups)
        policy = one.get("SslPolicy")
        found.append(
            Listener(
                port=one.get("Port", 0),
                protocol=cast("Protocol", one.get("Protocol", "TCP")),
                instance_port=group.get("Port", 0),
                instance_protocol=cast("Protocol", group.get("Protocol", "TCP")),
                certificate=default_certificate(one),
                ssl_policy=PredefinedPolicy(policy) if policy else None,
                arn=arn,
                owner=tags.get(arn, {}).get(OWNER_TAG),
                target_group=forwards[0] if len(forwards) == 1 else None,
                idle_timeout=idle.get(arn),
            )
        )
    return tuple(sorted(found, key=lambda listener: listener.port))


def parse_network(
    found: LoadBalancerTypeDef,
    tags: Mapping[str, str],
    *,
    attributes: Attributes | None = None,
    listeners: Sequence[Listener] = (),
    groups: Mapping[int, TargetGroup] | None = None,
    foreign: Sequence[ForeignListener] = (),
) -> LoadBalancer:
    """One value of what the calls about a network load balancer return; `groups` are by instance port.

    What its groups and listeners have in common is that of the secure listener with the lowest port, else of
    the one with the lowest.
    """
    attributes, groups = attributes or {}, groups or {}
    by_port = sorted(listeners, key=lambda listener: (not listener.secure, listener.port))
    speaking = next((groups[one.instance_port] for one in by_port if one.instance_port in groups), None)
    common = speaking.attributes if speaking else {}
    zones = found.get("AvailabilityZones", [])
    on = attributes.get(LOGS) == "true"
    return LoadBalancer(
        name=found.get("LoadBalancerName", ""),
        type="network",
        arn=found.get("LoadBalancerArn"),
        scheme=found.get("Scheme", "internet-facing"),
        vpc=found.get("VpcId", ""),
        subnets=frozenset(zone.get("SubnetId", "") for zone in zones),
        zones=frozenset(zone.get("ZoneName", "") for zone in zones),
        listeners=tuple(listeners),
        security_groups=frozenset(found.get("SecurityGroups", [])),
        health_check=speaking.health_check if speaking else HealthCheck(),
        idle_timeout=next((one.idle_timeout for one in listeners if one.idle_timeout is not None), 0),
        connection_draining=int(common.get(DELAY, "0")),
        cross_zone=attributes.get(CROSS_ZONE) == "true",
        access_logs=AccessLogs(attributes.get(LOGS_BUCKET, ""), attributes.get(LOGS_PREFIX, ""), None)
        if on
        else None,
        proxy_protocol_ports=frozenset(
            port for port, group in groups.items() if group.attributes.get(PROXY_PROTOCOL) == "true"
        ),
        tags=tags,
        instances=frozenset(id_ for group in groups.values() for id_ in group.registered),
        additional_attributes={
            key: value for key, value in attributes.items() if key not in _LOAD_BALANCER_ATTRIBUTES
        },
        dns_name=found.get("DNSName"),
        canonical_hosted_zone_id=found.get("CanonicalHostedZoneId"),
        dual_stack=found.get("IpAddressType") == "dualstack",
        created=found.get("CreatedTime"),
        target_groups=groups,
        addresses={subnet: address for zone in zones for subnet, address in _addresses(zone)},
        foreign_listeners=tuple(foreign),
    )


def _addresses(zone: AvailabilityZoneTypeDef) -> list[tuple[str, str]]:
    """The address that the zone's subnet was given; none where AWS chose it."""
    given = (
        one.get("AllocationId") or one.get("PrivateIPv4Address")
        for one in zone.get("LoadBalancerAddresses", [])
    )
    return [(zone.get("SubnetId", ""), address) for address in given if address][:1]
