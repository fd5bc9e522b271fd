"""A PUT whose certificate the ACME CA does not issue for now: logged, awaited, never ordered too soon."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
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
    """Have the CA refuse every order for the next two minutes; return when it did."""
    refused_at: list[timedelta] = []
    here = ca.here
    here.stop_clock()
    end = here.passed + timedelta(minutes=2)

    def refuse(asked: Asked) -> Answer | None:
        if asked.path != "/order-plz" or here.passed >= end:
            return None
        refused_at.append(here.passed)
        return problem(429, "rateLimited", Replay_Nonce="bm9uY2U", **headers)

    ca.front.refuse = refuse
    return refused_at


def test_a_limit_that_ends_soon_is_waited_for_in_the_same_run(here: Account, ca: Authority) -> None:
    left = payload(here)
    refused_at = limit(ca, Retry_After="120")
    assert go_on(left, here.invocation(890)) == "ready"
    assert here.get()["certificate"]["domains"] == [HOST]
    assert len(refused_at) == 1, "no sooner than it allowed"


def test_a_ca_that_names_no_useful_time_is_not_asked_in_a_row(here: Account, ca: Authority) -> None:
    left = payload(here)
    refused_at = limit(ca, Retry_After="0")
    assert go_on(left, here.invocation(890)) == "ready"
    pauses = [second - first for first, second in pairwise(refused_at)]
    assert pauses == [timedelta(minutes=1)], "once a minute"


def test_a_limit_that_ends_later_is_logged_by_name_and_nothing_is_made(
    here: Account, ca: Authority, logged: Callable[[], list[Any]]
) -> None:
    left = payload(here)
    refused_at = limit(ca, Retry_After="86400")
    assert go_on(left, here.invocation(890)) == "limited"
    assert (len(refused_at), here.snapshot()["load balancers"], ca.records()) == (1, {}, {})
    (line,) = (one for one in logged() if one["message"] == "issuer limited")
    assert (line["level"], line["load_balancer"]) == ("WARNING", "demo")
    assert line["until"] > here.now().isoformat()
    assert "unexpected" not in {one["message"] for one in logged()}
