"""Which hosted zone answers for a name, and what the name servers know by now.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-private.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from random import Random

from moto.route53.models import FakeZone, RecordSet, Route53Backend

from lab.fidelity import elb_instances
from lab.fidelity.elb_state import regions_of
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
    """Return the classic load balancer of a DNS name; it is healthy while an instance of it is in service.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html (EvaluateTargetHealth)
    """
    wanted = target_name(dns_name)
    for region in regions_of(account_id):
        for one in region.load_balancers.values():
            if normal(one.dns_name) != wanted:
                continue
            states = elb_instances.describe_instance_health(region, {"LoadBalancerName": one.name})
            healthy = any(state["State"] == "InService" for state in states["InstanceStates"])
            known = KNOBS.addresses_of and KNOBS.addresses_of(one.dns_name)
            return Target(tuple(known or [_made_up(one.dns_name, subnet) for subnet in one.subnets]), healthy)
    return None


def _made_up(dns_name: str, subnet: str) -> str:
    """Return an address for documentation (RFC 5737): without a data plane nothing answers there."""
    return f"203.0.113.{sha256(f'{dns_name} {subnet}'.encode()).digest()[0]}"


def _vpcs(zone: FakeZone) -> set[str]:
    return {str(vpc.get("vpc_id")) for vpc in zone.vpcs}
