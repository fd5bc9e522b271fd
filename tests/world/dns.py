"""Hosted zones and record sets, made and read by a stranger; PUTs whose record the background changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.model.report import Report
from tests.lab import load_balancing
from tests.world.provisioning import Account

HOST = "mqtt.example.com"
TEXT = f"_emq-elb.{HOST}"


def zone(here: Account, name: str = "example.com", vpc: str | None = None, *, kept: bool = True) -> str:
    """Make a hosted zone, a private one where a VPC is named; `kept` puts it into the setting DNS_ZONES."""
    client: Any = load_balancing.client("route53")
    private: Any = {}
    if vpc:
        private = {
            "VPC": {"VPCRegion": "eu-central-1", "VPCId": vpc},
            "HostedZoneConfig": {"PrivateZone": True},
        }
    made = client.create_hosted_zone(Name=name, CallerReference=f"{name} {vpc} {here.now()}", **private)
    id_ = str(made["HostedZone"]["Id"].rpartition("/")[2])
    if kept:
        here.settings = replace(here.settings, dns_zones=(*here.settings.dns_zones, id_))
    return id_


def change(zone_id: str, action: str, type_: str, name: str = HOST, **record: Any) -> None:
    """Change one record set by hand."""
    client: Any = load_balancing.client("route53")
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": {"Name": name, "Type": type_, **record}}]}
    client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)


def values(*texts: str, ttl: int = 300) -> Mapping[str, Any]:
    """The fields of a record set that is no alias."""
    return {"TTL": ttl, "ResourceRecords": [{"Value": text} for text in texts]}


def alias(here: Account, name: str = "demo", **more: Any) -> Mapping[str, Any]:
    """The fields of an alias record to a classic load balancer."""
    shown = here.world.describe(name)
    target = {
        "HostedZoneId": shown["CanonicalHostedZoneNameID"],
        "DNSName": shown["DNSName"],
        "EvaluateTargetHealth": True,
    }
    return {"AliasTarget": target, **more}


def raw(zone_id: str, name: str) -> list[Any]:
    """The record sets of a name, as Route 53 has them."""
    listed = load_balancing.client("route53").list_resource_record_sets(HostedZoneId=zone_id)[
        "ResourceRecordSets"
    ]
    return [one for one in listed if one["Name"] == f"{name}."]


def records(zone_id: str, name: str = HOST) -> list[str]:
    """The record sets of a name and of its TXT record, as texts that are the same in every account."""
    return sorted(_text(one) for which in (name, f"_emq-elb.{name}") for one in raw(zone_id, which))


def _text(one: Any) -> str:
    if "AliasTarget" in one:
        to = one["AliasTarget"]["DNSName"].partition(".")[0].removeprefix("internal-").rpartition("-")[0]
    else:
        to = " ".join(value["Value"] for value in one["ResourceRecords"])
    weight = f" {one['SetIdentifier']}={one['Weight']}" if "Weight" in one else ""
    return f"{one['Name'].removesuffix('.')} {one['Type']} {to}{weight}"


def put_through(here: Account, body: Mapping[str, Any], name: str = "demo", **how: bool) -> Report:
    """PUT, and what the background does of it; the report of the PUT where nothing was left to that."""
    report = here.put(body, name, **how)
    if report.state == "pending":
        carried = here.carry_on(report, body, name)
        assert carried is not None
        return carried
    return report
