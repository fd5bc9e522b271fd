"""An Auto Scaling group that attaches the load balancer registers its instances itself, and needs it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from chalicelib.model.errors import Conflict
from tests.world.provisioning import WATCHED, Account, granted
from tests.world.register import Fleet


def group(name: str = "nodes", capacity: int = 2, *balancers: str, **tags: str) -> Any:
    """Create a group in the first zone that attaches the load balancers."""
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
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()],
    )
    return client


def name_all(here: Account) -> None:
    """Give every instance a name, as snapshots need it."""
    for reservation in here.world.ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            here.tag([instance["InstanceId"]], "Name", instance["InstanceId"])


def codes(report: Any) -> set[str]:
    return {warning.code for warning in report.warnings}


def test_a_delete_is_refused_that_would_keep_a_group_from_launching(here: Account) -> None:
    here.put(here.article)
    client = group("nodes", 0, "demo")
    here.world.create("other")
    group("others", 0, "other")
    hows: list[dict[str, Any]] = [{}, {"force": True}, {"force": True, "dry_run": True}]
    for how in hows:
        with pytest.raises(Conflict, match=r"Auto Scaling group nodes attaches demo.*detach"):
            here.delete(**how)
        assert here.calls.writes == []
    client.detach_load_balancers(AutoScalingGroupName="nodes", LoadBalancerNames=["demo"])
    here.delete(force=True)
    assert "demo" not in here.snapshot()["load balancers"]


def test_a_put_and_an_adoption_say_that_a_group_attaches_it(here: Account) -> None:
    body = here.article
    assert "attached-by-group" not in codes(here.put(body))
    group("nodes", 0, "demo")
    report = here.put(body)
    assert "attached-by-group" in codes(report)
    assert "nodes" in next(one.message for one in report.warnings if one.code == "attached-by-group")
    assert here.calls.writes == []
    assert here.calls.reads.count("DescribeAutoScalingGroups") == 1


def test_what_an_attached_group_launches_after_an_adoption_stays(here: Account) -> None:
    here.world.create("demo", Subnets=here.subnets[:1])
    client = group("nodes", 2, "demo")
    name_all(here)
    fleet = Fleet(here)
    before = fleet.registered()
    assert len(before) == 2
    report = here.put(here.get(adopt=True), adopt=True)
    assert "attached-by-group" in codes(report)
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=4)
    name_all(here)
    grown = fleet.registered()
    assert len(grown) == 4
    look = fleet.reconcile()
    assert fleet.registered() == grown
    assert fleet.calls.writes == []
    new = (grown - before).pop()
    assert "Auto Scaling group nodes attaches the load balancer" in look.left_out["demo"][new]
    assert fleet.calls.reads.count("DescribeAutoScalingGroups") == 1
    here.put({**here.get(), "instances": []})
    assert here.calls.writes == []
    assert fleet.registered() == grown


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
