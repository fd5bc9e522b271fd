"""Which hosted zones a name is in, and which of them its record belongs into."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from chalicelib.model.errors import Fault
from chalicelib.model.route53 import Zone
from chalicelib.model.syntax import quoted


def holds(zone: Zone, name: str) -> bool:
    """Whether a name is the zone's own or below it."""
    wanted = name.lower()
    return wanted == zone.name or wanted.endswith(f".{zone.name}")


def zones_of(name: str, zones: Iterable[Zone]) -> tuple[Zone, ...]:
    """Return the zones with the longest name that `name` is in: none, one, or several of one name."""
    fitting = [zone for zone in zones if holds(zone, name)]
    longest = max((len(zone.name) for zone in fitting), default=0)
    return tuple(zone for zone in fitting if len(zone.name) == longest)


def zones_for(
    hostname: str, zones: Sequence[Zone], zone_ids: Sequence[str], *, internal: bool, vpc: str | None
) -> tuple[Zone, ...]:
    """Return the zones in which a load balancer's name is kept: those that are named, else one by its scheme.

    `zones` are those of the setting DNS_ZONES. Clients of an internal load balancer ask in its VPC, where a
    private zone answers; all others ask public ones. None, or several of one name, where `zone_faults` says
    what is wrong.
    """
    if zone_ids:
        return tuple(zone for zone in zones if zone.id in zone_ids)
    return zones_of(hostname, [zone for zone in zones if _answers(zone, internal=internal, vpc=vpc)])


def zone_faults(
    hostname: str,
    zones: Sequence[Zone],
    missing: Iterable[str],
    zone_ids: Sequence[str],
    *,
    lost: Collection[str] = (),
    internal: bool,
    vpc: str | None,
) -> Iterator[Fault]:
    """What keeps the name's record from having a zone; `missing` are ids of DNS_ZONES that do not exist.

    `lost` are zones that keep the record that they have, though nobody can change it.
    """
    known = {zone.id: zone for zone in zones}
    gone = {*missing}
    for place, id_ in enumerate(zone_ids):
        if id_ in lost:
            continue
        if id_ in gone:
            yield Fault(f"dns.zone_ids[{place}]", f"there is no hosted zone {id_} (any more)")
        elif id_ not in known:
            yield Fault(
                f"dns.zone_ids[{place}]",
                f"{quoted(id_)} is none of this deployment's zones, {_listed(zones)} (setting DNS_ZONES)",
            )
        elif not holds(known[id_], hostname):
            yield Fault(
                f"dns.zone_ids[{place}]", f"{quoted(hostname)} is not in the zone {_named(known[id_])}"
            )
    if zone_ids:
        return
    found = zones_for(hostname, zones, (), internal=internal, vpc=vpc)
    if len(found) > 1:
        yield Fault(
            "dns", f"{quoted(hostname)} is in {_listed(found)} alike: name those that are meant in `zone_ids`"
        )
    if not found:
        yield Fault("hostname", _nowhere(hostname, zones, gone, internal=internal, vpc=vpc))


def hiding(hostname: str, zones: Sequence[Zone], kept: Sequence[Zone], vpc: str | None) -> tuple[Zone, ...]:
    """Return the private zones that answer in the load balancer's VPC instead of those that hold the record.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html
    """
    private = [zone for zone in zones if zone.private and vpc in zone.vpcs]
    return tuple(zone for zone in zones_of(hostname, private) if zone not in kept)


def _answers(zone: Zone, *, internal: bool, vpc: str | None) -> bool:
    return zone.private and vpc in zone.vpcs if internal else not zone.private


def _nowhere(
    hostname: str, zones: Sequence[Zone], missing: Iterable[str], *, internal: bool, vpc: str | None
) -> str:
    kind = f"private zones of {vpc}" if internal else "public zones"
    gone = "".join(f"; there is no hosted zone {id_} (any more)" for id_ in sorted(missing))
    others = [zone for zone in zones if holds(zone, hostname)]
    if others:
        advice = f"to keep its record in {_listed(others)} all the same, name that in `dns.zone_ids`"
    else:
        advice = f"this deployment keeps records in {_listed(zones)} (setting DNS_ZONES)"
    return f"{quoted(hostname)} is in none of the {kind}: {advice}{gone}"


def _named(zone: Zone) -> str:
    return f"{zone.name} ({zone.id}, {'private' if zone.private else 'public'})"


def _listed(zones: Iterable[Zone]) -> str:
    return " and ".join(_named(zone) for zone in zones) or "none that exists"
