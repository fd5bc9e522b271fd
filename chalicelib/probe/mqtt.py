"""One MQTT session on a socket that is connected already, in the thread that asks.

paho connects by itself, to one host under one name, and has no way to be given a socket: `_create_socket` is
overridden. It reads whatever length a packet announces, and into memory at once: `_sock_recv` is overridden.
It keeps every message, and a probe looks at its own alone: `_handle_publish` is overridden. It does not look
at the reason of a PUBREC: `_handle_pubrec` is overridden.
All are private; the version is pinned, and `tests/probe/test_device.py` holds that they are called.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from paho.mqtt.client import Client, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

End = Literal["timeout", "closed", "garbage", "refused"]

_CONNACK = 0x20
_PUBLISH, _PUBREL = 3, 6
# What a broker may send in a session beside messages, and one fixed header: a probe's own packets are tens of
# bytes.
_MOST_BYTES = 65_536 + 5
# Of a message no more is kept than the longest topic, its length, a packet identifier, and some of the rest.
_MOST_KEPT = 2 + 65_535 + 2 + 1024
_AT_A_TIME = 16_384
_MOST_MESSAGES = 64
_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}
_UNSUPPORTED_VERSION = "unsupported-protocol-version"
_MOST_WORDS = 200


class SessionEnded(Exception):
    """The session went no further; `reason` is the broker's reason code, as `not-authorized`, if it sent one.

    `detail` is what the broker or the library says of it, and contains no password.
    """

    def __init__(self, end: End, reason: str = "", detail: str = "") -> None:
        self.end: End = end
        self.reason = reason
        self.detail = detail
        super().__init__(f"{end}:{reason}" if reason else end)


@dataclass(frozen=True)
class Credentials:
    """What CONNECT carries; in no repr."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Message:
    """A message as it arrived, with the clock's time of its arrival; of a long payload the beginning."""

    topic: str
    payload: bytes
    retained: bool
    arrived: float


@dataclass(frozen=True)
class Limits:
    """What CONNACK announces (MQTT 5) and a client must keep to; the defaults are those of the standard.

    `keep_alive` None: the client's own counts. No other property binds a session that has a client id and one
    message under way, and uses neither wildcards, shared subscriptions, retained messages nor topic aliases.
    https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901080
    """

    keep_alive: int | None = None
    qos: int = 2
    packet_size: int | None = None


@dataclass
class Received:
    """What the broker has sent so far; times are the clock's."""

    connack: ReasonCode | None = None
    limits: Limits = Limits()
    subacks: dict[int, ReasonCode] = field(default_factory=dict)
    pubacks: dict[int, tuple[ReasonCode, float]] = field(default_factory=dict)
    refusals: dict[int, ReasonCode] = field(default_factory=dict)
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=_MOST_MESSAGES))
    goodbye: ReasonCode | None = None
    reason_string: str = ""
    received: int = 0


class _Handed(Client):
    """paho's client on a socket that it did not make."""

    def __init__(self, connection: socket.socket, heard: Received, **options: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, **options)
        self._handed: socket.socket | None = connection
        self._heard = heard
        self._begun = False
        self.own_topics: set[bytes] = set()

    def _create_socket(self) -> Any:
        if self._handed is None:
            # MQTT 3.1.1's "unacceptable protocol version", on which paho would try again with 3.1.
            raise SessionEnded("refused", _UNSUPPORTED_VERSION, _words(_UNSUPPORTED_VERSION))
        handed, self._handed = self._handed, None
        return handed

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read a part of a packet. A message may have any length, and no more than its beginning is kept.

        Every other packet that is too long is refused before it is read: paho asks for all that a fixed
        header announces.
        """
        packet, read = self._in_packet, self._heard.received
        kind = packet["command"] >> 4
        if kind == _PUBLISH:
            del packet["packet"][_MOST_KEPT:]
        elif bufsize + (0 if kind == _PUBREL else read) > _MOST_BYTES:
            raise SessionEnded("garbage", detail=f"more than {_MOST_BYTES} bytes that are no message")
        data = super()._sock_recv(min(bufsize, _AT_A_TIME))
        if data and not self._begun and data[0] != _CONNACK:
            raise SessionEnded("garbage", detail=f"the first byte is 0x{data[0]:02x}, not CONNACK's")
        self._begun = self._begun or bool(data)
        if (kind or (data[0] >> 4 if data else 0)) not in {_PUBLISH, _PUBREL}:
            self._heard.received += len(data)
        return data

    def _handle_publish(self) -> MQTTErrorCode:
        """Acknowledge and forget a message of another client: it does not count and takes no memory."""
        command, packet = self._in_packet["command"], self._in_packet["packet"]
        end = 2 + int.from_bytes(packet[:2], "big")
        qos, mid = command >> 1 & 3, int.from_bytes(packet[end : end + 2], "big")
        whole = qos < 3 and len(packet) >= end + (2 if qos else 0)
        if not whole or bytes(packet[2:end]) in self.own_topics:
            if len(self._in_messages) >= _MOST_MESSAGES:
                raise SessionEnded("garbage", detail="more messages at once than the probe asked for")
            return super()._handle_publish()
        if qos == 0:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        if len(self._out_packet) >= _MOST_MESSAGES:
            raise SessionEnded("garbage", detail="the broker sends messages and reads no acknowledgement")
        # paho answers the PUBREL of a message that it does not know, too.
        return self._send_puback(mid) if qos == 1 else self._send_pubrec(mid)

    def _handle_pubrec(self) -> MQTTErrorCode:
        """Take a refusal for the answer: no PUBREL follows it, to which the broker would say something else.

        MQTT 5, section 4.3.3: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html
        """
        packet = bytes(self._in_packet["packet"])
        reason = ReasonCode(PacketTypes.PUBREC, identifier=packet[2] if len(packet) > 2 else 0)
        if not reason.is_failure:
            return super()._handle_pubrec()
        if len(packet) > 3:
            properties: Any = Properties(PacketTypes.PUBREC)  # type: ignore[no-untyped-call]
            properties.unpack(packet[3:])
            self._heard.reason_string = _reason_string(properties)
        self._heard.refusals[int.from_bytes(packet[:2], "big")] = reason
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class Session:
    """A session from CONNECT to DISCONNECT; each step raises `SessionEnded`, at `deadline` at the latest.

    `deadline` is by `clock`. `close` closes the given socket in every case, and may be called twice.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        client_id: str,
        protocol: Literal["3.1.1", "5"],
        credentials: Credentials,
        deadline: float,
        keepalive: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heard = Received()
        self.deadline = deadline
        self._keepalive = keepalive
        self._connection = connection
        self._clock = clock
        self._version = _VERSIONS[protocol]
        self._password = credentials.password
        clean = {"clean_session": True} if protocol == "3.1.1" else {}
        self._client = _Handed(connection, self.heard, client_id=client_id, protocol=self._version, **clean)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        if credentials.username is not None:
            self._client.username_pw_set(credentials.username, credentials.password)

    def fileno(self) -> int:
        """The socket's descriptor, below 0 once it is closed."""
        return self._connection.fileno()

    def connect(self) -> None:
        """CONNECT, with a clean session, and wait for CONNACK."""
        clean: dict[str, Any] = {"clean_start": True} if self._version is MQTTProtocolVersion.MQTTv5 else {}
        # The name and the port are paho's to check, and the socket's already.
        self._checked(lambda: self._client.connect("broker", 1, self._keepalive, **clean))
        self.until(lambda: self.heard.connack is not None)
        self._accepted(self.heard.connack)

    def subscribe(self, topic: str, qos: int) -> None:
        """SUBSCRIBE, and wait for SUBACK; messages on this topic are kept from now on."""
        self._client.own_topics.add(topic.encode())
        self._fits(_subscribe_size(topic))
        _, mid = self._client.subscribe(topic, qos)
        self.until(lambda: mid in self.heard.subacks)
        self._accepted(self.heard.subacks.get(mid or 0))

    def publish(self, topic: str, payload: bytes, qos: int) -> int:
        """PUBLISH; return the packet's id, under which `acknowledged` looks for the answer.

        `qos` is lowered to what the broker announced: a client must not send more [MQTT-3.2.2-11].
        """
        self._fits(_publish_size(topic, payload))
        return self._client.publish(topic, payload, self.allowed_qos(qos)).mid

    def allowed_qos(self, qos: int) -> int:
        """The QoS that the broker allows in place of `qos`."""
        return min(qos, self.heard.limits.qos)

    def acknowledged(self, mid: int) -> float | None:
        """When the PUBACK, or with QoS 2 the PUBCOMP, came; None until then.

        Raises `SessionEnded` for a refusal.
        """
        self._accepted(self.heard.refusals.get(mid))
        if mid not in self.heard.pubacks:
            return None
        reason, arrived = self.heard.pubacks[mid]
        self._accepted(reason)
        return arrived

    def until(self, done: Callable[[], bool]) -> None:
        """Let packets come and go until `done`; it is looked at again after each."""
        poll = select.poll()  # select.select takes no descriptor above 1023
        while not done():
            left = self.deadline - self._clock()
            if left <= 0:
                raise SessionEnded("timeout")
            if self.fileno() < 0:
                raise SessionEnded("closed")
            writing = select.POLLOUT if self._client.want_write() else 0
            poll.register(self._connection, select.POLLIN | writing)
            ready = self.pending() or poll.poll(min(left, 1.0) * 1000)
            self._go_on(readable=bool(ready), writable=bool(writing), done=done)

    def read_packet(self) -> None:
        """Read a packet, or as much of it as is there; raises `SessionEnded` where the session ends."""
        self._go_on(readable=True, writable=self._client.want_write(), done=lambda: False)

    def pending(self) -> int:
        """How many bytes TLS has read from the socket already."""
        return int(getattr(self._connection, "pending", lambda: 0)())

    def _go_on(self, *, readable: bool, writable: bool, done: Callable[[], bool]) -> None:
        for step in (
            *([self._client.loop_write] if writable else []),
            *([self._client.loop_read] if readable else []),
            self._client.loop_misc,  # PINGREQ, when it is time
        ):
            code = self._checked(step)
            if self.heard.goodbye is not None and not done():
                raise self._ended("closed", self.heard.goodbye)
            if code and not done():
                end: End = "garbage" if code == MQTTErrorCode.MQTT_ERR_PROTOCOL else "closed"
                raise SessionEnded(end, detail=error_string(code))

    def _checked(self, step: Callable[[], MQTTErrorCode]) -> MQTTErrorCode:
        try:
            code = step()
        except (SessionEnded, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - what paho raises depends on what garbage it was given
            # Its message may quote what was sent, and the broker knows the password.
            raise SessionEnded("garbage", type(error).__name__.lower(), type(error).__name__) from None
        return code

    def disconnect(self) -> None:
        """DISCONNECT; the broker answers by closing, which nobody waits for."""
        self._client.disconnect()

    def close(self) -> None:
        """Close the socket, with or without a DISCONNECT before it."""
        self._connection.close()

    def _fits(self, size: int) -> None:
        """Raise `SessionEnded` for a packet that the broker does not take [MQTT-3.2.2-15]."""
        most = self.heard.limits.packet_size
        if most is not None and size > most:
            detail = f"the broker takes packets of at most {most} bytes"
            raise SessionEnded("refused", "packet-too-large", detail)

    def _accepted(self, reason: ReasonCode | None) -> None:
        if reason is not None and reason.is_failure:
            raise self._ended("refused", reason)

    def _ended(self, end: End, reason: ReasonCode) -> SessionEnded:
        words = ": ".join(filter(None, (str(reason), self.heard.reason_string)))
        return SessionEnded(end, _slug(reason), _words(words, self._password))

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, reason: ReasonCode, properties: Any) -> None:
        self.heard.connack = reason
        self.heard.limits = Limits(
            keep_alive=getattr(properties, "ServerKeepAlive", None),
            qos=getattr(properties, "MaximumQoS", 2),
            packet_size=getattr(properties, "MaximumPacketSize", None),
        )
        self._note(reason, properties)

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, reasons: list[ReasonCode], properties: Any) -> None:
        self.heard.subacks[mid] = reasons[0]
        self._note(reasons[0], properties)

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        self.heard.pubacks[mid] = reason, self._clock()
        self._note(reason, properties)

    def _on_message(self, _c: Any, _u: Any, message: MQTTMessage) -> None:
        self.heard.messages.append(
            Message(message.topic, bytes(message.payload[:_AT_A_TIME]), bool(message.retain), self._clock())
        )

    def _on_disconnect(self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self.heard.goodbye = reason
            self._note(reason, properties)

    def _note(self, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self.heard.reason_string = _reason_string(properties)


def _subscribe_size(topic: str) -> int:
    """Bytes of a SUBSCRIBE in MQTT 5: fixed header, packet identifier, properties, topic filter, options."""
    return 2 + 2 + 1 + 2 + len(topic) + 1


def _publish_size(topic: str, payload: bytes) -> int:
    """Bytes of a PUBLISH in MQTT 5: fixed header, topic, packet identifier, properties, payload."""
    return 2 + 2 + len(topic) + 2 + 1 + len(payload)


def _reason_string(properties: Any) -> str:
    return str(getattr(properties, "ReasonString", ""))


def _words(text: str, password: str | None = None) -> str:
    """Return the broker's or the library's words for a person: bounded, in one line, without the password."""
    if password:
        text = text.replace(password, "…")
    return "".join(one if one.isprintable() else " " for one in text)[:_MOST_WORDS]


def _slug(reason: ReasonCode) -> str:
    return str(reason).lower().replace(" ", "-")
