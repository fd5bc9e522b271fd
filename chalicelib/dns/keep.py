"""Which names of a hosted zone have lost their record, lead elsewhere, or belong to nobody any more.

The tags of our load balancers say whose record the zone is to have, its TXT records whose it has:

    tags            TXT record        records of the name             what follows
    --------------  ----------------  ------------------------------  ----------------------------------------
    keep the name   anybody of ours   as they are to be               nothing
    keep the name   anybody of ours   lost, or lead here otherwise    made as they are to be
    keep the name   any               lead elsewhere                  left alone, and reported
    say `pending`   any               any                             left alone: a request is at work
    no such one     that one          lead to a former one of it      withdrawn
    no such one     that one          none                            the TXT record's value goes
    no such one     that one          anything else                   left alone: another region's, perhaps
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.dns.plan import (
    Claim,
    KeptName,
    NameInZone,
    Obstacle,
    hostname_of,
    owner_record_name,
    plan_name,
    withdraw_former,
)
from chalicelib.model.dns_options import read_dns_tag
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.names import DNS_TAG, PENDING_TAG
from chalicelib.model.pending import parse_pending
from chalicelib.model.route53 import Alias, Change, RecordSet, Zone


@dataclass(frozen=True)
class NameToKeep:
    """A name in a hosted zone, and where it is to lead; without `kept` no longer to that of `claim`."""

    found: NameInZone
    claim: Claim
    kept: KeptName | None
    region: str

    def plan(self, found: NameInZone) -> tuple[Change, ...] | Obstacle:
        """Return what is to change at the name as it was found, now or before."""
        if self.kept is None:
            return withdraw_former(self.claim, found, self.region)
        return plan_name(self.kept, found, adopt=True, region=self.region)


def zone_of_records(id_: str, records: Sequence[RecordSet]) -> Zone | None:
    """Return the hosted zone whose record sets these are, by its SOA record."""
    return next((Zone(id_, one.name) for one in records if one.type == "SOA"), None)


def names_to_keep(
    zone: Zone,
    records: Sequence[RecordSet],
    balancers: Mapping[str, LoadBalancer],
    owner: str,
    region: str,
) -> Iterator[NameToKeep]:
    """Return the names that load balancers of ours keep in the zone, and those of ours that are gone.

    `balancers` are all of ours in the region, read after the records: one that had a record then is among
    them, unless it is gone.
    """
    for balancer in balancers.values():
        options = read_dns_tag(balancer.tags.get(DNS_TAG))
        host = (balancer.hostname or "").lower()
        if options is None or zone.id not in options.zone_ids or not host or _busy(balancer):
            continue
        claim = Claim(owner, balancer.name)
        target = Alias(balancer.canonical_hosted_zone_id or "", balancer.dns_name or "")
        kept = KeptName(claim=claim, target=target, weight=options.weight, dual_stack=balancer.dual_stack)
        yield NameToKeep(_at(zone, records, host), claim, kept, region)
    for record in records:
        marked = hostname_of(record.name) if record.type == "TXT" else None
        if marked is None:
            continue
        found = _at(zone, records, marked)
        for claim in found.claims:
            if claim.owner == owner and claim.load_balancer not in balancers:
                yield NameToKeep(found, claim, None, region)


def _busy(balancer: LoadBalancer) -> bool:
    """Whether a PUT or a DELETE is at work, or was given up and is to be sent again."""
    mark = parse_pending(balancer.tags.get(PENDING_TAG))
    return mark is not None and not mark.of_rotation


def _at(zone: Zone, records: Sequence[RecordSet], host: str) -> NameInZone:
    beside = owner_record_name(host)
    return NameInZone(
        zone,
        host,
        tuple(one for one in records if one.name == host),
        tuple(one for one in records if one.name == beside),
    )
