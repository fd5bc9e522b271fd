"""Hosted zones and record sets as values, there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest

from chalicelib.aws import route53
from chalicelib.model.errors import NotYet
from chalicelib.model.route53 import Alias, Change, RecordSet, Zone
from tests.world.provisioning import Account, clients

NAME = "mqtt.example.com"


@pytest.fixture
def client(here: Account) -> Any:
    here.calls.made.clear()
    return clients().route53


def made(name: str = "example.com", **more: Any) -> str:
    zone = boto3.client("route53").create_hosted_zone(Name=name, CallerReference=name + str(more), **more)
    return zone["HostedZone"]["Id"].rpartition("/")[2]


def test_a_zone_says_whether_it_is_private_and_where(here: Account, client: Any) -> None:
    vpc = here.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    public = made()
    private = made(
        "Example.COM", VPC={"VPCRegion": "eu-central-1", "VPCId": vpc}, HostedZoneConfig={"PrivateZone": True}
    )
    assert route53.zone(client, public) == Zone(public, "example.com")
    assert route53.zone(client, private) == Zone(private, "example.com", private=True, vpcs=frozenset({vpc}))
    assert route53.zone(client, "ZNONE") is None


def test_record_sets_of_every_form_are_read_as_they_were_written(here: Account, client: Any) -> None:
    here.world.create("demo")
    shown = here.world.describe("demo")
    target = Alias(shown["CanonicalHostedZoneNameID"], shown["DNSName"] + ".")
    zone = made()
    records = (
        RecordSet(NAME, ttl=None, type="A", alias=target, set_identifier="demo", weight=10),
        RecordSet(NAME, ("2001:db8::1",), 300, "AAAA"),
        RecordSet(f"_emq-elb.{NAME}", ('"owner=x load-balancer=demo"',)),
    )
    route53.change_record_sets(client, zone, [Change(None, one) for one in records])
    boto3.client("route53").change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {
                        "Name": "latency.example.com",
                        "Type": "A",
                        "SetIdentifier": "fra",
                        "Region": "eu-central-1",
                        "TTL": 60,
                        "ResourceRecords": [{"Value": "192.0.2.1"}],
                    },
                }
            ]
        },
    )
    assert route53.records_at(client, zone, NAME) == records[:2]
    everything = route53.records(client, zone)
    assert {*records} < {*everything}
    (latency,) = (one for one in everything if one.name == "latency.example.com")
    assert (latency.set_identifier, latency.routing) == ("fra", "latency")


def test_a_cname_gives_way_to_an_alias_in_one_batch_and_only_as_it_was_read(
    here: Account, client: Any
) -> None:
    here.world.create("demo")
    shown = here.world.describe("demo")
    zone = made()
    cname = RecordSet(NAME, (shown["DNSName"],), 300, "CNAME")
    alias = RecordSet(
        NAME, ttl=None, type="A", alias=Alias(shown["CanonicalHostedZoneNameID"], shown["DNSName"])
    )
    route53.change_record_sets(client, zone, [Change(None, cname)])
    exchange = [Change(None, alias), Change(replace(cname, ttl=60), None)]
    with pytest.raises(NotYet):
        route53.change_record_sets(client, zone, exchange)
    assert route53.records_at(client, zone, NAME) == (cname,)
    route53.change_record_sets(client, zone, [Change(None, alias), Change(cname, None)])
    (one,) = route53.records_at(client, zone, NAME)
    assert one.leads_to == (shown["DNSName"].lower(),)


def test_more_record_sets_of_a_name_than_a_page_has_are_all_read(here: Account, client: Any) -> None:
    zone = made()
    many = [
        RecordSet(NAME, ("192.0.2.1",), 60, "A", set_identifier=f"{number:03}", weight=1)
        for number in range(310)
    ]
    route53.change_record_sets(client, zone, [Change(None, one) for one in many])
    with here.counted() as calls:
        assert [*route53.records_at(client, zone, NAME)] == many
        assert calls.made == ["ListResourceRecordSets"] * 2
