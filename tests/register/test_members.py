"""`members`: whose instances may join, as EC2 and Auto Scaling say it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chalicelib.model.names import CLUSTER_TAG, MEMBERS_TAG
from lab.fidelity import autoscaling as fidelity
from tests.register.test_drain import READY, group
from tests.world.provisioning import Account
from tests.world.register import Fleet


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one load balancer of ours, `demo`, and two instance profiles."""
    fleet = Fleet(here)
    fleet.balancer("demo")
    for name in ("emqx", "web"):
        here.world.iam.create_instance_profile(InstanceProfileName=name, Path="/team/")
    return fleet


def admit(fleet: Fleet, text: str) -> None:
    fleet.here.world.elb.add_tags(LoadBalancerNames=["demo"], Tags=[{"Key": MEMBERS_TAG, "Value": text}])


def profiled(fleet: Fleet, profile: str, count: int = 1) -> list[str]:
    """Run instances of that profile, which carry the cluster's tag."""
    ids: list[str] = fleet.here.world.launch(count, IamInstanceProfile={"Name": profile})
    fleet.here.tag(ids, CLUSTER_TAG, "demo")
    return ids


def test_an_instance_of_another_profile_is_kept_out_and_the_record_says_why(fleet: Fleet) -> None:
    admit(fleet, "profile=emqx")
    (broker,), (stranger,) = profiled(fleet, "emqx"), profiled(fleet, "web")
    (bare,) = fleet.nodes("demo")
    look = fleet.reconcile()
    assert fleet.registered() == {broker}
    said = "is not admitted by `members`: its instance profile is {}, its Auto Scaling group none"
    assert look.left_out == {"demo": {stranger: said.format("web"), bare: said.format("none")}}


def test_no_urgent_event_registers_who_is_not_admitted(fleet: Fleet) -> None:
    admit(fleet, "profile=emqx")
    held: list[dict[str, Any]] = []
    fidelity.on_lifecycle_action.append(held.append)
    try:
        group(READY)
    finally:
        fidelity.on_lifecycle_action.remove(held.append)
    detail = held[0]["detail"]
    fleet.drain(fleet.event("autoscaling-launch-lifecycle", detail["EC2InstanceId"], **detail))
    assert fleet.registered() == set()


def test_a_group_is_what_auto_scaling_says_and_no_tag_of_the_instance(fleet: Fleet) -> None:
    admit(fleet, "group=node:2A")
    group(capacity=2)
    fleet.reconcile()
    members = fleet.registered()
    assert len(members) == 2
    # Nobody but AWS may write this tag; even so it is only a reason to ask.
    (liar,) = fleet.nodes("demo")
    fleet.here.tag([liar], "aws:autoscaling:groupName", "nodes")
    fleet.reconcile()
    assert fleet.registered() == members


def test_members_cost_one_read_for_each_fifty_in_a_group_and_none_for_a_profile(fleet: Fleet) -> None:
    admit(fleet, "profile=emqx group=nodes")
    profiled(fleet, "emqx", 3)
    fleet.reconcile()
    assert "DescribeAutoScalingInstances" not in fleet.calls.made
    client = group(capacity=0)
    client.update_auto_scaling_group(AutoScalingGroupName="nodes", MaxSize=60, DesiredCapacity=51)
    fleet.reconcile()
    fleet.reconcile()
    assert Counter(fleet.calls.made) == {
        "DescribeLoadBalancers": 2,
        "DescribeTags": 1,
        "DescribeInstances": 1,
        "DescribeAutoScalingInstances": 2,
    }


def test_a_change_of_members_takes_out_half_at_a_time_and_never_the_last_one(fleet: Fleet) -> None:
    nodes = profiled(fleet, "web", 4)
    fleet.reconcile()
    assert fleet.registered() == {*nodes}
    admit(fleet, "profile=emqx")
    left = []
    for _ in range(4):
        fleet.reconcile()
        left.append(len(fleet.registered()))
    assert left == [2, 1, 1, 1]
    (broker,) = profiled(fleet, "emqx")
    fleet.reconcile()
    fleet.reconcile()
    assert fleet.registered() == {broker}


def test_a_forged_mark_on_every_member_leaves_half_and_then_one(fleet: Fleet) -> None:
    nodes = fleet.nodes("demo", 4)
    fleet.reconcile()
    fleet.here.tag(nodes, "emq-elb:draining", f"{fleet.here.now():%Y-%m-%dT%H:%M:%SZ} spot-interruption")
    left = []
    for _ in range(4):
        fleet.reconcile()
        left.append(len(fleet.registered()))
    assert left == [2, 1, 1, 1]
