"""The tag `emq-elb:draining` cannot be written: the instance drains all the same, and stays out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import container
from chalicelib.model.errors import Unserved
from lab.fidelity.knobs import KNOBS
from tests.world.provisioning import WATCHED, Account, granted
from tests.world.register import Fleet

MARKED = "marked-for-termination"


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one load balancer of ours, `demo`."""
    fleet = Fleet(here)
    fleet.balancer("demo")
    return fleet


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("TagLimitExceeded", False),
        ("TagPolicyViolation", False),
        ("InvalidParameterValue", False),
        ("InvalidInstanceID.NotFound", False),
        ("UnauthorizedOperation", True),
        ("RequestLimitExceeded", True),
        ("ConcurrentTagAccess", True),
        ("InternalError", True),
    ],
)
def test_whatever_keeps_the_mark_from_being_written_the_node_drains(
    fleet: Fleet, code: str, again: bool, logged: Callable[[], list[Any]]
) -> None:
    leaves, stays = fleet.spot("demo", 2)
    fleet.by_hand("demo", add=[leaves, stays])
    KNOBS.spot_status = {leaves: MARKED}.get
    fleet.refuse("CreateTags", code)
    event = fleet.event("ec2-spot-interruption", leaves)
    if again:
        with pytest.raises(Unserved, match=f"{leaves}: CreateTags: {code}"):
            fleet.drain(event)
        assert fleet.drained.refused == ()
    else:
        fleet.drain(event)
        assert [error.code for _, error in fleet.drained.refused] == [code]
    assert [step.action for _, step in fleet.drained.steps] == ["DeregisterInstances"]
    assert fleet.registered() == {stays}
    (record,) = [one for one in logged() if one["message"] == "draining tag not written"]
    assert (record["load_balancer"], record["instance"]) == ("demo", leaves)
    assert code in record["error"]
    for _ in range(2):
        look = fleet.reconcile()
        assert (look.steps, look.failures) == ((), ())
    assert fleet.registered() == {stays}
    assert look.left_out == {"demo": {leaves: "EC2 takes the Spot instance back"}}
    WATCHED.refuse = granted
    if again:
        assert [step.action for _, step in fleet.drain(event)] == ["CreateTags"]
        assert fleet.draining(leaves)


def test_both_refusals_are_reported_where_aws_takes_neither(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    fleet.by_hand("demo", add=[node])

    WATCHED.refuse = lambda operation, _: {
        "CreateTags": "UnauthorizedOperation",
        "DeregisterInstancesFromLoadBalancer": "Throttling",
    }.get(operation)
    with pytest.raises(Unserved, match=r"CreateTags: Unauth.*; demo: DeregisterInstances: Throttling"):
        fleet.drain(fleet.event("ec2-spot-interruption", node))


def test_a_node_full_of_tags_drains_and_the_canonical_record_says_both(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[Any]]
) -> None:
    """https://github.com/openshift/hive/pull/2679"""
    name = fleet.balancer("full", owner="emq-elb-dev")
    (node,) = fleet.spot(name)
    fleet.by_hand(name, add=[node])
    fleet.fill(node)
    monkeypatch.setenv("SETTLE_SECONDS", "0")
    for cached in (container.settings, container.clients):
        cached.cache_clear()
    with Client(app.app, stage_name="dev", project_dir=str(Path(__file__).parents[2])) as client:
        client.lambda_.invoke("drain", fleet.raw("ec2-spot-interruption", node))
    for cached in (container.settings, container.clients):
        cached.cache_clear()
    (record,) = [one for one in logged() if one.get("function") == "drain"]
    assert record["actions"] == ["DeregisterInstances"]
    (refused,) = record["refused"]
    assert refused.startswith(f"full, {node}: CreateTags: TagLimitExceeded")
    assert fleet.registered(name) == set()


def test_a_spot_instance_that_stays_is_asked_about_once_and_registered(fleet: Fleet) -> None:
    ids = {*fleet.spot("demo", 3)}
    fleet.reconcile()
    assert fleet.registered() == ids
    assert fleet.calls.reads.count("DescribeSpotInstanceRequests") == 1
    fleet.reconcile()
    assert "DescribeSpotInstanceRequests" not in fleet.calls.made, "nobody is to be registered"


def test_no_other_instance_costs_that_read_nor_a_spot_one_that_has_just_started(fleet: Fleet) -> None:
    (started,) = fleet.spot("demo")
    fleet.launched(started, fleet.here.now() - timedelta(minutes=4))
    on_demand = fleet.nodes("demo", 2)
    fleet.answer(fleet.event("tag-cluster-set", started))
    assert fleet.registered() == {started, *on_demand}
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 1,
        "DescribeLoadBalancers": 2,
        "DescribeTags": 1,
    }


@pytest.mark.parametrize("status", ["marked-for-stop", MARKED])
def test_neither_an_event_nor_a_look_registers_what_ec2_takes_back(fleet: Fleet, status: str) -> None:
    leaves, stays = fleet.spot("demo", 2)
    KNOBS.spot_status = {leaves: status}.get
    fleet.answer(fleet.event("tag-cluster-set", leaves))
    assert fleet.registered() == {stays}


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "RequestLimitExceeded"])
def test_spot_instances_serve_where_ec2_cannot_be_asked_about_them(
    fleet: Fleet, code: str, logged: Callable[[], list[Any]]
) -> None:
    ids = {*fleet.spot("demo", 2)}
    fleet.refuse("DescribeSpotInstanceRequests", code)
    assert fleet.reconcile().failures == ()
    assert fleet.registered() == ids
    (record,) = [one for one in logged() if one["message"] == "spot requests not read"]
    assert code in record["error"]
