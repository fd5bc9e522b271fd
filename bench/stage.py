"""Two load balancers of the lab that serve alike: one is ours, one was made by hand."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import front
from bench.machine import ROOT
from bench.process import measure
from lab.certificates import issuer
from lab.certificates.issuer import Bundle
from lab.demo.declaration import NAME, declaration
from lab.demo.steps import SECURE
from lab.lab import Lab
from lab.machine.processes import until
from lab.machine.tls import looking
from lab.nodes.brokers import MQTT

if TYPE_CHECKING:
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elb.type_defs import ListenerTypeDef

OWNER = "emq-elb-lab"
THEIRS = "theirs"
NOTHING = ""
POLICY = "tls-1-2"


@dataclass(frozen=True)
class Stage:
    """The lab, and the CA that devices trust."""

    lab: Lab
    authority: Bundle
    authority_file: Path
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def elb(self) -> ElasticLoadBalancingClient:
        """The API, as whoever replaces a certificate by hand uses it."""
        return self.lab.aws.elb("theirs")

    def addresses(self, name: str) -> tuple[str, ...]:
        """Where devices find a load balancer."""
        return tuple(self.lab.addresses(name).values())


def set_up(lab: Lab) -> Stage:
    """Make both load balancers, alike, and wait until they serve."""
    request = lab.directory / "request.json"
    request.write_text(json.dumps({"name": NAME, "body": declaration(lab)}))
    program(lab, "provision_story", "converge", str(request))
    authority = issuer.authority(lab.aws, OWNER)
    stage = Stage(lab, authority, lab.directory / "authority.pem")
    stage.authority_file.write_text(authority.certificate)
    elb = stage.elb
    elb.create_load_balancer(
        LoadBalancerName=THEIRS,
        Listeners=[listener(upload(stage))],
        Subnets=list(lab.vpc.subnets.values()),
    )
    elb.configure_health_check(
        LoadBalancerName=THEIRS,
        HealthCheck={
            "Target": "TCP:1883",
            "Interval": 5,
            "Timeout": 2,
            "UnhealthyThreshold": 2,
            "HealthyThreshold": 2,
        },
    )
    reference: Any = {"AttributeName": "Reference-Security-Policy", "AttributeValue": front.POLICY}
    elb.create_load_balancer_policy(
        LoadBalancerName=THEIRS,
        PolicyName=POLICY,
        PolicyTypeName="SSLNegotiationPolicyType",
        PolicyAttributes=[reference],
    )
    put_back(stage)
    elb.register_instances_with_load_balancer(
        LoadBalancerName=THEIRS, Instances=[{"InstanceId": node.instance_id} for node in lab.nodes]
    )
    for name in (NAME, THEIRS):
        until(lambda name=name: serving(stage, name), 60, f"{name} serves", pause=0.2)  # type: ignore[misc] # bound now
    return stage


def upload(stage: Stage) -> str:
    """Upload another certificate for the load balancer made by hand, and return its ARN."""
    made = issuer.bundle(stage.authority, stage.addresses(THEIRS), 89)
    uploaded = stage.lab.aws.iam("theirs").upload_server_certificate(
        ServerCertificateName=f"{THEIRS}-{next(stage.numbers)}",
        CertificateBody=made.certificate,
        PrivateKey=made.private_key,
        CertificateChain=stage.authority.certificate,
    )
    return uploaded["ServerCertificateMetadata"]["Arn"]


def listener(arn: str) -> ListenerTypeDef:
    """Return the MQTT listener with a certificate."""
    return {
        "Protocol": "SSL",
        "LoadBalancerPort": SECURE,
        "InstanceProtocol": "TCP",
        "InstancePort": MQTT,
        "SSLCertificateId": arn,
    }


def put_back(stage: Stage) -> None:
    """Let the next run begin as this one did: with the SSL policy, without the former certificate."""
    stage.elb.set_load_balancer_policies_of_listener(
        LoadBalancerName=THEIRS, LoadBalancerPort=SECURE, PolicyNames=[POLICY]
    )
    iam = stage.lab.aws.iam("theirs")
    for one in iam.list_server_certificates()["ServerCertificateMetadataList"]:
        if one["Path"] == "/":
            with suppress(iam.exceptions.DeleteConflictException):
                iam.delete_server_certificate(ServerCertificateName=one["ServerCertificateName"])


def served(stage: Stage, name: str) -> frozenset[str]:
    """Return the certificates that a load balancer's addresses serve; `NOTHING` for one that serves none."""

    def seen(address: str) -> str:
        try:
            with (
                socket.create_connection((address, SECURE), 2) as plain,
                looking().wrap_socket(plain) as secure,
            ):
                return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
        except OSError:
            return NOTHING

    return frozenset(map(seen, stage.addresses(name)))


def serving(stage: Stage, name: str) -> bool:
    """Return whether every address serves a certificate, and every instance is in service."""
    states = stage.elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
    return {one["State"] for one in states} == {"InService"} and NOTHING not in served(stage, name)


def program(lab: Lab, name: str, *arguments: str) -> None:
    """Run one of `bench.programs` as a process of the app's."""
    command = [sys.executable, "-m", f"bench.programs.{name}", *arguments]
    measure(command, environment=lab.environment() | {"OWNER": OWNER}, cwd=ROOT)
