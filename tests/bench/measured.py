"""A job and what it measured, made up: values for the tests of the bench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.job import Chart, Contender, Figure, Goal, Job, Lineup, NotRun, Result, Row


@contextmanager
def nobody() -> Iterator[Lineup]:
    """Nobody runs."""
    yield Lineup(())


def job(
    *, contenders: tuple[Contender | NotRun, ...] = (), goals: tuple[Goal, ...] = (), rounds: int = 2
) -> Job:
    """A job of two figures, compared with `theirs`."""

    @contextmanager
    def lineup() -> Iterator[Lineup]:
        yield Lineup(contenders, {"peer": "1.0"})

    return Job(
        name="made-up",
        title="A made-up job",
        figures=(Figure("calls", "calls"), Figure("cpu", "CPU, s", digits=1)),
        open=lineup,
        reference="theirs",
        compared=("cpu",),
        charts=(Chart("cpu", "CPU"),),
        goals=goals,
        unsaid=("What it is good for.",),
        rounds=rounds,
    )


def row(contender: str, *runs: Mapping[str, float], case: str = "one", **rest: str) -> Row:
    """A row of the table."""
    return Row(case=case, contender=contender, runs=runs, **rest)  # type: ignore[arg-type] # texts


def result(*rows: Row, failure: str | None = None) -> Result:
    """What the made-up job measured."""
    return Result(job="made-up", taken="a day", machine="a machine", rows=rows, failure=failure)
