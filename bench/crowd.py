"""Instances by the thousand, and a region full of them in which nothing changes any more.

The emulator takes milliseconds for each instance that it puts into an answer. So the crowd is made in its
memory, past its API, and its answers to DescribeInstances are kept: the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from itertools import cycle
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from lab.aws import ACCOUNT, operation
from lab.fidelity import elbv2_state
from lab.fidelity.elb_instances import register_instances_with_load_balancer
from lab.fidelity.elb_load_balancers import create_load_balancer
from lab.fidelity.elb_state import region_of
from lab.fidelity.elbv2_listeners import create_listener
from lab.fidelity.elbv2_load_balancers import create_load_balancer as create_network
from lab.fidelity.elbv2_target_groups import create_target_group, register_targets

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Kept = tuple[str, list[tuple[str, str]], bytes]
"""Status, headers, body."""

LISTENER = {"Protocol": "TCP", "LoadBalancerPort": 1883, "InstancePort": 1883}
PORTS = (1883, 18083)


def populate(region: str, balancers: int, members: int, cluster_tag: str, owner_tag: tuple[str, str]) -> None:
    """Make load balancers of an owner, each with instances that carry its name and are registered."""
    from moto.ec2.models import ec2_backends

    ec2: Any = ec2_backends[ACCOUNT][region]
    elb = region_of(ACCOUNT, region)
    key, value = owner_tag
    for number, subnet in zip(range(balancers), cycle(ec2.get_default_subnets().values()), strict=False):
        name = f"lb-{number}"
        balancer = {
            "LoadBalancerName": name,
            "Listeners": [LISTENER],
            "Subnets": [subnet.id],
            "Scheme": "internal",
            "Tags": [{"Key": key, "Value": value}],
        }
        create_load_balancer(elb, balancer)
        ids = [{"InstanceId": launch(region, subnet.id, {cluster_tag: name})} for _ in range(members)]
        register_instances_with_load_balancer(elb, {"LoadBalancerName": name, "Instances": ids})


def populate_network(
    region: str, balancers: int, members: int, cluster_tag: str, owner_tag: tuple[str, str]
) -> None:
    """Make network load balancers of an owner, each with two target groups, and instances in both.

    The instances were launched a day ago: whoever has just been launched is looked at out of turn.
    """
    from moto.ec2.models import ec2_backends

    ec2: Any = ec2_backends[ACCOUNT][region]
    elb = elbv2_state.region_of(ACCOUNT, region)
    tags = [{"Key": owner_tag[0], "Value": owner_tag[1]}]
    for number, subnet in zip(range(balancers), cycle(ec2.get_default_subnets().values()), strict=False):
        name = f"lb-{number}"
        balancer = {
            "Name": name,
            "Type": "network",
            "Subnets": [subnet.id],
            "Scheme": "internal",
            "Tags": tags,
        }
        (made,) = create_network(elb, balancer)["LoadBalancers"]
        ids = [launch(region, subnet.id, {cluster_tag: name}) for _ in range(members)]
        for id_ in ids:
            ec2.get_instance(id_).launch_time -= timedelta(days=1)
        for port in PORTS:
            group = {"Name": f"{name}-{port}", "Protocol": "TCP", "Port": port, "VpcId": subnet.vpc_id}
            (behind,) = create_target_group(elb, {**group, "Tags": tags})["TargetGroups"]
            arn = behind["TargetGroupArn"]
            register_targets(elb, {"TargetGroupArn": arn, "Targets": [{"Id": one} for one in ids]})
            listener = {
                "LoadBalancerArn": made["LoadBalancerArn"],
                "Protocol": "TCP",
                "Port": port,
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": arn}],
            }
            create_listener(elb, {**listener, "Tags": tags})


def launch(region: str, subnet: str, tags: Mapping[str, str], groups: Sequence[str] = ()) -> str:
    """Run one instance; each is a reservation of its own, since those are what moto's pages count."""
    from moto.ec2.models import ec2_backends

    ec2: Any = ec2_backends[ACCOUNT][region]
    (launched,) = ec2.run_instances(
        "ami-00000000",
        1,
        None,
        [],
        instance_type="t3.small",
        is_instance_type_default=True,
        region_name=region,
        subnet_id=subnet,
        security_group_ids=[*groups],
        block_device_mappings=[],
        tags={"instance": {**tags}},
    ).instances
    return str(launched.id)


@dataclass
class Remembered:
    """Keeps whole answers to DescribeInstances, by region and question; everything else passes."""

    application: WSGIApplication
    kept: dict[frozenset[tuple[str, str]], Kept] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        if operation(environ, body) != "DescribeInstances":
            return self.application(environ, start_response)
        region = str(environ.get("HTTP_AUTHORIZATION", "")).split("/")[2]
        question = frozenset([("region", region), *parse_qsl(body.decode())])
        if question not in self.kept:
            self.kept[question] = self._asked(environ)
        status, headers, text = self.kept[question]
        start_response(status, headers)
        return [text]

    def _asked(self, environ: WSGIEnvironment) -> Kept:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            started.append((status, headers))

        text = b"".join(self.application(environ, start))
        (status, headers) = started[0]
        return status, headers, text
