"""The load balancer's data plane: what is rendered, and what a real HAProxy then does."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from lab.elb import balancer as running
from lab.elb.balancer import Balancer, RefusedError
from lab.elb.classic import listener
from lab.elb.haproxy import HealthCheck, LoadBalancer, Member, Pool, Slot, render, sections, slots
from lab.elb.sslpolicies import PREDEFINED, SslNegotiation, bind_options, negotiation
from lab.machine.addresses import Network
from lab.machine.processes import Processes, until
from lab.machine.tls import OBSOLETE_CIPHERS, trusting
from tests.lab.conftest import alive, name_of, named_server
from tests.lab.haproxy_text import block
from tests.world.certificates import Issued, authority, leaf

TCP = listener("TCP", 1883, "TCP", 1883)
SSL = listener("SSL", 8883, "TCP", 1883, ssl=PREDEFINED["ELBSecurityPolicy-TLS-1-2-2017-01"])
CHECK = HealthCheck("TCP", 1883, "", interval=1, timeout=1, unhealthy_threshold=2, healthy_threshold=2)
ZONES = (("eu-central-1a", "127.7.7.10"), ("eu-central-1b", "127.7.7.11"))
POOL = Pool("demo", CHECK, cross_zone=True)
PLAIN = LoadBalancer("demo", ZONES, (TCP,), (POOL,))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ELBSecurityPolicy-TLS-1-2-2017-01", "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 ciphers ECDHE-"),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", "ssl-min-ver TLSv1.1 ssl-max-ver TLSv1.2 ciphers ECDHE-"),
        ("ELBSecurityPolicy-2016-08", "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.2 ciphers ECDHE-"),
    ],
)
def test_a_predefined_policy_sets_the_lowest_and_the_highest_version(name: str, expected: str) -> None:
    assert bind_options(negotiation({"Reference-Security-Policy": name})).startswith(expected)


@pytest.mark.parametrize(
    ("protocols", "lowered"), [(("TLSv1.2",), False), (("TLSv1.1", "TLSv1.2"), True), (("TLSv1",), True)]
)
def test_only_obsolete_versions_lower_openssls_security_level(
    protocols: tuple[str, ...], lowered: bool
) -> None:
    level = 0 if lowered else 2
    options = bind_options(SslNegotiation(protocols, ("AES128-SHA",)))
    assert options.endswith(f"ciphers AES128-SHA:@SECLEVEL={level}")


def test_a_custom_policy_is_what_its_attributes_turn_on() -> None:
    attributes = {"Protocol-TLSv1.2": "true", "Protocol-TLSv1": "false", "AES128-SHA": "true"}
    found = negotiation(attributes)
    assert found == SslNegotiation(("TLSv1.2",), ("AES128-SHA",), server_defined_order=False)
    assert bind_options(found).endswith("ciphers AES128-SHA:@SECLEVEL=2 prefer-client-ciphers")


def test_a_gap_between_versions_stays_closed() -> None:
    assert "no-tlsv11" in bind_options(SslNegotiation(("TLSv1", "TLSv1.2"), ("AES128-SHA",)))


@pytest.mark.parametrize(
    ("check", "expected", "server"),
    [
        (CHECK, ["option tcp-check"], "check inter 1000ms fall 2 rise 2"),
        (replace(CHECK, protocol="SSL"), ["option tcp-check"], "check check-ssl verify none inter 1000ms"),
        (
            replace(CHECK, protocol="HTTP", path="/status"),
            ["option httpchk GET /status", "http-check expect status 200"],
            "check inter 1000ms",
        ),
        (
            replace(CHECK, protocol="HTTPS", path="/"),
            ["option httpchk GET /", "http-check expect status 200"],
            "check check-ssl verify none inter 1000ms",
        ),
    ],
)
def test_every_kind_of_health_check_is_rendered(check: HealthCheck, expected: list[str], server: str) -> None:
    lines = block(render(replace(PLAIN, pools=(Pool("demo", check),)), {}), "backend health")
    assert lines[2 : 2 + len(expected)] == expected
    assert server in lines[-1]
    assert lines[-1].endswith(" disabled")


def test_with_cross_zone_every_address_reaches_every_zone() -> None:
    (section,) = sections(PLAIN)
    assert section.addresses == ("127.7.7.10", "127.7.7.11")
    assert section.slots == slots(PLAIN)


def test_without_cross_zone_an_address_reaches_its_own_zone_only() -> None:
    first, second = sections(replace(PLAIN, pools=(Pool("demo", CHECK),)))
    assert first.addresses == ("127.7.7.10",)
    assert {slot.zone for slot in first.slots} == {"eu-central-1a"}
    assert {slot.zone for slot in second.slots} == {"eu-central-1b"}


def test_an_instance_is_reached_where_its_port_really_is() -> None:
    member = Member("i-1", "eu-central-1a", {1883: ("127.7.7.150", 31883)})
    text = render(PLAIN, {Slot("eu-central-1a", 0): member})
    assert "server eu-central-1a-0 127.7.7.150:31883 track health/eu-central-1a-0" in text


def test_the_proxy_protocol_and_tls_go_to_the_instance_when_asked() -> None:
    policy = PREDEFINED["ELBSecurityPolicy-TLS-1-2-2017-01"]
    both = listener("SSL", 8883, "SSL", 8884, ssl=policy, proxy_protocol=True)
    lines = block(render(replace(PLAIN, listeners=(both,)), {}), "listen listener-8883")
    assert lines[-1].endswith("ssl verify none send-proxy")


def test_the_idle_timeout_holds_in_both_directions() -> None:
    lines = block(render(replace(PLAIN, idle_timeout=450), {}), "defaults")
    assert {"timeout client 450s", "timeout server 450s"} <= set(lines)


class Site:
    """A load balancer on a network of its own, with servers that say who they are."""

    def __init__(self, network: Network, processes: Processes, directory: Path, stack: ExitStack) -> None:
        self.processes, self.directory, self.stack = processes, directory, stack
        self.address = network.host(10)
        self.plain = LoadBalancer("demo", (("a", self.address), ("b", network.host(11))), (TCP,), (POOL,))
        self.servers = {"one": (network.host(150), 1883), "two": (network.host(151), 1883)}

    def start(self, load_balancer: LoadBalancer, pem: str = "") -> Balancer:
        """Start HAProxy."""
        return running.start(self.processes, self.directory / "lb", load_balancer, {8883: pem} if pem else {})

    def serve(self, balancer: Balancer, *names: str) -> None:
        """Serve at instances, and wait until their checks have passed."""
        for number, name in enumerate(names):
            self.stack.enter_context(named_server(name, self.servers[name]))
            member = Member(name, "a", {1883: self.servers[name]})
            running.register(balancer, Slot("a", number), member)
        until(lambda: all(check.up for check in running.checks(balancer).values()), 10, "checks pass")

    def connect(self, port: int = 1883, context: ssl.SSLContext | None = None) -> socket.socket:
        """Open a session, and know that a server is behind it when its name arrives."""
        connection = socket.create_connection((self.address, port), 5)
        return context.wrap_socket(connection, server_hostname="mqtt.example.com") if context else connection


@pytest.fixture
def site(network: Network, processes: Processes, tmp_path: Path) -> object:
    """A site whose servers end with the test."""
    with ExitStack() as stack:
        yield Site(network, processes, tmp_path, stack)


def bundle(issued: Issued) -> str:
    """Return what HAProxy reads: certificate, chain, key."""
    return issued.certificate_pem + issued.chain_pem + issued.private_key_pem


def serial_on_the_wire(site: Site, issued: Issued) -> int:
    """Return the serial number of the certificate that is served."""
    with closing(site.connect(8883, trusting(issued.root_pem))) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        return int(str((connection.getpeercert() or {})["serialNumber"]), 16)


def test_an_instance_takes_traffic_only_once_its_checks_have_passed(site: Site) -> None:
    balancer = site.start(site.plain)
    running.register(balancer, Slot("a", 0), Member("one", "a", {1883: site.servers["one"]}))
    with closing(site.connect()) as refused:
        assert name_of(refused) == ""
    running.drain(balancer, Slot("a", 0), 0)
    running.settle(balancer, now=1)
    site.serve(balancer, "one")
    with closing(site.connect()) as connection:
        assert name_of(connection) == "one"


def test_traffic_goes_round_the_instances_and_past_a_dead_one(site: Site) -> None:
    balancer = site.start(site.plain)
    site.serve(balancer, "one", "two")
    with ExitStack() as stack:
        names = {name_of(stack.enter_context(closing(site.connect()))) for _ in range(4)}
    assert names == {"one", "two"}
    running.register(balancer, Slot("b", 0), Member("dead", "b", {1883: ("127.0.0.1", 1)}))
    until(lambda: running.checks(balancer)[Slot("b", 0)].failed, 10, "the dead one is noticed")
    assert not running.checks(balancer)[Slot("b", 0)].up


def test_a_certificate_is_swapped_under_an_open_session(site: Site) -> None:
    root = authority()
    old, new = (leaf("mqtt.example.com", signed_by=root) for _ in range(2))
    balancer = site.start(replace(site.plain, listeners=(SSL,)), bundle(old))
    site.serve(balancer, "one")
    with closing(site.connect(8883, trusting(old.root_pem))) as session:
        assert name_of(session) == "one"
        assert serial_on_the_wire(site, old) == old.certificate.serial_number
        running.install(balancer, 8883, bundle(new))
        assert serial_on_the_wire(site, new) == new.certificate.serial_number
        assert alive(session)
        running.change(balancer, replace(balancer.load_balancer, idle_timeout=61), {})
        assert serial_on_the_wire(site, new) == new.certificate.serial_number
        assert alive(session)


def test_a_certificate_whose_key_is_anothers_is_refused_and_the_old_one_stays(site: Site) -> None:
    old, other = leaf("mqtt.example.com"), leaf("mqtt.example.com", key="other")
    balancer = site.start(replace(site.plain, listeners=(SSL,)), bundle(old))
    with pytest.raises(RefusedError) as refusal:
        running.install(balancer, 8883, old.certificate_pem + other.private_key_pem)
    assert "PRIVATE KEY" not in str(refusal.value)
    assert serial_on_the_wire(site, old) == old.certificate.serial_number


@pytest.mark.parametrize(
    ("policy", "version", "accepted"),
    [
        ("ELBSecurityPolicy-TLS-1-2-2017-01", ssl.TLSVersion.TLSv1_2, True),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", ssl.TLSVersion.TLSv1_1, False),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", ssl.TLSVersion.TLSv1_3, False),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", ssl.TLSVersion.TLSv1_1, True),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", ssl.TLSVersion.TLSv1, False),
        ("ELBSecurityPolicy-2016-08", ssl.TLSVersion.TLSv1, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")  # obsolete ones are the point
def test_a_policy_admits_its_versions_and_no_other(
    site: Site, policy: str, version: ssl.TLSVersion, accepted: bool
) -> None:
    issued = leaf("mqtt.example.com")
    secure = listener("SSL", 8883, "TCP", 1883, ssl=PREDEFINED[policy])
    balancer = site.start(replace(site.plain, listeners=(secure,)), bundle(issued))
    site.serve(balancer, "one")
    context = trusting(issued.root_pem)
    context.set_ciphers(OBSOLETE_CIPHERS)  # else the client itself gives up on the obsolete ones
    context.minimum_version = context.maximum_version = version
    if accepted:
        with closing(site.connect(8883, context)) as connection:
            assert name_of(connection) == "one"
    else:
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            site.connect(8883, context)


def test_listeners_come_and_go_without_dropping_a_session_or_a_verdict(site: Site) -> None:
    balancer = site.start(site.plain)
    site.serve(balancer, "one")
    more = replace(site.plain, listeners=(TCP, replace(TCP, port=1884)))
    with closing(site.connect()) as session:
        assert name_of(session) == "one"
        running.change(balancer, more, {})
        with closing(site.connect(1884)) as second:
            assert name_of(second) == "one"  # at once: its health was not forgotten
            running.change(balancer, site.plain, {})
            assert alive(session)
            assert alive(second)
        with pytest.raises(ConnectionRefusedError):
            site.connect(1884)


@pytest.mark.parametrize("reloaded", [False, True])
def test_a_draining_instance_keeps_its_sessions_until_the_limit(site: Site, reloaded: bool) -> None:
    balancer = site.start(site.plain)
    site.serve(balancer, "one")
    with closing(site.connect()) as session:
        assert name_of(session) == "one"
        if reloaded:  # the session is now an old worker's
            running.change(balancer, replace(site.plain, idle_timeout=61), {})
        cut_at = time.monotonic() + 60
        running.drain(balancer, Slot("a", 0), cut_at)
        running.settle(balancer, now=cut_at - 1)
        assert alive(session)
        with closing(site.connect()) as refused:
            assert name_of(refused) == ""
        running.settle(balancer, now=cut_at)
        assert not alive(session)
        assert balancer.members == {}


def test_a_draining_instance_without_sessions_is_let_go_at_once(site: Site) -> None:
    balancer = site.start(site.plain)
    site.serve(balancer, "one")
    running.drain(balancer, Slot("a", 0), time.monotonic() + 3600)
    running.settle(balancer, time.monotonic())
    assert balancer.members == {}


def test_a_configuration_that_haproxy_refuses_changes_nothing(site: Site) -> None:
    balancer = site.start(site.plain)
    site.serve(balancer, "one")
    with pytest.raises(RefusedError):
        running.change(balancer, replace(site.plain, listeners=(TCP, SSL)), {})  # there is no 8883.pem
    with closing(site.connect()) as connection:
        assert name_of(connection) == "one"


def test_a_load_balancer_may_have_no_listener_for_a_while(site: Site) -> None:
    balancer = site.start(replace(site.plain, listeners=()))
    running.change(balancer, site.plain, {})
    site.serve(balancer, "one")
    with closing(site.connect()) as connection:
        assert name_of(connection) == "one"


def test_the_proxy_protocol_names_the_client(site: Site) -> None:
    proxied = listener("TCP", 1883, "TCP", 1883, proxy_protocol=True)
    balancer = site.start(replace(site.plain, listeners=(proxied,)))
    site.serve(balancer, "one")
    with closing(site.connect()) as connection:
        connection.settimeout(5)
        reader = connection.makefile()
        assert reader.readline() == "one\n"
        assert reader.readline().startswith("PROXY TCP4 127.0.0.1 ")
