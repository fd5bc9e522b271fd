"""Many probes at once: each in a thread with a deadline of its own, so that a slow one delays no other."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from chalicelib.probe.device import DeviceClient, probe_address
from chalicelib.probe.plan import (
    ELSEWHERE,
    UNTRIED,
    Failure,
    Outcome,
    Target,
    led_elsewhere,
    perhaps_ended_by_another,
    unforeseen,
)
from chalicelib.tls.connect import Resolve

# While outcomes come at the processor's pace, more threads only wait for the interpreter's lock, and cost CPU
# and memory for that (docs/benchmarks.md). When none comes for a moment, it is the network that is waited
# for, and twice as many are tried at a time. With the most, a thousand targets that all say nothing, ten
# seconds each, are through within the minute, and Lambda allows 1,024 descriptors.
_AT_ONCE = 8
_MOST_AT_ONCE = 200
_MOMENT = 0.1
_GRACE = 0.5


@dataclass(frozen=True)
class Attempt:
    """One listener to try, and with what; `address` is None until its name is resolved."""

    target: Target
    means: DeviceClient
    address: str | None = None
    dns_ms: float = 0


_Done = Outcome | tuple[Attempt | Outcome, ...]
"""What came of an address; or the attempts that a name resolved to, and what came of the hostname."""

_Tried = tuple[Attempt, Outcome]
Unexpected = Callable[[str, Exception], None]


def _raised(_load_balancer: str, error: Exception) -> None:
    raise error


def attempt_all(
    attempts: Sequence[Attempt],
    resolve: Resolve,
    *,
    timeout: float,
    until: float,
    unexpected: Unexpected = _raised,
) -> Iterator[tuple[str, Outcome]]:
    """Yield what came of each address of each target, with its load balancer's name, as it comes.

    `timeout` is seconds for each; `until` is `time.monotonic()`'s, for all: what cannot have its full time
    before that is not begun, and its outcome is `deadline`. What an attempt raises is a defect: `unexpected`
    gets it with the load balancer's name, and unless that raises it the others go on.

    A session that another one of the same user may have ended is tried once more when all others are through,
    one after the other for each user, and the second outcome counts.
    """
    again: dict[str, list[_Tried]] = {}
    for attempt, outcome in _side_by_side(attempts, resolve, timeout, until, unexpected):
        user = attempt.means.credentials.username
        if user is not None and perhaps_ended_by_another(outcome.failure):
            again.setdefault(user, []).append((attempt, outcome))
        else:
            yield attempt.target.load_balancer, outcome

    def one_after_the_other(tried: Sequence[_Tried]) -> tuple[tuple[str, Outcome], ...]:
        return tuple(
            (attempt.target.load_balancer, _once_more(attempt, first, timeout, until, unexpected))
            for attempt, first in tried
        )

    if again:
        with ThreadPoolExecutor(min(len(again), _MOST_AT_ONCE), thread_name_prefix="probe") as pool:
            for of_one_user in pool.map(one_after_the_other, again.values()):
                yield from of_one_user


def _side_by_side(
    attempts: Sequence[Attempt], resolve: Resolve, timeout: float, until: float, unexpected: Unexpected
) -> Iterator[_Tried]:
    results: SimpleQueue[Future[_Done]] = SimpleQueue()
    left = deque(attempts)
    tried: dict[Future[_Done], Attempt] = {}
    at_once = _AT_ONCE
    pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="probe")

    def start(attempt: Attempt) -> None:
        begun = pool.submit(_work, attempt, resolve, timeout, until)
        tried[begun] = attempt
        begun.add_done_callback(results.put)

    try:
        while left or tried:
            while left and len(tried) < at_once:
                start(left.popleft())
            patience = until + _GRACE - time.monotonic()
            growing = bool(left) and at_once < _MOST_AT_ONCE
            try:
                ended = results.get(timeout=max(0.0, min(patience, _MOMENT) if growing else patience))
            except Empty:
                if time.monotonic() >= until + _GRACE:
                    break
                at_once = min(2 * at_once, _MOST_AT_ONCE)
                continue
            attempt = tried.pop(ended)
            try:
                done = ended.result()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this one's
                unexpected(attempt.target.load_balancer, error)
                done = Outcome(port=attempt.target.port, address=attempt.address, failure=unforeseen(error))
            match done:
                case Outcome() as outcome:
                    yield attempt, outcome
                case resolved:
                    # Before those whose name is not resolved yet.
                    left.extendleft(one for one in resolved if isinstance(one, Attempt))
                    yield from ((attempt, one) for one in resolved if isinstance(one, Outcome))
        for attempt in (*tried.values(), *left):
            yield attempt, _unfinished(attempt)
    finally:
        # A worker that is still busy ends at its own deadline.
        pool.shutdown(wait=not tried, cancel_futures=True)


def _once_more(
    attempt: Attempt, first: Outcome, timeout: float, until: float, unexpected: Unexpected
) -> Outcome:
    """Try again; where there is no time for that, the first outcome stays."""
    if attempt.address is None or time.monotonic() + timeout > until:
        return first
    deadline = time.monotonic() + timeout
    try:
        second = probe_address(attempt.target, attempt.address, attempt.means, deadline=deadline)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this one's
        unexpected(attempt.target.load_balancer, error)
        return first
    return replace(second, times_ms={"dns": attempt.dns_ms, **second.times_ms})


def _work(attempt: Attempt, resolve: Resolve, timeout: float, until: float) -> _Done:
    began = time.monotonic()
    if began + timeout > until:
        return _unfinished(attempt)
    if attempt.address is not None:
        deadline = began + timeout - attempt.dns_ms / 1000
        outcome = probe_address(attempt.target, attempt.address, attempt.means, deadline=deadline)
        return replace(outcome, times_ms={"dns": attempt.dns_ms, **outcome.times_ms})
    try:
        addresses = _resolved(attempt.target.host, resolve, timeout)
    except OSError as error:
        return Outcome(port=attempt.target.port, failure=Failure("dns", "dns", str(error)))
    spent = (time.monotonic() - began) * 1000
    found = tuple(replace(attempt, address=address, dns_ms=spent) for address in addresses)
    failure = _elsewhere(attempt.target, addresses, resolve, began + timeout)
    return (*found, Outcome(port=attempt.target.port, failure=failure)) if failure else found


def _elsewhere(target: Target, addresses: Sequence[str], resolve: Resolve, deadline: float) -> Failure | None:
    """Why devices that ask for the hostname do not get here; None also where a resolver does not say."""
    if (record := target.record) is None:
        return None

    def resolved(host: str) -> tuple[str, ...]:
        return _resolved(host, resolve, max(0.0, deadline - time.monotonic()))

    try:
        found = resolved(record.name)
    except OSError as error:
        passing = isinstance(error, TimeoutError) or error.errno == socket.EAI_AGAIN
        return None if passing else Failure("dns", ELSEWHERE, f"{record.name} does not resolve: {error}")
    if led_elsewhere(record, found, addresses) is None:
        return None
    here = {*addresses}
    for host in sorted(record.hosts - {target.host}):
        try:
            here |= {*resolved(host)}
        except OSError:
            return None
    return led_elsewhere(record, found, here)


def _resolved(host: str, resolve: Resolve, timeout: float) -> tuple[str, ...]:
    """Resolve within a time: getaddrinfo takes none, so it is left alone in a thread when it takes longer.

    Raises OSError, TimeoutError included; also for a host without an address.
    """
    answer: SimpleQueue[tuple[str, ...] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolve(host) or OSError("no address"))
        except UnicodeError as error:  # a name that cannot be one
            answer.put(OSError(str(error)))
        except Exception as error:  # noqa: BLE001 - raised where somebody waits for it
            answer.put(error)

    threading.Thread(target=ask, name="probe-dns", daemon=True).start()
    try:
        found = answer.get(timeout=timeout)
    except Empty:
        raise TimeoutError(f"{host} did not resolve in time") from None
    if isinstance(found, Exception):
        raise found
    return found


def _unfinished(attempt: Attempt) -> Outcome:
    return Outcome(port=attempt.target.port, address=attempt.address, failure=UNTRIED)
