"""A lab's AWS and data plane, following in a thread, for the tests of both kinds of load balancers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import aws as api
from lab.aws import Aws
from lab.elb.dataplane import DataPlane
from lab.elb.haproxy import Endpoint
from lab.fidelity.knobs import KNOBS
from lab.lab import following
from lab.machine.addresses import Network
from lab.machine.processes import Processes, until
from lab.machine.tls import trusting
from tests.world.certificates import Issued

NAME = "mqtt.example.com"


@dataclass
class Following:
    """The account, its data plane, and where instances' ports really are."""

    aws: Aws
    data_plane: DataPlane
    endpoints: dict[str, Mapping[int, Endpoint]]
    subnets: dict[str, str]

    def instance(self, subnet: str, endpoints: Mapping[int, Endpoint]) -> str:
        """Run an instance whose ports are at these endpoints."""
        (instance,) = self.aws.ec2().run_instances(
            ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=subnet
        )["Instances"]
        self.endpoints[instance["InstanceId"]] = endpoints
        return instance["InstanceId"]

    def upload(self, name: str, issued: Issued) -> str:
        """Upload a server certificate and return its ARN."""
        answer = self.aws.iam().upload_server_certificate(
            ServerCertificateName=name,
            CertificateBody=issued.certificate_pem,
            PrivateKey=issued.private_key_pem,
        )
        return answer["ServerCertificateMetadata"]["Arn"]

    def resolved(self, dns_name: str) -> str:
        """Return one address of a load balancer, once its name resolves."""

        def addresses() -> list[str]:
            hosts = self.data_plane.hosts
            known: dict[str, list[str]] = json.loads(hosts.read_text()) if hosts.exists() else {}
            return known.get(dns_name.lower(), [])

        return until(addresses, 10, "the name resolves")[0]


@contextmanager
def open_following(network: Network, processes: Processes, directory: Path) -> Iterator[Following]:
    """Start them, and end them with the block; the data plane had no fault then."""
    with api.serve(network.aws) as aws:
        endpoints: dict[str, Mapping[int, Endpoint]] = {}
        data_plane = DataPlane(
            elb=aws.elb("dataplane"),
            elbv2=aws.elbv2("dataplane"),
            ec2=aws.ec2("dataplane"),
            processes=processes,
            directory=directory,
            network=network,
            certificate=api.server_certificate_pem,
            endpoints=lambda instance_id: endpoints[instance_id],
            second=0.1,
        )
        KNOBS.instance_health, KNOBS.target_health = data_plane.instance_health, data_plane.target_health
        subnets = {
            subnet["AvailabilityZone"]: subnet["SubnetId"]
            for subnet in aws.ec2().describe_subnets()["Subnets"]
        }
        with following(data_plane, changed=lambda: True):
            yield Following(aws, data_plane, endpoints, subnets)
    assert data_plane.faults == []


def first_line(address: str, port: int) -> str:
    """Connect and read the server's name; empty when nothing is behind."""
    with closing(socket.create_connection((address, port), 5)) as connection:
        return connection.recv(100).decode().strip()


def serial(address: str, issued: Issued) -> int:
    """Return the serial number that is served at port 8883, chain and name verified."""
    context = trusting(issued.root_pem)
    with (
        socket.create_connection((address, 8883), 5) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as secure,
    ):
        return int(str((secure.getpeercert() or {})["serialNumber"]), 16)
