"""A burst is answered by few looks, and no event by a look that began too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.register.settle import (
    WITHOUT_LOOK,
    LastLook,
    Memory,
    answered,
    one_by_one,
    settled_at,
    wait_for_look,
)

SETTLE = timedelta(seconds=5)
AT = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("began", "served", "expected"),
    [
        (None, True, False),
        (5.9, True, False),
        (6, True, True),
        (60, True, True),
        (60, False, False),
        (-60, True, False),
    ],
)
def test_an_event_is_answered_by_a_look_that_began_late_enough_and_served_all(
    began: float | None, served: bool, expected: bool
) -> None:
    last = None if began is None else LastLook(after(began), served=served)
    assert answered(AT, last, SETTLE) is expected


@pytest.mark.parametrize(
    ("last", "now", "wait"),
    [
        (None, 0, 6),
        (None, 0.4, 5.6),
        (None, 100, 0),
        (3, 3.5, 4.5),  # five seconds after the last look
        (-60, 1, 5),
        (90, 100, 0),
        (98, 100, 3),
        (500, 100, 5),  # a memory from the future
        (None, -100, 6),  # an event from the future waits as one of this moment does
    ],
)
def test_how_long_a_look_waits(last: float | None, now: float, wait: float) -> None:
    memory = None if last is None else LastLook(after(last), served=True)
    assert wait_for_look(AT, memory, SETTLE, after(now)) == timedelta(seconds=wait)


@pytest.mark.parametrize("event", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_an_event_of_any_time_waits_no_longer_than_one_of_this_moment(event: datetime) -> None:
    last = LastLook(after(0), served=True)
    assert wait_for_look(event, None, SETTLE, AT) <= timedelta(seconds=6)
    assert answered(event, last, SETTLE) is (event < AT)


moments = st.floats(0, 30).map(after)


@given(st.lists(moments, min_size=1, max_size=40), st.integers(0, 20).map(lambda s: timedelta(seconds=s)))
def test_every_event_is_answered_and_looks_keep_their_distance(
    events: list[datetime], settle: timedelta
) -> None:
    now, looks, last = AT, [], None
    for event in sorted(events):
        now = max(now, event)
        if answered(event, last, settle):
            continue
        now += wait_for_look(event, last, settle, now)
        looks.append(now)
        last = LastLook(now, served=True)
    assert all(any(look >= settled_at(event, settle) for look in looks) for event in events)
    assert all(later - earlier >= settle for earlier, later in pairwise(looks))


@pytest.mark.parametrize(
    ("times", "now", "expected"),
    [
        ([], 0, True),
        ([0] * 9, 1, True),
        ([0] * 10, 1, False),
        ([0] * 10, 5, True),
        ([0, *[4] * 9], 4.9, False),
        ([0, *[4] * 9], 5, True),
        ([*[0] * 30, *[4] * 9], 6, True),
    ],
)
def test_ten_events_within_the_settling_time_are_answered_one_by_one(
    times: list[float], now: float, expected: bool
) -> None:
    memory = Memory(LastLook(AT, served=True))
    for time in times:
        memory = memory.answered_without_look(after(time))
    assert one_by_one(memory, SETTLE, after(now)) is expected
    assert len(memory.without_look) <= WITHOUT_LOOK
    assert memory.look == LastLook(AT, served=True)
