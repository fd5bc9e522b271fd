"""A broker that sends too much: it is refused by what it announces, before that is read."""

from __future__ import annotations

import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from chalicelib.model.probe_options import ProbeOptions
from chalicelib.probe import deep_sessions as deep
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


@pytest.mark.parametrize("length", [ALLOWED + 1, LONGEST])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("asked", PHASES, ids=PHASES.values())
def test_a_packet_that_is_too_long_is_garbage_before_it_is_read(
    asked: int, kind: int, length: int, peak: Callable[[], int]
) -> None:
    phase = PHASES[asked]
    rules = {asked: flooding(announced(kind, length))}
    assert ended(served(broker(rules))) == (phase, f"{phase}-garbage")
    assert peak() < PEAK


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("asked", PHASES, ids=PHASES.values())
def test_so_it_is_inside_of_tls(
    asked: int, protocol: Protocol, tmp_path: Path, peak: Callable[[], int]
) -> None:
    phase = PHASES[asked]
    kind = mqtt.CONNACK if asked == mqtt.CONNECT else mqtt.PUBLISH
    talk = broker({asked: flooding(announced(kind, LONGEST))})
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


def publish(topic: bytes, payload: bytes) -> bytes:
    """A message of QoS 0."""
    body = len(topic).to_bytes(2, "big") + topic + payload
    return announced(mqtt.PUBLISH, len(body)) + body


def first(some: bytes) -> Rule:
    """Send that, and then the answer to a PUBLISH."""
    return lambda packet, known: some + mqtt.published(packet, known)


def test_many_packets_that_are_too_much_together_are_garbage(peak: Callable[[], int]) -> None:
    flood = publish(b"somebody/else", bytes(1000)) * 400
    assert ended(served(broker({mqtt.PUBLISH: first(flood)}))) == ("puback", "puback-garbage")
    assert peak() < PEAK


def test_what_is_within_the_bound_is_read() -> None:
    some = publish(b"somebody/else", bytes(60_000))
    assert ended(served(broker({mqtt.PUBLISH: first(some)}))) is None


def session_reads(talk: Talk, *, secure: bool) -> tuple[str, int]:
    """How a session ends, and how many bytes it has read by then."""
    with serving(talk) as server:
        target, deadline = target_at(server.port, secure=secure), time.monotonic() + AMPLE
        _, connection = connect_device(target, ADDRESS, MEANS, deadline=deadline)
        assert connection is not None
        session = open_mqtt_session(connection, target, "c", MEANS, deadline=deadline)
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
    talk = broker({mqtt.SUBSCRIBE: flooding(announced(mqtt.PUBLISH, LONGEST))})
    end, received = session_reads(
        over_tls(tls_context(GOOD, tmp_path), talk) if secure else talk, secure=secure
    )
    assert (end, received) == ("garbage", 4 + 5)  # CONNACK, and a fixed header


def test_all_that_is_read_of_many_packets_is_within_the_bound() -> None:
    end, received = session_reads(
        broker({mqtt.SUBSCRIBE: lambda *_: publish(b"somebody/else", bytes(1000)) * 400}), secure=False
    )
    assert end == "garbage"
    assert ALLOWED - 2000 < received <= ALLOWED + 5


def delivering(flood: bytes) -> Talk:
    """Acknowledge, and deliver a flood instead of the message."""

    def rule(packet: Packet, known: Connection) -> bytes:
        return mqtt.acknowledged(mqtt.remember(packet, known), known) + flood

    return broker({mqtt.PUBLISH: rule})


FLOODS = {
    "one": announced(mqtt.PUBLISH, LONGEST) + bytes(400_000),
    "many": publish(b"somebody/else", bytes(1000)) * 400,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_the_sessions_of_the_deep_probe_read_no_more(flood: bytes, peak: Callable[[], int]) -> None:
    with serving(delivering(flood)) as server:
        target = target_at(server.port)
        assert deep.outlives(target, ADDRESS, MEANS, seconds=0, timeout=AMPLE) is False
        received = deep.delivered(target, [ADDRESS], MEANS, sessions=3, timeout=1)
    assert received == (False, False, False)
    assert peak() < PEAK


@pytest.mark.parametrize("asked", [mqtt.CONNECT, mqtt.SUBSCRIBE])
def test_a_session_of_the_deep_probe_that_is_flooded_comes_to_nothing(
    asked: int, peak: Callable[[], int]
) -> None:
    kind = mqtt.CONNACK if asked == mqtt.CONNECT else mqtt.PUBLISH
    with serving(broker({asked: flooding(announced(kind, LONGEST))})) as server:
        assert deep.delivered(target_at(server.port), [ADDRESS], MEANS, sessions=2, timeout=AMPLE) is None
    assert peak() < PEAK


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
