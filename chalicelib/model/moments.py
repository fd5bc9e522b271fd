"""Moments as texts: RFC 3339 in UTC, to the second, as tags, answers and events hold them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """Return a moment as `2026-11-28T09:30:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment_of(text: str) -> datetime | None:
    """Return the moment, in UTC, that a text names; None where it is not a time with a zone.

    None also where it is in UTC in none of the years 1 to 9999: a tag or an event can hold any text.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
