"""The floor with boto3 for a network load balancer.

`create` makes the fewest writes that AWS needs, `compare` the fewest reads. It decides nothing, waits for
nothing, and checks nothing beforehand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3

from bench.programs.attributes import pairs
from bench.programs.floor import group_and_certificate

PORTS = {8883: ("TLS", 1883), 18083: ("TCP", 18083)}
"""The listeners' ports, with protocol and instance port."""


def create(asked: dict[str, Any], elb: Any, ec2: Any, iam: Any) -> None:
    """Make the group, the certificate, the load balancer and what is behind it: thirteen writes."""
    name = asked["name"]
    group, certificate = group_and_certificate(asked, ec2, iam)
    (made,) = elb.create_load_balancer(
        Name=name,
        Type="network",
        Subnets=asked["subnets"],
        SecurityGroups=[group],
        Tags=[{"Key": "service", "Value": "mqtt"}],
    )["LoadBalancers"]
    for port, (protocol, behind) in PORTS.items():
        secure = {"Certificates": [{"CertificateArn": certificate}], "SslPolicy": asked["policy"]}
        (listener,) = elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Port=port,
            Protocol=protocol,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group(asked, behind, elb)}],
            **(secure if protocol == "TLS" else {}),
        )["Listeners"]
        if protocol == "TCP":
            elb.modify_listener_attributes(
                ListenerArn=listener["ListenerArn"], Attributes=pairs(asked["attributes"]["listener"])
            )


def target_group(asked: dict[str, Any], port: int, elb: Any) -> str:
    """Make the target group of an instance port, with its targets, and return its ARN."""
    (made,) = elb.create_target_group(
        Name=f"{asked['name']}-{port}",
        Protocol="TCP",
        Port=port,
        VpcId=asked["vpc"],
        TargetType="instance",
        **asked["health_check"],
    )["TargetGroups"]
    arn = str(made["TargetGroupArn"])
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=pairs(asked["attributes"]["target_group"])
    )
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": one} for one in asked["instances"]])
    return arn


def compare(asked: dict[str, Any], elb: Any, ec2: Any) -> None:
    """See that everything is as asked: eleven reads. The certificate's content is in none of them."""
    (there,) = elb.describe_load_balancers(Names=[asked["name"]])["LoadBalancers"]
    arn = there["LoadBalancerArn"]
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    listeners = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    groups = elb.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    named = [arn, *(one["ListenerArn"] for one in listeners), *(one["TargetGroupArn"] for one in groups)]
    tags = elb.describe_tags(ResourceArns=named)["TagDescriptions"]
    (group,) = ec2.describe_security_groups(GroupIds=there["SecurityGroups"])["SecurityGroups"]
    same = (
        {one["Port"]: one["Protocol"] for one in listeners}
        == {port: kind for port, (kind, _) in PORTS.items()}
        and {one["SubnetId"] for one in there["AvailabilityZones"]} == {*asked["subnets"]}
        and {"Key": "load_balancing.cross_zone.enabled", "Value": "false"} in attributes
        and any({"Key": "service", "Value": "mqtt"} in one["Tags"] for one in tags)
        and [rule["FromPort"] for rule in group["IpPermissions"]] == [8883]
        and all(has(asked["health_check"], one) for one in groups)
        and all(behind(asked, one["TargetGroupArn"], elb) for one in groups)
        and all(idle(asked, one["ListenerArn"], elb) for one in listeners if one["Protocol"] == "TCP")
    )
    if not same:
        raise SystemExit(f"{asked['name']} is not as asked")


def behind(asked: dict[str, Any], arn: str, elb: Any) -> bool:
    """Whether a target group has the attributes and the targets that are asked for."""
    found = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return all(one in found for one in pairs(asked["attributes"]["target_group"])) and (
        {one["Target"]["Id"] for one in health} == {*asked["instances"]}
    )


def idle(asked: dict[str, Any], arn: str, elb: Any) -> bool:
    """Whether a TCP listener has the attributes that are asked for."""
    found = elb.describe_listener_attributes(ListenerArn=arn)["Attributes"]
    return all(one in found for one in pairs(asked["attributes"]["listener"]))


def has(wanted: dict[str, Any], there: dict[str, Any]) -> bool:
    """Whether every field is as wanted."""
    return {**there, **wanted} == there


def main() -> None:
    """Do what the mode says."""
    mode, request = sys.argv[1:]
    asked = json.loads(Path(request).read_text())
    elb, ec2, iam = boto3.client("elbv2"), boto3.client("ec2"), boto3.client("iam")
    if mode == "create":
        create(asked, elb, ec2, iam)
    else:
        compare(asked, elb, ec2)


if __name__ == "__main__":
    main()
