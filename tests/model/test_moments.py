"""A moment that is written is read again; a text that names none is None."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.moments import moment_of, rfc3339

SINCE_1970 = st.integers(0, 253_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(SINCE_1970, st.integers(0, 999_999))
def test_what_is_written_is_read_again_to_the_second(moment: datetime, microsecond: int) -> None:
    assert moment_of(rfc3339(moment.replace(microsecond=microsecond))) == moment


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-28T09:30:00Z", "2026-11-28T09:30:00Z"),
        ("2026-11-28T10:30:00+01:00", "2026-11-28T09:30:00Z"),
        ("20261128T093000Z", "2026-11-28T09:30:00Z"),
        ("2026-11-28T09:30:00", None),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        # In UTC these are in the years 10000 and 0, to which Python does not count.
        ("9999-12-31T23:59:59-01:00", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_moment_needs_a_zone(text: str, written: str | None) -> None:
    found = moment_of(text)
    assert (rfc3339(found) if found else None) == written
