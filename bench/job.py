"""What a job is: its contenders, its figures, its goals; and what was measured. Plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

Run = Mapping[str, float]
"""The figures of one run by key."""
Place = tuple[str, str]
"""A case and the contender's name: one row of the table."""


@dataclass(frozen=True)
class Contender:
    """Something that does the work of a case: `run` does it once and returns its figures.

    The name of this program's own begins with `ours`. `note` says where it does more or less than the others
    of its case, and with which settings.
    """

    case: str
    name: str
    run: Callable[[], Run]
    note: str = ""
    rounds: int | None = None


@dataclass(frozen=True)
class NotRun:
    """A contender that cannot run here, and why."""

    case: str
    name: str
    reason: str
    note: str = ""


@dataclass(frozen=True)
class Lineup:
    """Who runs, by case in the order of the table; `versions` are of what took part."""

    contenders: tuple[Contender | NotRun, ...]
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One thing that is measured: `title` names its unit."""

    key: str
    title: str
    digits: int = 0


@dataclass(frozen=True)
class Chart:
    """A picture of one figure: a bar for each row, or with `at` a line for each contender.

    `at` says where a case stands on the horizontal axis, which `across` names.
    """

    figure: str
    title: str
    at: Mapping[str, float] | None = None
    across: str = ""


@dataclass(frozen=True)
class Goal:
    """What the job's figures are to show: a figure's median, or the ratio of two rows, within bounds."""

    promise: str
    figure: str
    of: Place
    beside: Place | None = None
    most: float | None = None
    least: float | None = None


@dataclass(frozen=True)
class Job:
    """One comparison; `bench/__init__.py` says how its module plugs in.

    The `compared` figures are divided, run by run, by those of the contender `reference` in the same case.
    """

    name: str
    title: str
    figures: tuple[Figure, ...]
    open: Callable[[], AbstractContextManager[Lineup]]
    reference: str
    compared: tuple[str, ...]
    charts: tuple[Chart, ...] = ()
    goals: tuple[Goal, ...] = ()
    unsaid: tuple[str, ...] = ()
    rounds: int = 5


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender's runs in their order; `reason` says why it has none, or not all."""

    case: str
    contender: str
    note: str = ""
    runs: tuple[Run, ...] = ()
    reason: str | None = None
    failed: bool = False

    @property
    def ours(self) -> bool:
        """Whether the contender is this program."""
        return self.contender.startswith("ours")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a job measured; `failure` says why there is nothing."""

    job: str
    taken: str
    machine: str
    rows: tuple[Row, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None

    @property
    def failed(self) -> bool:
        """Whether something was to run and could not."""
        return self.failure is not None or any(row.failed for row in self.rows)
