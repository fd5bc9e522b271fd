"""The corrections hold over HTTP too, in a process that runs moto's own server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict
from moto.server import ThreadedMotoServer

from lab import fidelity
from lab.machine.addresses import Network
from tests.lab.load_balancing import TCP, refusal


@pytest.fixture
def endpoint(network: Network) -> Iterator[str]:
    fidelity.install()
    server = ThreadedMotoServer(ip_address=network.aws, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        BackendDict.reset()


def create(endpoint: str, subnet: str) -> None:
    elb: Any = boto3.session.Session().client("elb", endpoint_url=endpoint)
    elb.create_load_balancer(LoadBalancerName="demo", Subnets=[subnet], Listeners=[TCP])


def test_of_many_that_create_one_name_at_once_one_succeeds(endpoint: str) -> None:
    ec2: Any = boto3.client("ec2", endpoint_url=endpoint)
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]

    def outcome(_number: int) -> str:
        try:
            create(endpoint, subnet)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(outcome, range(8)))
    assert outcomes == [*["DuplicateLoadBalancerName"] * 7, "created"]
    elb: Any = boto3.client("elb", endpoint_url=endpoint)
    describe = elb.describe_load_balancers
    assert describe()["LoadBalancerDescriptions"][0]["AvailabilityZones"] == ["eu-central-1a"]
    assert refusal(describe, LoadBalancerNames=["gone"]) == ("LoadBalancerNotFound", 400)
