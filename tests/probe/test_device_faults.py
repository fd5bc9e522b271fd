"""More that may happen to a probe on the wire, phase by phase; each served by a real small server."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from chalicelib.x509.pem import encode
from tests.probe.test_device import (
    AMPLE,
    GOOD,
    LATE,
    NAME,
    ROOT,
    SOON,
    connack,
    ended,
    raising,
    saying,
    served,
    silence,
    suback,
    tried,
)
from tests.world import mqtt_broker as mqtt
from tests.world.certificates import UNKNOWN, Issued, authority, leaf, patched
from tests.world.mqtt_broker import Close, Connection, Packet, Reset, Rule, broker
from tests.world.servers import ADDRESS, Talk, filtered, over_tls, server_context, silent, tls_context

Protocol = Literal["3.1.1", "5"]
GARBAGE = b"\xf0\xff\xff\xff\xff\xff"

# https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901079 (table 3-1); the other
# reasons are tested beside the plain probe. 0x99 is about a Will, which a probe has not.
REFUSALS = {
    0x80: "unspecified-error",
    0x81: "malformed-packet",
    0x82: "protocol-error",
    0x83: "implementation-specific-error",
    0x8C: "bad-authentication-method",
    0x90: "topic-name-invalid",
    0x95: "packet-too-large",
    0x9A: "retain-not-supported",
    0x9B: "qos-not-supported",
    0x9D: "server-moved",
}
# Table 3-8 of the same: what a SUBACK may say.
NO_SUBSCRIPTION = {
    0x80: "unspecified-error",
    0x83: "implementation-specific-error",
    0x87: "not-authorized",
    0x8F: "topic-filter-invalid",
    0x91: "packet-identifier-in-use",
    0x97: "quota-exceeded",
    0x9E: "shared-subscription-not-supported",
    0xA1: "subscription-identifiers-not-supported",
    0xA2: "wildcard-subscription-not-supported",
}


@pytest.mark.parametrize(("code", "reason"), REFUSALS.items())
def test_every_reason_of_mqtt_5_for_refusing_a_session_is_reported(code: int, reason: str) -> None:
    outcome = served(broker({mqtt.CONNECT: connack(code)}), protocol="5")
    assert ended(outcome) == ("connack", f"connack-refused:{reason}")


@pytest.mark.parametrize(("code", "reason"), NO_SUBSCRIPTION.items())
def test_every_reason_of_mqtt_5_for_refusing_a_subscription_is_reported(code: int, reason: str) -> None:
    outcome = served(broker({mqtt.SUBSCRIBE: suback(code)}), protocol="5")
    assert ended(outcome) == ("suback", f"suback-refused:{reason}")


ECHO: list[tuple[Rule, str]] = [
    (raising(Close), "echo-closed"),
    (raising(Reset), "echo-closed"),
    (saying(GARBAGE), "echo-garbage"),
]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize(("rule", "cause"), ECHO)
def test_what_ends_the_wait_for_the_own_message_is_the_cause(
    rule: Rule, cause: str, protocol: Protocol
) -> None:
    # QoS 0: nothing is acknowledged, the message itself is the first answer to a PUBLISH.
    assert ended(served(broker({mqtt.PUBLISH: rule}), qos=0, protocol=protocol)) == ("echo", cause)


@pytest.mark.parametrize(
    ("rules", "within", "cause"),
    [
        ({mqtt.PUBREL: silence}, SOON, "puback-timeout"),
        ({mqtt.PUBREL: raising(Close)}, AMPLE, "puback-closed"),
        ({mqtt.PUBREL: raising(Reset)}, AMPLE, "puback-closed"),
        ({mqtt.PUBREL: saying(GARBAGE)}, AMPLE, "puback-garbage"),
    ],
)
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_with_qos_2_the_phase_lasts_until_pubcomp(
    rules: Mapping[int, Rule], within: float, cause: str, protocol: Protocol
) -> None:
    outcome = served(broker(rules), within=within, qos=2, protocol=protocol)
    assert ended(outcome) == ("puback", cause)


@pytest.mark.parametrize(("rules", "phase", "cause"), LATE)
def test_no_wait_for_a_broker_outlives_its_deadline_by_a_second(
    rules: Mapping[int, Rule], phase: str, cause: str
) -> None:
    began = time.monotonic()
    outcome = served(broker(rules), within=SOON, protocol="5")
    # The promise itself is timed.
    assert time.monotonic() - began < SOON + 1
    assert ended(outcome) == (phase, cause)


def test_a_message_that_is_late_counts_as_long_as_there_is_time() -> None:
    let_go = threading.Event()

    def slow(packet: Packet, known: Connection) -> bytes:
        let_go.wait(0.3)
        return mqtt.published(packet, known)

    assert ended(served(broker({mqtt.PUBLISH: slow}), within=AMPLE)) is None
    assert ended(served(broker({mqtt.PUBLISH: slow}), within=0.1)) == ("puback", "puback-timeout")


def resetting(connection: socket.socket) -> None:
    """Reset the connection at its first byte."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def speaking_first(connection: socket.socket) -> None:
    """Greet as another protocol does."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    silent(connection)


@pytest.mark.parametrize(
    ("talk", "secure", "cause"),
    [
        (resetting, True, "tls-closed"),
        (resetting, False, "connack-closed"),
        (speaking_first, True, "tls-garbage"),
        (speaking_first, False, "connack-garbage"),
    ],
)
def test_a_reset_and_another_protocol_are_reported_with_and_without_tls(
    talk: Talk, secure: bool, cause: str
) -> None:
    phase = cause.partition("-")[0]
    assert ended(served(talk, secure=secure)) == (phase, cause)


def test_mqtt_to_a_listener_that_speaks_tls_is_its_own_cause(tmp_path: Path) -> None:
    talk = over_tls(tls_context(GOOD, tmp_path), broker())
    outcome = served(talk, secure=False)
    assert outcome.failure is not None
    assert outcome.failure.phase == "connack"


@pytest.mark.parametrize(("secure", "cause"), [(True, "tls-timeout"), (False, "connack-timeout")])
def test_a_connection_that_nobody_accepts_is_reported(secure: bool, cause: str) -> None:
    with socket.create_server((ADDRESS, 0)) as half_open:
        outcome = tried(half_open.getsockname()[1], secure=secure, within=SOON)
    assert ended(outcome) == (cause.partition("-")[0], cause)


@pytest.mark.parametrize("secure", [True, False])
def test_a_filtered_port_is_reported(secure: bool) -> None:
    with filtered() as port:
        outcome = tried(port, secure=secure, within=SOON)
    assert ended(outcome) == ("tcp", "tcp-timeout")


PAST = datetime.now(UTC) - timedelta(days=1)
ENDED = authority("Ended Intermediate", signed_by=ROOT, not_after=PAST)
LEFT_OUT = authority("Left-out Intermediate", signed_by=ROOT)
SERVING_ALONE = leaf(NAME, signed_by=LEFT_OUT)


@pytest.mark.parametrize(
    ("issued", "cause"),
    [
        (leaf(NAME, signed_by=ENDED), "tls-expired"),
        (Issued(SERVING_ALONE.certificate, SERVING_ALONE.key, ROOT), "tls-untrusted"),
        (leaf(NAME, signed_by=GOOD), "tls-untrusted"),
        (leaf(NAME, signed_by=ROOT, purposes=[ExtendedKeyUsageOID.CLIENT_AUTH]), "tls-invalid"),
        (leaf(NAME, signed_by=ROOT, more=[UNKNOWN]), "tls-invalid"),
        (leaf(signed_by=ROOT, common_name=NAME), "tls-name"),
        (leaf("*.com", signed_by=ROOT), "tls-name"),
        (leaf(signed_by=ROOT, addresses=[ADDRESS]), "tls-name"),
    ],
    ids=[
        "an issuer has expired",
        "the intermediate is left out",
        "signed by one that is no authority",
        "for clients",
        "an unknown extension that is critical",
        "common name only",
        "too wide a wildcard",
        "an address only",
    ],
)
def test_a_certificate_is_as_good_as_its_chain_and_names(issued: Issued, cause: str, tmp_path: Path) -> None:
    outcome = served(over_tls(tls_context(issued, tmp_path), broker()), secure=True)
    assert ended(outcome) == ("tls", cause)
    assert outcome.served is not None
    assert int(outcome.served.leaf.serial, 16) == issued.certificate.serial_number


def test_an_issuer_that_ends_first_is_what_counts(tmp_path: Path) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    issued = leaf(NAME, signed_by=authority("Ending Intermediate", signed_by=ROOT, not_after=soon))
    outcome = served(over_tls(tls_context(issued, tmp_path), broker()), secure=True)
    assert ended(outcome) is None
    assert outcome.served is not None
    assert (outcome.served.ends, outcome.cipher is not None) == (soon, True)


@pytest.mark.parametrize(("hostname", "cause"), [(NAME, None), (None, ("tls", "tls-name"))])
def test_a_certificate_that_cannot_be_read_does_not_pass_unless_openssl_has_checked_its_name(
    hostname: str | None, cause: tuple[str, str] | None, tmp_path: Path
) -> None:
    der = patched(GOOD, b"\x55\x1d\x0f\x01\x01\xff", b"\x55\x1d\x0f\x01\x01\x00")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(encode("CERTIFICATE", der) + GOOD.chain_pem)
    key.write_text(GOOD.private_key_pem)
    outcome = served(over_tls(server_context(chain, key), broker()), secure=True, hostname=hostname)
    assert (ended(outcome), outcome.served) == (cause, None)


@pytest.mark.parametrize(("hostname", "asked"), [(NAME, NAME), (None, "demo.eu-central-1.elb.amazonaws.com")])
def test_the_name_that_clients_use_is_asked_for(hostname: str | None, asked: str, tmp_path: Path) -> None:
    seen: list[str | None] = []
    context = tls_context(GOOD, tmp_path)

    def note(_connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        seen.append(name)

    context.sni_callback = note
    assert ended(served(over_tls(context, broker()), secure=True, hostname=hostname)) is None
    assert seen == [asked]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_the_session_is_clean_and_leaves_no_will(protocol: Protocol) -> None:
    seen: list[int] = []

    def note(packet: Packet, known: Connection) -> bytes:
        seen.append(packet.body[7])  # after the protocol's name and level
        return mqtt.well(packet, known)

    assert ended(served(broker({mqtt.CONNECT: note}), protocol=protocol)) is None
    assert seen == [0b10]
