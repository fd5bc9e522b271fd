"""When to look, so that a burst of events is answered by few looks.

An event is answered by any look that began `settle` or more after the end of the event's whole second, and
looks of one container are at least that far apart. What a burst still brings while one look waits is seen by
that look, so that the events behind it find themselves answered.

EC2 announces every state change of every instance of the account. One of an instance without a cluster's tag
is answered without a look: a read of the tag, and no wait. Many such at once would be as many reads, so that
after `WITHOUT_LOOK` of them within `settle` a look answers the next, and all that the look has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)
WITHOUT_LOOK = 10


@dataclass(frozen=True)
class LastLook:
    """When a look began, and whether it served every load balancer."""

    began: datetime
    served: bool


@dataclass(frozen=True)
class Memory:
    """All that a warm container remembers: its last look, and the times of events answered without one."""

    look: LastLook | None = None
    without_look: tuple[datetime, ...] = ()

    def answered_without_look(self, now: datetime) -> Memory:
        """The memory after one more such event; no more are kept than the decision needs."""
        return Memory(self.look, (*self.without_look, now)[-WITHOUT_LOOK:])


def settled_at(event: datetime, settle: timedelta) -> datetime:
    """Return when a look can see the change of which the event speaks."""
    return event.replace(microsecond=0) + _SECOND + settle


def answered(event: datetime, last: LastLook | None, settle: timedelta) -> bool:
    """Whether the last look saw the change of which the event speaks."""
    # Nothing is added to the event's time: it may be the last one that Python can count to.
    return last is not None and last.served and last.began - _SECOND - settle >= event.replace(microsecond=0)


def one_by_one(memory: Memory, settle: timedelta, now: datetime) -> bool:
    """Whether it is still cheaper to read the tag of the event's instance than to look."""
    return sum(now - at < settle for at in memory.without_look) < WITHOUT_LOOK


def wait_for_look(event: datetime, last: LastLook | None, settle: timedelta, now: datetime) -> timedelta:
    """How long to wait before looking for the event; zero when it is late already.

    An event from the future (a clock that is wrong) waits no longer than one of this very moment.
    """
    ready = settled_at(min(event, now), settle)
    if last is not None:
        ready = max(ready, min(last.began, now) + settle)
    return max(ready - now, timedelta())
