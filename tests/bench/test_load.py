"""What devices notice: counted while they come and stay, and the gap read off those that came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.load import Attempt, Noticed, gap, load
from tests.world.certificates import authority, leaf
from tests.world.mqtt_broker import CONNECT, Close, Connection, Packet, broker
from tests.world.servers import ADDRESS, over_tls, serving, tls_context

PINGREQ = 12


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        pytest.param([(0, True), (1, True)], 0, id="nobody was turned away"),
        pytest.param([(0, True), (1, False), (3, True)], 2, id="from a failure to the next success"),
        pytest.param([(0, False), (2, False), (5, True)], 5, id="from the first of several failures"),
        pytest.param([(0, False), (1, True), (2, False), (6, True), (7, True)], 4, id="the longest of two"),
        pytest.param([(0, True), (1, False), (4, False)], 3, id="as long as was looked"),
        pytest.param(
            [(3, True), (1, False), (0, True)], 2, id="by when they came, not as they stand in the list"
        ),
        pytest.param([], 0, id="nobody came"),
    ],
)
def test_a_gap_is_the_longest_time_in_which_nobody_is_let_in(
    attempts: Sequence[tuple[float, bool]], expected: float
) -> None:
    assert gap([Attempt(at, served) for at, served in attempts]) == expected


@contextmanager
def devices(directory: Path, connack: Callable[[], bytes]) -> Iterator[Noticed]:
    """Devices at a broker that answers CONNECT with `connack`, and PINGREQ unless that is empty."""

    def pong(_packet: Packet, _connection: Connection) -> bytes:
        return connack() and b"\xd0\x00"

    signer = authority()
    trusted = directory / "authority.pem"
    trusted.write_text(signer.certificate_pem)
    context = tls_context(leaf(signed_by=signer, addresses=[ADDRESS]), directory)
    talk = broker({CONNECT: lambda *_: connack(), PINGREQ: pong})
    with serving(over_tls(context, talk)) as server, load([ADDRESS], server.port, trusted) as noticed:
        yield noticed


def test_devices_that_are_let_in_notice_nothing(tmp_path: Path) -> None:
    with devices(tmp_path, lambda: b"\x20\x02\x00\x00") as noticed:
        pass
    assert len(noticed.attempts) >= 25
    assert (noticed.failed, noticed.dropped, gap(noticed.attempts)) == (0, 0, 0)


def test_devices_notice_that_they_are_turned_away_and_sessions_that_they_are_cut(tmp_path: Path) -> None:
    closed, cut = threading.Event(), threading.Semaphore(0)

    def connack() -> bytes:
        if closed.is_set():
            cut.release()
            raise Close
        return b"\x20\x02\x00\x00"

    with devices(tmp_path, connack) as noticed:
        closed.set()
        for _ in range(40):  # the twenty sessions, and some that come
            assert cut.acquire(timeout=20)
    assert noticed.failed > 0
    assert noticed.dropped == 20
    assert noticed.attempts[0].served
    assert gap(noticed.attempts) > 0
