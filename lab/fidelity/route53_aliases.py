"""Where an alias record may lead: a load balancer under its region's zone id, or a record of the same zone.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from moto.route53.models import RecordSet

from lab.fidelity import elb_state, elbv2_state
from lab.fidelity.route53_changes import alias_of, normal

DUALSTACK = "dualstack."
ELSEWHERE = "the alias target name does not lie within the target zone"
NOT_FOUND = "that target was not found"

CLASSIC_ZONES: Mapping[str, str] = {
    "eu-central-1": "Z215JYRZR1TBD5",
    "eu-west-1": "Z32O12XQLNTSW2",
    "us-east-1": "Z35SXDOTRQ7X7K",
    "us-east-2": "Z3AADJGX6KTTL2",
    "us-west-1": "Z368ELLRRE2KJ0",
    "us-west-2": "Z1H1FL5HABSF5",
}
"""The hosted zones of classic load balancers' DNS names, by region.

https://docs.aws.amazon.com/general/latest/gr/elb.html. Regions that are not listed get an id that looks like
one: nothing but the answers of the API may be relied on.
"""


def classic_zone(region: str) -> str:
    """Return the id of the hosted zone in which a region's classic load balancers have their DNS names."""
    return CLASSIC_ZONES.get(region) or _made_up("classic", region)


NETWORK_ZONES: Mapping[str, str] = {
    "eu-central-1": "Z3F0SRJ5LGBH90",
    "eu-west-1": "Z2IFOLAFXWLO4F",
    "us-east-1": "Z26RNL4JYFTOTI",
    "us-east-2": "ZLMOA37VPKANP",
    "us-west-1": "Z24FKFUX50B4VW",
    "us-west-2": "Z18D5FSROUN65G",
}
"""The hosted zones of network load balancers' DNS names, by region: other ones, on the same page."""


def network_zone(region: str) -> str:
    """Return the id of the hosted zone in which a region's network load balancers have their DNS names."""
    return NETWORK_ZONES.get(region) or _made_up("network", region)


def _made_up(kind: str, region: str) -> str:
    return "Z" + hashlib.sha256(f"{kind} {region}".encode()).hexdigest()[:13].upper()


def target_name(name: str) -> str:
    """Return a target's DNS name without the prefix that asks for IPv6 addresses too, with a full stop."""
    return normal(name).removeprefix(DUALSTACK)


def targets_of(account_id: str) -> dict[str, str]:
    """Return the DNS names of the account's load balancers, classic and network, each with its zone's id."""
    return {
        normal(one.dns_name): classic_zone(region.name)
        for region in elb_state.regions_of(account_id)
        for one in region.load_balancers.values()
    } | {
        normal(one.dns_name): network_zone(region.name)
        for region in elbv2_state.regions_of(account_id)
        for one in region.load_balancers.values()
        if one.type == "network"
    }


def alias_faults(
    targets: Mapping[str, str], zone_id: str, asked: RecordSet, records: Iterable[RecordSet]
) -> list[str]:
    """Return what Route 53 says of an alias in a zone whose target is elsewhere than it says, or nowhere.

    `records` are those of the zone at that moment of the batch.
    """
    alias = alias_of(asked)
    if alias is None:
        return []
    target_zone, name, _ = alias
    if target_zone == zone_id:
        there = any(normal(one.name) == name and one.type == asked.type for one in records)
        return [] if there else [_refused(asked, NOT_FOUND)]
    found = targets.get(target_name(name))
    if found is None:
        return [_refused(asked, ELSEWHERE), _refused(asked, NOT_FOUND)]
    return [] if found == target_zone else [_refused(asked, ELSEWHERE)]


def _refused(asked: RecordSet, why: str) -> str:
    zone_id, name, _ = alias_of(asked) or ("", "", False)
    return f"Tried to create an alias that targets {name}, type {asked.type} in zone {zone_id}, but {why}"
