"""What the `emq-elb:pending` tag says is waited for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.model.names import pending_since, pending_tag
from chalicelib.model.pending import ISSUING, WAITING, awaited, limited, not_before, of_rotation, waits_for

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
UNTIL = datetime(2026, 11, 25, 4, 30, 0, tzinfo=UTC)


@pytest.mark.parametrize("what", [WAITING, ISSUING])
def test_a_time_before_which_the_ca_is_not_asked_comes_back_from_the_tag(what: str) -> None:
    tag = pending_tag(NOW, limited(what, UNTIL))
    assert (pending_since(tag), not_before(tag)) == (NOW, UNTIL)
    assert len(tag) <= 255


@pytest.mark.parametrize(
    "tag",
    [
        None,
        "",
        "2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00Z issuing",
        "x issuing not before ever",
        "not before",
    ],
)
def test_without_such_a_time_there_is_none(tag: str | None) -> None:
    assert not_before(tag) is None


@pytest.mark.parametrize(
    ("tag", "what", "rotation", "certificate"),
    [
        (None, "", False, None),
        ("2026-11-22T12:00:00Z", "", False, None),
        ("2026-11-22T12:00:00Z provisioning", "provisioning", False, None),
        ("2026-11-22T12:00:00Z waiting for the CA", "waiting for the CA", False, None),
        ("2026-11-22T12:00:00Z issuing", "issuing", True, None),
        ("2026-11-22T12:00:00Z certificate demo-1", "certificate demo-1", True, "demo-1"),
    ],
)
def test_who_waits_is_told_by_the_words(
    tag: str | None, what: str, rotation: bool, certificate: str | None
) -> None:
    assert (waits_for(tag), of_rotation(tag), awaited(tag)) == (what, rotation, certificate)
