"""One MQTT session on a socket that is connected already, in the thread that asks.

paho connects by itself, to one host under one name, and has no way to be given a socket: `_create_socket` is
overridden. It reads whatever length a packet announces, and into memory at once: `_sock_recv` is overridden.
It does not look at the reason of a PUBREC: `_handle_pubrec` is overridden.
All are private; the version is pinned, and `tests/probe/test_device.py` holds that they are called.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

End = Literal["timeout", "closed", "garbage", "refused"]

_CONNACK = 0x20
# What a broker may send in a session, and one fixed header: a probe's own packets are tens of bytes.
_MOST_BYTES = 65_536 + 5
_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}
_UNSUPPORTED_VERSION = "unsupported-protocol-version"


class SessionEnded(Exception):
    """The session went no further; `reason` is the broker's own word, as `not-authorized`, if it gave one."""

    def __init__(self, end: End, reason: str = "") -> None:
        self.end: End = end
        self.reason = reason
        super().__init__(f"{end}:{reason}" if reason else end)


@dataclass(frozen=True)
class Credentials:
    """What CONNECT carries; in no repr."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Message:
    """A message as it arrived, with the clock's time of its arrival."""

    topic: str
    payload: bytes
    retained: bool
    arrived: float


@dataclass
class Received:
    """What the broker has said so far; times are the clock's."""

    connack: ReasonCode | None = None
    subacks: dict[int, ReasonCode] = field(default_factory=dict)
    pubacks: dict[int, tuple[ReasonCode, float]] = field(default_factory=dict)
    refusals: dict[int, ReasonCode] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    goodbye: ReasonCode | None = None
    received: int = 0


class _Handed(Client):
    """paho's client on a socket that it did not make."""

    def __init__(self, connection: socket.socket, heard: Received, **options: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, **options)
        self._handed: socket.socket | None = connection
        self._heard = heard

    def _create_socket(self) -> Any:
        if self._handed is None:
            # MQTT 3.1.1's "unacceptable protocol version", on which paho would try again with 3.1.
            raise SessionEnded("refused", _UNSUPPORTED_VERSION)
        handed, self._handed = self._handed, None
        return handed

    def _sock_recv(self, bufsize: int) -> bytes:
        """Refuse what is too long before it is read: paho asks for all that a fixed header announces."""
        if self._heard.received + bufsize > _MOST_BYTES:
            raise SessionEnded("garbage")
        data = super()._sock_recv(bufsize)
        if data and self._heard.received == 0 and data[0] != _CONNACK:
            raise SessionEnded("garbage")
        self._heard.received += len(data)
        return data

    def _handle_pubrec(self) -> MQTTErrorCode:
        """Take a refusal for the answer: no PUBREL follows it, to which the broker would say something else.

        MQTT 5, section 4.3.3: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html
        """
        packet = bytes(self._in_packet["packet"])
        reason = ReasonCode(PacketTypes.PUBREC, identifier=packet[2] if len(packet) > 2 else 0)
        if not reason.is_failure:
            return super()._handle_pubrec()
        self._heard.refusals[int.from_bytes(packet[:2], "big")] = reason
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class Session:
    """A session from CONNECT to DISCONNECT; each step raises `Ended`, at `deadline` at the latest.

    `deadline` is by `clock`. `close` closes the socket that was given, whatever happened; it may come twice.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        client_id: str,
        protocol: Literal["3.1.1", "5"],
        credentials: Credentials,
        deadline: float,
        keepalive: int = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heard = Received()
        self.deadline = deadline
        self._keepalive = keepalive
        self._connection = connection
        self._clock = clock
        self._version = _VERSIONS[protocol]
        clean = {"clean_session": True} if protocol == "3.1.1" else {}
        self._client = _Handed(connection, self.heard, client_id=client_id, protocol=self._version, **clean)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        if credentials.username is not None:
            self._client.username_pw_set(credentials.username, credentials.password)

    def connect(self) -> None:
        """CONNECT, with a clean session, and wait for CONNACK."""
        clean: dict[str, Any] = {"clean_start": True} if self._version is MQTTProtocolVersion.MQTTv5 else {}
        # The name and the port are paho's to check, and the socket's already.
        self._checked(lambda: self._client.connect("broker", 1, self._keepalive, **clean))
        self.until(lambda: self.heard.connack is not None)
        _accepted(self.heard.connack)

    def subscribe(self, topic: str, qos: int) -> None:
        """SUBSCRIBE, and wait for SUBACK."""
        _, mid = self._client.subscribe(topic, qos)
        self.until(lambda: mid in self.heard.subacks)
        _accepted(self.heard.subacks.get(mid or 0))

    def publish(self, topic: str, payload: bytes, qos: int) -> int:
        """PUBLISH; return the packet's id, under which `acknowledged` tells the answer."""
        return self._client.publish(topic, payload, qos).mid

    def acknowledged(self, mid: int) -> float | None:
        """When the PUBACK, or with QoS 2 the PUBCOMP, came; None until then. Raises `Ended` for a refusal."""
        _accepted(self.heard.refusals.get(mid))
        if mid not in self.heard.pubacks:
            return None
        reason, arrived = self.heard.pubacks[mid]
        _accepted(reason)
        return arrived

    def until(self, done: Callable[[], bool]) -> None:
        """Let packets come and go until `done`; it is looked at again after each."""
        poll = select.poll()  # select.select takes no descriptor above 1023
        while not done():
            left = self.deadline - self._clock()
            if left <= 0:
                raise SessionEnded("timeout")
            if self._connection.fileno() < 0:
                raise SessionEnded("closed")
            writing = select.POLLOUT if self._client.want_write() else 0
            poll.register(self._connection, select.POLLIN | writing)
            pending = getattr(self._connection, "pending", lambda: 0)()
            ready = pending or poll.poll(min(left, 1.0) * 1000)
            self._go_on(readable=bool(ready), writable=bool(writing), done=done)

    def _go_on(self, *, readable: bool, writable: bool, done: Callable[[], bool]) -> None:
        for step in (
            *([self._client.loop_write] if writable else []),
            *([self._client.loop_read] if readable else []),
            self._client.loop_misc,  # PINGREQ, when it is time
        ):
            code = self._checked(step)
            if self.heard.goodbye is not None and not done():
                raise SessionEnded("closed", _slug(self.heard.goodbye))
            if code and not done():
                raise SessionEnded("garbage" if code == MQTTErrorCode.MQTT_ERR_PROTOCOL else "closed")

    def _checked(self, step: Callable[[], MQTTErrorCode]) -> MQTTErrorCode:
        try:
            code = step()
        except (SessionEnded, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - what paho raises depends on what garbage it was given
            raise SessionEnded("garbage", type(error).__name__.lower()) from None
        return code

    def disconnect(self) -> None:
        """DISCONNECT; the broker answers by closing, which nobody waits for."""
        self._client.disconnect()

    def close(self) -> None:
        """Close the socket, with or without a DISCONNECT before it."""
        self._connection.close()

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.heard.connack = reason

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
        self.heard.subacks[mid] = reasons[0]

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self.heard.pubacks[mid] = reason, self._clock()

    def _on_message(self, _c: Any, _u: Any, message: MQTTMessage) -> None:
        self.heard.messages.append(
            Message(message.topic, bytes(message.payload), bool(message.retain), self._clock())
        )

    def _on_disconnect(self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self.heard.goodbye = reason


def _accepted(reason: ReasonCode | None) -> None:
    if reason is not None and reason.is_failure:
        raise SessionEnded("refused", _slug(reason))


def _slug(reason: ReasonCode) -> str:
    return str(reason).lower().replace(" ", "-")
