"""One probe: what a device does at one address, from the TCP connection to its own message back."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace

from chalicelib.probe.mqtt import Credentials, Session, SessionEnded
from chalicelib.probe.plan import (
    Failure,
    Outcome,
    Phase,
    Target,
    hint,
    name_failure,
    own_root,
    withheld,
)
from chalicelib.tls import connect as tls
from chalicelib.tls.handshake import UNVERIFIED_CAUSES, Handshake, Trust

# A broker may refuse a client that asks for more than its maximum, which can be as low as this (mosquitto:
# `max_keepalive`). paho sends a PINGREQ where a probe takes longer.
_KEEPALIVE = 10


@dataclass(frozen=True, kw_only=True)
class DeviceClient:
    """What a probe needs beside target and address: trust, credentials, a fresh word, a clock."""

    trust: Trust = field(default_factory=Trust)
    credentials: Credentials = field(default_factory=Credentials)
    nonce: Callable[[], str] = lambda: secrets.token_hex(8)
    clock: Callable[[], float] = time.monotonic


def probe_address(target: Target, address: str, means: DeviceClient, *, deadline: float) -> Outcome:
    """Use the listener as a device would; return how far it came. `deadline` is by `means.clock`.

    Whatever the other side does is an outcome; the socket is closed on every path.
    """
    outcome, connection = connect_device(target, address, means, deadline=deadline)
    if connection is None:
        return outcome
    nonce = means.nonce()
    with closing(connection):
        client_id = f"emq-elb-probe-{nonce}"
        session = open_mqtt_session(
            connection, target, client_id, means, deadline=deadline, keepalive=_KEEPALIVE
        )
        try:
            return _use(session, target, outcome, nonce, means.clock)
        finally:
            session.close()


def open_mqtt_session(
    connection: socket.socket,
    target: Target,
    client_id: str,
    means: DeviceClient,
    *,
    deadline: float,
    keepalive: int,
) -> Session:
    """Return a session as the target's options want it, before its CONNECT; `keepalive` is seconds."""
    return Session(
        connection,
        client_id=client_id,
        protocol=target.options.protocol,
        credentials=means.credentials,
        deadline=deadline,
        keepalive=keepalive,
        clock=means.clock,
    )


def connect_device(
    target: Target, address: str, means: DeviceClient, *, deadline: float
) -> tuple[Outcome, socket.socket | None]:
    """Connect, over TLS where the listener is secure. The socket is the caller's to close."""
    left = deadline - means.clock()
    if left <= 0:
        return Outcome(port=target.port, address=address, failure=Failure("tcp", "deadline")), None
    if not target.secure:
        result, plain = tls.connect_plainly(address, target.port, timeout=left)
        return _entrusted(target, _shaken(target, result), plain, means)
    result, secure = _shake(target, address, means.trust, deadline, means.clock)
    if result.cause in UNVERIFIED_CAUSES:
        result, secure = _look_again(target, address, means, result, deadline)
    outcome = _shaken(target, result)
    if secure is not None and outcome.failure is not None:
        secure.close()
        return outcome, None
    return _entrusted(target, outcome, secure, means)


def _entrusted(
    target: Target, outcome: Outcome, connection: socket.socket | None, means: DeviceClient
) -> tuple[Outcome, socket.socket | None]:
    """Close the connection where a password would go to another host than the load balancer, or in clear."""
    if connection is None or means.credentials.password is None:
        return outcome, connection
    failure = withheld(target, outcome.served)
    if failure is None:
        return outcome, connection
    connection.close()
    return replace(outcome, failure=failure), None


def _shake(
    target: Target, address: str, trust: Trust | None, deadline: float, clock: Callable[[], float]
) -> tuple[Handshake, socket.socket | None]:
    left = deadline - clock()
    if left <= 0:
        return Handshake(address=address, port=target.port, cause="tcp-timeout"), None
    return tls.connect(
        address,
        target.port,
        target.hostname or target.host,
        trust=trust,
        timeout=left,
        # Without a tag the certificate says which name it is to have: `_shaken` looks at it.
        verify_name=target.hostname is not None,
    )


def _look_again(
    target: Target, address: str, means: DeviceClient, refused: Handshake, deadline: float
) -> tuple[Handshake, socket.socket | None]:
    """Read a certificate that was refused; try its own root where we know that root."""
    looked, secure = _shake(target, address, None, deadline, means.clock)
    if secure is not None:
        secure.close()
    seen = replace(refused, served=looked.served, version=looked.version, cipher=looked.cipher)
    root = own_root(target, looked.served) if looked.served else None
    if refused.cause != "tls-untrusted" or root is None:
        return seen, None
    trust = replace(means.trust, anchors=(*means.trust.anchors, root))
    result, secure = _shake(target, address, trust, deadline, means.clock)
    if result.cause in UNVERIFIED_CAUSES:
        return replace(seen, cause=result.cause, detail=result.detail), None
    return result, secure


def _shaken(target: Target, result: Handshake) -> Outcome:
    times = {"tcp": result.tcp_ms, "tls": result.tls_ms if result.cause is None else None}
    failure: Failure | None = None
    if result.cause is not None:
        failure = Failure("tcp" if result.cause.startswith("tcp-") else "tls", result.cause, result.detail)
    elif target.secure and (result.served or target.hostname is None):
        # Without a hostname nobody has checked the name yet: one that cannot be read does not pass.
        domains = result.served.leaf.domains if result.served else ()
        failure = name_failure(target.hostname, domains, target.host)
    return Outcome(
        port=target.port,
        address=result.address,
        failure=failure,
        times_ms={phase: spent for phase, spent in times.items() if spent is not None},
        tls_version=result.version,
        cipher=result.cipher,
        served=result.served,
    )


def _use(
    session: Session, target: Target, outcome: Outcome, nonce: str, clock: Callable[[], float]
) -> Outcome:
    """CONNECT, SUBSCRIBE, PUBLISH and the message back, each with its time."""
    times = dict(outcome.times_ms)
    topic, payload = f"emq-elb/probe/{nonce}", nonce.encode()
    phase: Phase = "connack"
    began = clock()

    def echoes() -> list[float]:
        own = (message for message in session.heard.messages if message.topic == topic)
        return [one.arrived for one in own if one.payload == payload and not one.retained]

    try:
        session.connect()
        times[phase] = (clock() - began) * 1000
        phase, began, qos = "suback", clock(), session.allowed_qos(target.options.qos)
        session.subscribe(topic, qos)
        times[phase] = (clock() - began) * 1000
        phase, began = "puback", clock()
        mid = session.publish(topic, payload, qos)
        session.until(lambda: session.acknowledged(mid) is not None)
        if qos:
            times[phase] = ((session.acknowledged(mid) or began) - began) * 1000
        phase = "echo"
        session.until(lambda: bool(echoes()))
        times[phase] = (echoes()[0] - began) * 1000
        session.disconnect()
    except SessionEnded as ended:
        return replace(outcome, times_ms=times, failure=_failure(phase, ended, session, topic, target))
    except OSError as error:
        closed = SessionEnded("closed", detail=str(error))
        return replace(outcome, times_ms=times, failure=_failure(phase, closed, session, topic, target))
    return replace(outcome, times_ms=times)


def _failure(phase: Phase, ended: SessionEnded, session: Session, topic: str, target: Target) -> Failure:
    altered = any(one.topic == topic and not one.retained for one in session.heard.messages)
    if phase == "echo" and ended.end == "timeout" and altered:
        return Failure(phase, "echo-wrong")
    reason = f":{ended.reason}" if ended.reason and ended.end in {"refused", "closed"} else ""
    cause = f"{phase}-{ended.end}"
    more = "" if reason else hint(cause, target.options)
    return Failure(phase, cause + reason, "; ".join(filter(None, (ended.detail.rstrip("."), more))))
