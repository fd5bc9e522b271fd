"""What every tool is asked to provision, and whether it did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from bench.account import Account
from chalicelib.issuers.private_ca import create_authority
from chalicelib.model.names import CLUSTER_TAG
from lab.certificates.issuer import Bundle, bundle

NAME = "demo"
POLICY = "ELBSecurityPolicy-TLS-1-2-2017-01"
HOST = "mqtt.example.com"
HEALTH_CHECK = {
    "Target": "TCP:1883",
    "Interval": 30,
    "Timeout": 5,
    "UnhealthyThreshold": 2,
    "HealthyThreshold": 2,
}
ATTRIBUTES = {
    "CrossZoneLoadBalancing": {"Enabled": True},
    "ConnectionDraining": {"Enabled": True, "Timeout": 300},
    "ConnectionSettings": {"IdleTimeout": 450},
}


@dataclass(frozen=True)
class Asked:
    """The same request for all; certificate, key and chain are paths of PEM files.

    `body` is ours, whose defaults are what the others spell out; it names no instances: they carry the tag.
    """

    name: str
    vpc: str
    subnets: tuple[str, ...]
    instances: tuple[str, ...]
    certificate: str
    private_key: str
    chain: str
    policy: str
    health_check: dict[str, Any]
    attributes: dict[str, Any]
    body: dict[str, Any]

    def environment(self) -> dict[str, str]:
        """Return it as a shell script takes it: lists as words, structures as JSON."""
        values = {name.upper(): value for name, value in asdict(self).items() if name != "body"}
        return {name: _word(value) for name, value in values.items()}


def _word(value: Any) -> str:
    match value:
        case str():
            return value
        case tuple() | list():
            return " ".join(value)
        case _:
            return json.dumps(value)


@cache
def authority() -> Bundle:
    """Return this run's certificate authority."""
    made = create_authority("bench", now=datetime.now(UTC))
    return Bundle(made.certificate, made.private_key)


@cache
def leaf() -> Bundle:
    """Return the certificate that all are given."""
    return bundle(authority(), [HOST], days_left=80)


def asked(account: Account) -> Asked:
    """Return the request for the article's classic load balancer."""
    return request_to(account, POLICY, HEALTH_CHECK, ATTRIBUTES, {})


def request_to(
    account: Account,
    policy: str,
    health_check: Mapping[str, Any],
    attributes: Mapping[str, Any],
    body: Mapping[str, Any],
) -> Asked:
    """Empty the account but for two instances, and write the request to `request.json`.

    `body` is what ours has beside subnets and certificate.
    """
    vpc = account.empty()
    instances = account.launch(vpc, 2, {CLUSTER_TAG: NAME})
    made = leaf()
    texts = {"certificate": made.certificate, "private_key": made.private_key}
    chain = authority().certificate
    subnets = tuple(vpc.subnets.values())
    request = Asked(
        name=NAME,
        vpc=vpc.id,
        subnets=subnets,
        instances=tuple(instances),
        certificate=str(account.write("certificate.pem", made.certificate)),
        private_key=str(account.write("key.pem", made.private_key)),
        chain=str(account.write("chain.pem", chain)),
        policy=policy,
        health_check={**health_check},
        attributes={**attributes},
        body={"subnets": subnets, "certificate": {"pem": {**texts, "chain": chain}}, **body},
    )
    account.write("request.json", asdict(request))
    return request


def lacking(account: Account, request: Asked) -> frozenset[str]:
    """Return what of the request is not so at AWS."""
    return frozenset(_lacking(account, request))


def _lacking(account: Account, request: Asked) -> Iterator[str]:
    elb = account.aws.elb()
    there = elb.describe_load_balancers()["LoadBalancerDescriptions"]
    if [one["LoadBalancerName"] for one in there] != [request.name]:
        yield "load balancer"
        return
    (one,) = there
    listeners = {
        listener["Listener"]["LoadBalancerPort"]: (
            listener["Listener"]["Protocol"],
            listener["Listener"].get("InstanceProtocol"),
            listener["Listener"]["InstancePort"],
        )
        for listener in one["ListenerDescriptions"]
    }
    if listeners != {8883: ("SSL", "TCP", 1883), 18083: ("HTTP", "HTTP", 18083)}:
        yield "listeners"
    policies = elb.describe_load_balancer_policies(LoadBalancerName=request.name)["PolicyDescriptions"]
    if not any(
        value.get("AttributeValue") == request.policy
        for policy in policies
        for value in policy["PolicyAttributeDescriptions"]
    ):
        yield "SSL policy"
    if one["HealthCheck"] != request.health_check:
        yield "health check"
    if {instance["InstanceId"] for instance in one["Instances"]} != {*request.instances}:
        yield "instances"
    if {*one["Subnets"]} != {*request.subnets} or len(one["SecurityGroups"]) != 1:
        yield "network"
    found: Any = elb.describe_load_balancer_attributes(LoadBalancerName=request.name)[
        "LoadBalancerAttributes"
    ]
    if {**found, **request.attributes} != found:
        yield "attributes"
