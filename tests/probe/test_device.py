"""One probe against real small servers on loopback, each with its own fault."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from paho.mqtt.client import Client

from chalicelib.model.probe_options import ProbeOptions
from chalicelib.probe.device import DeviceClient, probe_address
from chalicelib.probe.mqtt import Credentials, Session
from chalicelib.probe.plan import Outcome, Target
from chalicelib.tls.handshake import Trust
from chalicelib.x509.pem import certificate_digest
from tests.world import mqtt_broker as mqtt
from tests.world.certificates import Issued, authority, leaf, self_signed
from tests.world.mqtt_broker import Close, Connection, Packet, Reset, Rule, Stall, broker
from tests.world.servers import ADDRESS, Talk, garbage, hanging_up, over_tls, serving, silent, tls_context

NAME = "mqtt.example.com"
ROOT = authority("Probe CA")
GOOD = leaf(NAME, signed_by=ROOT)
SOON = 0.4
"""Seconds for a probe that is to run into its deadline."""
AMPLE = 20.0


def tried(
    port: int,
    *,
    within: float = AMPLE,
    secure: bool = False,
    qos: Literal[0, 1, 2] = 1,
    protocol: Literal["3.1.1", "5"] = "3.1.1",
    credentials: Credentials | None = None,
    plain_credentials: bool = False,
    anchors: tuple[str, ...] = (ROOT.certificate_pem,),
    hostname: str | None = NAME,
    certificate: str | None = None,
    installed: frozenset[str] = frozenset(),
) -> Outcome:
    target = Target(
        load_balancer="demo",
        host="demo.eu-central-1.elb.amazonaws.com",
        port=port,
        secure=secure,
        hostname=hostname,
        certificate=certificate,
        installed=installed,
        options=ProbeOptions(qos=qos, protocol=protocol, plain_credentials=plain_credentials),
    )
    means = DeviceClient(trust=Trust(anchors, system=False), credentials=credentials or Credentials())
    return probe_address(target, ADDRESS, means, deadline=time.monotonic() + within)


def served(talk: Talk, **options: object) -> Outcome:
    with serving(talk) as server:
        return tried(server.port, **options)  # type: ignore[arg-type] # the options of `tried`


def ended(outcome: Outcome) -> tuple[str, str] | None:
    return (outcome.failure.phase, outcome.failure.cause) if outcome.failure else None


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_phase_passed_has_its_time(qos: int, protocol: str) -> None:
    outcome = served(broker(), qos=qos, protocol=protocol)
    assert ended(outcome) is None
    phases = {"tcp", "connack", "suback", "echo"} | ({"puback"} if qos else set())
    assert outcome.times_ms.keys() == phases
    assert all(spent >= 0 for spent in outcome.times_ms.values())


def test_through_tls_the_certificate_is_reported(tmp_path: Path) -> None:
    outcome = served(over_tls(tls_context(GOOD, tmp_path), broker()), secure=True)
    assert ended(outcome) is None
    assert outcome.tls_version == "TLSv1.2"
    assert outcome.served is not None
    assert int(outcome.served.leaf.serial, 16) == GOOD.certificate.serial_number
    assert {"tcp", "tls", "connack", "suback", "puback", "echo"} == outcome.times_ms.keys()


def silence(_packet: Packet, _known: Connection) -> bytes:
    return b""


def raising(how: type[Exception]) -> Rule:
    def rule(_packet: Packet, _known: Connection) -> bytes:
        raise how

    return rule


def saying(answer: bytes) -> Rule:
    return lambda _packet, _known: answer


def connack(code: int) -> Rule:
    def rule(packet: Packet, known: Connection) -> bytes:
        known.version = packet.body[6]
        return mqtt.packed(mqtt.CONNACK, bytes([0, code]) + (b"\0" if known.five else b""))

    return rule


def suback(code: int) -> Rule:
    return lambda packet, known: mqtt.packed(
        mqtt.SUBACK, packet.body[:2] + (b"\0" if known.five else b"") + bytes([code])
    )


def back_as(payload: bytes | None, *, retained: bool = False, times: int = 1) -> Rule:
    """Acknowledge, and send the message back with another payload, retained, or several times."""

    def rule(packet: Packet, known: Connection) -> bytes:
        mid = mqtt.remember(packet, known)
        known_back = mqtt.delivered(known, payload, retained=retained)
        return mqtt.acknowledged(mid, known) + known_back * times

    return rule


def never_back(packet: Packet, known: Connection) -> bytes:
    return mqtt.acknowledged(mqtt.remember(packet, known), known)


def never_acknowledged(packet: Packet, known: Connection) -> bytes:
    mqtt.remember(packet, known)
    return mqtt.delivered(known)


def foreign(packet: Packet, known: Connection) -> bytes:
    mid = mqtt.remember(packet, known)
    known.topic = b"somebody/else"
    return mqtt.acknowledged(mid, known) + mqtt.delivered(known)


LATE: list[tuple[dict[int, Rule], str, str]] = [
    ({mqtt.CONNECT: silence}, "connack", "connack-timeout"),
    ({mqtt.CONNECT: raising(Stall)}, "connack", "connack-timeout"),
    ({mqtt.SUBSCRIBE: silence}, "suback", "suback-timeout"),
    ({mqtt.SUBSCRIBE: raising(Stall)}, "suback", "suback-timeout"),
    ({mqtt.PUBLISH: raising(Stall)}, "puback", "puback-timeout"),
    ({mqtt.PUBLISH: never_acknowledged}, "puback", "puback-timeout"),
    ({mqtt.PUBLISH: never_back}, "echo", "echo-timeout"),
    ({mqtt.PUBLISH: foreign}, "echo", "echo-timeout"),
    ({mqtt.PUBLISH: back_as(None, retained=True)}, "echo", "echo-timeout"),
    ({mqtt.PUBLISH: back_as(b"altered")}, "echo", "echo-wrong"),
]


@pytest.mark.parametrize(("rules", "phase", "cause"), LATE)
def test_a_broker_that_lets_one_wait_is_reported_by_the_phase_that_never_ended(
    rules: Mapping[int, Rule], phase: str, cause: str
) -> None:
    outcome = served(broker(rules), within=SOON)
    assert ended(outcome) == (phase, cause)
    assert phase not in outcome.times_ms


SUDDEN: list[tuple[dict[int, Rule], str, str]] = [
    ({mqtt.CONNECT: raising(Close)}, "connack", "connack-closed"),
    ({mqtt.CONNECT: raising(Reset)}, "connack", "connack-closed"),
    ({mqtt.CONNECT: saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")}, "connack", "connack-garbage"),
    ({mqtt.CONNECT: saying(b"\x00\x00")}, "connack", "connack-garbage"),
    ({mqtt.CONNECT: saying(b"\x20\xff\xff\xff\xff\xff")}, "connack", "connack-garbage"),
    ({mqtt.CONNECT: saying(b"\x20\x01\x00")}, "connack", "connack-garbage"),
    ({mqtt.SUBSCRIBE: raising(Close)}, "suback", "suback-closed"),
    ({mqtt.SUBSCRIBE: raising(Reset)}, "suback", "suback-closed"),
    ({mqtt.SUBSCRIBE: saying(b"\x90\x00")}, "suback", "suback-garbage"),
    ({mqtt.SUBSCRIBE: saying(b"\xf0\xff\xff\xff\xff\xff")}, "suback", "suback-garbage"),
    ({mqtt.PUBLISH: raising(Close)}, "puback", "puback-closed"),
    ({mqtt.PUBLISH: raising(Reset)}, "puback", "puback-closed"),
    ({mqtt.PUBLISH: saying(b"\x40\x01\x00")}, "puback", "puback-garbage"),
]


@pytest.mark.parametrize(("rules", "phase", "cause"), SUDDEN)
def test_a_broker_that_hangs_up_or_talks_garbage_is_reported_at_once(
    rules: Mapping[int, Rule], phase: str, cause: str
) -> None:
    assert ended(served(broker(rules))) == (phase, cause)


@pytest.mark.parametrize(
    ("protocol", "code", "reason"),
    [
        ("3.1.1", 1, "unsupported-protocol-version"),
        ("3.1.1", 2, "client-identifier-not-valid"),
        ("3.1.1", 3, "server-unavailable"),
        ("3.1.1", 4, "bad-user-name-or-password"),
        ("3.1.1", 5, "not-authorized"),
        ("5", 0x84, "unsupported-protocol-version"),
        ("5", 0x85, "client-identifier-not-valid"),
        ("5", 0x86, "bad-user-name-or-password"),
        ("5", 0x87, "not-authorized"),
        ("5", 0x88, "server-unavailable"),
        ("5", 0x89, "server-busy"),
        ("5", 0x8A, "banned"),
        ("5", 0x97, "quota-exceeded"),
        ("5", 0x9C, "use-another-server"),
        ("5", 0x9F, "connection-rate-exceeded"),
    ],
)
def test_a_refused_connect_is_reported_with_the_brokers_reason(protocol: str, code: int, reason: str) -> None:
    outcome = served(broker({mqtt.CONNECT: connack(code)}), protocol=protocol)
    assert ended(outcome) == ("connack", f"connack-refused:{reason}")


@pytest.mark.parametrize(
    ("protocol", "code", "reason"), [("3.1.1", 0x80, "unspecified-error"), ("5", 0x87, "not-authorized")]
)
def test_a_refused_subscribe_is_reported_with_the_brokers_reason(
    protocol: str, code: int, reason: str
) -> None:
    outcome = served(broker({mqtt.SUBSCRIBE: suback(code)}), protocol=protocol)
    assert ended(outcome) == ("suback", f"suback-refused:{reason}")


@pytest.mark.parametrize(
    ("qos", "answer", "code", "cause"),
    [
        (1, mqtt.PUBACK, 0x87, "puback-refused:not-authorized"),
        (2, mqtt.PUBREC, 0x87, "puback-refused:not-authorized"),
        (2, mqtt.PUBREC, 0x97, "puback-refused:quota-exceeded"),
        # "No matching subscribers" is no refusal: what is sent back then has not come.
        (1, mqtt.PUBACK, 0x10, "echo-timeout"),
        (2, mqtt.PUBREC, 0x10, "echo-timeout"),
    ],
)
def test_a_refused_publish_is_reported_with_the_brokers_reason(
    qos: int, answer: int, code: int, cause: str
) -> None:
    """With QoS 2 the refusal is the PUBREC's: a PUBREL after it is for what the broker has forgotten."""

    def said(packet: Packet, known: Connection) -> bytes:
        return mqtt.packed(answer, mqtt.remember(packet, known) + bytes([code]))

    def forgotten(packet: Packet, _: Connection) -> bytes:
        return mqtt.packed(mqtt.PUBCOMP, packet.body[:2] + (b"\x92" if code >= 0x80 else b""))

    rules = {mqtt.PUBLISH: said, mqtt.PUBREL: forgotten}
    outcome = served(broker(rules), protocol="5", qos=qos, within=SOON if "timeout" in cause else AMPLE)
    assert ended(outcome) == (cause[: cause.index("-")], cause)


def test_a_disconnect_of_mqtt_5_is_reported_with_its_reason() -> None:
    goodbye = saying(mqtt.packed(mqtt.DISCONNECT, b"\x8b\x00"))
    outcome = served(broker({mqtt.SUBSCRIBE: goodbye}), protocol="5")
    assert ended(outcome) == ("suback", "suback-closed:server-shutting-down")


def test_a_message_that_comes_twice_or_after_an_altered_one_counts_once() -> None:
    def altered_first(packet: Packet, known: Connection) -> bytes:
        mid = mqtt.remember(packet, known)
        return mqtt.acknowledged(mid, known) + mqtt.delivered(known, b"altered") + mqtt.delivered(known)

    assert ended(served(broker({mqtt.PUBLISH: back_as(None, times=2)}))) is None
    assert ended(served(broker({mqtt.PUBLISH: altered_first}))) is None


BROKEN: list[tuple[Issued, str | None, str]] = [
    (leaf(NAME, signed_by=ROOT, not_after=datetime.now(UTC) - timedelta(days=1)), NAME, "tls-expired"),
    (leaf(NAME, signed_by=ROOT, not_before=datetime.now(UTC) + timedelta(days=1)), NAME, "tls-not-yet-valid"),
    (leaf("other.example.com", signed_by=ROOT), NAME, "tls-name"),
    (leaf("*.eu-west-1.elb.amazonaws.com", signed_by=ROOT), None, "tls-name"),
    (leaf(NAME, signed_by=authority("Stranger")), NAME, "tls-untrusted"),
    (self_signed(NAME), NAME, "tls-untrusted"),
]


@pytest.mark.parametrize(("issued", "hostname", "cause"), BROKEN)
def test_a_broken_certificate_is_named_by_its_cause_and_shown(
    issued: Issued, hostname: str | None, cause: str, tmp_path: Path
) -> None:
    talk = over_tls(tls_context(issued, tmp_path), broker())
    outcome = served(talk, secure=True, hostname=hostname)
    assert ended(outcome) == ("tls", cause)
    assert outcome.served is not None
    assert int(outcome.served.leaf.serial, 16) == issued.certificate.serial_number


@pytest.mark.parametrize("domain", ["*.eu-central-1.elb.amazonaws.com", "any.example.com"])
def test_without_a_host_name_the_certificates_own_name_counts(domain: str, tmp_path: Path) -> None:
    talk = over_tls(tls_context(leaf(domain, signed_by=ROOT), tmp_path), broker())
    assert ended(served(talk, secure=True, hostname=None)) is None


def test_a_root_that_comes_along_is_trusted_only_where_it_is_what_was_installed(tmp_path: Path) -> None:
    own = self_signed(NAME)
    name = f"eu-central-1-demo-{certificate_digest(own.certificate_pem, '')[:16]}"
    talk = over_tls(tls_context(own, tmp_path), broker())
    assert ended(served(talk, secure=True, certificate=name)) is None
    assert ended(served(talk, secure=True, certificate="bought-elsewhere")) == ("tls", "tls-untrusted")


@pytest.mark.parametrize(
    ("talk", "cause"), [(silent, "tls-timeout"), (hanging_up, "tls-closed"), (garbage, "tls-garbage")]
)
def test_what_is_no_tls_is_reported(talk: Talk, cause: str) -> None:
    within = SOON if talk is silent else AMPLE
    assert ended(served(talk, secure=True, within=within)) == ("tls", cause)


def trickling(first: bytes) -> Talk:
    """Begin well and go on a byte at a time, so that no single read ever waits long."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(first)
        while True:
            threading.Event().wait(0.02)
            connection.sendall(b"\0")

    return talk


@pytest.mark.parametrize(
    ("first", "secure", "phase"),
    [(b"\x16\x03\x03\x40\x00", True, "tls"), (b"\x20\xff\xff\x03", False, "connack")],
)
def test_one_that_answers_a_byte_at_a_time_outlives_no_deadline(
    first: bytes, secure: bool, phase: str
) -> None:
    began = time.monotonic()
    outcome = served(trickling(first), secure=secure, within=SOON)
    assert ended(outcome) == (phase, f"{phase}-timeout")
    # The promise itself is timed: never more than a second beyond the deadline.
    assert time.monotonic() - began < SOON + 1


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    with serving(silent) as server:
        port = server.port
    assert ended(tried(port)) == ("tcp", "tcp-refused")


def test_a_probe_whose_time_is_up_is_not_begun() -> None:
    assert ended(tried(1, within=-1)) == ("tcp", "deadline")


def test_credentials_reach_the_broker_and_nothing_else() -> None:
    seen: list[bytes] = []

    def note(packet: Packet, known: Connection) -> bytes:
        seen.append(packet.body)
        return connack(4)(packet, known)

    known = Credentials("device", "s3cret-word")
    outcome = served(broker({mqtt.CONNECT: note}), credentials=known, plain_credentials=True)
    assert seen[0].endswith(b"\0\x06device\0\x0bs3cret-word")
    assert "s3cret-word" not in f"{outcome!r}{known!r}{DeviceClient(credentials=known)!r}"


def noting(seen: list[bytes]) -> Talk:
    def note(packet: Packet, known: Connection) -> bytes:
        seen.append(packet.body)
        return mqtt.well(packet, known)

    return broker({mqtt.CONNECT: note})


SENT = Credentials("device", "s3cret-word")


def test_a_password_is_not_sent_over_plain_tcp() -> None:
    seen: list[bytes] = []
    outcome = served(noting(seen), credentials=SENT)
    assert (ended(outcome), seen) == (("connack", "plain-credentials"), [])
    assert "tcp" in outcome.times_ms
    assert ended(served(noting(seen), credentials=Credentials("device"))) is None, "a user name is no secret"


OWN_NAME = "demo.eu-central-1.elb.amazonaws.com"


@pytest.mark.parametrize(
    ("names", "hostname", "known", "sent"),
    [
        ([NAME], NAME, "", True),
        ([NAME], None, "", False),
        ([NAME], None, "by its digest", True),
        ([NAME], None, NAME, True),
        ([NAME, "other.example.com"], None, NAME, False),
        ([NAME], None, "other.example.com", False),
        ([OWN_NAME], None, "", True),
        (["*.eu-central-1.elb.amazonaws.com"], None, "", True),
        (["other.example.com", OWN_NAME], None, "", True),
    ],
)
def test_a_password_goes_to_the_installed_certificate_or_to_the_name_of_clients_alone(
    names: list[str], hostname: str | None, known: str, sent: bool, tmp_path: Path
) -> None:
    """`known` is how the installed one is known: by its name in IAM, or by the names that AWS shows."""
    issued, seen = leaf(*names, signed_by=ROOT), list[bytes]()
    digest = certificate_digest(issued.certificate_pem, issued.chain_pem)[:16]
    talk = over_tls(tls_context(issued, tmp_path), noting(seen))
    certificate = f"eu-central-1-demo-{digest}" if known == "by its digest" else "bought-elsewhere"
    installed = frozenset({known} if "." in known else ())
    outcome = served(
        talk,
        secure=True,
        hostname=hostname,
        certificate=certificate,
        installed=installed,
        credentials=SENT,
    )
    assert (ended(outcome), bool(seen)) == ((None, True) if sent else (("tls", "tls-unproven"), False))
    # Without a password there is nothing to lose.
    assert ended(served(talk, secure=True, hostname=hostname, certificate=certificate)) is None


def test_each_probe_has_a_client_id_a_topic_and_a_payload_of_its_own() -> None:
    seen: list[tuple[bytes, bytes]] = []

    def note(packet: Packet, known: Connection) -> bytes:
        answer = mqtt.published(packet, known)
        seen.append((known.topic, known.payload))
        return answer

    for _ in range(2):
        assert ended(served(broker({mqtt.PUBLISH: note}))) is None
    (first, one), (second, other) = seen
    assert first != second
    assert one != other


def test_paho_still_calls_what_is_overridden() -> None:
    assert callable(Client._create_socket)
    assert callable(Client._sock_recv)
    assert callable(Client._handle_pubrec)
    assert callable(Client._handle_publish)
    with socket.create_server((ADDRESS, 0)) as server, socket.create_connection(server.getsockname()) as own:
        session = Session(
            own,
            client_id="c",
            protocol="3.1.1",
            credentials=Credentials(),
            deadline=time.monotonic() + AMPLE,
            keepalive=60,
        )
        theirs, _ = server.accept()
        with theirs:
            theirs.sendall(mqtt.packed(mqtt.CONNACK, b"\0\0"))
            session.connect()
            assert theirs.recv(100)[:1] == b"\x10", "CONNECT went over the socket that was handed over"
        assert session.heard.received == 4, "what came was counted"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_thousand_probes_leave_no_descriptor_and_no_thread(tmp_path: Path) -> None:
    refusing = broker({mqtt.SUBSCRIBE: raising(Close)})
    secure = over_tls(tls_context(GOOD, tmp_path), broker())
    with serving(refusing) as bad, serving(broker()) as good, serving(secure) as encrypted:
        ways: list[tuple[int, bool, str]] = [
            (good.port, False, NAME),
            (bad.port, False, NAME),
            (encrypted.port, True, NAME),
            (encrypted.port, True, "other.example.com"),
        ]
        for port, tls, hostname in ways:
            tried(port, secure=tls, hostname=hostname)
        before, threads = descriptors(), threading.active_count()
        for number in range(1000):
            port, tls, hostname = ways[number % len(ways)]
            tried(port, secure=tls, hostname=hostname)
        ended_by = time.monotonic() + 20
        while threading.active_count() > threads and time.monotonic() < ended_by:
            threading.Event().wait(0.01)  # the servers' own ends
        assert descriptors() <= before
        assert threading.active_count() <= threads
