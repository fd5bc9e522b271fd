"""Network load balancers' data plane: what is rendered of AWS's API, and what a real HAProxy then does."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.demo import client as mqtt
from lab.elb import network
from lab.elb.balancer import Check
from lab.elb.haproxy import Endpoint, LoadBalancer, Member, Slot, places, render, sections, slots
from lab.elb.observation import Zones
from lab.elb.sslpolicies import SslNegotiation
from lab.fidelity.elbv2_ssl import POLICIES
from lab.fidelity.knobs import KNOBS
from lab.machine.addresses import Network, answers
from lab.machine.processes import Processes, until, with_server_paths
from lab.machine.tls import trusting
from lab.nodes.brokers import mosquitto
from tests.lab.conftest import alive, name_of, named_server
from tests.lab.following import NAME, Following, first_line, open_following, serial
from tests.lab.haproxy_text import block
from tests.lab.load_balancing import World, client
from tests.world.certificates import authority, leaf

TRUSTED = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
KEEPS_SESSIONS = "target_health_state.unhealthy.connection_termination.enabled"
CUTS = "deregistration_delay.connection_termination.enabled"
DELAY = "deregistration_delay.timeout_seconds"
PROXY = "proxy_protocol_v2.enabled"
CROSS_ZONE = "load_balancing.cross_zone.enabled"
CHECKED = 18083
"""A port beside MQTT's, where a target's health can fail while its sessions live on."""


def attributes(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


class Account:
    """What tests make at AWS's second API, by any clients."""

    def __init__(self, elbv2: Any, ec2: Any, zones: int = 1) -> None:
        self.elbv2, self.ec2 = elbv2, ec2
        found = sorted(ec2.describe_subnets()["Subnets"], key=lambda one: str(one["AvailabilityZone"]))
        self.subnets = [one["SubnetId"] for one in found[:zones]]
        self.vpc = found[0]["VpcId"]

    def create(self, **values: str) -> str:
        """Create the load balancer `demo`, with these attributes, and return its ARN."""
        (made,) = self.elbv2.create_load_balancer(
            Name="demo", Type="network", Scheme="internal", Subnets=self.subnets
        )["LoadBalancers"]
        arn = str(made["LoadBalancerArn"])
        if values:
            self.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes(**values))
        return arn

    def group(self, port: int = 1883, values: Mapping[str, str] | None = None, **more: Any) -> str:
        """Create a target group, checked as often as AWS allows, and return its ARN."""
        asked = {
            "Protocol": "TCP",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
            **more,
        }
        (made,) = self.elbv2.create_target_group(Name=f"demo-{port}", Port=port, VpcId=self.vpc, **asked)[
            "TargetGroups"
        ]
        arn = str(made["TargetGroupArn"])
        if values:
            self.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes(**values))
        return arn

    def listen(self, balancer: str, group: str, port: int = 1883, certificate: str = "") -> str:
        """Create a listener, a TLS one with a certificate, and return its ARN."""
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        tls = {"Certificates": [{"CertificateArn": certificate}], "SslPolicy": TRUSTED}
        (made,) = self.elbv2.create_listener(
            LoadBalancerArn=balancer,
            Port=port,
            Protocol="TLS" if certificate else "TCP",
            DefaultActions=forward,
            **(tls if certificate else {}),
        )["Listeners"]
        return str(made["ListenerArn"])


@pytest.fixture
def account(aws: None) -> Account:  # noqa: ARG001 - moto has to be there before the client
    """An account of the corrected moto, without a data plane."""
    return Account(client("elbv2"), World().ec2, zones=2)


def observed(account: Account, members: Mapping[Slot, Member] | None = None) -> str:
    """Return the configuration of the one load balancer."""
    (one,) = network.observe(account.elbv2, Zones(account.ec2), lambda _: {}, 1.0)
    return render(placed(one.load_balancer), members or {})


def placed(load_balancer: LoadBalancer) -> LoadBalancer:
    """Give the zones addresses."""
    zones = ((zone, f"127.7.7.{number}") for number, (zone, _) in enumerate(load_balancer.zones, 10))
    return replace(load_balancer, zones=tuple(zones))


def accepted(text: str, directory: Path) -> None:
    """Let HAProxy check a configuration."""
    (directory / "haproxy.cfg").write_text(text)
    checked = subprocess.run(
        ["haproxy", "-c", "-f", "haproxy.cfg"],
        cwd=directory,
        env=with_server_paths(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_load_balancer_of_the_article_is_rendered(account: Account, tmp_path: Path) -> None:
    issued = leaf(NAME)
    (tmp_path / "8883.pem").write_text(issued.certificate_pem + issued.private_key_pem)
    balancer, group = account.create(), account.group()
    account.listen(balancer, group, 8883, World().upload())
    account.listen(balancer, account.group(18083, HealthCheckProtocol="HTTP", HealthCheckPath="/status"), 80)
    text = observed(account)
    accepted(text, tmp_path)
    lines = block(text, "listen listener-8883-eu-central-1a")
    assert lines[0].startswith(
        "bind 127.7.7.10:8883 ssl crt 8883.pem ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3 ciphers ECDHE-"
    )
    assert "ciphersuites TLS_AES_128_GCM_SHA256:" in lines[0]
    assert lines[1:6] == [
        "timeout client 350s",
        "timeout server 350s",
        "mode tcp",
        "balance random",
        "use_backend open-listener-8883-eu-central-1a if { nbsrv(listener-8883-eu-central-1a) eq 0 }",
    ]
    assert lines[6].startswith(
        "server demo-1883-eu-central-1a-0 127.0.0.1:1 track health-demo-1883/demo-1883-eu-central-1a-0"
    )
    assert {line.split()[1] for line in block(text, "backend health-demo-1883") if "server" in line} == {
        f"demo-1883-eu-central-1{zone}-{number}" for zone in "ab" for number in range(4)
    }
    checked = block(text, "backend health-demo-18083")
    assert checked[2:4] == ["option httpchk GET /status", "http-check expect status 200-399"]


SAYS: dict[str, tuple[dict[str, str], str, bool]] = {
    "sessions of an unhealthy target are reset": (
        {KEEPS_SESSIONS: "true"},
        "on-marked-down shutdown-sessions",
        True,
    ),
    "or not": ({KEEPS_SESSIONS: "false"}, "on-marked-down", False),
    "version 2 of the PROXY protocol": ({PROXY: "true"}, "send-proxy-v2 on-marked-down", True),
    "checks have it too": ({PROXY: "true"}, "send-proxy-v2 check-send-proxy", True),
    "or not at all": ({PROXY: "false"}, "send-proxy", False),
    "a group's own word on zones": ({CROSS_ZONE: "true"}, "listen listener-1883\n", True),
    "or the load balancer's": ({}, "listen listener-1883-eu-central-1b\n", True),
}


@pytest.mark.parametrize("case", SAYS)
def test_a_target_groups_attributes_are_rendered(case: str, account: Account, tmp_path: Path) -> None:
    values, words, there = SAYS[case]
    account.listen(account.create(), account.group(values=values))
    text = observed(account)
    accepted(text, tmp_path)
    assert (words in text) == there


def test_the_load_balancers_word_on_zones_counts_where_a_group_says_nothing(account: Account) -> None:
    account.listen(account.create(**{CROSS_ZONE: "true"}), account.group())
    assert "listen listener-1883\n" in observed(account)


def test_a_tcp_listeners_idle_time_is_its_own(account: Account) -> None:
    listener = account.listen(account.create(), account.group())
    account.elbv2.modify_listener_attributes(
        ListenerArn=listener, Attributes=attributes(**{"tcp.idle_timeout.seconds": "600"})
    )
    text = observed(account)
    assert "timeout client 600s" in block(text, "listen listener-1883-eu-central-1a")
    assert "timeout server 600s" in block(text, "backend open-listener-1883-eu-central-1a")


def test_a_target_group_of_protocol_tls_is_spoken_to_by_tls(account: Account) -> None:
    account.listen(account.create(), account.group(8884, Protocol="TLS"), 8883, World().upload())
    assert "ssl verify none" in observed(account)


def test_a_member_is_in_every_place_of_its_group_and_in_no_other(account: Account) -> None:
    balancer, group = account.create(), account.group()
    account.listen(balancer, group)
    account.listen(balancer, group, 1884)
    account.listen(balancer, account.group(18083), 80)
    (one,) = network.observe(account.elbv2, Zones(account.ec2), lambda _: {}, 1.0)
    found = placed(one.load_balancer)
    assert len(sections(found)) == 6
    for slot in slots(found):
        roles = [place.role for place in places(found, slot)]
        listeners = 2 if slot.pool == "demo-1883" else 1
        assert roles == ["checks", *(["follows", "open"] * listeners)]


@pytest.mark.parametrize("name", POLICIES)
def test_haproxy_takes_every_policy(name: str, tmp_path: Path) -> None:
    issued, (protocols, ciphers) = leaf(NAME), POLICIES[name]
    (tmp_path / "8883.pem").write_text(issued.certificate_pem + issued.private_key_pem)
    group: Any = {"Protocol": "TCP", "Port": 1883, "TargetGroupName": ""}
    one = network.listener(
        8883, group, {PROXY: "", KEEPS_SESSIONS: ""}, ssl=SslNegotiation(protocols, ciphers)
    )
    accepted(f"listen x\n timeout client 1s\n bind 127.7.7.10:8883 ssl crt 8883.pem {one.tls}\n", tmp_path)
    assert ("ssl-max-ver TLSv1.3" in one.tls) == ("TLS13" in name)


HEALTH = {
    None: "Elb.InitialHealthChecking",
    Check("DOWN 1/2", "INI"): "Elb.InitialHealthChecking",
    Check("DOWN 1/2", "L4OK"): "Elb.InitialHealthChecking",
    Check("UP", "L4OK"): "",
    Check("UP 1/2", "L4CON"): "",
    Check("DOWN", "L4TOUT"): "Target.Timeout",
    Check("DOWN", "L7TOUT"): "Target.Timeout",
    Check("DOWN", "L7STS"): "Target.ResponseCodeMismatch",
    Check("DOWN", "L4CON"): "Target.FailedHealthChecks",
}


@pytest.mark.parametrize(("check", "reason"), HEALTH.items())
def test_a_checks_result_has_awss_words(check: Check | None, reason: str) -> None:
    assert (network.health(check) or ("", "", ""))[1] == reason


class Plane(Account):
    """An account with its data plane, and targets that say who they are."""

    def __init__(self, found: Following, addresses: Network, stack: ExitStack) -> None:
        super().__init__(found.aws.elbv2(), found.aws.ec2())
        self.found, self.addresses, self.stack = found, addresses, stack

    def target(self, name: str, *, checked: bool = False) -> tuple[str, ExitStack]:
        """Run an instance with a server; with `checked` another one answers the health check.

        Return the instance's id, and what ends the server that the health check asks.
        """
        host = self.addresses.host(150 + len(self.found.endpoints))
        endpoints: dict[int, Endpoint] = {port: (host, port) for port in (1883, CHECKED)}
        health = ExitStack()
        self.stack.enter_context(health)
        for port in (1883, CHECKED) if checked else (1883,):
            (health if port == CHECKED or not checked else self.stack).enter_context(
                named_server(name, endpoints[port])
            )
        return self.found.instance(self.subnets[0], endpoints), health

    def register(self, group: str, *instance_ids: str) -> None:
        """Register targets and wait until they are healthy."""
        self.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in instance_ids])
        until(
            lambda: {self.health(group).get(one) for one in instance_ids} == {"healthy"}, 20, "healthy", 0.1
        )

    def deregister(self, group: str, *instance_ids: str) -> None:
        """Deregister targets."""
        self.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in instance_ids])

    def health(self, group: str) -> dict[str, str]:
        """Return what DescribeTargetHealth says, by the target's id."""
        found = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in found}

    def address(self) -> str:
        """Return the load balancer's address, once its name resolves."""
        (one,) = self.elbv2.describe_load_balancers()["LoadBalancers"]
        return self.found.resolved(one["DNSName"])

    def session(self) -> socket.socket:
        """Open a session."""
        return socket.create_connection((self.address(), 1883), 5)


@pytest.fixture
def plane(addresses: Network, processes: Processes, tmp_path: Path) -> Iterator[Plane]:
    """The account, followed in a thread."""
    with ExitStack() as stack, open_following(addresses, processes, tmp_path) as found:
        yield Plane(found, addresses, stack)


@pytest.fixture
def addresses(network: Network) -> Network:
    """A loopback network; its usual name is that of the module here."""
    return network


def test_a_session_by_tls_1_3_outlives_the_exchange_of_its_certificate(plane: Plane) -> None:
    root = authority()
    old, new = (leaf(NAME, signed_by=root) for _ in range(2))
    group = plane.group()
    listener = plane.listen(plane.create(), group, 8883, plane.found.upload("old", old))
    target, _ = plane.target("one")
    plane.register(group, target)
    address = plane.address()
    with (
        socket.create_connection((address, 8883), 5) as plain,
        trusting(root.certificate_pem).wrap_socket(plain, server_hostname=NAME) as session,
    ):
        assert session.version() == "TLSv1.3"
        assert name_of(session) == "one"
        assert serial(address, old) == old.certificate.serial_number
        arn = plane.found.upload("new", new)
        plane.elbv2.modify_listener(ListenerArn=listener, Certificates=[{"CertificateArn": arn}])
        until(lambda: serial(address, new) == new.certificate.serial_number, 5, "the new serial number")
        assert alive(session)


def test_a_message_passes_through_tls_to_a_broker(plane: Plane, processes: Processes, tmp_path: Path) -> None:
    issued = leaf(NAME)
    host = plane.addresses.host(150)
    (tmp_path / "broker.conf").write_text(mosquitto(host, 1883))
    (tmp_path / "root.pem").write_text(issued.root_pem)
    processes.start(
        "broker", ["mosquitto", "-c", str(tmp_path / "broker.conf")], ready=lambda: answers(host, 1883)
    )
    group = plane.group()
    plane.listen(plane.create(), group, 8883, plane.found.upload("one", issued))
    plane.register(group, plane.found.instance(plane.subnets[0], {1883: (host, 1883)}))
    where = [*mqtt.through_tls(plane.address(), 8883, tmp_path / "root.pem"), "--insecure"]
    mqtt.subscribe(processes, where, "hello")
    said = mqtt.publish(where, "hello", "world")
    assert said.returncode == 0, said.stderr
    until(lambda: "world" in (tmp_path / "subscriber.log").read_text(), 10, "it arrives")


@pytest.mark.parametrize("reset", [False, True])
def test_an_unhealthy_targets_sessions_are_reset_only_where_the_group_says_so(
    plane: Plane, reset: bool
) -> None:
    group = plane.group(values={KEEPS_SESSIONS: str(reset).lower()}, HealthCheckPort=str(CHECKED))
    plane.listen(plane.create(), group)
    ill, health = plane.target("ill", checked=True)
    plane.register(group, ill)
    with closing(plane.session()) as session:
        assert name_of(session) == "ill"
        well, _ = plane.target("well", checked=True)
        plane.register(group, well)
        health.close()
        until(lambda: plane.health(group)[ill] == "unhealthy", 30, "unhealthy", 0.1)
        if reset:
            until(lambda: not alive(session), 5, "the session is reset")
        assert alive(session) != reset
        assert {first_line(plane.address(), 1883) for _ in range(4)} == {"well"}


def test_when_no_target_is_healthy_all_take_connections(plane: Plane) -> None:
    group = plane.group(HealthCheckPort=str(CHECKED))
    plane.listen(plane.create(), group)
    target, health = plane.target("ill", checked=True)
    assert first_line(plane.address(), 1883) == ""  # nobody is there
    plane.register(group, target)
    health.close()
    until(lambda: plane.health(group)[target] == "unhealthy", 30, "unhealthy", 0.1)
    assert first_line(plane.address(), 1883) == "ill"


@pytest.mark.parametrize("cut", [False, True])
def test_a_drained_target_is_cut_at_the_delay_only_where_the_group_says_so(plane: Plane, cut: bool) -> None:
    group = plane.group(values={DELAY: "2", CUTS: str(cut).lower()})
    plane.listen(plane.create(), group)
    one, _ = plane.target("one")
    two, _ = plane.target("two")
    plane.register(group, one)
    with closing(plane.session()) as session:
        assert name_of(session) == "one"
        plane.register(group, two)
        began = time.monotonic()
        plane.deregister(group, one)
        until(lambda: {first_line(plane.address(), 1883) for _ in range(4)} == {"two"}, 5, "drained", 0.1)
        assert plane.health(group)[one] == "draining"
        if cut:
            until(lambda: not alive(session), 10, "the session is cut")
            assert time.monotonic() - began > 2
        until(lambda: one not in plane.health(group), 10, "drained", 0.1)
        assert alive(session) != cut


def test_new_connections_reach_a_deregistered_target_for_a_while(plane: Plane) -> None:
    KNOBS.target_tail_seconds = KNOBS.target_deregistration_seconds = 600
    group = plane.group()
    plane.listen(plane.create(), group)
    target, _ = plane.target("one")
    plane.register(group, target)
    plane.deregister(group, target)
    served = plane.found.data_plane.served["net.demo"]
    until(lambda: bool(served.tails), 5, "the data plane has seen it")
    assert plane.health(group)[target] == "draining"
    assert first_line(plane.address(), 1883) == "one"
    KNOBS.target_tail_seconds = 0
    until(lambda: first_line(plane.address(), 1883) == "", 5, "no traffic any more")


def test_a_target_takes_traffic_once_its_registration_is_over(plane: Plane) -> None:
    KNOBS.target_registration_seconds = 600
    group = plane.group()
    plane.listen(plane.create(), group)
    target, _ = plane.target("one")
    address = plane.address()
    plane.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": target}])
    assert plane.health(group) == {target: "initial"}
    assert first_line(address, 1883) == ""
    KNOBS.target_registration_seconds = 0
    until(lambda: plane.health(group) == {target: "healthy"}, 20, "healthy", 0.1)
    assert first_line(address, 1883) == "one"


def test_a_load_balancer_serves_once_it_is_active(plane: Plane) -> None:
    KNOBS.load_balancer_provisioning_seconds = 600
    plane.listen(plane.create(), plane.group())
    (one,) = plane.elbv2.describe_load_balancers()["LoadBalancers"]
    assert one["State"]["Code"] == "provisioning"
    plane.found.data_plane.step()
    assert plane.found.data_plane.addresses_by_dns_name(one["DNSName"]) == []


def test_a_name_leads_to_no_zone_in_which_every_target_is_unhealthy(plane: Plane) -> None:
    found = sorted(plane.found.subnets.items())[:2]
    plane.subnets = [subnet for _, subnet in found]
    group = plane.group(HealthCheckPort=str(CHECKED))
    plane.listen(plane.create(), group)
    one, health = plane.target("one", checked=True)
    plane.register(group, one)
    (shown,) = plane.elbv2.describe_load_balancers()["LoadBalancers"]
    data_plane, name = plane.found.data_plane, shown["DNSName"]
    first, second = (data_plane.address("net.demo", zone) for zone, _ in found)
    assert data_plane.addresses_by_dns_name(name) == [first]
    health.close()
    until(lambda: plane.health(group)[one] == "unhealthy", 30, "unhealthy", 0.1)
    assert data_plane.addresses_by_dns_name(name) == [first, second]


def test_a_classic_and_a_network_load_balancer_of_one_name_stand_side_by_side(plane: Plane) -> None:
    group = plane.group()
    plane.listen(plane.create(), group)
    target, _ = plane.target("one")
    plane.register(group, target)
    elb = plane.found.aws.elb()
    elb.create_load_balancer(
        LoadBalancerName="demo",
        Listeners=[
            {"Protocol": "TCP", "LoadBalancerPort": 1883, "InstanceProtocol": "TCP", "InstancePort": 1883}
        ],
        Subnets=plane.subnets,
        Scheme="internal",
    )
    (classic,) = elb.describe_load_balancers()["LoadBalancerDescriptions"]
    address = plane.found.resolved(classic["DNSName"])
    assert address != plane.address()
    assert first_line(address, 1883) == ""
    assert first_line(plane.address(), 1883) == "one"
    plane.elbv2.delete_load_balancer(
        LoadBalancerArn=plane.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    )
    until(lambda: "net.demo" not in plane.found.data_plane.served, 5, "it is gone")
    assert first_line(address, 1883) == ""


def test_tls_1_2_is_refused_by_a_policy_of_tls_1_3_alone(plane: Plane) -> None:
    issued = leaf(NAME)
    group = plane.group()
    listener = plane.listen(plane.create(), group, 8883, plane.found.upload("one", issued))
    plane.elbv2.modify_listener(ListenerArn=listener, SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")
    address = plane.address()
    context = trusting(issued.root_pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def refused() -> bool:
        try:
            with socket.create_connection((address, 8883), 5) as plain:
                context.wrap_socket(plain, server_hostname=NAME).close()
        except ssl.SSLError as error:
            return "PROTOCOL_VERSION" in str(error).upper()
        return False

    until(refused, 10, "TLS 1.2 is refused")
    assert serial(address, issued) == issued.certificate.serial_number
