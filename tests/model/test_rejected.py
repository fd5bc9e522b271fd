from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.names import REJECTED_TAG
from chalicelib.model.rejected import BARRED, Rejected, parse_rejected

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = st.from_regex(r"[\w+=,.@-]{1,128}", fullmatch=True)
TIMES = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)


@given(NAMES, st.none() | TIMES)
def test_what_is_written_is_read(name: str, at: datetime | None) -> None:
    key, text = Rejected(name, at).tag
    assert key == REJECTED_TAG
    assert len(text) <= 256
    assert parse_rejected(text) == Rejected(name, at and at.replace(microsecond=0))


@given(st.text())
def test_whatever_somebody_writes_is_a_name_or_nothing(text: str) -> None:
    found = parse_rejected(text)
    assert (found is None) == (text == "")


@pytest.mark.parametrize(
    ("at", "barred"),
    [
        (NOW, True),
        (NOW - BARRED + timedelta(seconds=1), True),
        (NOW - BARRED, False),
        (NOW + timedelta(hours=9), True),
        (NOW + timedelta(days=9), False),
        (datetime.max.replace(tzinfo=UTC), False),
        (datetime.min.replace(tzinfo=UTC), False),
        (None, True),
    ],
)
def test_one_that_failed_is_barred_for_a_day(at: datetime | None, barred: bool) -> None:
    assert Rejected("x", at).barred(NOW) == barred
