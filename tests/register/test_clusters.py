"""Several load balancers of ours serve one cluster: nodes join and leave all of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import boto3
import pytest

from chalicelib.model.errors import Throttled, Unserved
from chalicelib.model.names import CLUSTER_TAG
from lab.fidelity.knobs import FAILED_CHECKS, KNOBS
from tests.register.test_drain import DRAIN, READY, group, heard, states
from tests.world.provisioning import WATCHED, Account, account, granted
from tests.world.register import Fleet, Scenario, elb_writes, when_interrupted, when_untagged

PUBLIC, INTERNAL = "demo", "demo-internal"
BOTH = (PUBLIC, INTERNAL)
REGISTER, DEREGISTER = "RegisterInstancesWithLoadBalancer", "DeregisterInstancesFromLoadBalancer"


def two(here: Account) -> Fleet:
    """An account where `demo`, which has no tag, and an internal load balancer serve the cluster `demo`."""
    fleet = Fleet(here)
    fleet.balancer(PUBLIC)
    fleet.balancer(INTERNAL, cluster="demo", Scheme="internal")
    return fleet


@pytest.fixture
def fleet(here: Account) -> Fleet:
    return two(here)


def everywhere(fleet: Fleet) -> set[str]:
    """Who is registered with both; they have the same members."""
    assert fleet.registered(PUBLIC) == fleet.registered(INTERNAL)
    return fleet.registered(PUBLIC)


def behind_both(fleet: Fleet, *ids: str) -> None:
    for name in BOTH:
        fleet.by_hand(name, add=ids)


@pytest.mark.quick
@pytest.mark.parametrize("sample", ["ec2-instance-running", "tag-cluster-set"])
def test_a_node_that_comes_joins_all_load_balancers_of_its_cluster(fleet: Fleet, sample: str) -> None:
    fleet.balancer("other")
    (node,) = fleet.nodes("demo")
    look = fleet.answer(fleet.event(sample, node))
    assert look is not None
    assert (everywhere(fleet), fleet.registered("other")) == ({node}, set())
    assert look.registered == {"demo": 1, "demo-internal": 1, "other": 0}


@pytest.mark.parametrize("sample", ["tag-cluster-removed", "ec2-instance-stopped", "tag-cluster-changed"])
def test_a_node_that_goes_leaves_all_of_them(fleet: Fleet, sample: str) -> None:
    fleet.balancer("other")
    goes, stays = fleet.nodes("demo", 2)
    behind_both(fleet, goes, stays)
    if sample == "ec2-instance-stopped":
        fleet.here.world.ec2.stop_instances(InstanceIds=[goes])
    elif sample == "tag-cluster-changed":
        fleet.here.tag([goes], CLUSTER_TAG, "other")
    else:
        fleet.untag(goes)
    fleet.answer(fleet.event(sample, goes))
    assert everywhere(fleet) == {stays}
    assert fleet.registered("other") == ({goes} if sample == "tag-cluster-changed" else set())


def test_the_tag_says_which_cluster_and_the_name_does_not(fleet: Fleet) -> None:
    named, of_the_cluster = *fleet.nodes(INTERNAL), *fleet.nodes("demo")
    look = fleet.reconcile()
    assert everywhere(fleet) == {of_the_cluster}
    assert look.left_out == {}, "nobody serves the cluster of that name, so nobody leaves it out"
    fleet.by_hand(INTERNAL, add=[named])
    fleet.reconcile()
    assert everywhere(fleet) == {of_the_cluster}


def test_a_load_balancer_that_changes_its_cluster_keeps_half_and_one_in_service_at_each_look(
    fleet: Fleet,
) -> None:
    nodes = {*fleet.nodes("demo", 4)}
    behind_both(fleet, *nodes)
    (newcomer,) = fleet.nodes("blue")
    fleet.serve(INTERNAL, "blue")
    look = fleet.reconcile()
    assert len(fleet.registered(INTERNAL) & nodes) == 2
    assert newcomer in fleet.registered(INTERNAL)
    assert sum("kept for now" in why for why in look.left_out[INTERNAL].values()) == 2
    for _ in range(3):
        fleet.reconcile()
    assert (fleet.registered(PUBLIC), fleet.registered(INTERNAL)) == (nodes, {newcomer})


def test_one_that_cannot_be_served_holds_the_other_one_of_the_cluster_not_up(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.refuse(REGISTER, "Throttling", naming=PUBLIC)
    look = fleet.reconcile()
    assert [(place, type(error)) for place, error in look.failures] == [(PUBLIC, Throttled)]
    assert (fleet.registered(PUBLIC), fleet.registered(INTERNAL)) == (set(), {node})
    WATCHED.refuse = granted
    fleet.reconcile()
    assert everywhere(fleet) == {node}


def test_an_interruption_is_written_down_once_and_drained_everywhere(fleet: Fleet) -> None:
    fleet.balancer("theirs", owner="emq-elb-prod", cluster="demo")
    leaves, stays = fleet.spot("demo", 2)
    behind_both(fleet, leaves, stays)
    fleet.by_hand("theirs", add=[leaves])
    steps = fleet.drain(fleet.event("ec2-spot-interruption", leaves))
    assert [(name, step.action) for name, step in steps] == [
        ("demo", "CreateTags"),
        (PUBLIC, "DeregisterInstances"),
        (INTERNAL, "DeregisterInstances"),
    ]
    assert everywhere(fleet) == {stays}
    assert fleet.registered("theirs") == {leaves}, "what is not ours is not touched"


def test_an_interrupted_node_also_leaves_where_it_is_no_member_any_more(fleet: Fleet) -> None:
    """It was the last one in service when it changed over, so that a guard kept it."""
    fleet.balancer("other")
    (node,) = fleet.spot("demo")
    behind_both(fleet, node)
    fleet.here.tag([node], CLUSTER_TAG, "other")
    fleet.reconcile()
    assert (everywhere(fleet), fleet.registered("other")) == ({node}, {node})
    fleet.drain(fleet.event("ec2-spot-interruption", node))
    assert (everywhere(fleet), fleet.registered("other")) == (set(), set())


def test_an_interrupted_node_that_cannot_leave_one_leaves_the_other(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    behind_both(fleet, node)
    event = fleet.event("ec2-spot-interruption", node)
    fleet.refuse(DEREGISTER, "Throttling", naming=PUBLIC)
    with pytest.raises(Unserved, match="demo: DeregisterInstances: Throttling"):
        fleet.drain(event)
    assert (fleet.registered(PUBLIC), fleet.registered(INTERNAL)) == ({node}, set())
    WATCHED.refuse = granted
    assert [step.action for _, step in fleet.drain(event)] == ["DeregisterInstances"]
    assert everywhere(fleet) == set()


def test_one_that_is_deleted_meanwhile_is_no_failure(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    behind_both(fleet, node)

    def vanish(operation: str, _: object) -> None:
        if operation == DEREGISTER:
            fleet.here.world.elb.delete_load_balancer(LoadBalancerName=INTERNAL)

    WATCHED.refuse = vanish
    fleet.drain(fleet.event("ec2-spot-interruption", node))
    assert fleet.registered(PUBLIC) == set()


def test_a_launching_node_goes_on_when_it_is_in_service_everywhere(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    healthy: set[str] = set()
    KNOBS.instance_health = lambda name, _: None if name in healthy else FAILED_CHECKS
    client = group(READY)
    fleet.drain(heard(fleet, held[0]))
    (node,) = states(client)
    assert everywhere(fleet) == {node}
    for name in BOTH:
        fleet.reconcile()
        assert states(client) == {node: "Pending:Wait"}
        healthy.add(name)
    fleet.reconcile()
    assert states(client) == {node: "InService"}


def test_a_launching_node_does_not_wait_for_a_load_balancer_that_it_may_not_join(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    """Its zone is not enabled there."""
    fleet.here.world.elb.detach_load_balancer_from_subnets(
        LoadBalancerName=INTERNAL, Subnets=fleet.here.subnets[:1]
    )
    client = group(READY)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert list(states(client).values()) == ["InService"]
    assert fleet.registered(INTERNAL) == set()


def test_a_terminating_node_goes_on_when_it_is_drained_from_all(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(DRAIN)
    fleet.reconcile()
    for name, seconds in ((PUBLIC, 60), (INTERNAL, 120)):
        fleet.here.world.elb.modify_load_balancer_attributes(
            LoadBalancerName=name,
            LoadBalancerAttributes={"ConnectionDraining": {"Enabled": True, "Timeout": seconds}},
        )
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.drain(heard(fleet, held[0]))
    assert everywhere(fleet) == set()
    for _ in BOTH:
        fleet.reconcile()
        assert list(states(client).values()) == ["Terminating:Wait"]
        assert "RecordLifecycleActionHeartbeat" in fleet.calls.made
        fleet.here.sleep(61)
    fleet.reconcile()
    assert states(client) == {}


def test_a_node_that_is_drained_from_one_and_still_registered_with_another_waits(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(DRAIN)
    fleet.reconcile()
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.refuse(DEREGISTER, "Throttling", naming=INTERNAL)
    with pytest.raises(Unserved):
        fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert list(states(client).values()) == ["Terminating:Wait"]
    WATCHED.refuse = granted
    fleet.reconcile()
    assert states(client) == {}


def test_a_hook_waits_while_nobody_knows_of_one_load_balancer(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(READY)
    fleet.drain(heard(fleet, held[0]))
    fleet.refuse("DescribeInstanceHealth", "Throttling", naming=INTERNAL)
    look = fleet.reconcile()
    assert [(place, type(error)) for place, error in look.failures] == [("demo", Throttled)]
    assert list(states(client).values()) == ["Pending:Wait"]


@pytest.mark.parametrize(("owner", "own"), [("emq-elb-prod", "Terminating:Wait"), (None, None)])
def test_the_hooks_of_a_cluster_that_only_another_deployment_serves_are_left_to_it(
    here: Account, held: list[dict[str, Any]], owner: str | None, own: str | None
) -> None:
    """A load balancer that was made by hand and carries no tag serves no cluster of another name."""
    fleet = Fleet(here)
    fleet.balancer("theirs", owner=owner, cluster="demo" if owner else None)
    client = group(DRAIN)
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert next(iter(states(client).values()), None) == own


def test_a_cluster_that_others_serve_too_is_served(fleet: Fleet, held: list[dict[str, Any]]) -> None:
    fleet.balancer("theirs", owner="emq-elb-prod", cluster="demo")
    client = group(READY)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert list(states(client).values()) == ["InService"]
    assert everywhere(fleet) == {*states(client)}
    assert fleet.registered("theirs") == set()


def test_a_node_that_still_drains_from_another_deployments_load_balancer_waits(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    """What the other one says of members that do not drain holds nobody: nobody may be at work there."""
    fleet.balancer("theirs", owner="emq-elb-prod", cluster="demo")
    client = group(READY, DRAIN)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    (node,) = states(client)
    assert states(client) == {node: "InService"}
    fleet.by_hand("theirs", add=[node])
    fleet.here.world.elb.modify_load_balancer_attributes(
        LoadBalancerName="theirs",
        LoadBalancerAttributes={"ConnectionDraining": {"Enabled": True, "Timeout": 60}},
    )
    fleet.by_hand("theirs", remove=[node])
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.reconcile()
    assert states(client) == {node: "Terminating:Wait"}
    assert "RecordLifecycleActionHeartbeat" in fleet.calls.made
    fleet.here.sleep(61)
    fleet.reconcile()
    assert states(client) == {}


def test_a_node_that_another_deployment_never_takes_out_goes_on_when_ours_are_done(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    fleet.balancer("theirs", owner="emq-elb-prod", cluster="demo")
    client = group(DRAIN)
    fleet.reconcile()
    fleet.by_hand("theirs", add=[*states(client)])
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert states(client) == {}


def test_a_look_at_two_of_one_cluster_costs_the_listing_and_reads_again_before_the_second_write(
    fleet: Fleet,
) -> None:
    (node,) = fleet.nodes("demo")
    fleet.answer(fleet.event("ec2-instance-running", node))
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 3,  # its tag, the clusters, and the one cluster again
        "DescribeLoadBalancers": 3,  # of either kind, and the second one again
        "DescribeTags": 2,
    }
    assert elb_writes(fleet.calls) == [REGISTER, REGISTER]
    fleet.reconcile()
    assert Counter(fleet.calls.made) == {
        "DescribeInstances": 1,
        "DescribeLoadBalancers": 2,
        "DescribeTags": 1,
    }


def test_an_urgent_event_costs_the_listing_once(fleet: Fleet, held: list[dict[str, Any]]) -> None:
    group(READY)
    fleet.drain(heard(fleet, held[0]))
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 1,
        "DescribeAutoScalingInstances": 1,
        "DescribeLoadBalancers": 3,
        "DescribeTags": 2,
    }
    assert elb_writes(fleet.calls) == [REGISTER, REGISTER]


def _changing_over(fleet: Fleet) -> str:
    goes, *_ = members = fleet.nodes("demo", 3)
    behind_both(fleet, *members)
    fleet.nodes("demo")
    fleet.untag(goes)
    return goes


def _interrupted(fleet: Fleet) -> str:
    leaves, stays = fleet.spot("demo", 2)
    behind_both(fleet, leaves, stays)
    return leaves


def _terminating(fleet: Fleet) -> str:
    client = group(DRAIN, capacity=2)
    fleet.reconcile()
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    return next(id_ for id_, state in states(client).items() if state == "Terminating:Wait")


SCENARIOS = {
    "reconcile": Scenario(_changing_over, lambda fleet, _: fleet.reconcile(), 4),
    "answer": when_untagged(_changing_over, 4),
    "drain": when_interrupted(_interrupted, 3),
    "terminate": Scenario(_terminating, lambda fleet, _: fleet.reconcile(), 3),
}


def _end(scenario: Scenario, kill_after: int | None) -> tuple[int, int, list[str]]:
    """How many each has, and the states in the group, after the scenario was killed there and run again."""
    with account() as here:
        fleet = two(here)
        scenario.killed(fleet, kill_after)
        fleet.reconcile()
        fleet.reconcile()
        assert fleet.calls.writes == [], "it is at its end"
        lifecycles = states(boto3.client("autoscaling"))
        return len(fleet.registered(PUBLIC)), len(fleet.registered(INTERNAL)), sorted(lifecycles.values())


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_after_any_single_call_both_end_in_the_same_state(name: str) -> None:
    whole = SCENARIOS[name].ends_the_same(_end)
    assert whole[0] == whole[1]
