"""The page, as Markdown: what the jobs say of themselves, and what was measured. Values in, text out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence

from bench.job import Chart, Figure, Goal, Job, Result, Row
from bench.statistics import Judged, Spread, figures, judge, ratios, row_at, spread

INTRODUCTION = """
# Measured side by side

What this program costs, beside what one would use in its place. In each job all contenders do **the same
work against the same servers** on one machine, without AWS: the [lab](lab.md)'s corrected emulator answers
for its API, HAProxy stands for the load balancer, mosquitto for the brokers.

How to read it: contenders run in turns (A B C A B C …), at least five times where time is measured. A cell is
the median, with the least and the most in brackets where they differ. A ratio, as `CPU / bare`, is taken run
by run and shown in the same way: **ratios hold from machine to machine, times do not**. CPU time and memory
count a program with everything that it starts; calls are counted exactly. Nothing in the tables is written by
hand: `make bench` measures all of it again and writes this page, `make bench JOB=probe` one job.
"""


def page(jobs: Sequence[Job], results: Mapping[str, Result]) -> str:
    """Return the whole page; a job that has no result yet says so."""
    lines = [INTRODUCTION.strip(), "", "## Goals", "", *goals(jobs, results)]
    for job in jobs:
        lines += ["", *section(job, results.get(job.name))]
    return "\n".join(lines) + "\n"


def goals(jobs: Sequence[Job], results: Mapping[str, Result]) -> Iterator[str]:
    """Yield the table of all goals, met or not."""
    yield "| job | goal | measured | |"
    yield "|---|---|---:|---|"
    for job in jobs:
        result = results.get(job.name)
        for number, goal in enumerate(job.goals):
            judged = judge(goal, result) if result else Judged(goal, "not measured")
            verdict = judged.verdict if judged.verdict == "met" else f"**{judged.verdict}**"
            link = "" if number else f"[{job.title}](#{anchor(job.title)})"
            yield _line([link, goal.promise, measured(judged, job), verdict])


def measured(judged: Judged, job: Job) -> str:
    """Return a goal's figure, or its ratio, with the range."""
    goal: Goal = judged.goal
    if judged.spread is None:
        return ""
    if goal.beside:
        return cell(judged.spread, 3)  # so that a goal just missed looks different from one just met
    return cell(judged.spread, next(one.digits for one in job.figures if one.key == goal.figure))


def section(job: Job, result: Result | None) -> Iterator[str]:
    """Yield one job's part."""
    yield f"## {job.title}"
    yield ""
    yield inspect.cleandoc(inspect.getmodule(job.open).__doc__ or "")
    yield ""
    if result is None:
        yield f"Not measured yet: `make bench JOB={job.name}`."
        return
    if result.failure:
        yield f"**The job failed**, and has no figures: {result.failure}"
    else:
        yield from table(job, result)
        yield from notes(result)
        for chart in job.charts:
            yield from ("", f"![{chart.title}](benchmarks/{picture(job, chart)})")
    if job.unsaid:
        yield from ("", "What these figures do not say:", "")
        yield from (f"- {one}" for one in job.unsaid)
    yield ""
    yield f"Repeat it with `make bench JOB={job.name}`. {provenance(result)}"


def table(job: Job, result: Result) -> Iterator[str]:
    """Yield the figures; the case is named in its first row only."""
    compared = [one for one in job.figures if one.key in job.compared]
    several = len({row.case for row in result.rows}) > 1
    heads = [*(["case"] if several else []), ""]
    yield _line(
        [
            *heads,
            "runs",
            *(one.title for one in job.figures),
            *(f"{one.title.partition(',')[0]} / {job.reference}" for one in compared),
        ]
    )
    yield _line(["---"] * len(heads) + ["---:"] * (1 + len(job.figures) + len(compared)))
    before = None
    for row in result.rows:
        case = [row.case if row.case != before else ""] if several else []
        before = row.case
        name = f"**{row.contender}**" if row.ours else row.contender
        yield _line([*case, name, *_figures(row, job.figures), *_ratios(row, job, result, compared)])


def _figures(row: Row, wanted: Sequence[Figure]) -> Iterator[str]:
    if row.failed:
        yield "failed"
    elif not row.runs:
        yield "not run"
    else:
        yield str(len(row.runs))
    for one in wanted:
        found = spread(figures(row, one.key))
        yield cell(found, one.digits) if found else ""


def _ratios(row: Row, job: Job, result: Result, compared: Sequence[Figure]) -> Iterator[str]:
    reference = row_at(result.rows, (row.case, job.reference))
    for one in compared:
        found = spread(ratios(row, reference, one.key)) if reference and reference is not row else None
        yield cell(found, 2) if found else ""


def notes(result: Result) -> Iterator[str]:
    """Yield what has to be said of single rows, once for each contender and text."""
    said = [(row.contender, row.note) for row in result.rows if row.note]
    said += [
        (f"{row.contender}, {row.case}", f"{'failed' if row.failed else 'not run'}: {row.reason}")
        for row in result.rows
        if row.reason
    ]
    if said:
        yield ""
    for contender, text in dict.fromkeys(said):
        yield f"- {contender}: {text}"


def provenance(result: Result) -> str:
    """Return when, where and with what it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    return (
        f"Taken {result.taken} on {result.machine}{f'; {versions}' if versions else ''}"
        f" ([every run](benchmarks/{result.job}.json))."
    )


def cell(found: Spread, digits: int) -> str:
    """Return a median with its range, where that shows at these digits."""
    middle, least, most = (f"{value:,.{digits}f}" for value in (found.median, found.least, found.most))
    return middle if least == most else f"{middle} ({least} to {most})"


def anchor(title: str) -> str:
    """Return GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def picture(job: Job, chart: Chart) -> str:
    """Return the name of a chart's file."""
    return f"{job.name}-{chart.figure}.svg"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
