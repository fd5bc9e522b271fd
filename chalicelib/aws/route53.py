"""Amazon Route 53: public hosted zones and the TXT record sets in them, one call each.

https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.model.route53 import Change, RecordSet, Zone

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53.type_defs import (
        ChangeTypeDef,
        ResourceRecordSetOutputTypeDef,
        ResourceRecordSetTypeDef,
    )


def public_zones(client: Route53Client) -> tuple[Zone, ...]:
    """List the public hosted zones of the account, a hundred a call."""
    with translated("ListHostedZones"):
        pages = client.get_paginator("list_hosted_zones").paginate()
        return tuple(
            Zone(one["Id"].rpartition("/")[2], one["Name"].removesuffix(".").lower())
            for page in pages
            for one in page["HostedZones"]
            if not one.get("Config", {}).get("PrivateZone", False)
        )


def text_record(client: Route53Client, zone: str, name: str) -> RecordSet | None:
    """Read one TXT record set; None when there is none. Pending changes are in it already."""
    with translated("ListResourceRecordSets"):
        found = client.list_resource_record_sets(
            HostedZoneId=zone, StartRecordName=name, StartRecordType="TXT", MaxItems="1"
        )
    return next((one for one in _text_records(found["ResourceRecordSets"]) if one.name == name), None)


def change_record_sets(client: Route53Client, zone: str, changes: Iterable[Change]) -> str:
    """Make all of the changes or none, and return the id by which to ask how far they have spread.

    What was read is deleted by all its values, and what is to be is created: whoever changed a record set in
    between is not overwritten, but makes AWS refuse the batch (`InvalidChangeBatch`).
    """
    with translated("ChangeResourceRecordSets"):
        answer = client.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [part for one in changes for part in _parts(one)]}
        )
    return answer["ChangeInfo"]["Id"].rpartition("/")[2]


def spread(client: Route53Client, change_id: str) -> bool:
    """Whether a change has reached all of Route 53's name servers."""
    with translated("GetChange"):
        return client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC"


def _text_records(found: Iterable[ResourceRecordSetOutputTypeDef]) -> Iterator[RecordSet]:
    """Those of simple routing: one with a set identifier is not ours to rewrite."""
    for one in found:
        if one["Type"] == "TXT" and "SetIdentifier" not in one and "ResourceRecords" in one:
            values = tuple(record["Value"] for record in one["ResourceRecords"])
            yield RecordSet(one["Name"].removesuffix(".").lower(), values, one.get("TTL", 0))


def _parts(one: Change) -> Iterator[ChangeTypeDef]:
    if one.before is not None:
        yield {"Action": "DELETE", "ResourceRecordSet": _written(one.before)}
    if one.after is not None:
        yield {"Action": "CREATE", "ResourceRecordSet": _written(one.after)}


def _written(record: RecordSet) -> ResourceRecordSetTypeDef:
    return {
        "Name": record.name,
        "Type": "TXT",
        "TTL": record.ttl,
        "ResourceRecords": [{"Value": value} for value in record.values],
    }
