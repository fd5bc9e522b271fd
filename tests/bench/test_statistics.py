"""Medians, ratios run by run, goals."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.job import Goal
from bench.statistics import Spread, judge, ratios, spread
from tests.bench.measured import result, row


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ((), None),
        ((4,), Spread(4, 4, 4)),
        ((9, 1, 2), Spread(2, 1, 9)),
        ((1, 2, 4, 9), Spread(3, 1, 9)),
    ],
)
def test_a_spread_is_the_median_and_the_two_outermost(
    figures: Sequence[float], expected: Spread | None
) -> None:
    assert spread(figures) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param((2, 6), (4, 3), (0.5, 2), id="each run is divided by the other's run of the same round"),
        pytest.param((2, 6, 8), (4, 3), (0.5, 2), id="a round that the other lacks is left out"),
        pytest.param((2, 6), (), (), id="there is nothing to divide by"),
        pytest.param((2, 6), (0, 3), (2,), id="nothing is divided by zero"),
    ],
)
def test_ratios_are_taken_run_by_run(
    ours: Sequence[float], theirs: Sequence[float], expected: Sequence[float]
) -> None:
    one = row("ours", *({"cpu": cpu} for cpu in ours))
    other = row("theirs", *({"cpu": cpu} for cpu in theirs))
    assert ratios(one, other, "cpu") == expected


def test_a_ratio_of_medians_is_not_the_median_of_the_ratios() -> None:
    one = row("ours", {"cpu": 1}, {"cpu": 10}, {"cpu": 100})
    other = row("theirs", {"cpu": 1}, {"cpu": 5}, {"cpu": 200})
    assert spread(ratios(one, other, "cpu")) == Spread(1, 0.5, 2)


OURS, THEIRS = ("one", "ours"), ("one", "theirs")


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal("", "calls", of=OURS, most=12), "met"),
        (Goal("", "calls", of=OURS, most=11), "missed"),
        (Goal("", "calls", of=OURS, least=12), "met"),
        (Goal("", "calls", of=OURS, least=12.5), "missed"),
        (Goal("", "calls", of=OURS, beside=THEIRS, most=0.6), "met"),
        (Goal("", "calls", of=OURS, beside=THEIRS, most=0.5), "missed"),
        (Goal("", "calls", of=THEIRS, beside=OURS, least=1.6), "met"),
        (Goal("", "cpu", of=OURS, most=1), "not measured"),
        (Goal("", "calls", of=("two", "ours"), most=99), "not measured"),
        (Goal("", "calls", of=OURS, beside=("one", "nobody"), most=99), "not measured"),
    ],
)
def test_a_goal_is_met_by_the_median_and_its_bounds_are_part_of_it(goal: Goal, verdict: str) -> None:
    ours = row("ours", {"calls": 12}, {"calls": 12}, {"calls": 40})
    theirs = row("theirs", {"calls": 20}, {"calls": 20}, {"calls": 20})
    assert judge(goal, result(ours, theirs)).verdict == verdict
