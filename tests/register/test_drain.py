"""What cannot wait: interruptions, recommendations, and groups that hold an instance for us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from chalicelib.model.errors import Denied
from chalicelib.model.names import CLUSTER_TAG, DRAINING_TAG
from lab.fidelity import autoscaling as fidelity
from lab.fidelity.knobs import FAILED_CHECKS, KNOBS
from tests.world.provisioning import Account
from tests.world.register import Fleet

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
READY = {"LifecycleHookName": "emq-elb-ready", "LifecycleTransition": LAUNCHING}
DRAIN = {"LifecycleHookName": "emq-elb-drain", "LifecycleTransition": TERMINATING}
THEIRS = {"LifecycleHookName": "their-own", "LifecycleTransition": TERMINATING}


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one load balancer of ours, `demo`."""
    fleet = Fleet(here)
    fleet.balancer("demo")
    return fleet


def group(*hooks: dict[str, str], capacity: int = 1, cluster: str = "demo") -> Any:
    """Create an Auto Scaling group whose instances are tagged into the cluster."""
    client: Any = boto3.client("autoscaling")
    client.create_launch_configuration(
        LaunchConfigurationName="nodes", ImageId="ami-03cf127a", InstanceType="t3.micro"
    )
    client.create_auto_scaling_group(
        AutoScalingGroupName="nodes",
        LaunchConfigurationName="nodes",
        AvailabilityZones=["eu-central-1a"],
        MinSize=0,
        MaxSize=10,
        DesiredCapacity=capacity,
        LifecycleHookSpecificationList=list(hooks),
        Tags=[
            {
                "Key": CLUSTER_TAG,
                "Value": cluster,
                "PropagateAtLaunch": True,
                "ResourceId": "nodes",
                "ResourceType": "auto-scaling-group",
            }
        ],
    )
    return client


def states(client: Any) -> dict[str, str]:
    """The lifecycle state of each instance in a group."""
    found = client.describe_auto_scaling_instances()["AutoScalingInstances"]
    return {one["InstanceId"]: one["LifecycleState"] for one in found}


def heard(fleet: Fleet, event: dict[str, Any]) -> Any:
    """The event as `drain` gets it."""
    kind = "launch" if "launch" in event["detail-type"] else "terminate"
    return fleet.event(f"autoscaling-{kind}-lifecycle", event["detail"]["EC2InstanceId"], **event["detail"])


def test_an_interruption_is_written_down_and_drained_at_once(fleet: Fleet) -> None:
    leaves, stays = fleet.spot("demo", 2)
    fleet.by_hand("demo", add=[leaves, stays])
    event = fleet.event("ec2-spot-interruption", leaves)
    steps = fleet.drain(event)
    assert [step.action for _, step in steps] == ["CreateTags", "DeregisterInstances"]
    assert fleet.registered() == {stays}
    assert fleet.draining(leaves) == f"{event.at:%Y-%m-%dT%H:%M:%SZ} spot-interruption"
    assert fleet.here.passed == timedelta(), "it does not wait"


def test_an_interrupted_one_leaves_even_as_the_last_in_service(fleet: Fleet) -> None:
    (only,) = fleet.spot("demo")
    fleet.by_hand("demo", add=[only])
    fleet.drain(fleet.event("ec2-spot-interruption", only))
    assert fleet.registered() == set()


def test_no_look_registers_what_is_draining(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    fleet.drain(fleet.event("ec2-spot-interruption", node))
    fleet.answer(fleet.event("ec2-instance-running", node))
    fleet.reconcile()
    assert fleet.registered() == set()


def test_a_late_duplicate_does_not_drain_a_restarted_node(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    interrupted = fleet.event("ec2-spot-interruption", node)
    fleet.drain(interrupted)
    fleet.launched(node, interrupted.at + timedelta(minutes=3))
    fleet.here.sleep(200)
    fleet.reconcile()
    assert fleet.registered() == {node}, "a restarted node is a member again"
    assert fleet.drain(interrupted) == ()
    assert fleet.registered() == {node}


def test_a_duplicate_writes_nothing_anew(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    event = fleet.event("ec2-spot-interruption", node)
    fleet.drain(event)
    assert fleet.drain(event) == ()
    assert fleet.calls.writes == []


def test_a_recommendation_drains_for_an_hour_where_that_is_wanted(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    fleet.by_hand("demo", add=[node])
    event = fleet.event("ec2-rebalance-recommendation", node)
    assert fleet.drain(event) == ()
    assert fleet.registered() == {node}
    fleet.here.settings = replace(fleet.here.settings, drain_on_rebalance=True)
    fleet.drain(event)
    assert fleet.registered() == set()
    fleet.here.sleep(3600 - 60)  # the machine's own time goes by as well
    fleet.reconcile()
    assert fleet.registered() == set()
    fleet.here.sleep(60)
    fleet.reconcile()
    assert fleet.registered() == {node}


def test_what_a_person_wrote_on_an_instance_stays(fleet: Fleet) -> None:
    (node,) = fleet.spot("demo")
    fleet.here.tag([node], DRAINING_TAG, "maintenance")
    fleet.drain(fleet.event("ec2-spot-interruption", node))
    assert fleet.draining(node) == "maintenance"


@pytest.mark.parametrize("kind", ["ec2-spot-interruption", "ec2-rebalance-recommendation"])
def test_ec2_takes_back_spot_instances_only_so_a_forged_warning_does_nothing(
    fleet: Fleet, kind: str, logged: Callable[[], list[Any]]
) -> None:
    fleet.here.settings = replace(fleet.here.settings, drain_on_rebalance=True)
    nodes = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=nodes)
    for node in nodes:
        assert fleet.drain(fleet.event(kind, node)) == ()
        assert (fleet.calls.writes, fleet.draining(node)) == ([], None)
    assert fleet.registered() == {*nodes}
    said = [record for record in logged() if record["message"] == "event not confirmed"]
    assert [(record["instance"], record["reason"]) for record in said] == [
        (node, "it is no Spot instance") for node in nodes
    ]


@pytest.mark.parametrize(
    ("hook", "forged"),
    [
        (READY, {"Destination": "WarmPool"}),
        (READY, {"LifecycleTransition": TERMINATING}),
        (DRAIN, {"Destination": "WarmPool"}),
    ],
)
def test_a_forged_lifecycle_action_lets_nobody_go_on(
    fleet: Fleet, held: list[dict[str, Any]], hook: dict[str, str], forged: dict[str, str]
) -> None:
    """The instance waits for a hook of ours, and the event says more than its group does."""
    KNOBS.instance_health = lambda _, __: FAILED_CHECKS
    client = group(hook)
    if hook is DRAIN:
        client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    (event,) = held
    before = states(client)
    altered = {**event, "detail": {**event["detail"], **forged}}
    fleet.drain(heard(fleet, altered))
    assert states(client) == before
    assert "CompleteLifecycleAction" not in fleet.calls.made


def test_a_lifecycle_action_of_an_instance_that_waits_for_none_completes_none(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    """The event names another group: its hooks are not ours to complete."""
    group(DRAIN, cluster="nowhere").set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    (node,) = fleet.nodes("nowhere")
    altered = {**held[0], "detail": {**held[0]["detail"], "EC2InstanceId": node}}
    assert fleet.drain(heard(fleet, altered)) == ()
    assert fleet.calls.writes == []


def test_an_event_about_an_instance_that_is_gone_does_nothing(fleet: Fleet) -> None:
    assert fleet.drain(fleet.event("ec2-spot-interruption", "i-00000000000000000")) == ()
    assert fleet.calls.writes == []


@pytest.mark.parametrize("cluster", ["no name: of any", "-", "a" * 33, "x" * 255, ""])
def test_a_cluster_that_can_be_no_load_balancers_name_is_nobodys(fleet: Fleet, cluster: str) -> None:
    """ELB would refuse to look for it, each time that something happens to the instance."""
    (node,) = fleet.nodes(cluster)
    assert fleet.drain(fleet.event("ec2-spot-interruption", node)) == ()
    assert fleet.reconcile().failures == ()


def test_a_launching_instance_is_registered_at_once_and_goes_on_in_service(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    healthy: set[str] = set()
    KNOBS.instance_health = lambda _, id_: None if id_ in healthy else FAILED_CHECKS
    client = group(READY)
    (event,) = held
    node = event["detail"]["EC2InstanceId"]
    fleet.drain(heard(fleet, event))
    assert fleet.registered() == {node}
    fleet.reconcile()
    assert states(client) == {node: "Pending:Wait"}, "it is not healthy yet"
    assert not [name for name in fleet.calls.made if "Lifecycle" in name], "and gets no heartbeat for it"
    healthy.add(node)
    fleet.reconcile()
    assert states(client) == {node: "InService"}


def test_a_terminating_instance_drains_and_then_goes_on(fleet: Fleet, held: list[dict[str, Any]]) -> None:
    client = group(DRAIN, capacity=2)
    fleet.reconcile()
    fleet.here.world.elb.modify_load_balancer_attributes(
        LoadBalancerName="demo",
        LoadBalancerAttributes={"ConnectionDraining": {"Enabled": True, "Timeout": 120}},
    )
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    (event,) = held
    node = event["detail"]["EC2InstanceId"]
    fleet.drain(heard(fleet, event))
    assert node not in fleet.registered()
    fleet.reconcile()
    assert states(client)[node] == "Terminating:Wait"
    assert "RecordLifecycleActionHeartbeat" in fleet.calls.made
    fleet.here.sleep(121)
    fleet.reconcile()
    assert "RecordLifecycleActionHeartbeat" not in fleet.calls.made
    assert node not in states(client)


def test_what_goes_to_a_warm_pool_goes_on_at_once_and_is_never_registered(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(READY, capacity=0)
    client.put_warm_pool(AutoScalingGroupName="nodes", MinSize=1, MaxGroupPreparedCapacity=1)
    (event,) = held
    assert event["detail"]["Destination"] == "WarmPool"
    node = event["detail"]["EC2InstanceId"]
    fleet.drain(heard(fleet, event))
    assert states(client) == {node: "Warmed:Stopped"}
    fleet.reconcile()
    assert fleet.registered() == set()


def test_what_goes_to_a_warm_pool_is_not_registered_while_its_group_still_says_otherwise(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(READY, capacity=0)
    client.put_warm_pool(AutoScalingGroupName="nodes", MinSize=1, MaxGroupPreparedCapacity=1)
    node = held[0]["detail"]["EC2InstanceId"]
    fidelity.set_lifecycle_state(DEFAULT_ACCOUNT_ID, "eu-central-1", node, "Pending:Wait")
    fleet.drain(heard(fleet, held[0]))
    assert fleet.registered() == set()


def test_an_instance_that_returns_to_the_warm_pool_leaves_and_goes_on_at_once(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(DRAIN, capacity=1)
    client.put_warm_pool(
        AutoScalingGroupName="nodes",
        MaxGroupPreparedCapacity=1,
        InstanceReusePolicy={"ReuseOnScaleIn": True},
    )
    fleet.reconcile()
    (node,) = fleet.registered()
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    (event,) = held
    fleet.drain(heard(fleet, event))
    assert fleet.registered() == set()
    assert states(client) == {node: "Warmed:Stopped"}


def test_a_lost_event_of_a_warm_pool_is_made_good_by_reconcile(fleet: Fleet) -> None:
    client = group(READY, capacity=0)
    client.put_warm_pool(AutoScalingGroupName="nodes", MinSize=1, MaxGroupPreparedCapacity=1)
    fleet.reconcile()
    assert list(states(client).values()) == ["Warmed:Stopped"]


def test_an_action_that_is_no_longer_active_is_no_fault(fleet: Fleet, held: list[dict[str, Any]]) -> None:
    client = group(READY, capacity=0)
    client.put_warm_pool(AutoScalingGroupName="nodes", MinSize=1, MaxGroupPreparedCapacity=1)
    event = heard(fleet, held[0])
    fleet.drain(event)
    assert fleet.drain(event) == ()


def test_a_hook_that_is_not_ours_is_never_touched(fleet: Fleet, held: list[dict[str, Any]]) -> None:
    client = group(THEIRS)
    fleet.reconcile()
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert list(states(client).values()) == ["Terminating:Wait"]


def test_a_group_of_a_strangers_load_balancer_is_left_waiting(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    fleet.balancer("theirs", owner="emq-elb-prod")
    client = group(DRAIN, cluster="theirs")
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert list(states(client).values()) == ["Terminating:Wait"]


def test_what_has_no_load_balancer_to_drain_from_goes_on_at_once(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(DRAIN, cluster="nowhere")
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.drain(heard(fleet, held[0]))
    assert states(client) == {}


def test_a_group_without_the_tag_is_left_alone_and_that_is_logged_once_a_look(
    fleet: Fleet, logged: Callable[[], list[Any]]
) -> None:
    client = group(THEIRS, capacity=3)
    fleet.reconcile()
    client.delete_tags(
        Tags=[{"Key": CLUSTER_TAG, "ResourceId": "nodes", "ResourceType": "auto-scaling-group"}]
    )
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.reconcile()  # takes them out
    fleet.refuse("CompleteLifecycleAction", "AccessDenied")
    assert fleet.reconcile().failures == ()
    (record,) = [one for one in logged() if one["message"] == "auto scaling group not ours"]
    assert record["group"] == "nodes"


def test_a_denial_of_a_group_with_the_tag_is_a_failure(fleet: Fleet) -> None:
    client = group(DRAIN)
    fleet.reconcile()
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.refuse("CompleteLifecycleAction", "AccessDenied")
    assert [type(error) for _, error in fleet.reconcile().failures] == [Denied]


def test_a_node_whose_root_volume_is_replaced_is_drained_and_registered_again(fleet: Fleet) -> None:
    client = group(DRAIN)
    fleet.reconcile()
    (node,) = states(client)
    assert fleet.registered() == {node}
    fidelity.set_lifecycle_state(DEFAULT_ACCOUNT_ID, "eu-central-1", node, "ReplacingRootVolume:Wait")
    fleet.drain(fleet.event("autoscaling-terminate-lifecycle", node, LifecycleHookName="emq-elb-drain"))
    assert fleet.registered() == set()
    fidelity.set_lifecycle_state(DEFAULT_ACCOUNT_ID, "eu-central-1", node, "InService")
    fleet.reconcile()
    assert fleet.registered() == {node}
