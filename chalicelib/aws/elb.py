"""Classic Elastic Load Balancing, API 2012-06-01: what is read there, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from chalicelib.aws.errors import translated
from chalicelib.aws.quotas import parse_quota
from chalicelib.model import errors
from chalicelib.model.batches import of_those_there
from chalicelib.model.load_balancer import (
    AccessLogs,
    CustomPolicy,
    ForeignPolicy,
    HealthCheck,
    Listener,
    LoadBalancer,
    Member,
    Policy,
    PredefinedPolicy,
    Protocol,
    ProxyProtocolPolicy,
    Scheme,
)

if TYPE_CHECKING:
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elb.type_defs import (
        LoadBalancerAttributesOutputTypeDef,
        LoadBalancerDescriptionTypeDef,
        PolicyDescriptionTypeDef,
    )

_REFERENCE = "Reference-Security-Policy"
_ORDER = "Server-Defined-Cipher-Order"


def describe_all(client: ElasticLoadBalancingClient) -> tuple[LoadBalancerDescriptionTypeDef, ...]:
    """Every load balancer of the region, ours or not: one call for each 400."""
    with translated("DescribeLoadBalancers"):
        pages = client.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 400})
        return tuple(found for page in pages for found in page["LoadBalancerDescriptions"])


def describe_load_balancer(
    client: ElasticLoadBalancingClient, name: str
) -> LoadBalancerDescriptionTypeDef | None:
    """The load balancer of that name, or None."""
    try:
        with translated("DescribeLoadBalancers"):
            return client.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"][0]
    except errors.Absent:
        return None


def load_balancer_tags(
    client: ElasticLoadBalancingClient, names: Sequence[str]
) -> Mapping[str, Mapping[str, str]]:
    """Read the tags by load balancer: one call for each 20. A load balancer that vanished is left out."""
    return of_those_there(names, 20, partial(_tags, client))


def _tags(client: ElasticLoadBalancingClient, names: Sequence[str]) -> dict[str, Mapping[str, str]]:
    with translated("DescribeTags"):
        answer = client.describe_tags(LoadBalancerNames=list(names))
    return {
        found.get("LoadBalancerName", ""): {tag["Key"]: tag.get("Value", "") for tag in found.get("Tags", [])}
        for found in answer["TagDescriptions"]
    }


def attributes(client: ElasticLoadBalancingClient, name: str) -> LoadBalancerAttributesOutputTypeDef:
    """Its attributes, as AWS shapes them."""
    with translated("DescribeLoadBalancerAttributes"):
        return client.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]


def policies(client: ElasticLoadBalancingClient, name: str) -> Mapping[str, Policy]:
    """The policies that the load balancer has, by name."""
    with translated("DescribeLoadBalancerPolicies"):
        answer = client.describe_load_balancer_policies(LoadBalancerName=name)
    return {found.get("PolicyName", ""): _policy(found) for found in answer["PolicyDescriptions"]}


def _policy(found: PolicyDescriptionTypeDef) -> Policy:
    given = {
        attribute.get("AttributeName", ""): attribute.get("AttributeValue", "")
        for attribute in found.get("PolicyAttributeDescriptions", [])
    }
    on = {name for name, value in given.items() if value.lower() == "true"}
    match found.get("PolicyTypeName"):
        case "SSLNegotiationPolicyType" if reference := given.get(_REFERENCE):
            return PredefinedPolicy(reference)
        case "SSLNegotiationPolicyType" if found.get("PolicyName", "").startswith("ELBSecurityPolicy-"):
            return PredefinedPolicy(found.get("PolicyName", ""))
        case "SSLNegotiationPolicyType":
            protocols = {name for name in on if name.startswith("Protocol-")}
            return CustomPolicy(
                protocols=frozenset(name.removeprefix("Protocol-") for name in protocols),
                ciphers=frozenset(on - protocols - {_ORDER}),
                server_defined_order=_ORDER in on,
            )
        case "ProxyProtocolPolicyType" if "ProxyProtocol" in on:
            return ProxyProtocolPolicy()
        case other:
            return ForeignPolicy(other or "")


def members(client: ElasticLoadBalancingClient, name: str) -> tuple[Member, ...]:
    """The registered instances with their health; AWS leaves terminated ones out."""
    with translated("DescribeInstanceHealth"):
        states = client.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
    return tuple(
        Member(
            id=state.get("InstanceId", ""),
            state=state.get("State", "Unknown"),
            reason_code=_unless_na(state.get("ReasonCode", "")),
            description=_unless_na(state.get("Description", "")),
        )
        for state in states
    )


def _unless_na(text: str) -> str:
    return "" if text == "N/A" else text


def quota(client: ElasticLoadBalancingClient) -> int | None:
    """How many classic load balancers the account may have in the region; None when AWS does not say."""
    with translated("DescribeAccountLimits"):
        return parse_quota(client.describe_account_limits()["Limits"], "classic-load-balancers")


def parse_load_balancer(
    found: LoadBalancerDescriptionTypeDef,
    attributes: LoadBalancerAttributesOutputTypeDef,
    policies: Mapping[str, Policy],
    tags: Mapping[str, str],
) -> LoadBalancer:
    """Make one value of the answers of four calls."""
    check = found.get("HealthCheck", {})
    draining = attributes.get("ConnectionDraining", {"Enabled": False})
    logs = attributes.get("AccessLog")
    backends = {
        backend.get("InstancePort", 0): frozenset(backend.get("PolicyNames", []))
        for backend in found.get("BackendServerDescriptions", [])
    }
    return LoadBalancer(
        name=found.get("LoadBalancerName", ""),
        scheme=cast("Scheme", found.get("Scheme", "internet-facing")),
        vpc=found.get("VPCId", ""),
        subnets=frozenset(found.get("Subnets", [])),
        zones=frozenset(found.get("AvailabilityZones", [])),
        listeners=parse_listeners(found, policies),
        security_groups=frozenset(found.get("SecurityGroups", [])),
        health_check=HealthCheck(
            target=check.get("Target", ""),
            interval=check.get("Interval", 0),
            timeout=check.get("Timeout", 0),
            unhealthy_threshold=check.get("UnhealthyThreshold", 0),
            healthy_threshold=check.get("HealthyThreshold", 0),
        ),
        idle_timeout=attributes.get("ConnectionSettings", {"IdleTimeout": 60})["IdleTimeout"],
        connection_draining=draining.get("Timeout", 300) if draining["Enabled"] else 0,
        cross_zone=attributes.get("CrossZoneLoadBalancing", {"Enabled": False})["Enabled"],
        access_logs=AccessLogs(
            bucket=logs.get("S3BucketName", ""),
            prefix=logs.get("S3BucketPrefix", ""),
            interval=logs.get("EmitInterval", 60),
        )
        if logs and logs["Enabled"]
        else None,
        proxy_protocol_ports=frozenset(
            port
            for port, names in backends.items()
            if any(isinstance(policies.get(name), ProxyProtocolPolicy) for name in names)
        ),
        tags=tags,
        instances=frozenset(instance.get("InstanceId", "") for instance in found.get("Instances", [])),
        policies=policies,
        backend_policies=backends,
        additional_attributes={
            one.get("Key", ""): one.get("Value", "") for one in attributes.get("AdditionalAttributes", [])
        },
        dns_name=found.get("DNSName"),
        canonical_hosted_zone_id=found.get("CanonicalHostedZoneNameID"),
        created=found.get("CreatedTime"),
    )


@dataclass(frozen=True)
class Listed:
    """Load balancers by name, as a listing and tags show them: without attributes and policies.

    `ours` carry our owner tag. `others` belong to others and must not be changed.
    """

    ours: Mapping[str, LoadBalancer]
    others: Mapping[str, LoadBalancer]


def listed(
    client: ElasticLoadBalancingClient, described: Sequence[LoadBalancerDescriptionTypeDef], owner: str
) -> Listed:
    """Separate our load balancers from others: read the tags of the described ones, one call for each 20.

    A load balancer that vanished in between is left out.
    """
    tags = load_balancer_tags(client, [one.get("LoadBalancerName", "") for one in described])
    found = {
        name: parse_load_balancer(one, {}, {}, tags[name])
        for one in described
        if (name := one.get("LoadBalancerName", "")) in tags
    }
    return by_owner(found, owner)


def by_owner(found: Mapping[str, LoadBalancer], owner: str) -> Listed:
    """Separate those of the owner from the others."""
    return Listed(
        ours={name: one for name, one in found.items() if one.owner == owner},
        others={name: one for name, one in found.items() if one.owner != owner},
    )


def parse_listeners(
    found: LoadBalancerDescriptionTypeDef, policies: Mapping[str, Policy]
) -> tuple[Listener, ...]:
    """Return the listeners by port; without `policies` they have no SSL policy."""
    return tuple(
        sorted(
            (_listener(description, policies) for description in found.get("ListenerDescriptions", [])),
            key=lambda listener: listener.port,
        )
    )


def _listener(description: object, policies: Mapping[str, Policy]) -> Listener:
    given = cast("Mapping[str, Mapping[str, str]]", description)
    listener = given["Listener"]
    names = frozenset(cast("Sequence[str]", given.get("PolicyNames", [])))
    contents = (policies.get(name) for name in sorted(names))
    negotiated = (policy for policy in contents if isinstance(policy, PredefinedPolicy | CustomPolicy))
    return Listener(
        port=int(listener["LoadBalancerPort"]),
        protocol=cast("Protocol", listener["Protocol"].upper()),
        instance_port=int(listener["InstancePort"]),
        instance_protocol=cast("Protocol", listener.get("InstanceProtocol", listener["Protocol"]).upper()),
        certificate=listener.get("SSLCertificateId"),
        ssl_policy=next(negotiated, None),
        policy_names=names,
    )
