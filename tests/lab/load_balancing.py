"""A small AWS account for the tests of classic ELB: clients, the default VPC's subnets, a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.world.certificates import Issued, leaf

TCP = {"Protocol": "TCP", "LoadBalancerPort": 1883, "InstanceProtocol": "TCP", "InstancePort": 1883}
HTTP = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 18083}


@cache
def issued() -> Issued:
    """One certificate for all tests: making a key takes long."""
    return leaf("mqtt.example.com")


@cache
def client(service: str, region: str = "eu-central-1") -> Any:
    """Return the one client of all tests: reading a service's model takes longer than the calls.

    It checks no parameters itself, so that what is refused is refused by the corrected moto.
    """
    unchecked = Config(parameter_validation=False)
    return boto3.client(service, region, config=unchecked)  # type: ignore[call-overload] # any service


class Clock:
    """A clock for `KNOBS.now` that goes when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


@dataclass(frozen=True)
class World:
    """Clients of one region; `subnets` are the default VPC's, public, one a zone."""

    region: str = "eu-central-1"

    @property
    def elb(self) -> Any:
        """Return the client of classic ELB."""
        return client("elb", self.region)

    @property
    def ec2(self) -> Any:
        """Return the client of EC2."""
        return client("ec2", self.region)

    @property
    def iam(self) -> Any:
        """Return the client of IAM."""
        return client("iam")

    @cached_property
    def subnets(self) -> list[str]:
        """Return the default subnets' ids in the order of their zones, as they were at first."""
        found = self.ec2.describe_subnets()["Subnets"]
        default = [subnet for subnet in found if subnet["DefaultForAz"]]
        return [one["SubnetId"] for one in sorted(default, key=lambda one: str(one["AvailabilityZone"]))]

    def create(self, name: str = "demo", *listeners: dict[str, Any], **parameters: Any) -> Any:
        """Create a load balancer in the first subnet, with a TCP listener unless others are given."""
        asked = {"Listeners": [*listeners] or [TCP], **parameters}
        if "Subnets" not in asked and "AvailabilityZones" not in asked:
            asked["Subnets"] = self.subnets[:1]
        return self.elb.create_load_balancer(LoadBalancerName=name, **asked)

    def describe(self, name: str = "demo") -> Any:
        """Return the load balancer's description."""
        answer = self.elb.describe_load_balancers(LoadBalancerNames=[name])
        return answer["LoadBalancerDescriptions"][0]

    def upload(self, name: str = "certificate") -> str:
        """Upload a server certificate and return its ARN."""
        answer = self.iam.upload_server_certificate(
            ServerCertificateName=name,
            CertificateBody=issued().certificate_pem,
            PrivateKey=issued().private_key_pem,
            **({"CertificateChain": issued().chain_pem} if issued().chain_pem else {}),
        )
        return str(answer["ServerCertificateMetadata"]["Arn"])

    def launch(self, count: int = 1, subnet: str | None = None, **parameters: Any) -> list[str]:
        """Run instances and return their ids."""
        answer = self.ec2.run_instances(
            ImageId="ami-00000000",
            MinCount=count,
            MaxCount=count,
            SubnetId=subnet or self.subnets[0],
            **parameters,
        )
        return [instance["InstanceId"] for instance in answer["Instances"]]


def ssl(arn: str | None, port: int = 8883, instance_port: int = 1883, behind: str = "TCP") -> dict[str, Any]:
    """Return an SSL listener's parameters."""
    listener = {
        "Protocol": "SSL",
        "LoadBalancerPort": port,
        "InstanceProtocol": behind,
        "InstancePort": instance_port,
    }
    return listener if arn is None else {**listener, "SSLCertificateId": arn}


def refusal(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, int]:
    """Return the code on the wire and the HTTP status with which the call is refused."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
