"""The page is made of what was measured, and says what was not."""

from __future__ import annotations

import pytest

from bench.job import Goal
from bench.page import anchor, cell, page
from bench.statistics import Spread
from tests.bench.measured import job, result, row

OURS = ("one", "ours")


@pytest.mark.parametrize(
    ("found", "digits", "expected"),
    [
        (Spread(12, 12, 12), 0, "12"),
        (Spread(1234.5, 1000, 2000), 0, "1,234 (1,000 to 2,000)"),
        (Spread(0.51, 0.49, 0.51), 1, "0.5"),
        (Spread(0.5, 0.44, 0.5), 1, "0.5 (0.4 to 0.5)"),
    ],
)
def test_a_cell_shows_the_range_where_it_can_be_seen(found: Spread, digits: int, expected: str) -> None:
    assert cell(found, digits) == expected


def test_a_row_has_its_runs_figures_and_ratios() -> None:
    text = page(
        [job()],
        {
            "made-up": result(
                row("ours", {"calls": 3, "cpu": 1.0}, {"calls": 3, "cpu": 4.0}, note="reads first"),
                row("theirs", {"calls": 9, "cpu": 2.0}, {"calls": 9, "cpu": 2.0}),
            )
        },
    )
    assert "|  | runs | calls | CPU, s | CPU / theirs |" in text
    assert "| **ours** | 2 | 3 | 2.5 (1.0 to 4.0) | 1.25 (0.50 to 2.00) |" in text
    assert "| theirs | 2 | 9 | 2.0 |  |" in text
    assert "- ours: reads first" in text
    assert "- What it is good for." in text
    assert "![CPU](benchmarks/made-up-cpu.svg)" in text
    assert "make bench JOB=made-up" in text


def test_a_case_is_named_where_it_begins_and_compared_within_itself() -> None:
    measured = [
        row(name, {"cpu": cpu}, case=case)
        for case, name, cpu in [("small", "ours", 1), ("small", "theirs", 2), ("large", "ours", 9)]
    ]
    text = page([job()], {"made-up": result(*measured)})
    assert "| small | **ours** | 1 |  | 1.0 | 0.50 |" in text
    assert "|  | theirs | 1 |  | 2.0 |  |" in text
    assert "| large | **ours** | 1 |  | 9.0 |  |" in text


def test_what_did_not_run_and_what_failed_is_shown_with_its_reason() -> None:
    absent = row("npm's", reason="node is missing")
    broken = type(absent)(case="one", contender="theirs", reason="OSError: gone", failed=True)
    text = page([job()], {"made-up": result(absent, broken)})
    assert "| npm's | not run |" in text
    assert "- npm's, one: not run: node is missing" in text
    assert "| theirs | failed |" in text
    assert "- theirs, one: failed: OSError: gone" in text


def test_a_job_that_failed_shows_no_figures() -> None:
    text = page([job()], {"made-up": result(failure="OSError: no port")})
    assert "**The job failed**, and has no figures: OSError: no port" in text
    assert "runs" not in text.partition("## A made-up job")[2].partition("Repeat")[0]


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (Goal("few calls", "calls", of=OURS, most=3), "| few calls | 3 | met |"),
        (Goal("fewer calls", "calls", of=OURS, most=2), "| fewer calls | 3 | **missed** |"),
        (
            Goal("little CPU", "cpu", of=OURS, beside=("one", "theirs"), most=1),
            "| little CPU | 0.250 | met |",
        ),
        (Goal("a case of its own", "cpu", of=("two", "ours")), "| a case of its own |  | **not measured** |"),
    ],
)
def test_every_goal_is_on_the_page_met_or_not(goal: Goal, expected: str) -> None:
    measured = result(row("ours", {"calls": 3, "cpu": 1}), row("theirs", {"cpu": 4}))
    text = page([job(goals=(goal,))], {"made-up": measured})
    assert f"| [A made-up job](#a-made-up-job) {expected}" in text


def test_a_job_that_was_never_run_says_how_to() -> None:
    text = page([job(goals=(Goal("few calls", "calls", of=OURS, most=3),))], {})
    assert "Not measured yet: `make bench JOB=made-up`." in text
    assert "| few calls |  | **not measured** |" in text


def test_a_link_leads_to_githubs_anchor() -> None:
    assert anchor("Certificate swap, as clients see it") == "certificate-swap-as-clients-see-it"
