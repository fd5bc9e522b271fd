"""A broker that sends too much: a message of any size is skipped, and anything else refused unread."""

from __future__ import annotations

import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from chalicelib.model.probe_options import ProbeOptions
from chalicelib.probe.device import DeviceClient, connect_device, open_mqtt_session
from chalicelib.probe.mqtt import SessionEnded
from chalicelib.probe.plan import Target
from chalicelib.tls.handshake import Trust
from tests.probe.test_device import AMPLE, GOOD, NAME, ROOT, ended, served
from tests.world import mqtt_broker as mqtt
from tests.world.mqtt_broker import Connection, Packet, Rule, broker
from tests.world.servers import ADDRESS, Talk, over_tls, serving, tls_context

Protocol = Literal["3.1.1", "5"]
LONGEST = 268_435_455  # https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901011
# Control packet types: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901022
KINDS = {
    "reserved": 0,
    "CONNACK": 2,
    "PUBLISH": 3,
    "PUBACK": 4,
    "PUBREC": 5,
    "PUBREL": 6,
    "PUBCOMP": 7,
    "SUBACK": 9,
    "UNSUBACK": 11,
    "PINGRESP": 13,
    "DISCONNECT": 14,
    "AUTH": 15,
}
PHASES = {mqtt.CONNECT: "connack", mqtt.SUBSCRIBE: "suback", mqtt.PUBLISH: "puback"}
PHASES_KIND = {mqtt.CONNECT: mqtt.CONNACK, mqtt.SUBSCRIBE: mqtt.SUBACK, mqtt.PUBLISH: mqtt.PUBACK}
ALLOWED = 65_536
# What may be read, the floods that the servers hold, and what a first handshake loads.
PEAK = 4_000_000


def announced(kind: int, length: int, flags: int = 0) -> bytes:
    """A fixed header."""
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (128 if length else 0))
        if not length:
            return bytes([kind << 4 | flags]) + bytes(digits)


def flooding(header: bytes) -> Rule:
    """Announce a packet, and send a good part of it."""
    return lambda _packet, _known: header + bytes(400_000)


def target_at(port: int, protocol: Protocol = "3.1.1", *, secure: bool = False) -> Target:
    return Target(
        load_balancer="demo",
        host="demo.eu-central-1.elb.amazonaws.com",
        port=port,
        secure=secure,
        hostname=NAME,
        certificate=None,
        options=ProbeOptions(qos=1, protocol=protocol),
    )


MEANS = DeviceClient(trust=Trust((ROOT.certificate_pem,), system=False))


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """The most memory that was held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


TOO_LONG = [(asked, kind) for asked in PHASES for kind in KINDS if asked == mqtt.CONNECT or kind != "PUBLISH"]


@pytest.mark.parametrize("length", [ALLOWED + 6, LONGEST])
@pytest.mark.parametrize(("asked", "kind"), TOO_LONG)
def test_a_packet_that_is_too_long_is_garbage_before_it_is_read(
    asked: int, kind: str, length: int, peak: Callable[[], int]
) -> None:
    phase = PHASES[asked]
    rules = {asked: flooding(announced(KINDS[kind], length))}
    assert ended(served(broker(rules))) == (phase, f"{phase}-garbage")
    assert peak() < PEAK


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("asked", PHASES, ids=PHASES.values())
def test_so_it_is_inside_of_tls(
    asked: int, protocol: Protocol, tmp_path: Path, peak: Callable[[], int]
) -> None:
    phase = PHASES[asked]
    talk = broker({asked: flooding(announced(PHASES_KIND[asked], LONGEST))})
    outcome = served(over_tls(tls_context(GOOD, tmp_path), talk), secure=True, protocol=protocol)
    assert ended(outcome) == (phase, f"{phase}-garbage")
    assert peak() < PEAK


@pytest.mark.parametrize("asked", PHASES, ids=PHASES.values())
def test_a_length_of_five_bytes_is_garbage(asked: int, peak: Callable[[], int]) -> None:
    phase = PHASES[asked]
    header = (
        bytes([mqtt.CONNACK << 4 if asked == mqtt.CONNECT else mqtt.PUBLISH << 4]) + b"\xff\xff\xff\xff\x01"
    )
    assert ended(served(broker({asked: flooding(header)}))) == (phase, f"{phase}-garbage")
    assert peak() < PEAK


def publish(
    topic: bytes, payload: bytes, qos: int = 0, *, five: bool = False, retained: bool = False
) -> bytes:
    """A message of somebody else's."""
    mid = b"\x12\x34" if qos else b""
    body = len(topic).to_bytes(2, "big") + topic + mid + (b"\0" if five else b"") + payload
    return announced(mqtt.PUBLISH, len(body), qos << 1 | retained) + body


def first(some: bytes) -> Rule:
    """Send that, and then the answer to a PUBLISH."""
    return lambda packet, known: some + mqtt.published(packet, known)


SIZES = [0, 1, 1000, 60_000, ALLOWED, ALLOWED + 1, 1_000_000, 8_000_000]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("asked", [mqtt.SUBSCRIBE, mqtt.PUBLISH])
def test_a_message_of_somebody_else_never_counts_and_takes_no_memory(
    asked: int, size: int, qos: int, protocol: Protocol, peak: Callable[[], int]
) -> None:
    """It is acknowledged: a broker that waits for that sends nothing else."""
    foreign = publish(b"somebody/else", bytes(size), qos, five=protocol == "5", retained=size == 1)
    answers: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        known = Connection()
        while packet := mqtt.read_packet(connection):
            if packet.kind in {mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBCOMP} and packet.body[:2] == b"\x12\x34":
                answers.append(bytes([packet.kind]))
                if packet.kind == mqtt.PUBREC:
                    connection.sendall(mqtt.packed(mqtt.PUBREL, b"\x12\x34", flags=2))
            elif packet.kind == asked:
                connection.sendall(foreign)
                connection.sendall(mqtt.well(packet, known))
            else:
                connection.sendall(mqtt.well(packet, known))

    assert ended(served(talk, protocol=protocol)) is None
    assert b"".join(answers) in {0: [b""], 1: [b"\x04"], 2: [b"\x05\x07", b"\x05"]}[qos]
    assert peak() < PEAK + 3 * size  # the server's own copies


def test_the_longest_topic_is_read_and_forgotten(peak: Callable[[], int]) -> None:
    foreign = publish(b"t" * 65_535, bytes(100_000), 1) * 20
    assert ended(served(broker({mqtt.SUBSCRIBE: before(foreign)}))) is None
    assert peak() < PEAK + 3 * len(foreign)


def before(some: bytes) -> Rule:
    """Send that, and then the answer that MQTT wants."""
    return lambda packet, known: some + mqtt.well(packet, known)


def test_no_number_of_messages_of_somebody_else_is_too_much(peak: Callable[[], int]) -> None:
    flood = publish(b"somebody/else", bytes(1000)) * 2000
    assert ended(served(broker({mqtt.PUBLISH: first(flood)}))) is None
    assert peak() < PEAK + 3 * len(flood)


def test_a_message_of_the_own_topic_that_is_too_long_is_another_one(peak: Callable[[], int]) -> None:
    def longer(packet: Packet, known: Connection) -> bytes:
        mid = mqtt.remember(packet, known)
        return mqtt.acknowledged(mid, known) + publish(known.topic, known.payload + bytes(1_000_000))

    assert ended(served(broker({mqtt.PUBLISH: longer}), within=1)) == ("echo", "echo-wrong")
    assert peak() < PEAK * 2


def test_a_flood_of_the_own_topic_takes_no_memory(peak: Callable[[], int]) -> None:
    def flood(packet: Packet, known: Connection) -> bytes:
        mid = mqtt.remember(packet, known)
        return mqtt.acknowledged(mid, known) + publish(known.topic, bytes(1000)) * 2000

    assert ended(served(broker({mqtt.PUBLISH: flood}), within=2)) == ("echo", "echo-wrong")
    assert peak() < PEAK + 3 * 2_100_000


def test_messages_of_qos_2_that_are_never_released_are_garbage(peak: Callable[[], int]) -> None:
    def flood(packet: Packet, known: Connection) -> bytes:
        mid = mqtt.remember(packet, known)
        many = (
            publish(known.topic, bytes(1000), 2).replace(b"\x12\x34", id_.to_bytes(2, "big"))
            for id_ in range(1, 2000)
        )
        return mqtt.acknowledged(mid, known) + b"".join(many)

    assert ended(served(broker({mqtt.PUBLISH: flood}))) == ("echo", "echo-garbage")
    assert peak() < PEAK + 3 * 2_100_000


def test_packets_of_other_kinds_that_are_too_much_together_are_garbage(peak: Callable[[], int]) -> None:
    flood = b"\xd0\x00" * 40_000  # PINGRESP
    # 33,000 of them are read, with every allocation traced: on a busy machine that has taken 20 seconds.
    outcome = served(broker({mqtt.PUBLISH: first(flood)}), within=5 * AMPLE)
    assert ended(outcome) == ("puback", "puback-garbage")
    assert peak() < PEAK


def session_reads(talk: Talk, *, secure: bool) -> tuple[str, int]:
    """How a session ends, and how many bytes it has read by then."""
    with serving(talk) as server:
        target, deadline = target_at(server.port, secure=secure), time.monotonic() + AMPLE
        _, connection = connect_device(target, ADDRESS, MEANS, deadline=deadline)
        assert connection is not None
        session = open_mqtt_session(connection, target, "c", MEANS, deadline=deadline, keepalive=60)
        try:
            session.connect()
            session.subscribe("somebody/else", 1)
            session.until(lambda: False)
        except SessionEnded as error:
            return error.end, session.heard.received
        finally:
            session.close()
    raise AssertionError("the session goes on for ever")


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_of_what_is_too_long_only_the_fixed_header_is_read(secure: bool, tmp_path: Path) -> None:
    talk = broker({mqtt.SUBSCRIBE: flooding(announced(mqtt.SUBACK, LONGEST))})
    end, received = session_reads(
        over_tls(tls_context(GOOD, tmp_path), talk) if secure else talk, secure=secure
    )
    assert (end, received) == ("garbage", 4 + 5)  # CONNACK, and a fixed header


def test_a_client_that_reads_no_more_ends_the_brokers_sending() -> None:
    """The flood is larger than what the kernel keeps between the two: the broker is cut off in it."""
    cut_off: list[bool] = []

    def talk(connection: socket.socket) -> None:
        mqtt.read_packet(connection)
        try:
            connection.sendall(announced(mqtt.CONNACK, LONGEST) + bytes(50_000_000))
        except OSError:
            cut_off.append(True)

    assert ended(served(talk)) == ("connack", "connack-garbage")
    assert cut_off == [True]
