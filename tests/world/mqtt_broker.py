"""A broker of a few lines that goes wrong at any packet on request; MQTT 3.1.1 and 5, QoS 0 to 2.

Rules replace what it does at one kind of packet: bytes to send instead, or one of the ways to go wrong.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from tests.world.servers import Talk

CONNECT, PUBLISH, PUBREL, SUBSCRIBE, DISCONNECT = 1, 3, 6, 8, 14
CONNACK, PUBACK, PUBREC, PUBCOMP, SUBACK = 2, 4, 5, 7, 9


class Close(Exception):
    """The broker hangs up."""


class Reset(Exception):
    """The broker resets the connection."""


class Stall(Exception):
    """The broker reads no more, and keeps the connection."""


@dataclass(frozen=True)
class Packet:
    """One packet from the client: its kind, the flags beside it, and the rest."""

    kind: int
    flags: int
    body: bytes


@dataclass
class Connection:
    """What the broker knows of one client."""

    version: int = 4
    topic: bytes = b""
    payload: bytes = b""
    qos: int = 0

    @property
    def five(self) -> bool:
        """Whether it speaks MQTT 5."""
        return self.version == 5


Rule = Callable[[Packet, Connection], bytes]


def broker(rules: Mapping[int, Rule] | None = None) -> Talk:
    """Return what serves one connection."""

    def talk(connection: socket.socket) -> None:
        known = Connection()
        try:
            while packet := read_packet(connection):
                if packet.kind == DISCONNECT:
                    return
                answer = ((rules or {}).get(packet.kind) or well)(packet, known)
                if answer:
                    connection.sendall(answer)
        except Close:
            pass
        except Reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except Stall:
            wait_for_end(connection)

    return talk


def wait_for_end(connection: socket.socket) -> None:
    """Wait until the other side closes, without reading what it says."""
    connection.settimeout(20)
    while connection.recv(65536):
        pass


def well(packet: Packet, known: Connection) -> bytes:
    """Answer as MQTT wants it, and send a published message back."""
    match packet.kind:
        case 1:
            known.version = packet.body[6]
            return packed(CONNACK, b"\0\0" + (b"\0" if known.five else b""))
        case 8:
            return packed(SUBACK, packet.body[:2] + (b"\0" if known.five else b"") + packet.body[-1:])
        case 3:
            return published(packet, known)
        case 6:
            return packed(PUBCOMP, packet.body[:2])
        case 5:  # the client has a message of QoS 2
            return packed(PUBREL, packet.body[:2], flags=2)
        case _:
            return b""


def published(packet: Packet, known: Connection) -> bytes:
    """Take a PUBLISH: acknowledge it as its QoS wants, and send it to its sender."""
    mid = remember(packet, known)
    return acknowledged(mid, known) + delivered(known)


def remember(packet: Packet, known: Connection) -> bytes:
    """Read a PUBLISH into what is known; return its packet id, empty for QoS 0."""
    known.qos = (packet.flags >> 1) & 3
    length = int.from_bytes(packet.body[:2], "big")
    known.topic, rest = packet.body[2 : 2 + length], packet.body[2 + length :]
    mid, rest = (rest[:2], rest[2:]) if known.qos else (b"", rest)
    known.payload = rest[1:] if known.five else rest
    return mid


def acknowledged(mid: bytes, known: Connection) -> bytes:
    """Return the answer to a PUBLISH."""
    return packed(PUBACK if known.qos == 1 else PUBREC, mid) if known.qos else b""


def delivered(known: Connection, payload: bytes | None = None, *, retained: bool = False) -> bytes:
    """Return a PUBLISH of what was published, or of another payload under the same topic, with its QoS."""
    mid = b"\0\x01" if known.qos else b""
    topic = len(known.topic).to_bytes(2, "big") + known.topic
    properties = b"\0" if known.five else b""
    content = known.payload if payload is None else payload
    return packed(PUBLISH, topic + mid + properties + content, flags=(known.qos << 1) | retained)


def packed(kind: int, body: bytes, *, flags: int = 0) -> bytes:
    """Return a packet of less than 128 bytes."""
    assert len(body) < 128
    return bytes([kind << 4 | flags, len(body)]) + body


def read_packet(connection: socket.socket) -> Packet | None:
    """Read one packet; None when the client is gone."""
    head = _exactly(connection, 2)
    if head is None:
        return None
    length, shift, byte = head[1] & 127, 7, head[1]
    while byte & 128:
        more = _exactly(connection, 1)
        if more is None:
            return None
        byte = more[0]
        length |= (byte & 127) << shift
        shift += 7
    body = _exactly(connection, length) if length else b""
    return None if body is None else Packet(head[0] >> 4, head[0] & 15, body)


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            return None
        data += part
    return data


class OneSessionAUser:
    """A broker that takes the user name for the client id, as EMQX and mosquitto can be set to do.

    `use_username_as_clientid`: a second session of a user ends the first one. Each session of it takes
    `lasting` seconds at least, from CONNECT to SUBACK.
    """

    def __init__(self, *, lasting: float = 0.0) -> None:
        self.sessions: dict[bytes, socket.socket] = {}
        self.begun = 0
        self._lasting = lasting
        self._lock = threading.Lock()

    def talk(self, connection: socket.socket) -> None:
        """Serve one session."""

        def join(packet: Packet, known: Connection) -> bytes:
            with self._lock:
                self.begun += 1
                earlier = self.sessions.get(user := user_name(packet))
                self.sessions[user] = connection
                if earlier is not None:
                    with suppress(OSError):
                        earlier.shutdown(socket.SHUT_RDWR)
            return well(packet, known)

        def slowly(packet: Packet, known: Connection) -> bytes:
            threading.Event().wait(self._lasting)
            return well(packet, known)

        broker({CONNECT: join, SUBSCRIBE: slowly})(connection)


def user_name(connect: Packet) -> bytes:
    """The user name in a CONNECT of MQTT 3.1.1 without a Will."""
    length = int.from_bytes(connect.body[10:12], "big")
    rest = connect.body[12 + length :]
    return rest[2 : 2 + int.from_bytes(rest[:2], "big")]
