"""Amazon Route 53: hosted zones and the record sets in them, one call each.

https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.aws.errors import translated
from chalicelib.model import errors
from chalicelib.model.route53 import Alias, Change, RecordSet, Zone

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53.type_defs import (
        ChangeTypeDef,
        ResourceRecordSetOutputTypeDef,
        ResourceRecordSetTypeDef,
    )

# The fields that make a record set one of several, beside `Weight`, and what holds a traffic policy's.
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
_ROUTINGS: Mapping[str, str] = {
    "Region": "latency",
    "GeoLocation": "geolocation",
    "GeoProximityLocation": "geoproximity",
    "Failover": "failover",
    "MultiValueAnswer": "multivalue answer",
    "CidrRoutingConfig": "IP address",
    "TrafficPolicyInstanceId": "traffic policy",
}


def public_zones(client: Route53Client) -> tuple[Zone, ...]:
    """List the public hosted zones of the account, a hundred a call."""
    with translated("ListHostedZones"):
        pages = client.get_paginator("list_hosted_zones").paginate()
        return tuple(
            Zone(_id(one["Id"]), _name(one["Name"]))
            for page in pages
            for one in page["HostedZones"]
            if not one.get("Config", {}).get("PrivateZone", False)
        )


def zone(client: Route53Client, id_: str) -> Zone | None:
    """Read a hosted zone, public or private; None when there is none of that id (any more)."""
    try:
        with translated("GetHostedZone"):
            found = client.get_hosted_zone(Id=id_)
    except errors.Absent:
        return None
    one = found["HostedZone"]
    return Zone(
        _id(one["Id"]),
        _name(one["Name"]),
        private=one.get("Config", {}).get("PrivateZone", False),
        vpcs=frozenset(vpc.get("VPCId", "") for vpc in found.get("VPCs", [])),
    )


def records_at(client: Route53Client, zone: str, name: str) -> tuple[RecordSet, ...]:
    """Read every record set of a name, three hundred a call. Pending changes are in it already."""
    found: list[RecordSet] = []
    start: dict[str, Any] = {"StartRecordName": name}
    while start:
        with translated("ListResourceRecordSets"):
            page = client.list_resource_record_sets(HostedZoneId=zone, **start)
        read = [_record(one) for one in page["ResourceRecordSets"]]
        found += [one for one in read if one.name == name]
        more = page["IsTruncated"] and _name(page.get("NextRecordName", "")) == name
        start = _next(page) if more else {}
    return tuple(found)


def records(client: Route53Client, zone: str) -> tuple[RecordSet, ...]:
    """Read every record set of a zone, three hundred a call."""
    with translated("ListResourceRecordSets"):
        pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
        return tuple(_record(one) for page in pages for one in page["ResourceRecordSets"])


def text_record(client: Route53Client, zone: str, name: str) -> RecordSet | None:
    """Read one TXT record set; None when there is none. Pending changes are in it already."""
    with translated("ListResourceRecordSets"):
        found = client.list_resource_record_sets(
            HostedZoneId=zone, StartRecordName=name, StartRecordType="TXT", MaxItems="1"
        )
    return next((one for one in _text_records(found["ResourceRecordSets"]) if one.name == name), None)


def change_record_sets(client: Route53Client, zone: str, changes: Iterable[Change]) -> str:
    """Make all of the changes or none, and return the id by which to ask how far they have spread.

    Each record set that was read is deleted with all its values, and the new one is created. So a change that
    somebody else made in between is not overwritten: AWS refuses the batch (`InvalidChangeBatch`).
    """
    with translated("ChangeResourceRecordSets"):
        answer = client.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": _parts(changes)}
        )
    return answer["ChangeInfo"]["Id"].rpartition("/")[2]


def spread(client: Route53Client, change_id: str) -> bool:
    """Whether a change has reached all of Route 53's name servers."""
    with translated("GetChange"):
        return client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC"


def _id(path: str) -> str:
    return path.rpartition("/")[2]


def _name(name: str) -> str:
    return name.removesuffix(".").lower()


def _next(page: Mapping[str, Any]) -> dict[str, Any]:
    starts = ("NextRecordName", "NextRecordType", "NextRecordIdentifier")
    return {one.replace("Next", "Start"): page[one] for one in starts if page.get(one)}


def _text_records(found: Iterable[ResourceRecordSetOutputTypeDef]) -> Iterator[RecordSet]:
    """Those of simple routing: one with a set identifier is not ours to rewrite."""
    for one in found:
        if one["Type"] == "TXT" and "SetIdentifier" not in one and "ResourceRecords" in one:
            yield _record(one)


def _record(one: ResourceRecordSetOutputTypeDef) -> RecordSet:
    target = one.get("AliasTarget")
    return RecordSet(
        _name(one["Name"]),
        tuple(record["Value"] for record in one.get("ResourceRecords", [])),
        None if target else one.get("TTL", 0),
        one["Type"],
        Alias(target["HostedZoneId"], target["DNSName"], target["EvaluateTargetHealth"]) if target else None,
        one.get("SetIdentifier"),
        one.get("Weight"),
        next((routing for field, routing in _ROUTINGS.items() if field in one), None),
        one.get("HealthCheckId"),
    )


def _parts(changes: Iterable[Change]) -> list[ChangeTypeDef]:
    """What goes before what comes: a name has a CNAME or other record sets, simple ones or weighted ones."""
    made = [*changes]
    gone: list[ChangeTypeDef] = [
        {"Action": "DELETE", "ResourceRecordSet": _written(one.before)} for one in made if one.before
    ]
    come: list[ChangeTypeDef] = [
        {"Action": "CREATE", "ResourceRecordSet": _written(one.after)} for one in made if one.after
    ]
    return [*gone, *come]


def _written(record: RecordSet) -> ResourceRecordSetTypeDef:
    written: Any = {"Name": record.name, "Type": record.type}
    if record.alias:
        written["AliasTarget"] = {
            "HostedZoneId": record.alias.zone,
            "DNSName": record.alias.name,
            "EvaluateTargetHealth": record.alias.evaluated,
        }
    else:
        written |= {"TTL": record.ttl, "ResourceRecords": [{"Value": value} for value in record.values]}
    routed = {
        "SetIdentifier": record.set_identifier,
        "Weight": record.weight,
        "HealthCheckId": record.health_check,
    }
    return written | {field: value for field, value in routed.items() if value is not None}  # type: ignore[no-any-return]
