"""Subnets, security groups and interfaces of load balancers behave as AWS's pages say, through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import TCP, Clock, World, refusal

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock() -> Clock:
    KNOBS.now = Clock()
    return KNOBS.now


def private_vpc(world: World, *blocks: str, zone: str = "eu-central-1a") -> tuple[str, list[str]]:
    """Make a VPC without an internet gateway, with one subnet a block, all in one zone."""
    vpc = world.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        world.ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for block in blocks
    ]
    return vpc, subnets


def second_subnet_of_the_first_zone(world: World) -> str:
    vpc = world.ec2.describe_subnets(SubnetIds=world.subnets[:1])["Subnets"][0]["VpcId"]
    answer = world.ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.200.0/24", AvailabilityZone="eu-central-1a")
    return str(answer["Subnet"]["SubnetId"])


def group(world: World, name: str = "group", vpc: str | None = None) -> str:
    where = {} if vpc is None else {"VpcId": vpc}
    return str(world.ec2.create_security_group(GroupName=name, Description=name, **where)["GroupId"])


def default_group(world: World, vpc: str) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    return str(world.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])


def interfaces(world: World, **filters: str) -> list[Any]:
    asked = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
    return list(world.ec2.describe_network_interfaces(Filters=asked)["NetworkInterfaces"])


def test_the_default_vpc_is_public(world: World) -> None:
    world.create(Subnets=world.subnets)
    assert world.describe()["Subnets"] == world.subnets


def test_an_internet_facing_one_needs_an_internet_gateway_and_no_route(world: World) -> None:
    vpc, (subnet,) = private_vpc(world, "10.0.0.0/24")
    assert refusal(world.create, Subnets=[subnet]) == ("InvalidSubnet", 400)
    gateway = world.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    world.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    world.create(Subnets=[subnet])


def test_an_internal_one_is_content_with_private_subnets(world: World) -> None:
    vpc, (subnet,) = private_vpc(world, "10.0.0.0/24")
    world.create(Subnets=[subnet], Scheme="internal")
    assert world.describe()["VPCId"] == vpc
    assert world.describe()["SecurityGroups"] == [default_group(world, vpc)]


def test_a_subnet_that_does_not_exist_is_refused(world: World) -> None:
    assert refusal(world.create, Subnets=["subnet-0"]) == ("SubnetNotFound", 400)


def test_a_subnet_that_is_too_small_is_refused(world: World) -> None:
    _, (small, enough) = private_vpc(world, "10.0.0.0/28", "10.0.1.0/27")
    assert refusal(world.create, Subnets=[small], Scheme="internal") == ("InvalidSubnet", 400)
    world.create(Subnets=[enough], Scheme="internal")


def test_two_subnets_in_one_zone_are_refused(world: World) -> None:
    both = [world.subnets[0], second_subnet_of_the_first_zone(world)]
    assert refusal(world.create, Subnets=both) == ("InvalidConfigurationRequest", 409)


def test_subnets_of_two_vpcs_are_refused(world: World) -> None:
    _, elsewhere = private_vpc(world, "10.0.0.0/24", zone="eu-central-1b")
    both = [world.subnets[0], *elsewhere]
    assert refusal(world.create, Subnets=both, Scheme="internal") == ("InvalidConfigurationRequest", 409)


def test_subnets_are_attached_and_detached_but_for_the_last(world: World) -> None:
    first, second, _ = world.subnets
    world.create(Subnets=[first])
    attach, detach = (
        world.elb.attach_load_balancer_to_subnets,
        world.elb.detach_load_balancer_from_subnets,
    )
    assert attach(LoadBalancerName="demo", Subnets=[second, first])["Subnets"] == [first, second]
    assert world.describe()["AvailabilityZones"] == ["eu-central-1a", "eu-central-1b"]
    assert detach(LoadBalancerName="demo", Subnets=[first])["Subnets"] == [second]
    last = ("InvalidConfigurationRequest", 409)
    assert refusal(detach, LoadBalancerName="demo", Subnets=[second]) == last
    assert world.describe()["AvailabilityZones"] == ["eu-central-1b"]


def test_what_cannot_be_attached_is_refused(world: World) -> None:
    attach = world.elb.attach_load_balancer_to_subnets
    same_zone = second_subnet_of_the_first_zone(world)
    _, elsewhere = private_vpc(world, "10.0.0.0/24", zone="eu-central-1b")
    world.create()
    for subnet, expected in (
        ("subnet-0", ("SubnetNotFound", 400)),
        (same_zone, ("InvalidConfigurationRequest", 409)),
        (elsewhere[0], ("InvalidConfigurationRequest", 409)),
    ):
        assert refusal(attach, LoadBalancerName="demo", Subnets=[subnet]) == expected
    assert world.describe()["Subnets"] == world.subnets[:1]


def test_in_a_vpc_zones_are_not_enabled_by_name(world: World) -> None:
    world.create()
    enable = world.elb.enable_availability_zones_for_load_balancer
    parameters = {"LoadBalancerName": "demo", "AvailabilityZones": ["eu-central-1b"]}
    assert refusal(enable, **parameters) == ("InvalidConfigurationRequest", 409)


def test_without_a_group_the_vpc_s_default_group_is_attached(world: World) -> None:
    world.create()
    shown = world.describe()
    assert shown["SecurityGroups"] == [default_group(world, shown["VPCId"])]
    assert shown["SourceSecurityGroup"]["GroupName"] == "default"


def test_groups_that_do_not_exist_or_are_elsewhere_are_refused(world: World) -> None:
    vpc, _ = private_vpc(world)
    elsewhere = group(world, "elsewhere", vpc)
    assert refusal(world.create, SecurityGroups=["sg-0"]) == ("InvalidSecurityGroup", 400)
    foreign = ("InvalidConfigurationRequest", 409)
    assert refusal(world.create, SecurityGroups=[elsewhere]) == foreign
    world.create()
    change = world.elb.apply_security_groups_to_load_balancer
    assert refusal(change, LoadBalancerName="demo", SecurityGroups=["sg-0"]) == ("InvalidSecurityGroup", 400)
    assert refusal(change, LoadBalancerName="demo", SecurityGroups=[elsewhere]) == foreign
    mine = group(world)
    assert change(LoadBalancerName="demo", SecurityGroups=[mine])["SecurityGroups"] == [mine]
    assert world.describe()["SecurityGroups"] == [mine]


def test_a_load_balancer_has_an_interface_of_elb_s_own_in_every_subnet(world: World) -> None:
    mine, other = group(world), group(world, "other")
    world.create(Subnets=world.subnets[:2], SecurityGroups=[mine])
    found = interfaces(world, group_id=mine)
    assert sorted(one["SubnetId"] for one in found) == sorted(world.subnets[:2])
    assert {one["Description"] for one in found} == {"ELB demo"}
    assert all(one["RequesterManaged"] for one in found)
    world.elb.detach_load_balancer_from_subnets(LoadBalancerName="demo", Subnets=world.subnets[:1])
    world.elb.apply_security_groups_to_load_balancer(LoadBalancerName="demo", SecurityGroups=[other])
    assert interfaces(world, group_id=mine) == []
    assert [one["SubnetId"] for one in interfaces(world, group_id=other)] == world.subnets[1:2]


def test_a_group_cannot_be_deleted_while_a_load_balancer_is_in_it(world: World) -> None:
    mine = group(world)
    world.create(SecurityGroups=[mine])
    assert refusal(world.ec2.delete_security_group, GroupId=mine) == ("DependencyViolation", 400)
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    world.ec2.delete_security_group(GroupId=mine)


def test_the_interfaces_of_a_deleted_load_balancer_linger(world: World, clock: Clock) -> None:
    KNOBS.interface_linger_seconds = 30
    mine = group(world)
    world.create(SecurityGroups=[mine])
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    clock.pass_seconds(29.9)
    assert len(interfaces(world, group_id=mine)) == 1
    assert refusal(world.ec2.delete_security_group, GroupId=mine) == ("DependencyViolation", 400)
    clock.pass_seconds(0.1)
    assert interfaces(world, group_id=mine) == []
    world.ec2.delete_security_group(GroupId=mine)


def test_a_new_load_balancer_of_the_name_keeps_its_own_interfaces(world: World, clock: Clock) -> None:
    KNOBS.interface_linger_seconds = 30
    world.create()
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    world.create()
    assert len(interfaces(world, description="ELB demo")) == 2
    clock.pass_seconds(30)
    assert len(interfaces(world, description="ELB demo")) == 1


def test_a_group_cannot_be_deleted_while_another_refers_to_it(world: World) -> None:
    mine, other = group(world), group(world, "other")
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 1883,
        "ToPort": 1883,
        "UserIdGroupPairs": [{"GroupId": mine}],
    }
    world.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    assert refusal(world.ec2.delete_security_group, GroupId=mine) == ("DependencyViolation", 400)
    world.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[rule])
    world.ec2.delete_security_group(GroupId=mine)


def test_a_group_may_refer_to_itself_and_be_deleted(world: World) -> None:
    mine = group(world)
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 1883,
        "ToPort": 1883,
        "UserIdGroupPairs": [{"GroupId": mine}],
    }
    world.ec2.authorize_security_group_ingress(GroupId=mine, IpPermissions=[rule])
    world.ec2.delete_security_group(GroupId=mine)


def test_a_group_cannot_be_deleted_while_an_instance_is_in_it(world: World) -> None:
    mine = group(world)
    answer = world.ec2.run_instances(
        ImageId="ami-00000000",
        MinCount=1,
        MaxCount=1,
        SubnetId=world.subnets[0],
        SecurityGroupIds=[mine],
    )
    assert refusal(world.ec2.delete_security_group, GroupId=mine) == ("DependencyViolation", 400)
    world.ec2.terminate_instances(InstanceIds=[answer["Instances"][0]["InstanceId"]])
    world.ec2.delete_security_group(GroupId=mine)


def test_a_subnet_cannot_be_deleted_while_a_load_balancer_is_in_it(world: World) -> None:
    _, subnets = private_vpc(world, "10.0.0.0/24")
    world.create(Subnets=subnets, Scheme="internal")
    assert refusal(world.ec2.delete_subnet, SubnetId=subnets[0]) == ("DependencyViolation", 400)
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    world.ec2.delete_subnet(SubnetId=subnets[0])


def test_a_default_group_cannot_be_deleted(world: World) -> None:
    vpc, _ = private_vpc(world)
    default = default_group(world, vpc)
    assert refusal(world.ec2.delete_security_group, GroupId=default) == ("CannotDelete", 400)


def test_nothing_is_left_of_a_refused_creation(world: World) -> None:
    mine = group(world)
    world.create()
    assert refusal(world.create, "demo", TCP, SecurityGroups=[mine])[0] == "DuplicateLoadBalancerName"
    world.ec2.delete_security_group(GroupId=mine)
