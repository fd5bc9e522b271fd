"""The data plane follows AWS's API: what is called there is what traffic meets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.aws import credential, operation
from lab.elb.balancer import Balancer, checks
from lab.elb.classic import health_check
from lab.elb.dataplane import enough, moves
from lab.elb.haproxy import HealthCheck, LoadBalancer, Member, Pool, Slot
from lab.elb.runtimesocket import ask
from lab.machine.addresses import Network
from lab.machine.processes import Processes, until
from tests.lab.conftest import named_server
from tests.lab.following import NAME, Following, first_line, open_following, serial
from tests.world.certificates import authority, leaf

if TYPE_CHECKING:
    from mypy_boto3_elb.type_defs import ListenerTypeDef

TCP: ListenerTypeDef = {
    "Protocol": "TCP",
    "LoadBalancerPort": 1883,
    "InstanceProtocol": "TCP",
    "InstancePort": 1883,
}


def balancer_with(members: dict[str, str]) -> Balancer:
    """Return a load balancer over two zones, with instances by id and zone."""
    check = HealthCheck("TCP", 1883, "", 5, 2, 2, 2)
    zones = (("a", "127.7.7.10"), ("b", "127.7.7.11"))
    shape = LoadBalancer("demo", zones, (), (Pool("demo", check),), slots_per_zone=2)
    balancer = Balancer(Path(), shape)
    for instance_id, zone in members.items():
        number = sum(slot.zone == zone for slot in balancer.members)
        balancer.members[Slot(zone, number)] = Member(instance_id, zone, {})
    return balancer


@pytest.mark.parametrize(
    ("members", "instances", "going", "coming"),
    [
        ({}, {}, [], {}),
        ({}, {"i-1": "a", "i-2": "b"}, [], {Slot("a", 0): "i-1", Slot("b", 0): "i-2"}),
        ({"i-1": "a"}, {"i-1": "a"}, [], {}),
        ({"i-1": "a"}, {"i-2": "a"}, [Slot("a", 0)], {Slot("a", 1): "i-2"}),
        ({}, {"i-3": "c"}, [], {}),  # a zone that is not enabled
    ],
)
def test_instances_come_to_empty_slots_of_their_own_zone(
    members: dict[str, str], instances: dict[str, str], going: list[Slot], coming: dict[Slot, str]
) -> None:
    found, came = moves(balancer_with(members), "", to_serve(instances))
    assert (found, {slot: member.name for slot, member in came.items()}) == (going, coming)


def to_serve(instances: dict[str, str]) -> dict[str, Member]:
    """Return members by id, from zones by id."""
    return {instance_id: Member(instance_id, zone, {}) for instance_id, zone in instances.items()}


def test_an_instance_that_comes_back_while_draining_gets_another_slot() -> None:
    balancer = balancer_with({"i-1": "a"})
    balancer.draining[Slot("a", 0)] = 0.0
    wanted = to_serve({"i-1": "a"})
    assert moves(balancer, "", wanted) == ([], {Slot("a", 1): wanted["i-1"]})


@pytest.mark.parametrize(("before", "instances", "after"), [(4, 0, 4), (4, 4, 4), (4, 5, 8), (4, 17, 32)])
def test_slots_are_doubled_and_never_taken_away(before: int, instances: int, after: int) -> None:
    assert enough(before, instances) == after


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("TCP:1883", ("TCP", 1883, "")),
        ("SSL:8883", ("SSL", 8883, "")),
        ("HTTP:18083/status", ("HTTP", 18083, "/status")),
        ("HTTPS:443/a/b?c=d", ("HTTPS", 443, "/a/b?c=d")),
    ],
)
def test_a_health_check_target_is_read(target: str, expected: tuple[str, int, str]) -> None:
    found = health_check(
        {"Target": target, "Interval": 5, "Timeout": 2, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
    )
    assert (found.protocol, found.port, found.path) == expected


@pytest.mark.parametrize(
    ("environ", "body", "expected"),
    [
        ({"PATH_INFO": "/"}, b"Action=DescribeTags&Version=2012-06-01", "DescribeTags"),
        ({"HTTP_X_AMZ_TARGET": "secretsmanager.GetSecretValue"}, b"{}", "GetSecretValue"),
        ({"PATH_INFO": "/service/Granite/operation/PutMetricAlarm"}, b"", "PutMetricAlarm"),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, b"", "GET /x"),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/2013-04-01/hostedzone"}, b"", "ListHostedZones"),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/2013-04-01/change/C1"}, b"", "GetChange"),
        (
            {"REQUEST_METHOD": "GET", "PATH_INFO": "/2013-04-01/hostedzone/Z/rrset"},
            b"",
            "ListResourceRecordSets",
        ),
        (
            {"REQUEST_METHOD": "POST", "PATH_INFO": "/2013-04-01/hostedzone/Z/rrset/"},
            b"",
            "ChangeResourceRecordSets",
        ),
    ],
)
def test_a_call_is_recorded_by_its_operation(environ: dict[str, str], body: bytes, expected: str) -> None:
    assert operation(environ, body) == expected


def test_a_call_is_recorded_by_its_caller() -> None:
    header = "AWS4-HMAC-SHA256 Credential=app/20260101/eu-central-1/iam/aws4_request, SignedHeaders=host"
    assert credential(header) == ("app", "iam")
    assert credential("") is None


class World(Following):
    """… with a classic load balancer, `demo`."""

    def create(self, listeners: list[ListenerTypeDef], subnets: list[str]) -> None:
        """Create it, checked as often as AWS allows."""
        elb = self.aws.elb()
        elb.create_load_balancer(
            LoadBalancerName="demo", Listeners=listeners, Subnets=subnets, Scheme="internal"
        )
        elb.configure_health_check(
            LoadBalancerName="demo",
            HealthCheck={
                "Target": "TCP:1883",
                "Interval": 5,
                "Timeout": 2,
                "UnhealthyThreshold": 2,
                "HealthyThreshold": 2,
            },
        )

    def register(self, *instance_ids: str) -> None:
        """Register instances and wait until they are in service."""
        elb = self.aws.elb()
        elb.register_instances_with_load_balancer(
            LoadBalancerName="demo", Instances=[{"InstanceId": one} for one in instance_ids]
        )
        until(lambda: set(self.states().values()) == {"InService"}, 20, "in service", pause=0.1)

    def states(self) -> dict[str, str]:
        """Return what DescribeInstanceHealth says."""
        answer = self.aws.elb().describe_instance_health(LoadBalancerName="demo")
        return {one["InstanceId"]: one["State"] for one in answer["InstanceStates"]}

    def address(self) -> str:
        """Return one address of the load balancer, once its name resolves."""
        (description,) = self.aws.elb().describe_load_balancers()["LoadBalancerDescriptions"]
        return self.resolved(description["DNSName"])


@pytest.fixture
def world(network: Network, processes: Processes, tmp_path: Path) -> Iterator[World]:
    """AWS and its data plane, following in a thread."""
    with open_following(network, processes, tmp_path) as found:
        yield World(**vars(found))


def test_an_instance_serves_after_its_checks_and_until_it_is_deregistered(
    world: World, network: Network
) -> None:
    endpoint = (network.host(150), 1883)
    subnet = world.subnets["eu-central-1a"]
    with named_server("one", endpoint):
        world.create([TCP], [subnet])
        instance = world.instance(subnet, {1883: endpoint})
        world.register(instance)
        assert first_line(world.address(), 1883) == "one"
        world.aws.elb().deregister_instances_from_load_balancer(
            LoadBalancerName="demo", Instances=[{"InstanceId": instance}]
        )
        until(lambda: first_line(world.address(), 1883) == "", 5, "no traffic any more")


def test_an_instance_whose_server_dies_goes_out_of_service(world: World, network: Network) -> None:
    endpoint = (network.host(150), 1883)
    subnet = world.subnets["eu-central-1a"]
    with named_server("one", endpoint):
        world.create([TCP], [subnet])
        world.register(world.instance(subnet, {1883: endpoint}))
    until(lambda: set(world.states().values()) == {"OutOfService"}, 20, "out of service", pause=0.1)
    (state,) = world.aws.elb().describe_instance_health(LoadBalancerName="demo")["InstanceStates"]
    assert state["ReasonCode"] == "Instance"


def test_a_new_certificate_is_on_the_wire_soon_after_it_is_set(world: World) -> None:
    root = authority()
    old, new = (leaf(NAME, signed_by=root) for _ in range(2))
    listener: ListenerTypeDef = {**TCP, "Protocol": "SSL", "LoadBalancerPort": 8883}
    listener["SSLCertificateId"] = world.upload("old", old)
    world.create([listener], [world.subnets["eu-central-1a"]])
    assert serial(world.address(), old) == old.certificate.serial_number
    world.aws.elb().set_load_balancer_listener_ssl_certificate(
        LoadBalancerName="demo", LoadBalancerPort=8883, SSLCertificateId=world.upload("new", new)
    )
    until(lambda: serial(world.address(), new) == new.certificate.serial_number, 5, "the new serial number")


def test_listeners_and_the_load_balancer_itself_come_and_go(world: World) -> None:
    elb = world.aws.elb()
    world.create([TCP], [world.subnets["eu-central-1a"]])
    address = world.address()
    elb.create_load_balancer_listeners(LoadBalancerName="demo", Listeners=[{**TCP, "LoadBalancerPort": 1884}])

    def accepts(port: int) -> bool:
        try:
            socket.create_connection((address, port), 5).close()
        except ConnectionError:  # refused, or reset while HAProxy lets the port go
            return False
        return True

    until(lambda: accepts(1884), 5, "the new listener")
    elb.delete_load_balancer_listeners(LoadBalancerName="demo", LoadBalancerPorts=[1884])
    until(lambda: not accepts(1884), 5, "the listener is gone")
    assert accepts(1883)
    elb.delete_load_balancer(LoadBalancerName="demo")
    until(lambda: not accepts(1883), 5, "the load balancer is gone")
    until(lambda: json.loads(world.data_plane.hosts.read_text()) == {}, 5, "its name resolves no more")


def test_without_cross_zone_a_zones_address_reaches_only_its_own_instances(
    world: World, network: Network
) -> None:
    one, two = (network.host(150), 1883), (network.host(151), 1883)
    zones = ["eu-central-1a", "eu-central-1b"]
    with named_server("one", one), named_server("two", two):
        world.create([TCP], [world.subnets[zone] for zone in zones])
        world.register(
            *(
                world.instance(world.subnets[zone], {1883: at})
                for zone, at in zip(zones, (one, two), strict=True)
            )
        )
        addresses = world.data_plane.addresses_of("demo")
        names = {zone: {first_line(addresses[zone], 1883) for _ in range(3)} for zone in zones}
        assert names == {"eu-central-1a": {"one"}, "eu-central-1b": {"two"}}
        world.aws.elb().modify_load_balancer_attributes(
            LoadBalancerName="demo",
            LoadBalancerAttributes={"CrossZoneLoadBalancing": {"Enabled": True}},
        )
        until(
            lambda: {first_line(addresses["eu-central-1a"], 1883) for _ in range(3)} == {"one", "two"},
            5,
            "traffic crosses the zones",
        )


@pytest.mark.parametrize("changed", ["health check", "listener"])
def test_another_port_of_a_running_load_balancer_is_taken_up(
    world: World, network: Network, changed: str
) -> None:
    subnet = world.subnets["eu-central-1a"]
    old, new = (network.host(150), 1883), (network.host(150), 1884)
    world.data_plane.endpoints = lambda _: {1883: old, 1884: new}
    elb = world.aws.elb()
    with named_server("new", new):
        with named_server("old", old):
            world.create([TCP], [subnet])
            world.register(world.instance(subnet, {1883: old}))
            assert first_line(world.address(), 1883) == "old"
            if changed == "listener":
                elb.delete_load_balancer_listeners(LoadBalancerName="demo", LoadBalancerPorts=[1883])
                moved: ListenerTypeDef = {**TCP, "InstancePort": 1884}
                elb.create_load_balancer_listeners(LoadBalancerName="demo", Listeners=[moved])
                until(lambda: answered(world.address()) == "new", 20, "traffic goes to the new port")
                return
            check = elb.describe_load_balancers()["LoadBalancerDescriptions"][0]["HealthCheck"]
            elb.configure_health_check(LoadBalancerName="demo", HealthCheck={**check, "Target": "TCP:1884"})
            balancer = world.data_plane.served["demo"].balancer
            until(
                lambda: " 1884 " in ask(balancer.directory, "show servers state health"),
                20,
                "the instance is checked on the new port",
            )
        # Nothing listens on the old port any more.
        until(
            lambda: [one.last for one in checks(balancer).values()] == ["L4OK"],
            20,
            "a check has passed since the reload",
        )
        assert set(world.states().values()) == {"InService"}


def answered(address: str) -> str:
    """Return the server's name, or nothing while the listener is not there."""
    try:
        return first_line(address, 1883)
    except OSError:
        return ""
