"""The AWS calls of Terraform's AWS provider for network load balancers, as read from its code.

hashicorp/terraform-provider-aws, version 6: internal/service/elbv2 (load_balancer.go at 00edc94,
target_group.go at 013cfb4, target_group_attachment.go at 07e0d0b, listener.go), ec2/vpc_security_group.go at
0160692, iam/server_certificate.go, and provider/sdkv2/tags_interceptor.go, which reads the tags of what did
not bring them along. `apply` makes a stack and remembers it in `state.json`, beside the request; `plan`
refreshes what is remembered; `rotate` refreshes, and makes anew every certificate that is due,
`create_before_destroy` as the documentation of `aws_iam_server_certificate` has it. One resource comes after
another in the order of their dependencies, where Terraform makes ten at a time. Left out: `GetCallerIdentity`
at each start, the provider's waits (30 s for a load balancer), and what is read again because AWS is not
ready.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from bench.programs.attributes import pairs
from bench.programs.rotate_replays import Issuer, upload
from chalicelib.x509.pem import Authority

EVERYWHERE = [{"CidrIp": "0.0.0.0/0"}]


@dataclass(frozen=True)
class Stack:
    """What the state holds of one load balancer; `certificate` is a name, `group` an id.

    `listeners` are ARN and protocol, `attachments` target group, instance and port.
    """

    load_balancer: str
    target_groups: list[str]
    listeners: list[tuple[str, str]]
    attachments: list[tuple[str, str, int]]
    certificate: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Provider:
    """The calls of each resource's create and read, under the resource's name."""

    elb: Any = field(default_factory=lambda: boto3.client("elbv2"))
    ec2: Any = field(default_factory=lambda: boto3.client("ec2"))
    iam: Any = field(default_factory=lambda: boto3.client("iam"))

    def security_group(self, asked: dict[str, Any]) -> str:
        """Create the group, see it three times, take its rules for going out away, and put in one's own."""
        group = str(
            self.ec2.create_security_group(
                GroupName=f"{asked['name']}-elb", Description="MQTT from everywhere", VpcId=asked["vpc"]
            )["GroupId"]
        )
        for _ in range(3):
            self.read_security_group(group)
        for everywhere in ({"IpRanges": EVERYWHERE}, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}):
            with suppress(ClientError):  # a VPC without IPv6 has no such rule
                self.ec2.revoke_security_group_egress(
                    GroupId=group, IpPermissions=[{"IpProtocol": "-1", **everywhere}]
                )
        self.read_security_group(group)
        mqtt = {"IpProtocol": "tcp", "FromPort": 8883, "ToPort": 8883, "IpRanges": EVERYWHERE}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[mqtt])
        self.ec2.authorize_security_group_egress(
            GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": EVERYWHERE}]
        )
        self.read_security_group(group)
        return group

    def read_security_group(self, group: str) -> None:
        """The tags come along."""
        self.ec2.describe_security_groups(GroupIds=[group])

    def read_certificate(self, name: str) -> datetime:
        """Return when it ends; the tags come along."""
        found = self.iam.get_server_certificate(ServerCertificateName=name)["ServerCertificate"]
        ends: datetime = found["ServerCertificateMetadata"]["Expiration"]
        return ends

    def load_balancer(self, asked: dict[str, Any], group: str) -> str:
        """See that there is none, create it, see that it is active, set attributes, see it again."""
        with suppress(ClientError):
            self.elb.describe_load_balancers(Names=[asked["name"]])
        (made,) = self.elb.create_load_balancer(
            Name=asked["name"],
            Type="network",
            Subnets=asked["subnets"],
            SecurityGroups=[group],
            Tags=[{"Key": "service", "Value": "mqtt"}],
        )["LoadBalancers"]
        arn = str(made["LoadBalancerArn"])
        self.elb.describe_load_balancers(LoadBalancerArns=[arn])
        attributes = {
            "access_logs.s3.enabled": "false",
            "dns_record.client_routing_policy": "any_availability_zone",
            "load_balancing.cross_zone.enabled": "false",
            "deletion_protection.enabled": "false",
            "zonal_shift.config.enabled": "false",
        }
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs(attributes))
        self.elb.describe_load_balancers(LoadBalancerArns=[arn])
        self.read_load_balancer(arn)
        return arn

    def read_load_balancer(self, arn: str) -> None:
        """Itself, its attributes, its reserved capacity, its tags."""
        self.elb.describe_load_balancers(LoadBalancerArns=[arn])
        self.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)
        self.elb.describe_capacity_reservation(LoadBalancerArn=arn)
        self.elb.describe_tags(ResourceArns=[arn])

    def target_group(self, asked: dict[str, Any], port: int) -> str:
        """See that there is none of the name, create it, see it, set its attributes."""
        name = f"{asked['name']}-{port}"
        with suppress(ClientError):
            self.elb.describe_target_groups(Names=[name])
        (made,) = self.elb.create_target_group(
            Name=name,
            Protocol="TCP",
            Port=port,
            VpcId=asked["vpc"],
            TargetType="instance",
            **asked["health_check"],
        )["TargetGroups"]
        arn = str(made["TargetGroupArn"])
        self.elb.describe_target_groups(TargetGroupArns=[arn])
        self.elb.modify_target_group_attributes(
            TargetGroupArn=arn, Attributes=pairs(asked["attributes"]["target_group"])
        )
        self.read_target_group(arn)
        return arn

    def read_target_group(self, arn: str) -> None:
        """Itself, its attributes, its tags."""
        self.elb.describe_target_groups(TargetGroupArns=[arn])
        self.elb.describe_target_group_attributes(TargetGroupArn=arn)
        self.elb.describe_tags(ResourceArns=[arn])

    def attachment(self, group: str, instance: str, port: int) -> None:
        """Register one target; it is not read afterwards."""
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance, "Port": port}])

    def read_attachment(self, group: str, instance: str, port: int) -> None:
        """Its health."""
        self.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": instance, "Port": port}])

    def listener(self, asked: dict[str, Any], protocol: str, **more: Any) -> str:
        """Create it, see it, and set the time-out of one that is not TLS."""
        (made,) = self.elb.create_listener(Protocol=protocol, **more)["Listeners"]
        arn = str(made["ListenerArn"])
        self.elb.describe_listeners(ListenerArns=[arn])
        if protocol == "TCP":
            self.elb.modify_listener_attributes(
                ListenerArn=arn, Attributes=pairs(asked["attributes"]["listener"])
            )
        self.read_listener(arn, protocol)
        return arn

    def read_listener(self, arn: str, protocol: str) -> None:
        """Itself, its attributes unless it is TLS, its tags."""
        self.elb.describe_listeners(ListenerArns=[arn])
        if protocol == "TCP":
            self.elb.describe_listener_attributes(ListenerArn=arn)
        self.elb.describe_tags(ResourceArns=[arn])


def apply(provider: Provider, asked: dict[str, Any]) -> Stack:
    """Make the stack."""
    name = asked["name"]
    group = provider.security_group(asked)
    certificate = provider.iam.upload_server_certificate(
        ServerCertificateName=name,
        CertificateBody=Path(asked["certificate"]).read_text(),
        PrivateKey=Path(asked["private_key"]).read_text(),
        CertificateChain=Path(asked["chain"]).read_text(),
    )["ServerCertificateMetadata"]["Arn"]
    provider.read_certificate(name)
    groups = {port: provider.target_group(asked, port) for port in (1883, 18083)}
    attachments = [(arn, one, port) for port, arn in groups.items() for one in asked["instances"]]
    for attachment in attachments:
        provider.attachment(*attachment)
    arn = provider.load_balancer(asked, group)
    secure = {"Certificates": [{"CertificateArn": certificate}], "SslPolicy": asked["policy"]}
    listeners = [
        (
            provider.listener(
                asked,
                protocol,
                LoadBalancerArn=arn,
                Port=port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[behind]}],
                **more,
            ),
            protocol,
        )
        for protocol, port, behind, more in (("TLS", 8883, 1883, secure), ("TCP", 18083, 18083, {}))
    ]
    return Stack(arn, [*groups.values()], listeners, attachments, name, group)


def refresh(provider: Provider, stacks: Iterable[Stack]) -> dict[str, datetime]:
    """Read every resource, and return when the certificates end, by their names."""
    ends = {}
    for stack in stacks:
        if stack.group:
            provider.read_security_group(stack.group)
        if stack.certificate:
            ends[stack.certificate] = provider.read_certificate(stack.certificate)
        for group in stack.target_groups:
            provider.read_target_group(group)
        for attachment in stack.attachments:
            provider.read_attachment(*attachment)
        provider.read_load_balancer(stack.load_balancer)
        for listener in stack.listeners:
            provider.read_listener(*listener)
    return ends


def rotate(provider: Provider, stacks: Iterable[Stack], issuer: Issuer) -> None:
    """Refresh; of each certificate that is due upload another one, swap it, and delete the old one."""
    stacks = [*stacks]
    ends = refresh(provider, stacks)
    for stack in stacks:
        old = str(stack.certificate)
        if issuer.due(ends[old]):
            new = upload(provider.iam, old, issuer.issue("mqtt"))
            provider.read_certificate(new.rpartition("/")[2])
            for arn, protocol in stack.listeners:
                provider.elb.modify_listener(ListenerArn=arn, Certificates=[{"CertificateArn": new}])
                provider.read_listener(arn, protocol)
            provider.iam.delete_server_certificate(ServerCertificateName=old)


def main() -> None:
    """Do what the mode says."""
    mode, request = sys.argv[1:]
    asked, state = json.loads(Path(request).read_text()), Path(request).with_name("state.json")
    provider = Provider()
    if mode == "apply":
        state.write_text(json.dumps([asdict(apply(provider, asked))]))
        return
    stacks = [Stack(**one) for one in json.loads(state.read_text())]
    if mode == "plan":
        refresh(provider, stacks)
    else:
        authority = Authority(Path(asked["certificate"]).read_text(), Path(asked["private_key"]).read_text())
        rotate(provider, stacks, Issuer(timedelta(days=asked["before_days"]), authority))


if __name__ == "__main__":
    main()
