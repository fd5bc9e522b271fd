"""An Auto Scaling group that attaches the load balancer registers its instances itself, and needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
import pytest

from chalicelib.model.errors import Conflict
from tests.world.kinds import CLASSIC, Kind, article, each_kind, make_by_hand
from tests.world.network import balancer, elbv2, network_snapshot, targets
from tests.world.provisioning import WATCHED, Account, granted
from tests.world.register import Fleet


def group(
    name: str = "nodes",
    capacity: int = 2,
    *balancers: str,
    target_groups: Sequence[str] = (),
    **tags: str,
) -> Any:
    """Create a group in the first zone that attaches the classic load balancers or target groups."""
    client: Any = boto3.client("autoscaling")
    client.create_launch_configuration(
        LaunchConfigurationName=name, ImageId="ami-03cf127a", InstanceType="t3.micro"
    )
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        AvailabilityZones=["eu-central-1a"],
        MinSize=0,
        MaxSize=10,
        DesiredCapacity=capacity,
        LoadBalancerNames=list(balancers),
        TargetGroupARNs=list(target_groups),
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()],
    )
    return client


def attaching(capacity: int, kind: Kind, **tags: str) -> Any:
    """Create a group that attaches `demo`: a network one by each of its target groups."""
    if kind is CLASSIC:
        return group("nodes", capacity, "demo", **tags)
    found = elbv2().describe_target_groups(LoadBalancerArn=balancer()["LoadBalancerArn"])["TargetGroups"]
    return group("nodes", capacity, target_groups=[one["TargetGroupArn"] for one in found], **tags)


def name_all(here: Account) -> None:
    """Give every instance a name, as snapshots need it."""
    for reservation in here.world.ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            here.tag([instance["InstanceId"]], "Name", instance["InstanceId"])


def codes(report: Any) -> set[str]:
    return {warning.code for warning in report.warnings}


@each_kind
def test_a_delete_is_refused_that_would_keep_a_group_from_launching(here: Account, kind: Kind) -> None:
    here.put(article(here, kind))
    client = attaching(0, kind)
    here.world.create("other")
    group("others", 0, "other")
    hows: list[dict[str, Any]] = [{}, {"force": True}, {"force": True, "dry_run": True}]
    for how in hows:
        with pytest.raises(Conflict, match=r"Auto Scaling group nodes attaches demo.*detach"):
            here.delete(**how)
        assert here.calls.writes == []
    (there,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=["nodes"])["AutoScalingGroups"]
    client.detach_load_balancers(AutoScalingGroupName="nodes", LoadBalancerNames=there["LoadBalancerNames"])
    client.detach_load_balancer_target_groups(
        AutoScalingGroupName="nodes", TargetGroupARNs=there["TargetGroupARNs"]
    )
    here.delete(force=True)
    left = network_snapshot(here)
    assert "demo" not in {**left["load balancers"], **left["network"]}


@each_kind
def test_a_put_and_an_adoption_say_that_a_group_attaches_it(here: Account, kind: Kind) -> None:
    body = article(here, kind)
    assert "attached-by-group" not in codes(here.put(body))
    attaching(0, kind)
    report = here.put(body)
    assert "attached-by-group" in codes(report)
    assert "nodes" in next(one.message for one in report.warnings if one.code == "attached-by-group")
    assert here.calls.writes == []
    assert here.calls.reads.count("DescribeAutoScalingGroups") == 1


@each_kind
def test_what_an_attached_group_launches_after_an_adoption_stays(here: Account, kind: Kind) -> None:
    make_by_hand(here, kind, here.launch("by-hand"))
    client = attaching(2, kind)
    name_all(here)
    fleet = Fleet(here)

    def behind() -> set[str]:
        return fleet.registered() if kind is CLASSIC else {*targets(1883)}

    before = behind()
    assert len(before) == 3
    report = here.put(here.get(adopt=True), adopt=True)
    assert "attached-by-group" in codes(report)
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=4)
    name_all(here)
    grown = behind()
    assert len(grown) == 5
    look = fleet.reconcile()
    assert behind() == grown
    assert fleet.calls.writes == []
    new = (grown - before).pop()
    assert "Auto Scaling group nodes attaches the load balancer" in look.left_out["demo"][new]
    assert fleet.calls.reads.count("DescribeAutoScalingGroups") == 1
    here.put({**here.get(), "instances": []})
    assert here.calls.writes == []
    assert behind() == grown


def test_a_group_that_does_not_attach_it_holds_no_stranger(here: Account) -> None:
    fleet = Fleet(here)
    fleet.balancer("demo")
    fleet.balancer("demo-2")
    group("nodes", 1, "demo-2")
    (stranger,) = (
        one["InstanceId"]
        for reservation in here.world.ec2.describe_instances()["Reservations"]
        for one in reservation["Instances"]
    )
    member, other = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[stranger, member, other])
    fleet.reconcile()
    assert fleet.registered() == {member, other}


def test_a_stranger_stays_while_auto_scaling_cannot_be_asked(here: Account) -> None:
    fleet = Fleet(here)
    fleet.balancer("demo")
    group("nodes", 1)
    (stranger,) = (
        one["InstanceId"]
        for reservation in here.world.ec2.describe_instances()["Reservations"]
        for one in reservation["Instances"]
    )
    member, other = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[stranger, member])
    fleet.refuse("DescribeAutoScalingGroups", "AccessDenied")
    fleet.reconcile()
    assert fleet.registered() == {stranger, member, other}
    WATCHED.refuse = granted
    fleet.reconcile()
    assert fleet.registered() == {member, other}


def test_no_look_asks_for_groups_while_nobody_has_to_leave(here: Account) -> None:
    fleet = Fleet(here)
    fleet.balancer("demo")
    group("nodes", 2, "demo", **{"emq-elb:cluster": "demo"})
    fleet.reconcile()
    assert "DescribeAutoScalingGroups" not in fleet.calls.made
