"""The wire of the deep probe: obsolete TLS, a session left idle, a message to many sessions."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from threading import Event

from chalicelib.probe.device import DeviceClient, connect_device, open_mqtt_session
from chalicelib.probe.mqtt import Session, SessionEnded
from chalicelib.probe.plan import Target
from chalicelib.tls import connect as tls

_VERSIONS = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}
# Only this alert says that the server would not: what else ends a handshake may be the client's own doing.
_REFUSED = "TLSV1_ALERT_PROTOCOL_VERSION"
# MQTT's own keepalive is 16 bits of seconds; it must not make the client talk while it is to be silent.
_LONGEST_KEEPALIVE = 65_535


def accepts(target: Target, address: str, version: str, *, timeout: float) -> bool | None:
    """Whether the listener shakes hands in this version and no other; None when that cannot be told."""
    only = _VERSIONS[version]
    result, secure = tls.connect(
        address, target.port, target.host, trust=None, timeout=timeout, minimum=only, maximum=only
    )
    if secure is not None:
        secure.close()
        return True
    return False if result.detail == _REFUSED else None


def outlives(
    target: Target, address: str, means: DeviceClient, *, seconds: float, timeout: float
) -> bool | None:
    """Whether a session is still good after so many seconds without a packet; None when none came about."""
    with ExitStack() as stack:
        session = _opened(target, address, means, stack, timeout=timeout, keepalive=_LONGEST_KEEPALIVE)
        if session is None:
            return None
        Event().wait(seconds)  # the silence is what is tried
        session.deadline = means.clock() + timeout
        topic, payload = f"emq-elb/probe/{means.nonce()}", means.nonce().encode()
        try:
            session.subscribe(topic, 1)
            session.publish(topic, payload, 1)
        except (SessionEnded, OSError):
            return False
        return _has(session, topic, payload, session.deadline)


def delivered(
    target: Target, addresses: Sequence[str], means: DeviceClient, *, sessions: int, timeout: float
) -> tuple[bool, ...] | None:
    """Let one of many sessions, spread over the addresses, publish; tell which received it.

    None when not every session came about: that is for the probe to tell, not for this.
    """
    topic, payload = f"emq-elb/probe/{means.nonce()}", means.nonce().encode()
    with ExitStack() as stack:
        opened: list[Session] = []
        for address in islice(cycle(addresses), sessions):
            session = _opened(target, address, means, stack, timeout=timeout)
            if session is None:
                return None
            opened.append(session)
        try:
            for session in opened:
                session.deadline = means.clock() + timeout
                session.subscribe(topic, 1)
            opened[0].publish(topic, payload, 1)
        except (SessionEnded, OSError):
            return None
        until = means.clock() + timeout
        return tuple(_has(session, topic, payload, until) for session in opened)


def _opened(
    target: Target,
    address: str,
    means: DeviceClient,
    stack: ExitStack,
    *,
    timeout: float,
    keepalive: int = 60,
) -> Session | None:
    deadline = means.clock() + timeout
    _, connection = connect_device(target, address, means, deadline=deadline)
    if connection is None:
        return None
    stack.callback(connection.close)
    name = f"emq-elb-probe-{means.nonce()}"
    session = open_mqtt_session(connection, target, name, means, deadline=deadline, keepalive=keepalive)
    try:
        session.connect()
    except (SessionEnded, OSError):
        return None
    return session


def _has(session: Session, topic: str, payload: bytes, until: float) -> bool:
    session.deadline = until
    try:
        session.until(
            lambda: any((one.topic, one.payload) == (topic, payload) for one in session.heard.messages)
        )
    except (SessionEnded, OSError):
        return False
    return True
