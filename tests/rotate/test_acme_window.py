"""When the CA suggests to renew (RFC 9773), and what becomes of an order that this run has no time for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from chalicelib.model import errors
from chalicelib.model.names import PENDING_TAG
from chalicelib.rotate.story import carry_on, rotate_one
from tests.world.acme_front import Answer, Asked, problem
from tests.world.issuing import Authority, acme_for, make_due, settled
from tests.world.provisioning import Account
from tests.world.rotating import HOST, Front, make, nowhere, rotate, served, tags

DAY = timedelta(days=1)


def suggesting(ca: Authority, start: datetime, end: datetime) -> Callable[[Asked], Answer | None]:
    """Have the CA suggest this for every certificate, whether it knows of suggestions or not."""
    body = {"suggestedWindow": {"start": start.isoformat(), "end": end.isoformat()}}

    def with_url(asked: Asked, answer: Answer) -> Answer:
        if asked.path != "/dir":
            return answer
        directory = json.loads(answer.body) | {
            "renewalInfo": ca.front.directory.replace("/dir", "/suggested")
        }
        return Answer(answer.status, json.dumps(directory).encode(), answer.headers)

    ca.front.change = with_url
    suggestion = Answer(
        200, json.dumps(body).encode(), {"Content-Type": "application/json", "Retry-After": "21600"}
    )
    return lambda asked: suggestion if asked.path.startswith("/suggested/") else None


def test_one_that_the_ca_wants_back_is_replaced_long_before_its_end(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    ca.front.refuse = suggesting(ca, here.now() - 2 * DAY, here.now() - DAY)
    (rotation,) = rotate(here, demo)
    assert rotation.verified
    assert "the CA suggests" in rotation.reason
    assert served(here, demo.port) != old
    # One certificate was asked for, by the issuer's key and the serial number.
    assert {one.path.count(".") for one in ca.front.asked if one.path.startswith("/suggested/")} == {1}


def test_one_that_is_not_wanted_back_yet_stays(here: Account, ca: Authority, demo: Front) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    ca.front.refuse = suggesting(ca, here.now() + 20 * DAY, here.now() + 21 * DAY)
    (rotation,) = rotate(here, demo)
    assert (rotation.state, served(here, demo.port), here.calls.writes) == ("kept", old, [])
    assert "GetServerCertificate" not in here.calls.made, "the wire shows what the CA is asked for"
    here.passed = 22 * DAY
    assert rotate(here, demo)[0].state == "rotated"


@pytest.mark.parametrize(
    "answer",
    [problem(404, "malformed"), Answer(200, b"{}"), Answer(200, b"no JSON"), Answer(hang_up=True)],
    ids=["not found", "nothing in it", "garbage", "gone"],
)
def test_a_suggestion_that_cannot_be_had_leaves_it_to_the_certificates_age(
    here: Account, ca: Authority, demo: Front, answer: Answer
) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    suggesting(ca, here.now(), here.now() + DAY)
    ca.front.refuse = lambda asked: answer if asked.path.startswith("/suggested/") else None
    (rotation,) = rotate(here, demo)
    assert (rotation.state, served(here, demo.port)) == ("kept", old)


def test_where_the_wire_shows_nothing_the_ca_is_not_asked(here: Account, ca: Authority) -> None:
    make(here, 8883, acme_for(HOST), passed=timedelta())
    ca.front.refuse = suggesting(ca, here.now() - 2 * DAY, here.now() - DAY)
    (rotation,) = rotate(here, nowhere())
    assert rotation.state == "kept"
    assert ca.front.times("/suggested") == 0


def test_an_order_that_names_what_it_replaces_and_is_refused_for_it_is_made_without(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    window = suggesting(ca, here.now() - 2 * DAY, here.now() - DAY)
    orders: list[Asked] = []

    def once(asked: Asked) -> Answer | None:
        if asked.path == "/order-plz":
            orders.append(asked)
            if len(orders) == 1:
                return problem(409, "alreadyReplaced", Replay_Nonce="bm9uY2U")
        return window(asked)

    ca.front.refuse = once
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    assert served(here, demo.port) != old
    assert len(orders) >= 2


def test_what_this_run_has_no_time_for_is_left_to_the_next(here: Account, ca: Authority, demo: Front) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    orders = ca.orders
    rotation = rotate_one("demo", here.invocation(20), demo.wire)
    assert (rotation.state, served(here, demo.port), ca.orders) == ("pending", old, orders)
    assert tags(here)[PENDING_TAG].endswith(" issuing")
    here.passed += timedelta(seconds=2)
    rotation = carry_on("demo", here.invocation(890), demo.wire)
    assert rotation.verified, rotation.reason
    settled(here, ca, demo, old)
    orders = ca.orders
    rotate(here, demo)
    assert ca.orders == orders, "what was asked for once is done once"


def test_a_ca_that_wants_to_be_left_alone_is_not_asked_by_the_next_runs(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make_due(here, demo.port)
    limited = problem(429, "rateLimited", Retry_After="86400", Replay_Nonce="bm9uY2U")
    ca.front.refuse = lambda asked: limited if asked.path == "/order-plz" else None
    with pytest.raises(errors.Unserved, match="takes no order before"):
        rotate(here, demo)
    assert " issuing not before " in tags(here)[PENDING_TAG]
    ca.front.refuse = lambda _: None
    orders = ca.orders
    with pytest.raises(errors.Unserved, match="takes no order before"):
        rotate(here, demo)
    for dry_run in (True, False):
        with pytest.raises(errors.IssuerLimited, match="takes no order before"):
            rotate_one("demo", here.invocation(), demo.wire, dry_run=dry_run)
    assert (ca.orders, served(here, demo.port)) == (orders, old)
    here.passed = timedelta(days=1, seconds=5)
    assert rotate(here, demo)[0].verified
    settled(here, ca, demo, old)
