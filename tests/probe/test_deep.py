"""The deep probe's story against real small brokers and real TLS on loopback."""

from __future__ import annotations

import json
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from chalicelib import telemetry
from chalicelib.model.errors import Unserved
from chalicelib.probe.deep import complain_of_deep, deep_probe_all, deep_probe_one
from chalicelib.probe.deep_plan import Finding
from chalicelib.probe.deep_sessions import Permits, keep_open
from lab.fidelity.knobs import KNOBS
from tests.probe.test_story import CREDENTIALS, create, keep, listener, resolve
from tests.world import mqtt_broker as mqtt
from tests.world.by_hand import REFERENCE, negotiating
from tests.world.certificates import Issued, leaf
from tests.world.emitted import emitted
from tests.world.mqtt_broker import Connection, Packet, Rule, broker
from tests.world.provisioning import Account, account
from tests.world.servers import Talk, over_tls, serving, tls_context

OWN = leaf("own.example.com")


@pytest.fixture
def here() -> Iterator[Account]:
    with account() as found:
        yield found


def quick(here: Account, name: str) -> None:
    """Let its sessions be idle for two seconds only."""
    here.world.elb.modify_load_balancer_attributes(
        LoadBalancerName=name, LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": 3}}
    )


class Cluster:
    """Delivers what is published to every session; split, to the sessions of every other number only.

    `frozen`: every session of such a number takes the connection and says nothing, as a node that is stopped.
    """

    def __init__(self, *, split: bool = False, frozen: int = 0) -> None:
        self.split = split
        self.frozen = frozen
        self.begun = 0
        self.rules: dict[int, Rule] = {}
        self.sessions: list[tuple[int, Any]] = []
        self.lock = Lock()

    def talk(self, connection: Any) -> None:
        """Serve one session."""
        with self.lock:
            number, self.begun = self.begun, self.begun + 1
        if self.frozen and number % self.frozen == 0:
            mqtt.wait_for_end(connection)
            return

        def join(packet: Packet, known: Connection) -> bytes:
            with self.lock:
                self.sessions.append((number, connection))
            return mqtt.well(packet, known)

        def spread(packet: Packet, known: Connection) -> bytes:
            mid = mqtt.remember(packet, known)
            connection.sendall(mqtt.acknowledged(mid, known))
            with self.lock:
                for other, session in self.sessions:
                    if session.fileno() >= 0 and not (self.split and (other - number) % 2):
                        session.sendall(mqtt.delivered(known))
            return b""

        rules: dict[int, Rule] = {mqtt.SUBSCRIBE: join, mqtt.PUBLISH: spread, **self.rules}
        broker(rules)(connection)


def results(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {finding.check: finding.result for finding in findings}


def in_service(here: Account, name: str, count: int) -> None:
    """Put that many instances in service behind it."""
    ids = here.launch(*(f"node-{number}" for number in range(count)), subnet=here.subnets[0])
    KNOBS.instance_health = None
    here.world.elb.register_instances_with_load_balancer(
        LoadBalancerName=name, Instances=[{"InstanceId": id_} for id_ in ids]
    )


def test_a_cluster_that_delivers_everywhere_passes(here: Account, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Cluster().talk) as server:
        create(here, "demo", listener(server.port))
        quick(here, "demo")
        in_service(here, "demo", 2)
        (verdict,) = deep_probe_all(here.invocation(within=890), resolve=resolve)
    assert results(verdict.findings) == {"delivery": "passed", "idle": "passed"}
    assert emitted(capsys.readouterr().out) == []


def bad_minutes(records: list[dict[str, Any]]) -> list[int]:
    """Seconds from one zero back to the one before."""
    assert all(record["ProbeSuccess"] == 0 for record in records)
    times = [record["_aws"]["Timestamp"] // 1000 for record in records]
    return [after - before for after, before in pairwise(times)]


def test_a_cluster_that_stays_split_is_tried_three_times_and_rings_the_alarm(
    here: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = StringIO()
    monkeypatch.setattr(telemetry.logger().registered_handler, "stream", log)
    with serving(Cluster(split=True).talk) as server:
        create(here, "demo", listener(server.port))
        quick(here, "demo")
        here.settings = replace(here.settings, probe_timeout=timedelta(seconds=1))
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    assert results(verdict.findings)["delivery"] == "failed"
    assert verdict.result == "failed"
    assert here.passed.total_seconds() == 120
    assert bad_minutes(emitted(capsys.readouterr().out)) == [60, 60]
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [record["result"] for record in lines if record["message"] == "deep-probe"] == ["failed"] * 4


def test_a_node_that_takes_no_sessions_among_others_that_do_is_found_and_rings_the_alarm(
    here: Account, capsys: pytest.CaptureFixture[str], logged: Callable[[], list[dict[str, Any]]]
) -> None:
    with serving(Cluster(frozen=5).talk) as server:
        create(here, "demo", listener(server.port))
        quick(here, "demo")
        in_service(here, "demo", 5)
        here.settings = replace(here.settings, probe_timeout=timedelta(seconds=2))
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    assert results(verdict.findings)["delivery"] == "failed"
    assert bad_minutes(emitted(capsys.readouterr().out)[:3]) == [60, 60]
    record = next(one for one in logged() if one["message"] == "deep-probe")
    (found,) = [one for one in record["findings"] if one["check"] == "delivery"]
    assert (found["cause"], found["sessions"], found["nodes"]) == ("sessions-missing", 28, 5)
    assert found["came_about"] in {22, 23}
    assert found["received"] == found["came_about"], "the others receive"
    assert found["nodes_met"] == 4


def test_sessions_that_receive_nothing_are_counted_each(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Cluster(split=True).talk) as server:
        create(here, "demo", listener(server.port))
        quick(here, "demo")
        in_service(here, "demo", 2)
        here.settings = replace(here.settings, probe_timeout=timedelta(seconds=1))
        verdict = deep_probe_one("demo", here.invocation(within=20), resolve=resolve)
    (delivery,) = [one for one in verdict.findings if one.check == "delivery"]
    assert (delivery.cause, delivery.counts) == (
        "not-delivered",
        {"sessions": 8, "came_about": 8, "received": 4, "nodes": 2, "nodes_met": 2},
    )
    assert emitted(capsys.readouterr().out) == [], "one look is not enough to ring"


def test_a_broker_with_one_session_for_each_user_is_said_to_be_one(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    keep("credentials", username="probe", password="word")
    with serving(mqtt.OneSessionAUser().talk) as server:
        create(here, "demo", listener(server.port), probe=CREDENTIALS)
        quick(here, "demo")
        in_service(here, "demo", 2)
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    assert results(verdict.findings) == dict.fromkeys(("delivery", "idle"), "untested")
    assert all("use_username_as_clientid" in one.note for one in verdict.findings)
    assert emitted(capsys.readouterr().out) == []


def test_a_user_of_a_broker_with_many_sessions_for_each_is_probed(here: Account) -> None:
    keep("credentials", username="probe", password="word")
    with serving(Cluster().talk) as server:
        create(here, "demo", listener(server.port), probe=CREDENTIALS)
        quick(here, "demo")
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    assert verdict.result == "passed"


def keepalive_of(packet: Packet) -> int:
    return int.from_bytes(packet.body[8:10], "big")


def test_a_broker_that_announces_a_server_keep_alive_is_not_left_silent_for_longer(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """Idle for three times the Server Keep Alive, a session is cut, as by a broker that keeps to MQTT."""
    cluster = Cluster()

    def announced(_packet: Packet, known: Connection) -> bytes:
        known.version = 5
        return mqtt.packed(mqtt.CONNACK, b"\0\0\x03\x13\0\x01")

    def impatient(connection: Any) -> None:
        connection.settimeout(1.5)
        cluster.talk(connection)

    cluster.rules[mqtt.CONNECT] = announced
    with serving(impatient) as server:
        create(here, "demo", listener(server.port), probe="protocol=5")
        here.world.elb.modify_load_balancer_attributes(
            LoadBalancerName="demo", LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": 9}}
        )
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    (idle,) = [one for one in verdict.findings if one.check == "idle"]
    assert (idle.result, "Server Keep Alive" in idle.note) == ("passed", True)
    assert emitted(capsys.readouterr().out) == []


def test_a_broker_that_allows_a_shorter_keepalive_only_is_no_fault_of_the_load_balancer(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """mosquitto's max_keepalive: with MQTT 3.1.1 it refuses a client that asks for more."""
    asked: list[int] = []
    cluster = Cluster()

    def strict(packet: Packet, known: Connection) -> bytes:
        asked.append(keepalive_of(packet))
        return mqtt.packed(mqtt.CONNACK, b"\0\x02") if asked[-1] > 60 else mqtt.well(packet, known)

    cluster.rules[mqtt.CONNECT] = strict
    with serving(cluster.talk) as server:
        create(here, "demo", listener(server.port))
        here.world.elb.modify_load_balancer_attributes(
            LoadBalancerName="demo", LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": 450}}
        )
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    (idle,) = [one for one in verdict.findings if one.check == "idle"]
    assert (idle.result, "keepalive of 300 s" in idle.note) == ("untested", True)
    assert max(asked) == 300, "what devices ask for, and no more"
    assert emitted(capsys.readouterr().out) == []


def test_tcp_keeps_an_idle_connection_known_on_its_way() -> None:
    with socket.create_server(("127.83.4.1", 0)) as server, socket.socket() as own:
        own.connect(server.getsockname())
        keep_open(own)
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 350
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) < 350


def test_no_more_is_in_use_at_once_than_there_is() -> None:
    permits, most, now, lock = Permits(10), [0], [0], Lock()

    def use(count: int) -> None:
        with permits.taken(count):
            with lock:
                now[0] += count
                most[0] = max(most[0], now[0])
            with lock:
                now[0] -= count

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, [1, 10, 3, 7, 5, 5, 9, 2] * 20))
    assert most[0] <= 10
    assert now[0] == 0


def test_a_cluster_that_was_split_for_a_moment_is_reported_and_rings_no_alarm(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(split=True)

    def mended(seconds: float) -> None:
        here.passed += timedelta(seconds=seconds)
        cluster.split = False

    with serving(cluster.talk) as server:
        create(here, "demo", listener(server.port))
        quick(here, "demo")
        here.settings = replace(here.settings, probe_timeout=timedelta(seconds=1))
        work = replace(here.invocation(within=890), sleep=mended)
        verdict = deep_probe_one("demo", work, resolve=resolve)
    assert results(verdict.findings)["delivery"] == "passed"
    assert emitted(capsys.readouterr().out) == []


def test_a_session_that_is_cut_while_it_is_silent_is_found_and_rings_the_alarm(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    def impatient(connection: Any) -> None:
        connection.settimeout(1)
        broker()(connection)

    with serving(impatient) as server:
        create(here, "demo", listener(server.port))
        quick(here, "demo")
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    assert results(verdict.findings)["idle"] == "failed"
    # The last three: this broker is too impatient for a delivery as well.
    assert bad_minutes(emitted(capsys.readouterr().out)[-3:]) == [60, 60]


def test_a_session_that_may_have_ended_with_its_node_rings_no_alarm(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster()

    def interrupted(connection: Any) -> None:
        connection.settimeout(1)
        try:
            cluster.talk(connection)
        finally:
            here.world.elb.deregister_instances_from_load_balancer(
                LoadBalancerName="demo", Instances=[{"InstanceId": node}]
            )

    with serving(interrupted) as server:
        create(here, "demo", listener(server.port))
        quick(here, "demo")
        in_service(here, "demo", 2)
        node = here.world.describe()["Instances"][0]["InstanceId"]
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    assert results(verdict.findings) == {"delivery": "passed", "idle": "untested"}
    assert node in verdict.findings[-1].note
    assert emitted(capsys.readouterr().out) == []


def offering(issued: Issued, directory: Path, minimum: ssl.TLSVersion) -> Talk:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = tls_context(issued, directory, ciphers="ALL:@SECLEVEL=0")
        context.minimum_version = minimum
    return over_tls(context, broker())


@pytest.mark.parametrize(
    ("minimum", "found"),
    [(ssl.TLSVersion.TLSv1_2, {"passed"}), (ssl.TLSVersion.TLSv1_1, {"passed", "failed"})],
)
def test_obsolete_tls_is_refused_as_the_policy_says(
    here: Account, minimum: ssl.TLSVersion, found: set[str], tmp_path: Path
) -> None:
    arn = here.world.upload()
    with serving(offering(OWN, tmp_path, minimum)) as server:
        create(here, "demo", listener(server.port, "SSL", arn))
        quick(here, "demo")
        negotiating(here, "strict", {REFERENCE: "ELBSecurityPolicy-TLS-1-2-2017-01"}, server.port)
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolve)
    assert {one.result for one in verdict.findings if one.check == "obsolete-tls"} == found


@pytest.mark.parametrize("error", [TypeError, ValueError, RecursionError])
def test_what_nobody_expected_of_one_fails_that_one_alone(here: Account, error: type[Exception]) -> None:
    def resolved(host: str) -> tuple[str, ...]:
        if "ill" in host:
            raise error("made up")
        return resolve(host)

    with serving(Cluster().talk) as server:
        for name in ("ill", "well"):
            create(here, name, listener(server.port))
            quick(here, name)
        in_service(here, "well", 2)
        verdicts = deep_probe_all(here.invocation(within=890), resolve=resolved)
    assert {one.load_balancer: one.result for one in verdicts} == {"ill": "untested", "well": "passed"}
    with pytest.raises(Unserved, match="ill: made up"):
        complain_of_deep(verdicts)
    complain_of_deep(one for one in verdicts if one.load_balancer == "well")


def test_a_name_that_does_not_resolve_is_left_to_the_probe(here: Account) -> None:
    def nowhere(_host: str) -> tuple[str, ...]:
        raise OSError

    create(here, "demo", listener(1883))
    assert deep_probe_one("demo", here.invocation(within=890), resolve=nowhere).result == "untested"
