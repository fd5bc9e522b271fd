"""What AWS's API says of the load balancers, as the data plane needs it: read like any stranger does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lab.elb.haproxy import HealthCheck, Listener, Protocol
from lab.elb.sslpolicies import DEFAULT, PREDEFINED, SslNegotiation, negotiation

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elb.type_defs import (
        HealthCheckTypeDef,
        ListenerDescriptionTypeDef,
        LoadBalancerDescriptionTypeDef,
        PolicyDescriptionTypeDef,
    )


@dataclass(frozen=True)
class Observed:
    """One load balancer; `certificates` are ARNs by listener port, `instances` zones by instance id."""

    name: str
    born: str
    dns_name: str
    zones: tuple[str, ...]
    listeners: tuple[Listener, ...]
    certificates: Mapping[int, str]
    health_check: HealthCheck
    idle_timeout: int
    cross_zone: bool
    draining_seconds: int
    instances: Mapping[str, str]


@dataclass(frozen=True)
class Zones:
    """The zones of subnets and instances seen so far: they never change."""

    subnets: dict[str, str]
    instances: dict[str, str]

    def learn(self, ec2: EC2Client, descriptions: Iterable[LoadBalancerDescriptionTypeDef]) -> None:
        """Ask EC2 about whatever is not known yet."""
        descriptions = list(descriptions)
        subnets = {subnet for one in descriptions for subnet in one["Subnets"]} - self.subnets.keys()
        if subnets:
            for found in ec2.describe_subnets(SubnetIds=sorted(subnets))["Subnets"]:
                self.subnets[found["SubnetId"]] = found["AvailabilityZone"]
        instances = {
            instance["InstanceId"] for one in descriptions for instance in one["Instances"]
        } - self.instances.keys()
        if instances:
            # By filter, since one unknown id fails a call that names it.
            answer = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": sorted(instances)}])
            for reservation in answer["Reservations"]:
                for instance in reservation["Instances"]:
                    self.instances[instance["InstanceId"]] = instance["Placement"]["AvailabilityZone"]


def observe(elb: ElasticLoadBalancingClient, ec2: EC2Client, zones: Zones) -> tuple[Observed, ...]:
    """Return every load balancer of the account and region."""
    descriptions = [
        description
        for page in elb.get_paginator("describe_load_balancers").paginate()
        for description in page["LoadBalancerDescriptions"]
    ]
    zones.learn(ec2, descriptions)
    return tuple(_observed(elb, description, zones) for description in descriptions)


def _observed(elb: ElasticLoadBalancingClient, one: LoadBalancerDescriptionTypeDef, zones: Zones) -> Observed:
    name = one["LoadBalancerName"]
    attributes = elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
    draining = attributes.get("ConnectionDraining", {"Enabled": False})
    own = one.get("Policies", {}).get("OtherPolicies", [])
    policies = elb.describe_load_balancer_policies(LoadBalancerName=name)["PolicyDescriptions"] if own else []
    return Observed(
        name=name,
        born=one["CreatedTime"].isoformat(),
        dns_name=one["DNSName"],
        zones=tuple(sorted(one["AvailabilityZones"] or {zones.subnets[subnet] for subnet in one["Subnets"]})),
        listeners=listeners(one, policies),
        certificates={
            described["Listener"]["LoadBalancerPort"]: described["Listener"]["SSLCertificateId"]
            for described in one["ListenerDescriptions"]
            if described["Listener"].get("SSLCertificateId")
        },
        health_check=health_check(one["HealthCheck"]),
        idle_timeout=attributes.get("ConnectionSettings", {"IdleTimeout": 60})["IdleTimeout"],
        cross_zone=attributes.get("CrossZoneLoadBalancing", {"Enabled": False})["Enabled"],
        draining_seconds=draining.get("Timeout", 300) if draining["Enabled"] else 0,
        instances={
            instance["InstanceId"]: zones.instances.get(instance["InstanceId"], "")
            for instance in one["Instances"]
        },
    )


def listeners(
    description: LoadBalancerDescriptionTypeDef, policies: list[PolicyDescriptionTypeDef]
) -> tuple[Listener, ...]:
    """Return the listeners with what their policies, and those of the instance ports, mean."""
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
        Listener(
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


def health_check(described: HealthCheckTypeDef) -> HealthCheck:
    """Return a health check from AWS's words: its target reads `PROTOCOL:port/path`."""
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
    )
