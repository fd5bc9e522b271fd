"""The wire of the deep probe: obsolete TLS, a session left idle, a message to many sessions."""

from __future__ import annotations

import select
import socket
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from math import ceil
from threading import Condition, Event

from chalicelib.probe.deep_plan import Delivery, IdleTrial
from chalicelib.probe.device import DeviceClient, connect_device, open_mqtt_session
from chalicelib.probe.mqtt import Session, SessionEnded
from chalicelib.probe.plan import Failure, Target
from chalicelib.tls import connect as tls

_VERSIONS = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}
# Only this alert says that the server would not: what else ends a handshake may be the client's own doing.
_REFUSED = "TLSV1_ALERT_PROTOCOL_VERSION"
# MQTT's own keepalive is 16 bits of seconds.
_LONGEST_KEEPALIVE = 65_535
_KEEPALIVE = 60
# A NAT gateway forgets a connection that is silent for 350 seconds:
# https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
_TCP_KEEPALIVE = 60
_MOMENT = 1.0


class Permits:
    """So many of something that may be in use at once, over all threads."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._changed = Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Wait for that many, and give them back at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._left >= count)
            self._left -= count
        try:
            yield
        finally:
            with self._changed:
                self._left += count
                self._changed.notify_all()


def accepts(target: Target, address: str, version: str, *, timeout: float) -> bool | None:
    """Whether the listener shakes hands in this version; None where this machine cannot try it."""
    only = _VERSIONS[version]
    result, secure = tls.connect(
        address, target.port, target.host, trust=None, timeout=timeout, minimum=only, maximum=only
    )
    if secure is not None:
        secure.close()
        return True
    return False if result.detail == _REFUSED else None


@dataclass(frozen=True)
class Silence:
    """A session left silent: the trial as the broker allowed it, and whether the session is alive."""

    trial: IdleTrial
    alive: bool


def outlives(
    target: Target, address: str, means: DeviceClient, trial: IdleTrial, *, timeout: float
) -> Silence | Failure:
    """Leave a session without a packet, then use it; return the failure where no session came about.

    It asks for the keepalive that devices use: some brokers refuse a client that asks for more than they
    allow. Where CONNACK announces a Server Keep Alive, no client may be silent for longer [MQTT-3.2.2-21].
    """
    keepalive = min(ceil(trial.keepalive), _LONGEST_KEEPALIVE)
    with ExitStack() as stack:
        session = _connected(
            target, address, means, stack, timeout=timeout, keepalive=keepalive, silent=trial.silent
        )
        if isinstance(session, Failure):
            return session
        trial = trial.within(session.heard.limits.keep_alive)
        Event().wait(trial.seconds)  # the silence is what is tried
        session.deadline = means.clock() + timeout
        topic, payload = f"emq-elb/probe/{means.nonce()}", means.nonce().encode()
        try:
            session.subscribe(topic, 1)
            session.publish(topic, payload, 1)
            session.until(lambda: _has(session, topic, payload))
        except (SessionEnded, OSError):
            return Silence(trial, alive=False)
        return Silence(trial, alive=True)


def one_session_a_user(target: Target, address: str, means: DeviceClient, *, timeout: float) -> bool:
    """Whether the broker ends a session when another one of the same user begins, twice in a row.

    It does where it takes the user name for the client id: then no two sessions of the probe can be side by
    side.
    """
    if means.credentials.username is None:
        return False
    with ExitStack() as stack:
        earlier = _connected(target, address, means, stack, timeout=timeout)
        for _ in range(2):
            later = _connected(target, address, means, stack, timeout=timeout)
            if isinstance(earlier, Failure) or isinstance(later, Failure) or not _ends(earlier, means):
                return False
            earlier = later
    return True


def _ends(session: Session, means: DeviceClient) -> bool:
    session.deadline = means.clock() + _MOMENT
    try:
        session.until(lambda: False)
    except SessionEnded as ended:
        return ended.end == "closed"
    except OSError:
        return True
    return False


def delivered(
    target: Target,
    addresses: Sequence[str],
    means: DeviceClient,
    *,
    sessions: int,
    timeout: float,
    openers: Executor,
) -> Delivery:
    """Let one of many sessions, spread over the addresses, publish; count those that came about and received.

    A session comes about with its SUBACK. `timeout` is seconds for each, and for the message.
    """
    topic, payload = f"emq-elb/probe/{means.nonce()}", means.nonce().encode()

    def opened(address: str) -> tuple[Session | Failure, ExitStack]:
        stack = ExitStack()
        return _subscribed(target, address, topic, means, stack, timeout=timeout), stack

    with ExitStack() as stack:
        found = []
        for session, own in openers.map(opened, islice(cycle(addresses), sessions)):
            stack.callback(own.close)
            found.append(session)
        living = [one for one in found if isinstance(one, Session)]
        failures = [one for one in found if isinstance(one, Failure)]
        received = _received(living, topic, payload, means, timeout) if living else 0
        return Delivery(
            sessions=sessions,
            came_about=len(living),
            missing=Counter(one.kind for one in failures if one.of_broker),
            unreached=sum(not one.of_broker for one in failures),
            received=received,
        )


def _subscribed(
    target: Target, address: str, topic: str, means: DeviceClient, stack: ExitStack, *, timeout: float
) -> Session | Failure:
    session = _connected(target, address, means, stack, timeout=timeout)
    if isinstance(session, Failure):
        return session
    try:
        session.subscribe(topic, 1)
    except SessionEnded as ended:
        return Failure("suback", f"suback-{ended.end}", ended.detail)
    except OSError as error:
        return Failure("suback", "suback-closed", str(error))
    return session


def _connected(
    target: Target,
    address: str,
    means: DeviceClient,
    stack: ExitStack,
    *,
    timeout: float,
    keepalive: int = _KEEPALIVE,
    silent: bool = False,
) -> Session | Failure:
    deadline = means.clock() + timeout
    outcome, connection = connect_device(target, address, means, deadline=deadline)
    if connection is None:
        return outcome.failure or Failure("tcp", "deadline")
    stack.callback(connection.close)
    if not silent:
        keep_open(connection)
    name = f"emq-elb-probe-{means.nonce()}"
    session = open_mqtt_session(connection, target, name, means, deadline=deadline, keepalive=keepalive)
    try:
        session.connect()
    except SessionEnded as ended:
        return Failure("connack", f"connack-{ended.end}", ended.detail)
    except OSError as error:
        return Failure("connack", "connack-closed", str(error))
    return session


def keep_open(connection: socket.socket) -> None:
    """Let TCP itself show that the connection is in use: NAT on the way then does not forget it.

    To MQTT, and to the idle timeout of a classic load balancer, the session stays silent.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        connection.setsockopt(socket.IPPROTO_TCP, option, _TCP_KEEPALIVE)


def _received(
    sessions: Sequence[Session], topic: str, payload: bytes, means: DeviceClient, timeout: float
) -> int:
    """Publish once, and count the sessions that receive it in time; all of them are read side by side."""
    until = means.clock() + timeout
    for session in sessions:
        session.deadline = until
    if not any(_published(session, topic, payload) for session in sessions):
        return 0
    waiting = {session.fileno(): session for session in sessions if session.fileno() >= 0}
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    count = 0
    while waiting and (left := until - means.clock()) > 0:
        buffered = {descriptor for descriptor, one in waiting.items() if one.pending()}
        ready = {descriptor for descriptor, _ in poll.poll(0 if buffered else left * 1000)}
        for descriptor in buffered | ready:
            session = waiting[descriptor]
            ended = _read(session)
            has = _has(session, topic, payload)
            count += has
            if has or ended:
                poll.unregister(descriptor)
                del waiting[descriptor]
    return count


def _published(session: Session, topic: str, payload: bytes) -> bool:
    try:
        session.publish(topic, payload, 1)
    except (SessionEnded, OSError):
        return False
    return session.fileno() >= 0


def _read(session: Session) -> bool:
    """Read one packet; whether the session has ended."""
    try:
        session.read_packet()
    except (SessionEnded, OSError):
        return True
    return session.fileno() < 0


def _has(session: Session, topic: str, payload: bytes) -> bool:
    return any((one.topic, one.payload) == (topic, payload) for one in session.heard.messages)
