"""Medians, ranges, ratios run by run, and whether a goal is met: what the page's figures are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.job import Goal, Place, Result, Row


@dataclass(frozen=True)
class Spread:
    """The middle of several figures, and the two outermost."""

    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Judged:
    """A goal beside what was measured; `spread` is None when that was not."""

    goal: Goal
    verdict: Literal["met", "missed", "not measured"]
    spread: Spread | None = None


def spread(figures: Iterable[float]) -> Spread | None:
    """Return median and range; None of no figures."""
    seen = tuple(figures)
    return Spread(median(seen), min(seen), max(seen)) if seen else None


def figures(row: Row, key: str) -> tuple[float, ...]:
    """Return a figure of every run that has it."""
    return tuple(run[key] for run in row.runs if key in run)


def ratios(row: Row, reference: Row, key: str) -> tuple[float, ...]:
    """Divide a figure by the reference's of the same round; rounds that one of them lacks are left out.

    A reference of zero has no ratio.
    """
    pairs = zip(row.runs, reference.runs, strict=False)
    return tuple(one[key] / other[key] for one, other in pairs if key in one and other.get(key))


def row_at(rows: Sequence[Row], place: Place) -> Row | None:
    """Return the row of a case and a contender."""
    return next((row for row in rows if (row.case, row.contender) == place), None)


def judge(goal: Goal, result: Result) -> Judged:
    """Hold the median, of a figure or of its ratios run by run, against the goal's bounds."""
    row = row_at(result.rows, goal.of)
    if row is None:
        return Judged(goal, "not measured")
    if goal.beside is None:
        found = spread(figures(row, goal.figure))
    else:
        other = row_at(result.rows, goal.beside)
        found = spread(ratios(row, other, goal.figure)) if other else None
    if found is None:
        return Judged(goal, "not measured")
    met = (goal.most is None or found.median <= goal.most) and (
        goal.least is None or found.median >= goal.least
    )
    return Judged(goal, "met" if met else "missed", found)
