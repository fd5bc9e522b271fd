"""Which hosted zone answers for a name, and what the name servers know by now.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-private.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from random import Random

from moto.route53.models import FakeZone, RecordSet, Route53Backend

from lab.fidelity import elb_instances, elb_state, elbv2_state, elbv2_target_groups
from lab.fidelity.knobs import KNOBS
from lab.fidelity.route53_aliases import target_name
from lab.fidelity.route53_answers import Answer, Target, View, answer
from lab.fidelity.route53_changes import normal, under

Spread = Mapping[str, Sequence[RecordSet]]
"""The records of each hosted zone that have reached the name servers."""


def answering_zone(backend: Route53Backend, name: str, vpc_id: str | None = None) -> FakeZone | None:
    """Return the zone that answers: the closest private one of the VPC, else the closest public one."""
    zones = [zone for zone in backend.zones.values() if under(name, zone.name)]
    private = [zone for zone in zones if zone.private_zone and vpc_id in _vpcs(zone)]
    public = [zone for zone in zones if not zone.private_zone]
    return max(private or public, key=lambda zone: len(zone.name), default=None)


def resolved(backend: Route53Backend, zone: FakeZone, spread: Spread, name: str, type_: str) -> Answer:
    """Return what a zone's name servers answer now."""
    records, of = spread.get(zone.resource_id, ()), partial(target, backend.account_id)
    view = View(records, of, Random())  # noqa: S311 - shares traffic, keeps no secret
    return answer(view, name, type_)


def target(account_id: str, dns_name: str) -> Target | None:
    """Return the classic or network load balancer of a DNS name, and whether it can take traffic.

    A classic one can while an instance of it is in service, a network one while each of its target groups has
    a healthy target: one without targets counts as unhealthy.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html (EvaluateTargetHealth)
    """
    wanted = target_name(dns_name)
    for region in elb_state.regions_of(account_id):
        for one in region.load_balancers.values():
            if normal(one.dns_name) == wanted:
                states = elb_instances.describe_instance_health(region, {"LoadBalancerName": one.name})
                healthy = any(state["State"] == "InService" for state in states["InstanceStates"])
                return Target(_addresses(one.dns_name, one.subnets), healthy)
    for second in elbv2_state.regions_of(account_id):
        for other in second.load_balancers.values():
            if normal(other.dns_name) == wanted:
                groups = {arn for each in second.listeners_of(other.arn) for arn, _ in each.target_groups}
                healthy = bool(groups) and all(_serves(second, arn) for arn in groups)
                return Target(_addresses(other.dns_name, other.addresses), healthy)
    return None


def _serves(region: elbv2_state.Region, target_group: str) -> bool:
    asked = {"TargetGroupArn": target_group}
    found = elbv2_target_groups.describe_target_health(region, asked)["TargetHealthDescriptions"]
    return any(one["TargetHealth"]["State"] == "healthy" for one in found)


def _addresses(dns_name: str, subnets: Iterable[str]) -> tuple[str, ...]:
    known = KNOBS.addresses_of and KNOBS.addresses_of(dns_name)
    return tuple(known or [_made_up(dns_name, subnet) for subnet in subnets])


def _made_up(dns_name: str, subnet: str) -> str:
    """Return an address for documentation (RFC 5737): without a data plane nothing answers there."""
    return f"203.0.113.{sha256(f'{dns_name} {subnet}'.encode()).digest()[0]}"


def _vpcs(zone: FakeZone) -> set[str]:
    return {str(vpc.get("vpc_id")) for vpc in zone.vpcs}
