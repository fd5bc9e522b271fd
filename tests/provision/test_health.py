"""After a PUT: a health check that no member answers is reported, once it has taken effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import background
from chalicelib.model.load_balancer import HealthCheck, Member
from chalicelib.provision.health import takes_effect_within, unanswered, watch_health_check
from lab.fidelity.knobs import KNOBS, Health
from tests.world.kinds import CLASSIC, NETWORK, Kind, article
from tests.world.provisioning import Account

Logged = Callable[[], list[dict[str, Any]]]
SET = {"name": "demo", "done": "Load Balancer Provisioned", "actions": ["ConfigureHealthCheck"]}


def reported(logged: Logged) -> list[tuple[str, str]]:
    records = [one for one in logged() if one["message"] == "health check unanswered"]
    return [(one["load_balancer"], one["target"]) for one in records]


def failing_after(here: Account, wait: timedelta) -> None:
    """Let every member fail its checks from then on, as ELB sees it with a target that nobody answers."""
    since = here.passed

    def health(_name: str, _id: str) -> Health:
        late = here.passed - since >= wait
        return Health("OutOfService", "Instance", "failed checks") if late else Health("InService")

    KNOBS.instance_health = health
    KNOBS.target_health = lambda _group, id_, _port: (
        ("healthy", "", "")
        if health("", id_).state == "InService"
        else ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
    )


@pytest.mark.parametrize(
    ("kind", "action"), [(CLASSIC, "ConfigureHealthCheck"), (NETWORK, "ModifyTargetGroup")]
)
def test_a_target_that_no_member_answers_is_reported_when_elb_has_looked_often_enough(
    here: Account, kind: Kind, action: str, logged: Logged
) -> None:
    here.put(article(here, kind))
    report = here.put({**here.get(), "health_check": {"target": "HTTP:8081/wrong"}})
    assert action in {step.action for step in report.steps}
    failing_after(here, timedelta(seconds=60))
    before = here.passed
    background.look_after({**SET, "actions": [action]}, here.invocation(within=800))
    assert reported(logged) == [("demo", "HTTP:8081/wrong")]
    assert timedelta(seconds=60) <= here.passed - before < timedelta(seconds=90)


def test_so_it_is_after_a_put_that_went_on_in_the_background(here: Account, logged: Logged) -> None:
    here.put(here.article)
    failing_after(here, timedelta())
    background.look_after({"name": "demo", "existed": True, "body": {}}, here.invocation(within=800))
    assert reported(logged) == [("demo", "TCP:1883")]


def test_one_that_a_member_answers_is_not(here: Account, logged: Logged) -> None:
    here.put(here.article)
    first = here.world.describe()["Instances"][0]["InstanceId"]
    KNOBS.instance_health = lambda _, id_: Health("InService" if id_ == first else "OutOfService")
    assert watch_health_check("demo", here.invocation(within=800))
    assert reported(logged) == []


@pytest.mark.parametrize(
    "payload",
    [
        {**SET, "actions": ["AddTags"]},
        {**SET, "actions": ["CreateLoadBalancer", "ConfigureHealthCheck"]},
        {"name": "demo", "done": "Load Balancer Deleted", "actions": ["DeleteLoadBalancer"]},
        {"name": "demo", "since": "2026-01-01T00:00:00+00:00", "existed": False, "body": {}},
        {"name": "demo", "leftovers": {}},
    ],
)
def test_what_set_no_health_check_is_not_looked_at(here: Account, payload: dict[str, Any]) -> None:
    here.put(here.article)
    with here.counted() as calls:
        background.look_after(payload, here.invocation(within=800))
    assert calls.made == []


def test_without_time_nobody_waits(here: Account, logged: Logged) -> None:
    here.put(here.article)
    failing_after(here, timedelta())
    before = here.passed
    background.look_after(SET, here.invocation(within=30))
    assert (reported(logged), here.passed) == ([], before)


def test_a_load_balancer_that_is_deleted_meanwhile_ends_the_wait(here: Account, logged: Logged) -> None:
    here.put(here.article)
    work = here.invocation(within=800)
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    background.look_after(SET, work)
    assert reported(logged) == []


@pytest.mark.parametrize(
    ("check", "seconds"),
    [
        (HealthCheck("TCP:1883"), 65),
        (HealthCheck("TCP:1883", interval=5, timeout=2, unhealthy_threshold=2, healthy_threshold=10), 52),
    ],
)
def test_elb_needs_as_many_checks_as_the_threshold_says(check: HealthCheck, seconds: int) -> None:
    assert takes_effect_within(check) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], False),
        (["OutOfService"], True),
        (["OutOfService", "InService"], False),
        (["OutOfService", "Unknown"], False),
    ],
)
def test_all_out_of_service_is_what_is_reported(states: list[str], expected: bool) -> None:
    assert unanswered([Member(str(number), state) for number, state in enumerate(states)]) is expected
