"""A classic load balancer of a CloudFormation stack is one like any other."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.lab.load_balancing import World

pytestmark = pytest.mark.usefixtures("aws")

POLICY = "ELBSecurityPolicy-TLS-1-2-2017-01"
CHECK = {"Target": "TCP:1883", "Interval": 30, "Timeout": 5, "UnhealthyThreshold": 2, "HealthyThreshold": 2}


@pytest.fixture
def world() -> World:
    return World()


def template(world: World, **properties: Any) -> str:
    listener = {
        "Protocol": "SSL",
        "LoadBalancerPort": "8883",
        "InstanceProtocol": "TCP",
        "InstancePort": "1883",
        "SSLCertificateId": world.upload(),
        "PolicyNames": ["tls"],
    }
    policy = {
        "PolicyName": "tls",
        "PolicyType": "SSLNegotiationPolicyType",
        "Attributes": [{"Name": "Reference-Security-Policy", "Value": POLICY}],
    }
    asked = {
        "LoadBalancerName": "demo",
        "Scheme": "internal",
        "Subnets": world.subnets[:2],
        "Listeners": [listener],
        "Policies": [policy],
    }
    resource = {"Type": "AWS::ElasticLoadBalancing::LoadBalancer", "Properties": asked | properties}
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"LoadBalancer": resource}})


def test_a_stack_makes_it_with_its_listeners_and_their_policies(world: World) -> None:
    boto3.client("cloudformation").create_stack(StackName="demo", TemplateBody=template(world))
    made = world.describe()
    (listener,) = made["ListenerDescriptions"]
    assert listener["Listener"]["InstanceProtocol"] == "TCP"
    assert listener["PolicyNames"] == ["tls"]
    assert {*made["Subnets"]} == {*world.subnets[:2]}
    (policy,) = world.elb.describe_load_balancer_policies(LoadBalancerName="demo", PolicyNames=["tls"])[
        "PolicyDescriptions"
    ]
    values = [one["AttributeValue"] for one in policy["PolicyAttributeDescriptions"]]
    assert POLICY in values


def test_health_check_attributes_members_and_tags_are_those_of_the_resource(world: World) -> None:
    nodes = world.launch(2)
    text = template(
        world,
        HealthCheck={name: str(value) for name, value in CHECK.items()},
        CrossZone=True,
        ConnectionDrainingPolicy={"Enabled": True, "Timeout": 300},
        ConnectionSettings={"IdleTimeout": 450},
        Instances=nodes,
        Tags=[{"Key": "service", "Value": "mqtt"}],
    )
    boto3.client("cloudformation").create_stack(StackName="demo", TemplateBody=text)
    made = world.describe()
    assert made["HealthCheck"] == CHECK
    assert {one["InstanceId"] for one in made["Instances"]} == {*nodes}
    attributes = world.elb.describe_load_balancer_attributes(LoadBalancerName="demo")[
        "LoadBalancerAttributes"
    ]
    assert attributes["CrossZoneLoadBalancing"] == {"Enabled": True}
    assert attributes["ConnectionDraining"] == {"Enabled": True, "Timeout": 300}
    assert attributes["ConnectionSettings"] == {"IdleTimeout": 450}
    tags = world.elb.describe_tags(LoadBalancerNames=["demo"])["TagDescriptions"][0]["Tags"]
    assert {"Key": "service", "Value": "mqtt"} in tags


def test_what_the_api_refuses_a_stack_cannot_make(world: World) -> None:
    cloudformation = boto3.client("cloudformation")
    with pytest.raises(cloudformation.exceptions.ClientError):
        cloudformation.create_stack(StackName="demo", TemplateBody=template(world, Scheme="sideways"))
    assert world.elb.describe_load_balancers()["LoadBalancerDescriptions"] == []


def test_it_goes_with_its_stack(world: World) -> None:
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="demo", TemplateBody=template(world))
    cloudformation.delete_stack(StackName="demo")
    assert world.elb.describe_load_balancers()["LoadBalancerDescriptions"] == []
