"""The `emq-elb:pending` tag parses and prints itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.pending import (
    ISSUING,
    LONGEST_LIMIT,
    PROVISIONING,
    TO_BE_SWEPT,
    WAITING_FOR_AWS,
    WAITING_FOR_CA,
    Pending,
    parse_pending,
    until_served,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
UNTIL = datetime(2026, 11, 25, 4, 30, 0, tzinfo=UTC)

moments = st.datetimes(
    min_value=datetime(1000, 1, 2),  # noqa: DTZ001 - Hypothesis wants it naive
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001 - as well
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
).map(lambda moment: moment.replace(microsecond=0))
purposes = st.sampled_from(
    [PROVISIONING, WAITING_FOR_AWS, WAITING_FOR_CA, ISSUING, TO_BE_SWEPT, until_served("demo-1"), ""]
)


@given(moments, purposes)
def test_what_is_printed_is_parsed_again(since: datetime, what: str) -> None:
    assert parse_pending(str(Pending(since, what))) == Pending(since, what)


@given(moments, purposes.filter(bool), moments)
def test_so_is_the_time_before_which_the_ca_is_not_asked(since: datetime, what: str, until: datetime) -> None:
    pending = Pending(since, what, until)
    assert parse_pending(str(pending)) == pending
    assert len(str(pending)) <= 255


@pytest.mark.parametrize(
    ("until", "limited"),
    [
        (None, False),
        (NOW, False),
        (NOW - timedelta(days=1), False),
        (NOW + timedelta(seconds=1), True),
        (NOW + LONGEST_LIMIT, True),
        (NOW + LONGEST_LIMIT + timedelta(seconds=1), False),
        (datetime(9999, 12, 31, tzinfo=UTC), False),
    ],
)
def test_no_limit_is_believed_for_ever(until: datetime | None, limited: bool) -> None:
    assert Pending(NOW, ISSUING, until).limited(NOW) == (until if limited else None)


@given(st.text())
def test_any_text_is_parsed(text: str) -> None:
    assert parse_pending(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00Z issuing",
        "2026-11-22T12:00:00Z issuing not before 2026-11-25",
        "x issuing not before ever",
        "not before",
    ],
)
def test_without_such_a_time_there_is_none(text: str) -> None:
    pending = parse_pending(text)
    assert pending is not None
    assert pending.not_before is None


@pytest.mark.parametrize(
    ("text", "what", "rotation", "certificate"),
    [
        ("2026-11-22T12:00:00Z", "", False, None),
        ("2026-11-22T12:00:00Z provisioning", "provisioning", False, None),
        ("2026-11-22T12:00:00Z waiting for the CA", "waiting for the CA", False, None),
        ("2026-11-22T12:00:00Z issuing", "issuing", True, None),
        ("2026-11-22T12:00:00Z issuing not before 2026-11-25T04:30:00Z", "issuing", True, None),
        ("2026-11-22T12:00:00Z certificate demo-1", "certificate demo-1", True, "demo-1"),
    ],
)
def test_the_words_say_who_waits(text: str, what: str, rotation: bool, certificate: str | None) -> None:
    pending = parse_pending(text)
    assert pending is not None
    assert (pending.what, pending.of_rotation, pending.certificate) == (what, rotation, certificate)


def test_a_request_is_known_by_its_second() -> None:
    assert Pending(NOW).began_at(NOW.replace(microsecond=999))
    assert not Pending(NOW).began_at(UNTIL)
    assert not Pending(None).began_at(NOW)


def test_without_a_tag_nothing_is_pending() -> None:
    assert parse_pending(None) is None
