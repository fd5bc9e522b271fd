"""The record of `hostname`: in which hosted zones it belongs, what is in its way, and what is to change.

The load balancer's tags `emq-elb:dns` and `emq-elb:hostname` say what was asked for before. A record of that
which is asked for no longer is withdrawn. What somebody else changed since stays as it is, with a warning,
as long as the same is asked for again; where another record is asked for it is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.dns.plan import (
    Claim,
    KeptName,
    NameInZone,
    Obstacle,
    plan_name,
    withdraw,
)
from chalicelib.dns.zones import hiding, zone_faults, zones_for
from chalicelib.model.dns_options import DnsOptions, dns_tag, read_dns_tag
from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.names import DNS_TAG
from chalicelib.model.report import ReviewWarning
from chalicelib.model.route53 import Alias, Change, RecordSet, Zone
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.facts import Facts


@dataclass(frozen=True)
class RecordPlan:
    """The changes by the id of their hosted zone; `conflict` is why there can be none.

    `elsewhere` are what somebody else made of names that the load balancer kept, and is left alone.
    """

    changes: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    conflict: str | None = None
    elsewhere: tuple[str, ...] = ()


def names_to_read(
    declaration: Declaration, there: LoadBalancer | None, zones: Sequence[Zone], vpc: str | None
) -> tuple[tuple[Zone, str], ...]:
    """Return every name whose record is to be, or was, in one of the hosted zones, with the zone."""
    wanted = _zones(declaration, zones, vpc)
    names = [(zone, _lower(declaration.hostname)) for zone in wanted]
    return tuple(dict.fromkeys([*names, *kept_names(there, zones)]))


def kept_names(there: LoadBalancer | None, zones: Sequence[Zone]) -> tuple[tuple[Zone, str], ...]:
    """Return the hostname with each of the hosted zones in which the load balancer's tags keep its record."""
    kept, host = _kept(there), _lower(there.hostname) if there else ""
    return tuple((zone, host) for zone in zones if kept and host and zone.id in kept.zone_ids)


def withdrawals(
    there: LoadBalancer, found: Iterable[NameInZone], owner: str
) -> Mapping[str, tuple[Change, ...]]:
    """Return the changes after which no name has a record of the load balancer, by the id of the zone."""
    claim, target = Claim(owner, there.name), _target(there, there.name)
    changes = {one.zone.id: withdraw(claim, one, [target.name]) for one in found}
    return {zone: planned for zone, planned in changes.items() if planned}


def hostname_faults(declaration: Declaration, facts: Facts) -> Iterator[Fault]:
    """Return why the hostname's record has no hosted zone; a deployment without any is a conflict instead."""
    names = facts.names
    if names is None or declaration.dns is None or declaration.hostname is None or _off(declaration, facts):
        return
    yield from zone_faults(
        declaration.hostname,
        names.zones,
        names.missing,
        declaration.dns.zone_ids,
        lost=_lost(declaration, facts),
        internal=declaration.scheme == "internal",
        vpc=names.vpc,
    )


def hostname_tag(declaration: Declaration, facts: Facts) -> str | None:
    """Return the text of the tag `emq-elb:dns`; one that says the same in another order stays.

    So does one that keeps no record, since it names no hosted zone or there is no hostname.
    """
    there = facts.actual.load_balancer
    before = _kept(there)
    if declaration.dns is None and there and (before is None or there.hostname is None):
        return there.tags.get(DNS_TAG)
    if declaration.dns is None or facts.names is None:
        return None
    known = (zone.id for zone in _zones(declaration, facts.names.zones, facts.names.vpc))
    ids = (*known, *_lost(declaration, facts))
    if there and before and {*before.zone_ids} == {*ids} and before.weight == declaration.dns.weight:
        return there.tags[DNS_TAG]
    return dns_tag(DnsOptions(ids, declaration.dns.weight)) if ids else None


def plan_records(declaration: Declaration, facts: Facts, owner: str, *, adopt: bool) -> RecordPlan:
    """Return what is to change in the hosted zones, in one batch for each of them.

    The name of a load balancer that is not there yet stands for its DNS name.
    """
    names, there = facts.names, facts.actual.load_balancer
    if names is None:
        return RecordPlan()
    if declaration.dns and _off(declaration, facts):
        return RecordPlan(
            conflict="`dns` needs hosted zones of Route 53, and the setting DNS_ZONES of this deployment"
            " names none: set it to their ids and deploy again (docs/dns.md), or leave `dns` out"
        )
    claim, target = Claim(owner, declaration.name), _target(there, declaration.name)
    wanted = {zone.id for zone in _zones(declaration, names.zones, names.vpc)}
    changes: dict[str, tuple[Change, ...]] = {}
    conflicts, elsewhere = list[str](), list[str]()
    for found in names.found:
        planned: tuple[Change, ...] | Obstacle
        if declaration.dns and found.zone.id in wanted and found.hostname == _lower(declaration.hostname):
            kept = KeptName(
                claim=claim,
                target=target,
                weight=declaration.dns.weight,
                dual_stack=there is not None and there.dual_stack,
            )
            same = _asked_before(found, declaration.dns, there, owner)
            planned = plan_name(kept, found, adopt=adopt or same, region=names.region)
        else:
            same = False
            planned = withdraw(claim, found, [target.name])
        if isinstance(planned, Obstacle):
            (elsewhere if same else conflicts).append(planned.reason)
        elif planned:
            changes[found.zone.id] = (*changes.get(found.zone.id, ()), *planned)
    return RecordPlan(changes, "; ".join(conflicts) or None, tuple(elsewhere))


def changed_records(facts: Facts, changes: Mapping[str, Sequence[Change]]) -> tuple[RecordSet, ...] | None:
    """Return the record sets of all names after the changes; None where nobody looked."""
    if facts.names is None:
        return None
    made = [change for zone in changes.values() for change in zone]
    gone, come = {change.before for change in made}, [change.after for change in made]
    there = [one for found in facts.names.found for one in found.records if one not in gone]
    return tuple(dict.fromkeys([*there, *(one for one in come if one and one.type != "TXT")]))


def hostname_warnings(declaration: Declaration, facts: Facts, owner: str) -> Iterator[ReviewWarning]:
    """What a person should know of the hostname's record."""
    names, there = facts.names, facts.actual.load_balancer
    if names is None:
        return
    if there and there.owner == owner:
        yield from unknown_zones(there, names.zones)
    if declaration.dns is None or declaration.hostname is None:
        return
    for reason in plan_records(declaration, facts, owner, adopt=False).elsewhere:
        yield ReviewWarning("dns-elsewhere", f"{reason}. It is left alone")
    kept = _zones(declaration, names.zones, names.vpc)
    for zone in hiding(declaration.hostname, names.zones, kept, names.vpc):
        yield ReviewWarning(
            "dns-hidden",
            f"in {names.vpc} the private zone {zone.name} ({zone.id}) answers for {declaration.hostname}"
            " instead of the zone that has the record: name both in `dns.zone_ids` if clients in the VPC use"
            " the name",
        )
    if declaration.dns.weight == 0:
        yield ReviewWarning(
            "dns-weight-zero",
            "a weight of 0 is not off: Route 53 uses it when all others are unhealthy, or have a weight of 0"
            " too",
        )


def unknown_zones(there: LoadBalancer, zones: Iterable[Zone]) -> Iterator[ReviewWarning]:
    """Warn of records in hosted zones that are gone, or that the deployment lost."""
    kept, known = _kept(there), {zone.id for zone in zones}
    for id_ in kept.zone_ids if kept else ():
        if id_ not in known:
            yield ReviewWarning(
                "dns-zone-unknown",
                f"the record of {there.hostname} in the hosted zone {id_} stays as it is: the"
                " zone is gone, or the setting DNS_ZONES does not name it any more",
            )


def _zones(declaration: Declaration, zones: Sequence[Zone], vpc: str | None) -> tuple[Zone, ...]:
    if declaration.dns is None or declaration.hostname is None:
        return ()
    internal = declaration.scheme == "internal"
    return zones_for(declaration.hostname, zones, declaration.dns.zone_ids, internal=internal, vpc=vpc)


def _asked_before(found: NameInZone, wanted: DnsOptions, there: LoadBalancer | None, owner: str) -> bool:
    """Whether the load balancer's tags ask for the same record already."""
    before = _kept(there)
    return (
        there is not None
        and there.owner == owner
        and before is not None
        and found.zone.id in before.zone_ids
        and before.weight == wanted.weight
        and _lower(there.hostname) == found.hostname
    )


def _kept(there: LoadBalancer | None) -> DnsOptions | None:
    return read_dns_tag(there.tags.get(DNS_TAG)) if there else None


def _target(there: LoadBalancer | None, name: str) -> Alias:
    return Alias((there and there.canonical_hosted_zone_id) or "", (there and there.dns_name) or name)


def _lower(name: str | None) -> str:
    return (name or "").lower()


def _lost(declaration: Declaration, facts: Facts) -> tuple[str, ...]:
    """The hosted zones that the body and the load balancer's tag name, and that are gone, or not ours now.

    The record there stays as it is.
    """
    there, names, dns = facts.actual.load_balancer, facts.names, declaration.dns
    before = _kept(there)
    if there is None or names is None or dns is None or before is None:
        return ()
    if _lower(there.hostname) != _lower(declaration.hostname):
        return ()
    known = {zone.id for zone in names.zones}
    return tuple(id_ for id_ in dns.zone_ids if id_ in before.zone_ids and id_ not in known)


def _off(declaration: Declaration, facts: Facts) -> bool:
    """Whether the deployment keeps no records at all, and the body asks for one."""
    names = facts.names
    return names is not None and not names.zones and not names.missing and not _lost(declaration, facts)
