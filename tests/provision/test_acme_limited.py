"""A PUT whose certificate the ACME CA does not issue for now: logged, awaited, never ordered too soon."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chalicelib.background import go_on
from tests.world.acme_front import Answer, Asked, problem
from tests.world.issuing import Authority, acme_for
from tests.world.provisioning import Account
from tests.world.rotating import HOST, body

ASKED = acme_for(HOST)


def payload(here: Account) -> dict[str, Any]:
    """What the background is given by the PUT of a new load balancer."""
    report = here.put(body(here, 8883, ASKED))
    assert report.state == "pending"
    found: dict[str, Any] = json.loads(
        json.dumps({"name": "demo", **report.carry_on, "body": body(here, 8883, ASKED)})
    )
    return found


def limit(ca: Authority, **headers: str) -> list[timedelta]:
    """Have the CA refuse every order for the next two minutes; return when it was asked."""
    asked_at: list[timedelta] = []
    here = ca.here
    end = here.passed + timedelta(minutes=2)

    def refuse(asked: Asked) -> Answer | None:
        if asked.path != "/order-plz":
            return None
        asked_at.append(here.passed)
        return problem(429, "rateLimited", Replay_Nonce="bm9uY2U", **headers) if here.passed < end else None

    ca.front.refuse = refuse
    return asked_at


def test_a_limit_that_ends_soon_is_waited_for_in_the_same_run(here: Account, ca: Authority) -> None:
    left = payload(here)
    asked_at = limit(ca, Retry_After="120")
    assert go_on(left, here.invocation(890)) == "ready"
    assert here.get()["certificate"]["domains"] == [HOST]
    assert not [at for at in asked_at[1:] if at < timedelta(seconds=119)], "no sooner than it allowed"


def test_a_ca_that_names_no_useful_time_is_not_asked_in_a_row(here: Account, ca: Authority) -> None:
    left = payload(here)
    asked_at = limit(ca, Retry_After="0")
    assert go_on(left, here.invocation(890)) == "ready"
    assert len(asked_at) <= 4 + 1, "once a minute, and once more for a nonce that was refused"


def test_a_limit_that_ends_later_is_logged_by_name_and_nothing_is_made(
    here: Account, ca: Authority, logged: Callable[[], list[Any]]
) -> None:
    left = payload(here)
    asked_at = limit(ca, Retry_After="86400")
    assert go_on(left, here.invocation(890)) == "limited"
    assert (len(asked_at), here.snapshot()["load balancers"], ca.records()) == (1, {}, {})
    (line,) = (one for one in logged() if one["message"] == "issuer limited")
    assert (line["level"], line["load_balancer"]) == ("WARNING", "demo")
    assert line["until"] > here.now().isoformat()
    assert "unexpected" not in {one["message"] for one in logged()}
