"""Every ten minutes: lost records come back, records of load balancers that are gone go, the rest stays."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from chalicelib.model.errors import Unserved
from chalicelib.provision.keep_names import KeptNames, keep_names, names_due, read_records
from chalicelib.register import story
from tests.world.dns import HOST, TEXT, alias, change, put_through, records, values, zone
from tests.world.network import elbv2, network_body
from tests.world.provisioning import OWNER, WATCHED, Account, granted, just_before

OURS = [f'{TEXT} TXT "owner={OWNER} load-balancer=demo"', f"{HOST} A demo"]
CHANGE = "ChangeResourceRecordSets"


@pytest.fixture
def zone_id(here: Account) -> str:
    return zone(here)


def kept(here: Account) -> KeptNames:
    """What `reconcile` does of names in the minute in which it does."""
    with here.counted():
        read = read_records(here.invocation())
        look = story.reconcile(here.invocation(50))
        assert look.load_balancers is not None
        return keep_names(read, look.load_balancers, here.invocation(50))


def text_fields() -> Any:
    return values(OURS[0].partition(" TXT ")[2], ttl=60)


@pytest.mark.parametrize("type_", ["classic", "network"])
@pytest.mark.parametrize("lost", [("A",), ("TXT",), ("A", "TXT")], ids=str)
def test_what_is_lost_is_made_again(here: Account, zone_id: str, type_: str, lost: tuple[str, ...]) -> None:
    plain = network_body(here) if type_ == "network" else here.article
    put_through(here, {**plain, "hostname": HOST, "dns": True})
    assert kept(here) == KeptNames()
    target = {
        "AliasTarget": next(
            one["AliasTarget"]
            for one in boto3.client("route53").list_resource_record_sets(HostedZoneId=zone_id)[
                "ResourceRecordSets"
            ]
            if "AliasTarget" in one
        )
    }
    for one in lost:
        change(
            zone_id,
            "DELETE",
            one,
            *((TEXT,) if one == "TXT" else ()),
            **(text_fields() if one == "TXT" else target),
        )
    assert kept(here).changed == 1
    assert records(zone_id) == OURS
    assert kept(here) == KeptNames()


def test_it_is_one_read_a_zone(here: Account, zone_id: str) -> None:
    zone(here, "example.org")
    here.put({**here.article, "hostname": HOST})
    with here.counted():
        story.reconcile(here.invocation(50))
    without = len(here.calls.made)
    put_through(here, {**here.get(), "dns": {"zone_ids": [zone_id]}})
    kept(here)
    assert here.calls.made.count("ListResourceRecordSets") == 2
    assert len(here.calls.made) == without + 2
    assert here.calls.writes == []


def test_a_weight_that_somebody_changed_is_set_again(here: Account, zone_id: str) -> None:
    put_through(here, {**here.article, "hostname": HOST, "dns": {"weight": 10}})
    change(zone_id, "DELETE", "A", **alias(here, SetIdentifier="demo", Weight=10))
    change(zone_id, "CREATE", "A", **alias(here, SetIdentifier="demo", Weight=255))
    assert kept(here).changed == 1
    assert f"{HOST} A demo demo=10" in records(zone_id)


def test_what_leads_elsewhere_is_left_alone_and_reported(here: Account, zone_id: str) -> None:
    put_through(here, {**here.article, "hostname": HOST, "dns": True})
    change(zone_id, "DELETE", "A", **alias(here))
    change(zone_id, "CREATE", "A", **values("192.0.2.1"))
    found = kept(here)
    assert found.changed == 0
    assert "192.0.2.1" in found.elsewhere["demo"]
    assert f"{HOST} A 192.0.2.1" in records(zone_id)


@pytest.mark.parametrize("type_", ["classic", "network"])
def test_the_record_of_one_that_is_gone_goes(here: Account, zone_id: str, type_: str) -> None:
    plain = network_body(here) if type_ == "network" else here.article
    put_through(here, {**plain, "hostname": HOST, "dns": True})
    if type_ == "network":
        (one,) = elbv2().describe_load_balancers()["LoadBalancers"]
        elbv2().delete_load_balancer(LoadBalancerArn=one["LoadBalancerArn"])
    else:
        here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    assert kept(here).changed == 1
    assert records(zone_id) == []


def test_a_text_alone_of_one_that_is_gone_goes_too(here: Account, zone_id: str) -> None:
    change(zone_id, "CREATE", "TXT", TEXT, **text_fields())
    assert kept(here).changed == 1
    assert records(zone_id) == []


FOREIGN = "demo-123.us-east-1.elb.amazonaws.com"


def test_what_may_be_another_regions_stays(here: Account, zone_id: str) -> None:
    change(zone_id, "CREATE", "TXT", TEXT, **text_fields())
    change(zone_id, "CREATE", "CNAME", **values(FOREIGN))
    there = records(zone_id)
    assert kept(here) == KeptNames()
    assert records(zone_id) == there


def test_what_belongs_to_another_deployment_stays(here: Account, zone_id: str) -> None:
    change(zone_id, "CREATE", "TXT", TEXT, **values('"owner=emq-elb-dev load-balancer=demo"'))
    assert kept(here) == KeptNames()
    assert len(records(zone_id)) == 1


def test_one_that_lost_its_owner_tag_is_not_gone(here: Account, zone_id: str) -> None:
    put_through(here, {**here.article, "hostname": HOST, "dns": True})
    here.world.elb.remove_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "emq-elb:owner"}])
    assert kept(here) == KeptNames()
    assert records(zone_id) == OURS


def test_while_a_request_is_at_work_its_name_is_left_to_that(here: Account, zone_id: str) -> None:
    report = here.put({**here.article, "hostname": HOST, "dns": True})
    assert report.state == "pending"
    assert kept(here) == KeptNames()
    assert records(zone_id) == []


def test_others_that_share_the_name_keep_it(here: Account, zone_id: str) -> None:
    body = {**here.article, "hostname": HOST, "dns": {"weight": 10}, "cluster": "demo"}
    for name in ("demo", "blue"):
        put_through(here, body, name=name)
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    kept(here)
    assert records(zone_id) == [
        f'{TEXT} TXT "owner={OWNER} load-balancer=blue"',
        f"{HOST} A blue blue=10",
    ]


def test_a_zone_that_is_gone_keeps_nothing_else_from_being_done(here: Account, zone_id: str) -> None:
    gone = zone(here, "example.org")
    boto3.client("route53").delete_hosted_zone(Id=gone)
    put_through(here, {**here.article, "hostname": HOST, "dns": {"zone_ids": [zone_id]}})
    change(zone_id, "DELETE", "A", **alias(here))
    assert kept(here).changed == 1
    assert records(zone_id) == OURS


def test_somebody_quicker_is_not_overwritten(here: Account, zone_id: str) -> None:
    put_through(here, {**here.article, "hostname": HOST, "dns": True})
    change(zone_id, "DELETE", "A", **alias(here))
    just_before(CHANGE, lambda: change(zone_id, "CREATE", "A", **values("192.0.2.1")))
    assert kept(here).changed == 0
    assert f"{HOST} A 192.0.2.1" in records(zone_id)


def test_what_is_refused_is_reported_with_its_load_balancer(here: Account, zone_id: str) -> None:
    put_through(here, {**here.article, "hostname": HOST, "dns": True})
    change(zone_id, "DELETE", "A", **alias(here))
    WATCHED.refuse = lambda name, _: "AccessDenied" if name == CHANGE else None
    with pytest.raises(Unserved, match="demo"):
        kept(here)
    WATCHED.refuse = granted
    assert kept(here).changed == 1


def test_it_is_due_every_ten_minutes(here: Account) -> None:
    due = [minute for minute in range(60) if names_due(here.now().replace(minute=minute))]
    assert due == [7, 17, 27, 37, 47, 57]
