"""Contenders run in turns, and one that cannot stops no other."""

from __future__ import annotations

from collections.abc import Mapping

from bench.job import Contender, NotRun
from bench.rounds import interleave

Run = Mapping[str, float]


def test_contenders_run_in_turns() -> None:
    order: list[str] = []

    def contender(name: str) -> Contender:
        def run() -> Run:
            order.append(name)
            return {"turn": len(order)}

        return Contender("one", name, run)

    rows = interleave([contender("a"), contender("b"), contender("c")], 3, lambda _: None)
    assert "".join(order) == "abcabcabc"
    assert [[run["turn"] for run in row.runs] for row in rows] == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]


def test_one_with_rounds_of_its_own_runs_that_often() -> None:
    rows = interleave([Contender("one", "a", dict), Contender("one", "b", dict, rounds=1)], 4, lambda _: None)
    assert [len(row.runs) for row in rows] == [4, 1]


def test_one_that_raises_keeps_its_runs_and_is_not_run_again() -> None:
    tried: list[int] = []

    def run() -> Run:
        tried.append(1)
        if len(tried) == 2:
            raise RuntimeError("out of paper\nand more")
        return {"cpu": 1}

    failing, steady = interleave(
        [Contender("one", "failing", run), Contender("one", "steady", lambda: {"cpu": 2})], 5, lambda _: None
    )
    assert failing.failed
    assert failing.reason == "RuntimeError: out of paper"
    assert list(failing.runs) == [{"cpu": 1}]
    assert len(tried) == 2
    assert len(steady.runs) == 5


def test_one_that_cannot_run_here_has_failed_at_nothing() -> None:
    (row,) = interleave([NotRun("one", "npm's", "node is missing")], 5, lambda _: None)
    assert (row.runs, row.reason, row.failed) == ((), "node is missing", False)
