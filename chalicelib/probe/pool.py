"""Many probes at once: each in a thread with a deadline of its own, so that a slow one delays no other."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from chalicelib.probe.device import DeviceClient, probe_address
from chalicelib.probe.plan import Failure, Outcome, Target, unforeseen
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


_Done = Outcome | tuple[Attempt, ...]
"""What came of an address, or the attempts that a name resolved to."""


def _raised(_load_balancer: str, error: Exception) -> None:
    raise error


def attempt_all(
    attempts: Sequence[Attempt],
    resolve: Resolve,
    *,
    timeout: float,
    until: float,
    unexpected: Callable[[str, Exception], None] = _raised,
) -> Iterator[tuple[str, Outcome]]:
    """Yield what came of each address of each target, with its load balancer's name, as it comes.

    `timeout` is seconds for each; `until` is `time.monotonic()`'s, for all: what cannot have its full time
    before that is not begun, and its outcome is `deadline`. What an attempt raises is a defect: `unexpected`
    gets it with the load balancer's name, and unless that raises it the others go on.
    """
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
                    yield attempt.target.load_balancer, outcome
                case resolved:
                    left.extendleft(resolved)  # before those whose name is not resolved yet
        for attempt in (*tried.values(), *left):
            yield attempt.target.load_balancer, _unfinished(attempt)
    finally:
        # A worker that is still busy ends at its own deadline.
        pool.shutdown(wait=not tried, cancel_futures=True)


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
    except OSError:
        return Outcome(port=attempt.target.port, failure=Failure("dns", "dns"))
    spent = (time.monotonic() - began) * 1000
    return tuple(replace(attempt, address=address, dns_ms=spent) for address in addresses)


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
    return Outcome(port=attempt.target.port, address=attempt.address, failure=Failure("prepare", "deadline"))
