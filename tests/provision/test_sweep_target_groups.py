"""Target groups that a network load balancer left: `sweep` deletes those of our names that nothing uses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.model.names import target_group_name
from chalicelib.provision.sweep import sweep
from tests.world.network import balancer, elbv2, network_body
from tests.world.provisioning import Account


def swept(here: Account) -> list[str]:
    with here.counted():
        return [step.action for step in sweep(here.invocation(50))]


def deleted_by_hand(here: Account) -> dict[str, Any]:
    body = network_body(here)
    here.put(body)
    elbv2().delete_load_balancer(LoadBalancerArn=balancer()["LoadBalancerArn"])
    return body


def names() -> set[str]:
    return {
        one["TargetGroupName"].rpartition("-")[0] for one in elbv2().describe_target_groups()["TargetGroups"]
    }


def test_those_of_a_load_balancer_deleted_elsewhere_are_swept_when_they_are_an_hour_old(
    here: Account,
) -> None:
    deleted_by_hand(here)
    assert swept(here) == ["AddTags", "AddTags"], "the time is written on each"
    here.passed += timedelta(minutes=59)
    assert swept(here) == []
    assert names() == {"demo-1883", "demo-18083"}
    here.passed += timedelta(minutes=2)
    assert swept(here) == ["DeleteTargetGroup", "DeleteTargetGroup"]
    assert names() == set()
    assert swept(here) == []


def test_those_in_use_cost_one_read_and_stay(here: Account) -> None:
    body = network_body(here)
    here.put(body)
    here.passed += timedelta(days=2)
    assert swept(here) == []
    assert here.calls.made == ["ListServerCertificates", "DescribeSecurityGroups", "DescribeTargetGroups"]
    assert here.put(body).steps == ()


def test_a_mark_of_an_earlier_time_counts_for_nothing(here: Account) -> None:
    body = deleted_by_hand(here)
    swept(here)
    here.put(body)
    here.passed += timedelta(days=2)
    assert swept(here) == []
    elbv2().delete_load_balancer(LoadBalancerArn=balancer()["LoadBalancerArn"])
    assert swept(here) == ["AddTags", "AddTags"]
    here.passed += timedelta(minutes=61)
    assert swept(here) == ["DeleteTargetGroup", "DeleteTargetGroup"]


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("by-hand", "emq-elb-test"),
        ("demo-1883-ffff", "emq-elb-test"),
        ("demo-1883-2a97", "emq-elb-other"),
        ("demo-1883-2a97", None),
    ],
)
def test_others_stay(here: Account, name: str, owner: str | None) -> None:
    vpc = here.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    tags = [{"Key": "emq-elb:owner" if owner else "team", "Value": owner or "iot"}]
    elbv2().create_target_group(Name=name, Protocol="TCP", Port=1883, VpcId=vpc, Tags=tags)
    for _ in range(2):
        here.passed += timedelta(hours=2)
        assert swept(here) == []


def test_what_somebody_uses_again_stays_and_is_forgotten(here: Account) -> None:
    """AWS refuses to delete a target group that a listener uses, whoever's the listener is."""
    body = deleted_by_hand(here)
    swept(here)
    here.put(body, name="other")
    (group,) = elbv2().describe_target_groups(Names=[target_group_name("demo", 1883)])["TargetGroups"]
    elbv2().create_listener(
        LoadBalancerArn=balancer("other")["LoadBalancerArn"],
        Protocol="TCP",
        Port=1234,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    here.passed += timedelta(hours=2)
    assert swept(here) == ["DeleteTargetGroup"]
    assert "demo-1883" in names()
