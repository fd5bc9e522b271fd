"""The floor with boto3: `create` makes the fewest writes that AWS needs, `compare` the fewest reads.

It decides nothing, waits for nothing, and checks nothing beforehand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3

from bench.programs.floor import group_and_certificate


def create(asked: dict[str, Any], elb: Any, ec2: Any, iam: Any) -> None:
    """Make the group, the certificate and the load balancer: nine writes."""
    name = asked["name"]
    group, arn = group_and_certificate(asked, ec2, iam)
    elb.create_load_balancer(
        LoadBalancerName=name,
        Listeners=[
            {
                "Protocol": "SSL",
                "LoadBalancerPort": 8883,
                "InstanceProtocol": "TCP",
                "InstancePort": 1883,
                "SSLCertificateId": arn,
            },
            {
                "Protocol": "HTTP",
                "LoadBalancerPort": 18083,
                "InstanceProtocol": "HTTP",
                "InstancePort": 18083,
            },
        ],
        Subnets=asked["subnets"],
        SecurityGroups=[group],
        Tags=[{"Key": "service", "Value": "mqtt"}],
    )
    elb.create_load_balancer_policy(
        LoadBalancerName=name,
        PolicyName="tls",
        PolicyTypeName="SSLNegotiationPolicyType",
        PolicyAttributes=[{"AttributeName": "Reference-Security-Policy", "AttributeValue": asked["policy"]}],
    )
    elb.set_load_balancer_policies_of_listener(
        LoadBalancerName=name, LoadBalancerPort=8883, PolicyNames=["tls"]
    )
    elb.configure_health_check(LoadBalancerName=name, HealthCheck=asked["health_check"])
    elb.modify_load_balancer_attributes(LoadBalancerName=name, LoadBalancerAttributes=asked["attributes"])
    elb.register_instances_with_load_balancer(
        LoadBalancerName=name, Instances=[{"InstanceId": one} for one in asked["instances"]]
    )


def compare(asked: dict[str, Any], elb: Any, ec2: Any) -> None:
    """See that everything is as asked: five reads. The certificate's content is in none of them."""
    name = asked["name"]
    (there,) = elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
    attributes = elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
    policies = elb.describe_load_balancer_policies(LoadBalancerName=name)["PolicyDescriptions"]
    tags = elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]["Tags"]
    (group,) = ec2.describe_security_groups(GroupIds=there["SecurityGroups"])["SecurityGroups"]
    same = (
        there["HealthCheck"] == asked["health_check"]
        and {one["InstanceId"] for one in there["Instances"]} == {*asked["instances"]}
        and set(there["Subnets"]) == {*asked["subnets"]}
        and {**attributes, **asked["attributes"]} == attributes
        and any(one["PolicyName"] == "tls" for one in policies)
        and tags == [{"Key": "service", "Value": "mqtt"}]
        and [rule["FromPort"] for rule in group["IpPermissions"]] == [8883]
    )
    if not same:
        raise SystemExit(f"{name} is not as asked")


def main() -> None:
    """Do what the mode says."""
    mode, request = sys.argv[1:]
    asked = json.loads(Path(request).read_text())
    elb, ec2, iam = boto3.client("elb"), boto3.client("ec2"), boto3.client("iam")
    if mode == "create":
        create(asked, elb, ec2, iam)
    elif mode == "compare":
        compare(asked, elb, ec2)


if __name__ == "__main__":
    main()
