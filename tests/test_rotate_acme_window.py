"""When a CA would have a certificate renewed (RFC 9773): the ACME server's front tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from lab.acme import Acme
from tests.acme_front import Answer, Asked
from tests.issuing import Authority, acme_for, authority, make_due
from tests.provisioning import Account
from tests.rotating import HOST, Front, front, make, names, rotate, served


@pytest.fixture
def ca(here: Account, acme: Acme) -> Iterator[Authority]:
    with authority(acme, here) as one:
        yield one


@pytest.fixture
def demo(here: Account) -> Iterator[Front]:
    with front(here) as made:
        yield made


@dataclass
class Suggesting:
    """Offers renewal information, and answers so when it is asked about a certificate."""

    ca: Authority
    answer: Answer

    def __post_init__(self) -> None:
        self.ca.front.refuse = lambda asked: self.answer if asked.path.startswith("/renewal-info/") else None
        self.ca.front.change = self.offered

    def offered(self, asked: Asked, answer: Answer) -> Answer:
        """Name it in the directory."""
        if asked.path != "/dir":
            return answer
        url = self.ca.front.directory.replace("/dir", "/renewal-info")
        body = json.loads(answer.body) | {"renewalInfo": url}
        return Answer(answer.status, json.dumps(body).encode(), answer.headers)

    @property
    def asked_about(self) -> list[str]:
        """The certificates' names in the questions."""
        return [
            one.path.rpartition("/")[2]
            for one in self.ca.front.asked
            if one.path.startswith("/renewal-info/")
        ]

    @property
    def replaced(self) -> list[str | None]:
        """What each order said that it replaces."""
        return [one.payload.get("replaces") for one in self.ca.front.asked if one.path == "/order-plz"]


def window(here: Account, start: float, end: float) -> Answer:
    """A suggested window, in days from now."""
    begin, last = (f"{here.now() + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (start, end))
    body = {"suggestedWindow": {"start": begin, "end": last}}
    return Answer(
        200, json.dumps(body).encode(), {"Content-Type": "application/json", "Retry-After": "21600"}
    )


def test_a_certificate_that_the_ca_wants_renewed_is_renewed_though_it_is_fresh(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    suggesting = Suggesting(ca, window(here, -2, -1))
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    assert served(here, demo.port) != old
    assert (ca.records(), len(names(here))) == ({}, 2)
    (name,) = {*suggesting.asked_about}
    assert (suggesting.replaced[0], suggesting.replaced[-1]) == (None, name)


def test_a_window_that_is_yet_to_come_changes_nothing(here: Account, ca: Authority, demo: Front) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    ordered = ca.orders
    suggesting = Suggesting(ca, window(here, 55, 57))
    (rotation,) = rotate(here, demo)
    assert (rotation.state, served(here, demo.port), ca.orders) == ("kept", old, ordered)
    assert suggesting.asked_about


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b"broken"),
        Answer(404, b"{}"),
        Answer(200, b"no JSON"),
        Answer(200, b"[]"),
        Answer(200, b'{"suggestedWindow": {"start": "soon", "end": "later"}}'),
        Answer(200, b'{"suggestedWindow": {"start": "2020-01-02T00:00:00Z", "end": "2020-01-01T00:00:00Z"}}'),
        Answer(hang_up=True),
    ],
    ids=["500", "404", "text", "a list", "no times", "backwards", "gone"],
)
def test_nonsense_instead_of_a_window_is_no_reason_to_renew_nor_to_fail(
    here: Account, ca: Authority, demo: Front, answer: Answer
) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    suggesting = Suggesting(ca, answer)
    (rotation,) = rotate(here, demo)
    assert (rotation.state, served(here, demo.port)) == ("kept", old)
    assert suggesting.asked_about


def test_what_is_due_by_our_own_rule_is_renewed_whatever_the_ca_suggests(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make_due(here, demo.port)
    Suggesting(ca, window(here, 3, 4))
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    assert served(here, demo.port) != old
