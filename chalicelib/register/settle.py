"""When to look, so that a burst of events is answered by few looks.

An event is answered by any look that began `settle` or more after the end of the event's whole second, and
looks of one container are at least that far apart. What a burst still brings while one look waits is seen by
that look, so that the events behind it find themselves answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class LastLook:
    """All that a warm container remembers: when it last began to look, and whether every one was served."""

    began: datetime
    served: bool


def settled_at(event: datetime, settle: timedelta) -> datetime:
    """When what the event tells of can be seen by a look."""
    return event.replace(microsecond=0) + _SECOND + settle


def answered(event: datetime, last: LastLook | None, settle: timedelta) -> bool:
    """Whether the last look saw what the event tells of."""
    return last is not None and last.served and last.began >= settled_at(event, settle)


def wait_for_look(event: datetime, last: LastLook | None, settle: timedelta, now: datetime) -> timedelta:
    """How long to wait before looking for the event; zero when it is late already.

    An event from the future (a clock that is wrong) waits no longer than one of this very moment.
    """
    ready = min(settled_at(event, settle), settled_at(now, settle))
    if last is not None:
        ready = max(ready, min(last.began, now) + settle)
    return max(ready - now, timedelta())
