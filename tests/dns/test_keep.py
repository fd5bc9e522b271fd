"""Which names of a zone are to be kept, and which belong to nobody any more, as a decision alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.dns.keep import names_to_keep, zone_of_records
from chalicelib.dns.plan import Claim, Obstacle, owner_record_name
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.route53 import Alias, Change, RecordSet, Zone
from tests.world.facts import there

OWNER, REGION, HOST = "emq-elb-prod", "eu-central-1", "mqtt.example.com"
ZONE = Zone("Z1", "example.com")
SOA = RecordSet("example.com", ("ns.example.com. …",), 900, "SOA")
HERE = "demo-1.eu-central-1.elb.amazonaws.com"
ALIAS = RecordSet(HOST, ttl=None, type="A", alias=Alias("ZELB", HERE))
TEXT = RecordSet(owner_record_name(HOST), (Claim(OWNER, "demo").value,))


def named(**tags: str) -> LoadBalancer:
    made = {"emq-elb:owner": OWNER, "emq-elb:hostname": "MQTT.example.com", "emq-elb:dns": "zone=Z1"}
    made |= {f"emq-elb:{key}": value for key, value in tags.items()}
    balancer = there().actual.load_balancer
    assert balancer is not None
    return replace(balancer, tags=made, dns_name=HERE, canonical_hosted_zone_id="ZELB")


def planned(of: LoadBalancer | None, *records: RecordSet) -> list[tuple[Change, ...] | Obstacle]:
    ours = {"demo": of} if of else {}
    found = names_to_keep(ZONE, (SOA, *records), ours, OWNER, REGION)
    return [one.plan(one.found) for one in found]


def test_a_zone_is_known_by_its_soa_record() -> None:
    assert zone_of_records("Z1", (ALIAS, SOA)) == ZONE
    assert zone_of_records("Z1", (ALIAS,)) is None


@pytest.mark.parametrize(
    ("records", "changes"),
    [
        ((ALIAS, TEXT), ()),
        ((), (Change(None, ALIAS), Change(None, TEXT))),
        ((TEXT,), (Change(None, ALIAS),)),
        ((ALIAS,), (Change(None, TEXT),)),
    ],
    ids=["as it is to be", "both lost", "the alias lost", "the text lost"],
)
def test_what_is_lost_is_to_be_made(records: tuple[RecordSet, ...], changes: tuple[Change, ...]) -> None:
    assert planned(named(), *records) == [changes]


@pytest.mark.parametrize(
    "tags",
    [
        {"dns": "zone=Z2"},
        {"dns": "nonsense"},
        {"hostname": ""},
        {"pending": "2026-11-29T08:00:00Z deleting"},
        {"pending": "2026-11-29T08:00:00Z provisioning"},
        {"pending": "nonsense"},
    ],
    ids=str,
)
def test_what_the_tags_do_not_keep_or_a_request_works_on_is_left_alone(tags: dict[str, str]) -> None:
    assert planned(named(**tags)) == []
    assert planned(named(**tags), ALIAS, TEXT) == []


def test_while_a_rotation_waits_the_name_is_kept() -> None:
    assert planned(named(pending="2026-11-29T08:00:00Z issuing")) == [
        (Change(None, ALIAS), Change(None, TEXT))
    ]


def test_what_leads_elsewhere_is_an_obstacle() -> None:
    (found,) = planned(named(), replace(ALIAS, alias=None, values=("192.0.2.1",), ttl=60), TEXT)
    assert isinstance(found, Obstacle)


def test_without_the_load_balancer_its_record_goes() -> None:
    assert planned(None, ALIAS, TEXT) == [(Change(ALIAS, None), Change(TEXT, None))]
    assert planned(None, TEXT) == [(Change(TEXT, None),)]
    assert planned(None, ALIAS) == []
    other = replace(TEXT, values=(Claim("emq-elb-dev", "demo").value,))
    assert planned(None, ALIAS, other) == []
