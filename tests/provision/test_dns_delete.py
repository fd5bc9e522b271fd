"""DELETE of a load balancer whose hostname has a record: the record first, then its time to live, then it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from chalicelib.dns.plan import TTL_SECONDS
from chalicelib.model.errors import AwsError, NotYet
from lab.fidelity.knobs import KNOBS
from tests.world.dns import HOST, TEXT, alias, change, put_through, records, values, zone
from tests.world.network import network_body
from tests.world.provisioning import WATCHED, Account, Killed, account, granted

CHANGE = "ChangeResourceRecordSets"


@pytest.fixture
def zone_id(here: Account) -> str:
    return zone(here)


def named(here: Account, **more: Any) -> dict[str, Any]:
    return {**here.article, "hostname": HOST, "dns": True, **more}


def through(here: Account, name: str = "demo") -> list[str]:
    """DELETE, and what the background does of it; the writes of that."""
    report = here.delete(name, force=True)
    assert report.state == "pending"
    assert here.finish(report)
    return here.calls.writes


@pytest.mark.parametrize("type_", ["classic", "network"])
def test_the_record_goes_first_and_the_load_balancer_when_no_resolver_has_it(
    here: Account, zone_id: str, type_: str
) -> None:
    KNOBS.dns_propagation_seconds = 30
    body = {**(network_body(here) if type_ == "network" else here.article), "hostname": HOST, "dns": True}
    put_through(here, body)
    report = here.delete(force=True)
    assert (report.state, here.calls.writes) == ("pending", ["AddTags"])
    assert report.view is not None
    assert here.get()["state"] == "pending"
    assert len(records(zone_id)) == 2
    before = here.passed
    assert here.finish(report)
    assert here.calls.writes[:3] == [CHANGE, "AddTags", "DeleteLoadBalancer"]
    assert (here.passed - before).total_seconds() >= 30 + TTL_SECONDS
    assert records(zone_id) == []
    assert here.snapshot()["load balancers"] == {}


def test_a_dry_run_shows_the_order(here: Account, zone_id: str) -> None:
    put_through(here, named(here))
    report = here.delete(dry_run=True, force=True)
    assert [step.action for step in report.steps][:2] == [CHANGE, "DeleteLoadBalancer"]
    assert here.calls.writes == []
    assert len(records(zone_id)) == 2


def test_without_a_record_it_goes_at_once(here: Account, zone_id: str) -> None:
    here.put({**here.article, "hostname": HOST})
    assert here.delete(force=True).state == "ready"
    assert "GetHostedZone" not in here.calls.made
    assert records(zone_id) == []


def test_the_name_stays_with_the_other_load_balancers_that_share_it(here: Account, zone_id: str) -> None:
    body = named(here, dns={"weight": 10}, cluster="demo")
    for name in ("demo", "blue"):
        put_through(here, body, name=name)
    through(here)
    assert records(zone_id) == [
        f'{TEXT} TXT "owner=emq-elb-test load-balancer=blue"',
        f"{HOST} A blue blue=10",
    ]
    assert len(here.get("blue")["dns"]["answers"]) == 1


def test_what_somebody_pointed_elsewhere_stays(here: Account, zone_id: str) -> None:
    put_through(here, named(here))
    change(zone_id, "DELETE", "A", **alias(here))
    change(zone_id, "CREATE", "A", **values("192.0.2.1"))
    through(here)
    assert records(zone_id) == [f"{HOST} A 192.0.2.1"]


def test_in_a_zone_that_is_gone_there_is_nothing_to_withdraw(here: Account, zone_id: str) -> None:
    put_through(here, named(here))
    change(zone_id, "DELETE", "A", **alias(here))
    text = '"owner=emq-elb-test load-balancer=demo"'
    change(zone_id, "DELETE", "TXT", TEXT, **values(text, ttl=60))
    boto3.client("route53").delete_hosted_zone(Id=zone_id)
    report = here.delete(force=True)
    assert report.state == "ready"
    assert "dns-zone-unknown" in {warning.code for warning in report.warnings}


def test_a_put_that_comes_later_takes_over(here: Account, zone_id: str) -> None:
    body = named(here)
    put_through(here, body)
    report = here.delete(force=True)
    here.sleep(2)
    assert here.put(body).state == "ready"
    assert not here.finish(report)
    assert here.calls.writes == []
    assert len(records(zone_id)) == 2


def test_a_second_delete_goes_on_where_the_first_has_come_to(here: Account, zone_id: str) -> None:
    put_through(here, named(here))
    first = here.delete(force=True)
    with pytest.raises(NotYet):
        here.finish(first, within=30)
    assert records(zone_id) == []
    here.sleep(5)
    second = here.delete(force=True)
    assert second.state == "pending"
    assert not here.finish(first)
    before = here.passed
    assert here.finish(second)
    assert here.calls.writes[0] == "DeleteLoadBalancer"
    assert (here.passed - before).total_seconds() <= TTL_SECONDS


def test_a_time_that_nobody_here_wrote_is_not_waited_for(here: Account, zone_id: str) -> None:
    put_through(here, named(here))
    report = here.delete(force=True)
    since = report.carry_on["since"]
    here.world.elb.add_tags(
        LoadBalancerNames=["demo"],
        Tags=[{"Key": "emq-elb:pending", "Value": f"{since} deleting not before 9999-12-31T00:00:00Z"}],
    )
    assert here.finish(report, within=3600)
    assert records(zone_id) == []


def test_somebody_deleted_it_by_hand_meanwhile(here: Account) -> None:
    zone(here)
    put_through(here, named(here))
    report = here.delete(force=True)
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    assert here.finish(report)


@pytest.mark.parametrize("operation", [CHANGE, "AddTags", "DeleteLoadBalancer", "ListResourceRecordSets"])
def test_whatever_is_denied_the_next_try_goes_on(here: Account, zone_id: str, operation: str) -> None:
    put_through(here, named(here))
    report = here.delete(force=True)
    WATCHED.refuse = lambda name, _: "AccessDenied" if name == operation else None
    with pytest.raises(AwsError, match="AccessDenied"):
        here.finish(report)
    assert "demo" in here.snapshot()["load balancers"]
    WATCHED.refuse = granted
    assert here.finish(report)
    assert (records(zone_id), here.snapshot()["load balancers"]) == ([], {})


def test_killed_after_any_call_the_next_try_ends_it() -> None:
    for kill in range(1, 7):
        with account() as here:
            id_ = zone(here)
            put_through(here, {**named(here), "certificate": {"issuer": "private-ca"}})
            report = here.delete(force=True)
            here.calls.kill_after = kill
            try:
                here.finish(report)
            except Killed:
                here.calls.kill_after = None
                here.finish(report)
            assert records(id_) == []
            snapshot = here.snapshot()
            assert (snapshot["load balancers"], len(snapshot["certificates"])) == ({}, 1)
