"""Instances come and go, and the load balancers follow: by events, and without."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import boto3
import pytest

from chalicelib.model.names import CLUSTER_TAG
from tests.world.emitted import emitted
from tests.world.provisioning import WATCHED, Account
from tests.world.register import Fleet


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one load balancer of ours, `demo`, in two zones."""
    fleet = Fleet(here)
    fleet.balancer("demo")
    return fleet


@pytest.mark.quick
def test_a_tagged_instance_that_runs_is_registered(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    look = fleet.answer(fleet.event("ec2-instance-running", node))
    assert fleet.registered() == {node}
    assert look is not None
    assert [(name, step.action) for name, step in look.steps] == [("demo", "RegisterInstances")]
    assert look.registered == {"demo": 1}


@pytest.mark.parametrize("state", ["stopped", "terminated"])
def test_an_instance_that_ends_is_deregistered(fleet: Fleet, state: str) -> None:
    gone, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[gone, stays])
    ec2 = fleet.here.world.ec2
    (ec2.stop_instances if state == "stopped" else ec2.terminate_instances)(InstanceIds=[gone])
    fleet.answer(fleet.event(f"ec2-instance-{state}", gone))
    assert fleet.registered() == {stays}


@pytest.mark.quick
def test_an_instance_that_loses_its_tag_is_deregistered(fleet: Fleet) -> None:
    gone, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[gone, stays])
    fleet.untag(gone)
    fleet.answer(fleet.event("tag-cluster-removed", gone))
    assert fleet.registered() == {stays}


def test_an_instance_that_is_tagged_for_another_cluster_changes_over(fleet: Fleet) -> None:
    fleet.balancer("other")
    moves, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[moves, stays])
    fleet.here.tag([moves], CLUSTER_TAG, "other")
    fleet.answer(fleet.event("tag-cluster-changed", moves))
    assert (fleet.registered("demo"), fleet.registered("other")) == ({stays}, {moves})


def test_a_look_leaves_alone_what_is_not_ours(fleet: Fleet) -> None:
    fleet.balancer("theirs", owner="emq-elb-prod")
    fleet.balancer("by-hand", owner=None)
    wanted = [*fleet.nodes("theirs"), *fleet.nodes("by-hand"), *fleet.nodes("nowhere")]
    for node in wanted:
        fleet.answer(fleet.event("ec2-instance-running", node))
        fleet.drain(fleet.event("ec2-spot-interruption", node))
    fleet.reconcile()
    assert fleet.registered("theirs") == fleet.registered("by-hand") == set()
    assert [fleet.draining(node) for node in wanted] == [None] * 3


def test_whoever_does_not_belong_is_not_registered_and_the_report_says_why(fleet: Fleet) -> None:
    world = fleet.here.world
    vpc = world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    far = world.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    (elsewhere,) = fleet.nodes("demo", subnet=far)
    (other_zone,) = fleet.nodes("demo", subnet=fleet.here.subnets[2])
    stopped, draining = fleet.spot("demo", 2)
    world.ec2.stop_instances(InstanceIds=[stopped])
    fleet.drain(fleet.event("ec2-spot-interruption", draining))
    look = fleet.reconcile()
    assert fleet.registered() == set()
    assert look.left_out == {
        "demo": {
            elsewhere: f"is in another VPC ({vpc})",
            other_zone: "is in eu-central-1c, which is not enabled",
            stopped: "stopped",
            draining: "draining: spot-interruption",
        }
    }


@pytest.mark.quick
def test_reconcile_repairs_drift_and_says_that_it_is_drift(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    node, stranger = *fleet.nodes("demo"), *fleet.nodes(None)
    fleet.by_hand("demo", add=[stranger])
    look = fleet.reconcile()
    assert fleet.registered() == {node, stranger}, "the last one in service stays for this look"
    assert all("drift" in step.reason for _, step in look.steps)
    fleet.reconcile()
    assert fleet.registered() == {node}
    gauges = emitted(capsys.readouterr().out)
    assert [gauge["RegisteredInstances"] for gauge in gauges] == [2, 1]
    (described,) = gauges[0]["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "EmqElb"
    assert described["Dimensions"] == [["LoadBalancer"]]
    assert gauges[0]["LoadBalancer"] == "demo"


def test_a_second_look_finds_nothing_to_do(fleet: Fleet) -> None:
    fleet.nodes("demo", 3)
    assert fleet.reconcile().steps
    assert not fleet.reconcile().steps
    assert fleet.calls.writes == []


@pytest.mark.parametrize("members", [2, 3, 8])
def test_no_look_takes_out_more_than_half_nor_the_last_one_in_service(fleet: Fleet, members: int) -> None:
    nodes = fleet.nodes("demo", members)
    fleet.by_hand("demo", add=nodes)
    fleet.untag(*nodes)
    left = members
    for _ in range(members):
        fleet.reconcile()
        now = len(fleet.registered())
        assert now >= max(left - left // 2, 1)
        left = now
    assert left == 1


def test_all_go_when_all_are_going_away(fleet: Fleet) -> None:
    nodes = fleet.nodes("demo", 3)
    fleet.by_hand("demo", add=nodes)
    fleet.here.world.ec2.stop_instances(InstanceIds=nodes)
    fleet.reconcile()
    assert fleet.registered() == set()


def test_what_a_stale_listing_does_not_show_stays(fleet: Fleet) -> None:
    """The listing by tag misses an instance that, asked for by its id, carries the tag."""
    nodes = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=nodes)
    fleet.untag(nodes[0])
    asked: list[str] = []

    def tagged_again(operation: str, parameters: Mapping[str, str]) -> None:
        if operation == "DescribeInstances" and "InstanceId.1" in parameters:
            asked.append(parameters["InstanceId.1"])
            fleet.here.tag([nodes[0]], CLUSTER_TAG, "demo")

    WATCHED.refuse = tagged_again
    fleet.reconcile()
    assert asked == [nodes[0]]
    assert fleet.registered() == set(nodes)


def test_what_was_changed_is_announced_in_one_call(fleet: Fleet) -> None:
    events, sqs = boto3.client("events"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="ours", EventPattern=json.dumps({"source": ["emq-elb"]}))
    events.put_targets(Rule="ours", Targets=[{"Id": "queue", "Arn": arn}])
    comes, goes = *fleet.nodes("demo"), *fleet.nodes("demo")
    fleet.by_hand("demo", add=[goes])
    fleet.here.world.ec2.stop_instances(InstanceIds=[goes])
    fleet.reconcile()
    assert fleet.calls.made.count("PutEvents") == 1
    heard = [
        json.loads(message["Body"])
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    assert [(one["detail-type"], one["detail"]["instances"]) for one in heard] == [
        ("Instances Registered", [comes]),
        ("Instances Deregistered", [goes]),
    ]
    assert all(one["detail"]["load_balancer"] == "demo" and one["detail"]["reason"] for one in heard)


def test_a_look_that_cannot_announce_is_no_failure(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.refuse("PutEvents", "AccessDenied")
    look = fleet.reconcile()
    assert look.failures == ()
    assert fleet.registered() == {node}


def test_an_event_waits_until_what_it_announces_has_settled(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    at = fleet.here.now()
    look = fleet.answer(fleet.event("ec2-instance-running", node, at))
    assert look is not None
    assert look.began >= at.replace(microsecond=0) + timedelta(seconds=6)
    assert fleet.here.passed <= timedelta(seconds=6.1)
