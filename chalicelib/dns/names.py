"""Read the hosted zones in which records of names are kept, and what a name has in one of them."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from chalicelib.aws import route53
from chalicelib.dns.plan import NameInZone, owner_record_name
from chalicelib.model.route53 import Zone

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client

_READS_AT_ONCE = 8


def read_zones(client: Route53Client, ids: Iterable[str]) -> tuple[tuple[Zone, ...], tuple[str, ...]]:
    """Return the hosted zones of these ids, and the ids of which there is none (any more), a call each."""
    asked = tuple(ids)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        found = dict(zip(asked, pool.map(lambda id_: route53.zone(client, id_), asked), strict=True))
    return tuple(zone for zone in found.values() if zone), tuple(id_ for id_ in asked if found[id_] is None)


def read_names(client: Route53Client, names: Iterable[tuple[Zone, str]]) -> tuple[NameInZone, ...]:
    """Read names in hosted zones, two calls each; pending changes are in what is read already."""
    asked = tuple(names)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        records = [pool.submit(route53.records_at, client, zone.id, name) for zone, name in asked]
        beside = [
            pool.submit(route53.records_at, client, zone.id, owner_record_name(name)) for zone, name in asked
        ]
    return tuple(
        NameInZone(zone, name, its.result(), owners.result())
        for (zone, name), its, owners in zip(asked, records, beside, strict=True)
    )
