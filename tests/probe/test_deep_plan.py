"""What the deep probe is to try, and what its tries mean."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.load_balancer import CustomPolicy, PredefinedPolicy
from chalicelib.probe.deep_plan import (
    Finding,
    Result,
    coverage,
    idle_trial,
    judge_delivery,
    judge_idle,
    judge_version,
    obsolete_versions,
    sessions_for,
    worst,
)


def test_the_policy_says_which_obsolete_versions_are_allowed() -> None:
    strict = PredefinedPolicy("ELBSecurityPolicy-TLS-1-2-2017-01")
    middle = CustomPolicy(frozenset({"TLSv1.1", "TLSv1.2"}), frozenset({"AES128-SHA"}))
    assert dict(obsolete_versions(strict)) == {"TLSv1.1": False, "TLSv1": False}
    assert dict(obsolete_versions(middle)) == {"TLSv1.1": True, "TLSv1": False}
    assert dict(obsolete_versions(PredefinedPolicy("ELBSecurityPolicy-2016-08"))) == {
        "TLSv1.1": True,
        "TLSv1": True,
    }


@pytest.mark.parametrize(
    ("allowed", "accepted", "result"),
    [
        (False, False, "passed"),
        (False, True, "failed"),
        (True, True, "passed"),
        (True, False, "failed"),
        (False, None, "untested"),
    ],
)
def test_a_version_is_held_against_the_policy(allowed: bool, accepted: bool | None, result: Result) -> None:
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


@given(st.integers(1, 40), st.integers(1, 64))
def test_more_sessions_never_cover_less(nodes: int, sessions: int) -> None:
    assert 0 <= coverage(nodes, sessions) <= coverage(nodes, sessions + 1) + 1e-9 <= 1 + 1e-9


@pytest.mark.parametrize(("nodes", "sessions"), [(1, 2), (2, 8), (3, 15), (5, 28), (40, 64)])
def test_as_many_sessions_as_make_it_likely_and_no_more_than_64(nodes: int, sessions: int) -> None:
    assert sessions_for(nodes) == sessions


@pytest.mark.parametrize(("received", "result"), [([True] * 8, "passed"), ([True, False], "failed")])
def test_all_sessions_must_receive(received: list[bool], result: Result) -> None:
    finding = judge_delivery(8883, received, 2)
    assert finding.result == result
    assert f"{sum(received)} of {len(received)} sessions" in finding.note


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
