"""When a CA would have a certificate renewed, and the name that it knows it by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.acme.renewal_window import Window, certificate_id, renew_at, suggested, window_of
from chalicelib.model.load_balancer import Certificate, Leaf

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def certificate(issuer_key: str | None, serial: str) -> Certificate:
    leaf = Leaf(not_before=NOW, not_after=NOW, domains=(), serial=serial, issuer_key=issuer_key)
    return Certificate(arn="arn", not_after=NOW, leaf=leaf)


@pytest.mark.parametrize(
    ("issuer_key", "serial", "wanted"),
    [
        # The RFC's own example, section 4.1.
        ("69885b6b87464041e1b37b847bd0ae2cde01c8d4", "87654321", "aYhba4dGQEHhs3uEe9CuLN4ByNQ.AIdlQyE"),
        ("00", "01", "AA.AQ"),
        ("ff", "80", "_w.AIA"),
        (None, "01", None),
        ("ff", "", None),
    ],
)
def test_a_ca_knows_a_certificate_by_its_issuers_key_and_its_serial(
    issuer_key: str | None, serial: str, wanted: str | None
) -> None:
    assert certificate_id(certificate(issuer_key, serial)) == wanted


def answer(start: object, end: object) -> object:
    return {"suggestedWindow": {"start": start, "end": end}, "explanationURL": "https://example.com"}


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (answer("2026-11-22T12:00:00Z", "2026-11-22T13:00:00+00:00"), Window(NOW, NOW + HOUR)),
        (answer("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"), None),
        (answer("2026-11-22T13:00:00Z", "2026-11-22T12:00:00Z"), None),
        (answer("2026-11-22T12:00:00", "2026-11-22T13:00:00"), None),
        (answer("0001-01-01T00:00:00+02:00", "2026-11-22T13:00:00Z"), None),
        (answer("today", "tomorrow"), None),
        (answer(1, 2), None),
        ({"suggestedWindow": {}}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_window_is_read_only_where_it_makes_sense(answered: object, wanted: Window | None) -> None:
    assert window_of(answered) == wanted


def test_a_window_is_returned_in_utc_whatever_its_offset() -> None:
    window = window_of(answer("2026-11-22T14:00:00+02:00", "2026-11-22T08:00:00-05:00"))
    assert window == Window(NOW, NOW + HOUR)
    assert window.start.tzinfo is UTC
    assert window.end.tzinfo is UTC


@given(st.text(), st.timedeltas(HOUR, timedelta(days=400)))
def test_the_time_is_in_the_window_and_the_same_at_every_look(name: str, length: timedelta) -> None:
    window = Window(NOW, NOW + length)
    at = renew_at(window, name)
    assert window.start <= at <= window.end
    assert renew_at(window, name) == at


def test_certificates_are_spread_over_the_window() -> None:
    window = Window(NOW, NOW + timedelta(days=2))
    hours = {(renew_at(window, f"arn:{number}") - NOW) // HOUR for number in range(500)}
    assert len(hours) > 40


@pytest.mark.parametrize(
    ("before", "due"), [(timedelta(hours=12, seconds=1), False), (timedelta(hours=12), True), (-HOUR, True)]
)
def test_it_is_due_when_its_time_comes_before_the_next_look(before: timedelta, due: bool) -> None:
    window = Window(NOW, NOW + timedelta(days=2))
    assert suggested(window, "arn", renew_at(window, "arn") - before) is due
