"""The nodes' network at AWS's API: moto's default VPC, made fit for a public load balancer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.nodes.brokers import DASHBOARD, MQTT

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef


@dataclass(frozen=True)
class Vpc:
    """`subnets` are two, by zone; `node_group` is the nodes' security group."""

    id: str
    subnets: Mapping[str, str]
    node_group: str


def prepare(ec2: EC2Client) -> Vpc:
    """Give the default VPC its way out, and the nodes a security group that admits the VPC.

    At AWS a default VPC comes with an internet gateway and a route to it; moto's has neither, and ELB refuses
    an internet-facing load balancer in a VPC without a gateway.
    https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
    """
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    here: FilterTypeDef = {"Name": "vpc-id", "Values": [vpc["VpcId"]]}
    attached: FilterTypeDef = {"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}
    if not ec2.describe_internet_gateways(Filters=[attached])["InternetGateways"]:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["VpcId"])
        main: FilterTypeDef = {"Name": "association.main", "Values": ["true"]}
        (table,) = ec2.describe_route_tables(Filters=[here, main])["RouteTables"]
        ec2.create_route(
            RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )
    group = ec2.create_security_group(
        GroupName="emqx-nodes", Description="The brokers: MQTT and the status page", VpcId=vpc["VpcId"]
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "IpRanges": [{"CidrIp": vpc["CidrBlock"]}],
            }
            for port in (MQTT, DASHBOARD)
        ],
    )
    by_zone = {
        subnet["AvailabilityZone"]: subnet["SubnetId"]
        for subnet in ec2.describe_subnets(Filters=[here])["Subnets"]
    }
    return Vpc(vpc["VpcId"], dict(sorted(by_zone.items())[:2]), group)
