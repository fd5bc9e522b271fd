"""What the deep probe is to try, and what its tries mean."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.load_balancer import CustomPolicy, Listener, PredefinedPolicy, idle_timeout_at
from chalicelib.probe.deep_plan import (
    DEEP_CAUSES,
    Delivery,
    Finding,
    IdleTrial,
    Result,
    coverage,
    idle_trial,
    judge_delivery,
    judge_idle,
    judge_version,
    nodes_met,
    obsolete_versions,
    sessions_for,
    worst,
)
from tests.probe.test_plan import BALANCER


def test_the_policy_says_which_obsolete_versions_are_allowed() -> None:
    strict = PredefinedPolicy("ELBSecurityPolicy-TLS-1-2-2017-01")
    middle = CustomPolicy(frozenset({"TLSv1.1", "TLSv1.2"}), frozenset({"AES128-SHA"}))
    assert dict(obsolete_versions(strict)) == {"TLSv1.1": False, "TLSv1": False}
    assert dict(obsolete_versions(middle)) == {"TLSv1.1": True, "TLSv1": False}
    assert dict(obsolete_versions(PredefinedPolicy("ELBSecurityPolicy-2016-08"))) == {
        "TLSv1.1": True,
        "TLSv1": True,
    }
    assert dict(obsolete_versions(PredefinedPolicy("ELBSecurityPolicy-Quantum-2031-02"))) == {
        "TLSv1.1": None,
        "TLSv1": None,
    }


@pytest.mark.parametrize(
    ("allowed", "accepted", "result"),
    [
        (False, False, "passed"),
        (False, True, "failed"),
        (True, True, "passed"),
        (True, False, "failed"),
        (False, None, "untested"),
        (None, True, "untested"),
        (None, False, "untested"),
    ],
)
def test_a_version_is_held_against_the_policy(
    allowed: bool | None, accepted: bool | None, result: Result
) -> None:
    assert judge_version(8883, "TLSv1", allowed=allowed, accepted=accepted).result == result


@pytest.mark.parametrize(
    ("idle_timeout", "remaining", "seconds", "whole"),
    [
        (450, 890, 300, True),
        (1200, 890, 800, True),
        (1203, 890, 800, False),
        (3600, 890, 800, False),
        (450, 100, 100, False),
    ],
)
def test_an_idle_session_is_tried_for_real_up_to_800_seconds(
    idle_timeout: int, remaining: float, seconds: float, whole: bool
) -> None:
    trial = idle_trial(idle_timeout, remaining)
    assert trial is not None
    assert (trial.seconds, trial.whole) == (seconds, whole)
    assert judge_idle(8883, trial, idle_timeout, alive=True).result == ("passed" if whole else "untested")
    assert judge_idle(8883, trial, idle_timeout, alive=False).result == "failed"
    assert judge_idle(8883, trial, idle_timeout, alive=False, gone=["i-1"]).result == "untested"


def test_without_time_an_idle_session_is_not_tried() -> None:
    assert idle_trial(450, 0) is None


def test_coverage_is_what_counting_every_way_gives() -> None:
    for nodes, sessions in ((2, 2), (2, 5), (3, 4), (4, 5)):
        ways = list(product(range(nodes), repeat=sessions))
        counted = sum(len(set(way)) == nodes for way in ways) / len(ways)
        assert coverage(nodes, sessions) == pytest.approx(counted)


@given(st.integers(1, 40), st.integers(1, 80))
def test_more_sessions_never_cover_less(nodes: int, sessions: int) -> None:
    assert 0 <= coverage(nodes, sessions) <= coverage(nodes, sessions + 1) + 1e-9 <= 1 + 1e-9


@pytest.mark.parametrize(
    ("nodes", "sessions"), [(1, 2), (2, 8), (3, 15), (5, 28), (10, 66), (24, 183), (26, 200), (100, 200)]
)
def test_as_many_sessions_as_make_it_likely_and_no_more_than_200(nodes: int, sessions: int) -> None:
    assert sessions_for(nodes) == sessions


@given(st.integers(1, 300))
def test_the_nodes_that_are_met_are_all_or_nearly_so(nodes: int) -> None:
    sessions = sessions_for(nodes)
    met = nodes_met(nodes, sessions)
    assert 1 <= met <= nodes
    assert met == nodes or coverage(nodes, sessions) < 0.99


def seen(came_about: int, received: int, unreached: int = 0, **missing: int) -> Delivery:
    causes = {cause.replace("_", "-"): count for cause, count in missing.items()}
    sessions = came_about + unreached + sum(causes.values())
    return Delivery(
        sessions=sessions, came_about=came_about, received=received, missing=causes, unreached=unreached
    )


MISSING, LOST = "sessions-missing", "not-delivered"


@pytest.mark.parametrize(
    ("delivery", "nodes", "result", "cause", "met"),
    [
        (seen(8, 8), 2, "passed", "", 2),
        (seen(8, 7), 2, "failed", LOST, 2),
        (seen(2, 0), 1, "failed", LOST, 1),
        (seen(28, 28), 5, "passed", "", 5),
        (seen(27, 27, connack_timeout=1), 5, "failed", MISSING, 4),
        (seen(22, 22, connack_timeout=6), 5, "failed", MISSING, 4),
        (seen(22, 20, connack_timeout=6), 5, "failed", MISSING, 4),
        (seen(14, 14, connack_timeout=7, suback_closed=7), 4, "failed", MISSING, 2),
        (seen(1, 1, connack_closed=1), 1, "failed", MISSING, 0),
        (seen(175, 175, suback_timeout=8), 24, "failed", MISSING, 23),
        (seen(20, 20, unreached=8), 5, "untested", "", 5),
        (seen(0, 0, connack_timeout=28), 5, "untested", "", 0),
        (seen(0, 0, unreached=28), 5, "untested", "", 0),
        (seen(1, 1, unreached=1), 1, "untested", "", 1),
        (seen(200, 200), 100, "passed", "", 87),
    ],
)
def test_sessions_that_miss_while_others_come_about_are_the_finding(
    delivery: Delivery, nodes: int, result: Result, cause: str, met: int
) -> None:
    finding = judge_delivery(8883, delivery, nodes)
    assert (finding.result, finding.cause) == (result, cause)
    assert finding.counts == {
        "sessions": delivery.sessions,
        "came_about": delivery.came_about,
        "received": delivery.received,
        "nodes": nodes,
        "nodes_met": met,
    }
    if result != "untested":
        assert f"{delivery.received} of {delivery.came_about} sessions received" in finding.note
    if cause == MISSING:
        missing = delivery.sessions - delivery.came_about
        assert f"{delivery.came_about} of {delivery.sessions} sessions came about" in finding.note
        assert f"{missing} did not" in finding.note


def test_beyond_200_sessions_the_share_that_was_met_is_said() -> None:
    assert "about 87 of them met" in judge_delivery(8883, seen(200, 200), 100).note
    assert "about" not in judge_delivery(8883, seen(183, 183), 24).note


@pytest.mark.parametrize(
    ("server", "seconds", "whole"),
    [(None, 300, True), (0, 300, True), (600, 300, True), (300, 300, True), (60, 60, True), (1, 1, True)],
)
def test_no_session_is_silent_for_longer_than_the_broker_allows(
    server: int | None, seconds: int, whole: bool
) -> None:
    planned = idle_trial(450, 890)
    assert planned is not None
    trial = planned.within(server)
    assert (trial.seconds, trial.whole) == (seconds, whole)
    note = judge_idle(8883, trial, 450, alive=True).note
    assert ("Server Keep Alive" in note) is (seconds < 300)


def test_every_cause_of_the_deep_probe_has_its_line_in_the_runbook() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    table = text.partition("\n## Causes of the deep probe")[2].partition("\n#")[0]
    listed = re.findall(r"^\| `([a-z-]+)` \| [^|]{20,} \| [^|]{20,} \|$", table, re.MULTILINE)
    assert sorted(listed) == sorted(DEEP_CAUSES)


@pytest.mark.parametrize(
    ("results", "result"),
    [
        (["passed", "failed", "untested"], "failed"),
        (["passed", "untested"], "untested"),
        (["passed", "passed"], "passed"),
        ([], "untested"),
    ],
)
def test_the_worst_finding_counts(results: list[Result], result: Result) -> None:
    found = [Finding(check="idle", port=8883, result=one, note="") for one in results]
    assert worst(found) == result


def test_where_tcp_keep_alive_would_count_a_session_is_silent_for_as_long_as_nat_remembers_it() -> None:
    trial = idle_trial(6000, 890, silent=True)
    assert trial is not None
    assert (trial.seconds, trial.keepalive, trial.silent, trial.whole) == (340, 4000, True, False)
    assert trial.within(60) == IdleTrial(seconds=60, keepalive=60, server=60, silent=True)


LISTENERS = {
    "classic": (Listener(8883, "SSL", 1883, "TCP"), 450, False),
    "network, TLS": (Listener(8883, "TLS", 1883, "TCP"), 350, True),
    "network, TCP": (Listener(1883, "TCP", 1883, "TCP", idle_timeout=345), 345, True),
}


@pytest.mark.parametrize(("listener", "seconds", "kept"), LISTENERS.values(), ids=LISTENERS)
def test_each_listener_has_its_idle_timeout(listener: Listener, seconds: int, *, kept: bool) -> None:
    assert (idle_timeout_at(BALANCER, listener), listener.kept_by_tcp) == (seconds, kept)
