"""What every story is given: clients, settings, clock, deadline and log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.aws.clients import Clients
from chalicelib.model.errors import AwsError, Unserved
from chalicelib.model.step import Step
from chalicelib.settings import Settings

_FIRST_WAIT = timedelta(seconds=0.5)
_LONGEST_WAIT = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One run of a function.

    `sleep` takes seconds; `deadline` is when it must have answered; `log` gets each action as it is
    done, after the load balancer's name.
    """

    clients: Clients
    settings: Settings
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    deadline: datetime
    log: Callable[[str, Step], None]

    def waits(self) -> Iterator[timedelta]:
        """Yield after each wait for something that AWS needs time for; each is longer than the one before.

        It ends when the next wait would pass the deadline.
        """
        wait = _FIRST_WAIT
        while self.now() + wait < self.deadline:
            self.sleep(wait.total_seconds())
            yield wait
            wait = min(2 * wait, _LONGEST_WAIT)


@contextmanager
def gathering(place: str, failures: list[tuple[str, Exception]]) -> Iterator[None]:
    """Collect an error of AWS with its place instead of raising it, so that the next step is done too."""
    try:
        yield
    except Unserved as error:
        failures += error.failures
    except AwsError as error:
        failures.append((place, error))
