"""AWS refuses, things vanish, functions are killed: the others are served, and the next run finishes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from chalicelib.model.errors import Absent, Denied, InvalidInstance, Throttled, Unserved
from tests.register.test_drain import group, states
from tests.world.provisioning import WATCHED, Account, account, granted
from tests.world.register import Fleet, Scenario


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with three load balancers of ours, `a`, `b` and `c`."""
    fleet = Fleet(here)
    for name in "abc":
        fleet.balancer(name)
    return fleet


REGISTER = "RegisterInstancesWithLoadBalancer"


@pytest.mark.parametrize(
    ("operation", "code", "error"),
    [
        (REGISTER, "Throttling", Throttled),
        (REGISTER, "AccessDenied", Denied),
        (REGISTER, "LoadBalancerNotFound", Absent),
        (REGISTER, "InvalidInstance", InvalidInstance),
        ("DescribeInstanceHealth", "Throttling", Throttled),
        ("DescribeInstanceHealth", "LoadBalancerNotFound", Absent),
    ],
)
def test_one_that_cannot_be_served_holds_no_other_up(
    fleet: Fleet, operation: str, code: str, error: type[Exception]
) -> None:
    nodes = {name: fleet.nodes(name)[0] for name in "abc"}
    (stranger,) = fleet.nodes(None)
    fleet.by_hand("b", add=[stranger])  # so that its health is read
    fleet.refuse(operation, code, naming="b")
    look = fleet.reconcile()
    assert [(place, type(failure)) for place, failure in look.failures] == [("b", error)]
    assert fleet.registered("a") == {nodes["a"]}
    assert fleet.registered("c") == {nodes["c"]}
    with pytest.raises(Unserved, match=r"^b: "):
        look.complain()
    WATCHED.refuse = granted
    again = fleet.reconcile()
    assert {name for name, _ in again.steps} == {"b"}, "the next try finds less to do"
    assert nodes["b"] in fleet.registered("b")


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"])
def test_a_tag_with_a_time_that_nobody_can_count_to_holds_no_other_up(fleet: Fleet, time: str) -> None:
    nodes = {name: fleet.nodes(name)[0] for name in "abc"}
    fleet.here.tag([nodes["a"]], "emq-elb:draining", f"{time} spot-interruption")
    look = fleet.reconcile()
    assert look.failures == ()
    assert look.left_out == {"a": {nodes["a"]: f"draining: {time} spot-interruption"}}
    assert (fleet.registered("b"), fleet.registered("c")) == ({nodes["b"]}, {nodes["c"]})


@pytest.mark.parametrize(
    ("network", "refused"),
    [(False, REGISTER), (False, "Deregister"), (True, "RegisterTargets"), (True, "DeregisterTargets")],
)
def test_where_aws_refuses_to_register_whoever_has_to_leave_leaves_and_the_other_way_round(
    here: Account, network: bool, refused: str
) -> None:
    fleet = Fleet(here)
    (fleet.network if network else fleet.balancer)("demo")
    stays, leaves = fleet.nodes("demo", 2)
    (fleet.targeted if network else fleet.by_hand)("demo", add=[stays, leaves])
    fleet.untag(leaves)
    (joins,) = fleet.nodes("demo")
    WATCHED.refuse = lambda asked, _: "Throttling" if asked.startswith(refused) else None
    look = fleet.reconcile()
    there = fleet.in_each("demo") if network else fleet.registered()
    assert there == ({stays} if refused.startswith("Register") else {stays, leaves, joins})
    assert {(place, type(error)) for place, error in look.failures} == {("demo", Throttled)}
    assert look.registered == {"demo": len(there)}
    WATCHED.refuse = granted
    assert fleet.reconcile().failures == ()
    assert (fleet.in_each("demo") if network else fleet.registered()) == {stays, joins}


@pytest.mark.parametrize("operation", ["DescribeLoadBalancers", "DescribeTags", "DescribeInstances"])
def test_a_look_that_cannot_look_fails_and_changes_nothing(fleet: Fleet, operation: str) -> None:
    (node,) = fleet.nodes("a")
    fleet.refuse(operation, "Throttling")
    event = fleet.event("ec2-instance-running", node)
    look = fleet.answer(event)
    assert look is not None
    assert [type(failure) for _, failure in look.failures] == [Throttled]
    assert fleet.calls.writes == []
    WATCHED.refuse = granted
    assert fleet.answer(event), "a look that failed answers no event"
    assert fleet.registered("a") == {node}


def test_one_bad_id_of_many_holds_no_other_up(fleet: Fleet) -> None:
    nodes = fleet.nodes("a", 16)
    bad = sorted(nodes)[5]
    fleet.refuse(REGISTER, "InvalidInstance", naming=bad)
    look = fleet.reconcile()
    assert fleet.registered("a") == {*nodes} - {bad}
    assert look.registered["a"] == 15
    assert [place for place, _ in look.failures] == ["a"]
    assert fleet.calls.made.count(REGISTER) == 9, "it is found by halves"


def test_an_instance_that_vanishes_between_look_and_act_holds_no_other_up(fleet: Fleet) -> None:
    vanishes, stays = fleet.nodes("a", 2)

    def vanish(operation: str, _: Mapping[str, str]) -> None:
        if operation == REGISTER:
            fleet.here.world.ec2.terminate_instances(InstanceIds=[vanishes])

    WATCHED.refuse = vanish
    look = fleet.reconcile()
    assert fleet.registered("a") == {stays}
    assert look.failures == (), "there is nothing left to do for it"
    WATCHED.refuse = granted
    assert fleet.reconcile().failures == ()


def test_a_load_balancer_that_vanishes_between_look_and_act_holds_no_other_up(fleet: Fleet) -> None:
    nodes = {name: fleet.nodes(name)[0] for name in "abc"}

    def vanish(operation: str, parameters: Mapping[str, str]) -> None:
        if operation == REGISTER and "a" in parameters.values():
            fleet.here.world.elb.delete_load_balancer(LoadBalancerName="b")

    WATCHED.refuse = vanish
    look = fleet.reconcile()
    assert [(place, type(failure)) for place, failure in look.failures] == [("b", Absent)]
    assert fleet.registered("c") == {nodes["c"]}
    WATCHED.refuse = granted
    assert fleet.reconcile().failures == ()


def test_an_interruption_that_cannot_be_written_down_drains_fails_and_is_tried_again(fleet: Fleet) -> None:
    (node,) = fleet.spot("a")
    fleet.by_hand("a", add=[node])
    event = fleet.event("ec2-spot-interruption", node)
    fleet.refuse("CreateTags", "RequestLimitExceeded")
    with pytest.raises(Unserved, match="CreateTags: RequestLimitExceeded"):
        fleet.drain(event)
    assert fleet.registered("a") == set()
    WATCHED.refuse = granted
    fleet.drain(event)
    assert fleet.draining(node)


def several(fleet: Fleet) -> str:
    """Two to register, three to deregister, behind two load balancers."""
    for name in ("a", "b"):
        fleet.balancer(name)
    stays, goes, ends, *_ = members = fleet.nodes("a", 4)
    fleet.by_hand("a", add=members)
    fleet.by_hand("b", add=fleet.nodes("b"))
    fleet.nodes("a")
    fleet.nodes("b")
    fleet.untag(goes)
    fleet.here.world.ec2.stop_instances(InstanceIds=[ends])
    return stays


def interrupted(fleet: Fleet) -> str:
    """Two members, one of which is interrupted."""
    fleet.balancer("a")
    leaves, stays = fleet.spot("a", 2)
    fleet.by_hand("a", add=[leaves, stays])
    return leaves


def launched(fleet: Fleet, node: str) -> datetime:
    """When EC2 says that the instance was launched."""
    found = fleet.here.world.ec2.describe_instances(InstanceIds=[node])
    time: datetime = found["Reservations"][0]["Instances"][0]["LaunchTime"]
    return time


SCENARIOS = {
    "reconcile": Scenario(several, lambda fleet, _: fleet.reconcile(), 3),
    "answer": Scenario(
        several, lambda fleet, node: fleet.answer(fleet.event("ec2-instance-running", node)), 3
    ),
    "drain": Scenario(
        interrupted,
        # The same event twice: one of a second later is another, and its time is in the tag.
        lambda fleet, node: fleet.drain(fleet.event("ec2-spot-interruption", node, launched(fleet, node))),
        2,
    ),
}


def end(scenario: Scenario, kill_after: int | None) -> tuple[dict[str, int], int]:
    """How many are registered where, and draining, after the scenario was killed there and run again."""
    with account() as here:
        fleet = Fleet(here)
        node = scenario.killed(fleet, kill_after)
        scenario.act(fleet, node)
        scenario.act(fleet, node)
        assert fleet.calls.writes == [], "it is at its end"
        listed = here.world.elb.describe_load_balancers()["LoadBalancerDescriptions"]
        return {one["LoadBalancerName"]: len(one["Instances"]) for one in listed}, bool(fleet.draining(node))


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_after_any_single_call_the_next_run_ends_in_the_same_state(name: str) -> None:
    SCENARIOS[name].ends_the_same(end)


def test_where_auto_scaling_does_not_answer_clusters_without_a_group_are_served(fleet: Fleet) -> None:
    group(cluster="a")
    (node,) = fleet.nodes("b")
    fleet.refuse("DescribeAutoScalingInstances", "Throttling")
    look = fleet.reconcile()
    assert [(place, type(error)) for place, error in look.failures] == [("a", Throttled)]
    assert (fleet.registered("a"), fleet.registered("b")) == (set(), {node})
    WATCHED.refuse = granted
    assert fleet.reconcile().failures == ()
    assert len(fleet.registered("a")) == 1


def test_an_interruption_does_not_wait_for_auto_scaling(fleet: Fleet) -> None:
    (node,) = states(group(cluster="a"))
    backend: Any = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"]
    backend.get_instance(node).lifecycle = "spot"
    fleet.by_hand("a", add=[node])
    fleet.refuse("DescribeAutoScalingInstances", "Throttling")
    with pytest.raises(Unserved, match="DescribeAutoScalingInstances: Throttling"):
        fleet.drain(fleet.event("ec2-spot-interruption", node))
    assert fleet.registered("a") == set()
    assert fleet.draining(node)
