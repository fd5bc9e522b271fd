"""Instances behind classic load balancers behave as AWS's pages say, through boto3."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.fidelity.knobs import FAILED_CHECKS, KNOBS
from tests.lab.load_balancing import Clock, World, client, refusal

pytestmark = pytest.mark.usefixtures("aws")

State = tuple[str, str, str]

IN_SERVICE = ("InService", "N/A", "N/A")
DRAINING = ("InService", "N/A", "Instance deregistration currently in progress.")
NOT_REGISTERED = (
    "OutOfService",
    "Instance",
    "Instance is not currently registered with the LoadBalancer.",
)
STOPPED = ("OutOfService", "Instance", "Instance is in stopped state.")
OTHER_ZONE = (
    "OutOfService",
    "ELB",
    "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
)


@pytest.fixture
def world() -> World:
    world = World()
    world.create()
    return world


@pytest.fixture
def clock() -> Clock:
    KNOBS.now = Clock()
    return KNOBS.now


def register(world: World, *ids: str) -> list[str]:
    answer = world.elb.register_instances_with_load_balancer(
        LoadBalancerName="demo", Instances=[{"InstanceId": one} for one in ids]
    )
    return [instance["InstanceId"] for instance in answer["Instances"]]


def deregister(world: World, *ids: str) -> list[str]:
    answer = world.elb.deregister_instances_from_load_balancer(
        LoadBalancerName="demo", Instances=[{"InstanceId": one} for one in ids]
    )
    return [instance["InstanceId"] for instance in answer["Instances"]]


def members(world: World) -> list[str]:
    return [instance["InstanceId"] for instance in world.describe()["Instances"]]


def health(world: World, *ids: str) -> dict[str, State]:
    answer = world.elb.describe_instance_health(
        LoadBalancerName="demo", **({"Instances": [{"InstanceId": one} for one in ids]} if ids else {})
    )
    return {
        one["InstanceId"]: (one["State"], one["ReasonCode"], one["Description"])
        for one in answer["InstanceStates"]
    }


def drain_for(world: World, seconds: int) -> None:
    world.elb.modify_load_balancer_attributes(
        LoadBalancerName="demo",
        LoadBalancerAttributes={"ConnectionDraining": {"Enabled": True, "Timeout": seconds}},
    )


def test_the_answers_name_all_registered_instances_each_once(world: World) -> None:
    first, second = world.launch(2)
    assert register(world, first) == [first]
    assert register(world, second, second, first) == [first, second]
    assert deregister(world, first) == [second]
    assert members(world) == [second]


def in_another_vpc(world: World) -> str:
    vpc = world.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = world.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    return world.launch(1, str(subnet))[0]


def stopped(world: World) -> str:
    (instance,) = world.launch()
    world.ec2.stop_instances(InstanceIds=[instance])
    return instance


def terminated(world: World) -> str:
    (instance,) = world.launch()
    world.ec2.terminate_instances(InstanceIds=[instance])
    return instance


def unknown(_world: World) -> str:
    return "i-0123456789abcdef0"


@pytest.mark.parametrize("unsuitable", [in_another_vpc, stopped, terminated, unknown])
def test_one_unsuitable_instance_fails_the_whole_registration(
    world: World, unsuitable: Callable[[World], str]
) -> None:
    (good,) = world.launch()
    assert refusal(register, world, good, unsuitable(world)) == ("InvalidInstance", 400)
    assert members(world) == []


def test_deregistering_an_unknown_instance_is_refused_and_an_unregistered_one_no_fault(world: World) -> None:
    member, other = world.launch(2)
    register(world, member)
    assert refusal(deregister, world, member, unknown(world)) == ("InvalidInstance", 400)
    assert deregister(world, other) == [member]


def test_a_terminated_instance_is_deregistered_by_itself_and_left_out(world: World) -> None:
    gone, other = world.launch(2)
    register(world, gone, other)
    world.ec2.terminate_instances(InstanceIds=[gone])
    assert members(world) == [other]
    assert health(world) == {other: IN_SERVICE}
    assert health(world, gone, other) == {other: IN_SERVICE}


def test_a_stopped_instance_stays_registered_and_out_of_service(world: World) -> None:
    (instance,) = world.launch()
    register(world, instance)
    world.ec2.stop_instances(InstanceIds=[instance])
    assert members(world) == [instance]
    assert health(world) == {instance: STOPPED}


def test_an_instance_in_a_zone_that_is_not_enabled_is_out_of_service(world: World) -> None:
    (instance,) = world.launch(1, world.subnets[1])
    register(world, instance)
    assert health(world) == {instance: OTHER_ZONE}
    world.elb.attach_load_balancer_to_subnets(LoadBalancerName="demo", Subnets=[world.subnets[1]])
    assert health(world) == {instance: IN_SERVICE}


def test_the_health_of_a_named_instance_is_answered_whether_registered_or_not(world: World) -> None:
    (instance,) = world.launch()
    assert health(world) == {}
    assert health(world, instance) == {instance: NOT_REGISTERED}
    assert refusal(health, world, instance, unknown(world)) == ("InvalidInstance", 400)


def test_health_comes_from_whoever_checks_it(world: World) -> None:
    sick, well = world.launch(2)
    register(world, sick, well)
    KNOBS.instance_health = lambda name, one: FAILED_CHECKS if (name, one) == ("demo", sick) else None
    assert health(world) == {
        sick: ("OutOfService", "Instance", FAILED_CHECKS.description),
        well: IN_SERVICE,
    }


def test_without_draining_a_deregistered_instance_is_out_at_once(world: World) -> None:
    (instance,) = world.launch()
    register(world, instance)
    deregister(world, instance)
    assert health(world, instance) == {instance: NOT_REGISTERED}


def test_a_draining_instance_reads_in_service_until_the_time_out(world: World, clock: Clock) -> None:
    (instance,) = world.launch()
    drain_for(world, 60)
    register(world, instance)
    deregister(world, instance)
    assert members(world) == []
    clock.pass_seconds(59.9)
    assert health(world) == health(world, instance) == {instance: DRAINING}
    clock.pass_seconds(0.1)
    assert health(world) == {}
    assert health(world, instance) == {instance: NOT_REGISTERED}


def test_draining_ends_early_when_no_connection_is_left(world: World, clock: Clock) -> None:
    (instance,) = world.launch()
    drain_for(world, 60)
    register(world, instance)
    deregister(world, instance)
    KNOBS.connections_drained = lambda name, one: (name, one) == ("demo", instance)
    assert health(world, instance) == {instance: NOT_REGISTERED}
    assert clock.seconds == Clock().seconds


def test_draining_ends_with_the_instance(world: World, clock: Clock) -> None:
    (instance,) = world.launch()
    drain_for(world, 60)
    register(world, instance)
    deregister(world, instance)
    world.ec2.terminate_instances(InstanceIds=[instance])
    clock.pass_seconds(1)
    assert health(world) == health(world, instance) == {}


def test_registering_again_ends_the_draining(world: World, clock: Clock) -> None:
    (instance,) = world.launch()
    drain_for(world, 60)
    register(world, instance)
    deregister(world, instance)
    register(world, instance)
    clock.pass_seconds(1)
    assert members(world) == [instance]
    assert health(world) == {instance: IN_SERVICE}


def test_what_is_not_in_service_does_not_drain(world: World) -> None:
    (instance,) = world.launch()
    drain_for(world, 60)
    register(world, instance)
    world.ec2.stop_instances(InstanceIds=[instance])
    deregister(world, instance)
    assert health(world) == {}


def test_what_auto_scaling_launches_is_registered_and_what_it_ends_is_not(world: World) -> None:
    scaling = client("autoscaling")
    scaling.create_launch_configuration(
        LaunchConfigurationName="brokers", ImageId="ami-00000000", InstanceType="t3.micro"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="brokers",
        LaunchConfigurationName="brokers",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=2,
        VPCZoneIdentifier=world.subnets[0],
        LoadBalancerNames=["demo"],
    )
    assert len(members(world)) == 2
    scaling.set_desired_capacity(AutoScalingGroupName="brokers", DesiredCapacity=1)
    assert len(members(world)) == 1
