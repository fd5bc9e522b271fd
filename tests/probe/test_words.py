"""What a broker announces in CONNACK and says in words: the probe keeps to the one and reports the other."""

from __future__ import annotations

import struct

import pytest

from chalicelib.probe.mqtt import Credentials
from tests.probe.test_device import SOON, ended, never_back, raising, served
from tests.world import mqtt_broker as mqtt
from tests.world.mqtt_broker import Close, Connection, Packet, Reset, Rule, broker

# https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901080
MAXIMUM_QOS, PACKET_SIZE, REASON_STRING = 0x24, 0x27, 0x1F
BINDING = {
    "Session Expiry Interval": b"\x11\0\0\0\0",
    "Receive Maximum": b"\x21\0\x01",
    "Maximum QoS 1": b"\x24\x01",
    "Maximum QoS 0": b"\x24\x00",
    "Retain Available": b"\x25\0",
    "Maximum Packet Size": b"\x27" + struct.pack("!I", 64),
    "Assigned Client Identifier": b"\x12\0\x04mine",
    "Topic Alias Maximum": b"\x22\xff\xff",
    "Wildcard Subscription Available": b"\x28\0",
    "Subscription Identifiers Available": b"\x29\0",
    "Shared Subscription Available": b"\x2a\0",
    "Server Keep Alive": b"\x13\0\x05",
    "all": b"\x21\0\x01\x24\x01\x25\0\x27\0\0\0\x40\x22\0\x01\x28\0\x29\0\x2a\0\x13\0\x05",
}


def text(words: str) -> bytes:
    return len(words.encode()).to_bytes(2, "big") + words.encode()


def announcing(properties: bytes, code: int = 0) -> Rule:
    def rule(packet: Packet, known: Connection) -> bytes:
        known.version = packet.body[6]
        return mqtt.packed(mqtt.CONNACK, bytes([0, code, len(properties)]) + properties)

    return rule


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("properties", BINDING.values(), ids=BINDING)
def test_the_probe_keeps_to_whatever_connack_announces(properties: bytes, qos: int) -> None:
    """The broker hangs up on a client that does not, as [MQTT-3.2.2] wants it to."""
    allowed = properties[properties.index(MAXIMUM_QOS) + 1] if MAXIMUM_QOS in properties else 2

    def strict(packet: Packet, known: Connection) -> bytes:
        if packet.flags >> 1 & 3 > allowed or packet.flags & 1 or len(packet.body) + 2 > 64:
            raise Close
        return mqtt.published(packet, known)

    outcome = served(
        broker({mqtt.CONNECT: announcing(properties), mqtt.PUBLISH: strict}), protocol="5", qos=qos
    )
    assert ended(outcome) is None
    assert ("puback" in outcome.times_ms) is (min(qos, allowed) > 0)


@pytest.mark.parametrize(("size", "phase"), [(20, "suback"), (50, "puback")])
def test_a_packet_that_the_broker_does_not_take_is_not_sent(size: int, phase: str) -> None:
    rule = announcing(bytes([PACKET_SIZE]) + struct.pack("!I", size))
    outcome = served(broker({mqtt.CONNECT: rule, mqtt.PUBLISH: raising(Close)}), protocol="5")
    assert ended(outcome) == (phase, f"{phase}-refused:packet-too-large")
    assert outcome.failure is not None
    assert str(size) in outcome.failure.detail


def test_a_broker_that_allows_ten_seconds_of_silence_is_asked_for_no_more() -> None:
    """mosquitto refuses a client of MQTT 3.1.1 that asks for more than max_keepalive, at least 10."""

    def strict(packet: Packet, known: Connection) -> bytes:
        asked = int.from_bytes(packet.body[8:10], "big")
        return mqtt.packed(mqtt.CONNACK, b"\0\x02") if asked > 10 else mqtt.well(packet, known)

    assert ended(served(broker({mqtt.CONNECT: strict}))) is None


SECRET = "s3cret-word"


def refusing(kind: int, words: str) -> dict[int, Rule]:
    """Refuse the packet of that kind as MQTT 5 does, not authorized, with these words."""
    reason = bytes([REASON_STRING]) + text(words)
    properties = bytes([len(reason)]) + reason

    def rule(packet: Packet, known: Connection) -> bytes:
        match kind:
            case mqtt.CONNECT:
                known.version = 5
                return mqtt.packed(mqtt.CONNACK, b"\0\x87" + properties)
            case mqtt.SUBSCRIBE:
                return mqtt.packed(mqtt.SUBACK, packet.body[:2] + properties + b"\x87")
            case _:
                mid = mqtt.remember(packet, known)
                answer = mqtt.PUBACK if known.qos == 1 else mqtt.PUBREC
                return mqtt.packed(answer, mid + b"\x87" + properties)

    return {kind: rule}


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("kind", [mqtt.CONNECT, mqtt.SUBSCRIBE, mqtt.PUBLISH])
def test_the_brokers_words_are_reported_without_the_password(kind: int, qos: int) -> None:
    rules = refusing(kind, f"no {SECRET}\x07 here\nline two")
    known = Credentials("device", SECRET)
    outcome = served(broker(rules), protocol="5", qos=qos, credentials=known, plain_credentials=True)
    assert outcome.failure is not None
    assert outcome.failure.detail == "Not authorized: no …  here line two"


def test_the_brokers_words_are_bounded() -> None:
    outcome = served(broker(refusing(mqtt.CONNECT, "x" * 90)), protocol="5")
    assert outcome.failure is not None
    assert outcome.failure.detail.endswith("x" * 90)
    long = announcing(b"")

    def lengthy(packet: Packet, known: Connection) -> bytes:
        long(packet, known)
        reason = bytes([REASON_STRING]) + text("x" * 9000)
        body = b"\0\x87" + bytes([len(reason) % 128 | 128, len(reason) // 128]) + reason
        return bytes([mqtt.CONNACK << 4, len(body) % 128 | 128, len(body) // 128]) + body

    outcome = served(broker({mqtt.CONNECT: lengthy}), protocol="5")
    assert outcome.failure is not None
    assert outcome.failure.detail.endswith("x" * 100)
    assert len(outcome.failure.detail) <= 200


def test_the_words_of_a_goodbye_are_reported() -> None:
    reason = bytes([REASON_STRING]) + text("going home")
    goodbye = mqtt.packed(mqtt.DISCONNECT, bytes([0x8B, len(reason)]) + reason)
    outcome = served(broker({mqtt.SUBSCRIBE: lambda *_: goodbye}), protocol="5")
    assert outcome.failure is not None
    assert outcome.failure.detail == "Server shutting down: going home"


SAID: list[tuple[dict[int, Rule], str, str]] = [
    ({mqtt.CONNECT: raising(Reset)}, "connack-closed", "connection was lost"),
    ({mqtt.SUBSCRIBE: raising(Close)}, "suback-closed", "connection was lost"),
    ({mqtt.CONNECT: lambda *_: b"HTTP/1.1 400"}, "connack-garbage", "0x48"),
]


@pytest.mark.parametrize(("rules", "cause", "words"), SAID)
def test_the_librarys_words_are_reported(rules: dict[int, Rule], cause: str, words: str) -> None:
    outcome = served(broker(rules))
    assert outcome.failure is not None
    assert outcome.failure.cause == cause
    assert words in outcome.failure.detail.lower()


@pytest.mark.parametrize(
    ("qos", "protocol", "said"), [(1, "3.1.1", True), (1, "5", False), (0, "3.1.1", False)]
)
def test_a_denied_publish_that_mqtt_3_cannot_report_is_named(qos: int, protocol: str, said: bool) -> None:
    outcome = served(broker({mqtt.PUBLISH: never_back}), qos=qos, protocol=protocol, within=SOON)
    assert ended(outcome) == ("echo", "echo-timeout")
    assert outcome.failure is not None
    assert ("protocol 5" in outcome.failure.detail) is said


@pytest.mark.parametrize(
    ("rules", "qos", "cause", "words"),
    [
        ({mqtt.PUBLISH: raising(Close)}, 2, "puback-closed", "QoS 2"),
        ({mqtt.CONNECT: raising(Close)}, 1, "connack-closed", "limit"),
    ],
)
def test_what_else_may_be_behind_a_close_without_a_reason_is_named(
    rules: dict[int, Rule], qos: int, cause: str, words: str
) -> None:
    outcome = served(broker(rules), qos=qos)
    assert outcome.failure is not None
    assert (outcome.failure.cause, words in outcome.failure.detail) == (cause, True)
