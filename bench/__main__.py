"""`python -m bench [JOB …]` measures, keeps the figures and writes `docs/benchmarks.md`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import charts, results
from bench.job import Job, Result
from bench.jobs import JOBS
from bench.machine import ROOT, machine
from bench.page import page, picture
from bench.rounds import interleave, one_line

DOCS = ROOT / "docs"
RESULTS = DOCS / "benchmarks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 when something that was to run could not; a goal that is missed is a figure like any other."""
    asked = parse(arguments)
    chosen = [] if asked.render else [job for job in JOBS if not asked.jobs or job.name in asked.jobs]
    failed = [job.name for job in chosen if not run(job, asked.rounds, RESULTS)]
    write_page(JOBS, DOCS)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument(
        "jobs", nargs="*", metavar="JOB", help=f"all, or: {', '.join(one.name for one in JOBS)}"
    )
    parser.add_argument("--rounds", type=int, help="fewer than five are for trying out only")
    parser.add_argument("--render", action="store_true", help="write the page again, measure nothing")
    found = parser.parse_args(arguments)
    if unknown := set(found.jobs) - {one.name for one in JOBS}:
        parser.error(f"there is no job {', '.join(sorted(unknown))}")
    return found


def run(job: Job, rounds: int | None, directory: Path) -> bool:
    """Measure one job and keep what came of it; False when something in it failed."""
    say(f"{job.name}: {job.title}")
    began = time.monotonic()
    result = measured(replace(job, rounds=rounds or job.rounds))
    results.write(directory, result)
    say(f"{job.name}: {'FAILED' if result.failed else 'done'} in {time.monotonic() - began:.0f} s")
    return not result.failed


def measured(job: Job) -> Result:
    """Return what a job measured; the result has whatever goes wrong in it, for the others go on."""
    empty = Result(job=job.name, taken=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", machine=machine())
    try:
        with job.open() as lineup:
            rows = interleave(lineup.contenders, job.rounds, say)
            return replace(empty, rows=rows, versions=dict(lineup.versions))
    except Exception as error:  # noqa: BLE001 - the page and the exit status show it
        traceback.print_exc()
        return replace(empty, failure=one_line(error))


def write_page(jobs: Sequence[Job], directory: Path) -> None:
    """Write the page and its pictures, of every job's latest result."""
    kept = {one.name: found for one in jobs if (found := results.read(directory / RESULTS.name, one.name))}
    for job in jobs:
        for chart in job.charts:
            if job.name in kept:
                charts.draw(job, chart, kept[job.name], directory / RESULTS.name / picture(job, chart))
    (directory / "benchmarks.md").write_text(page(jobs, kept))


def say(line: str) -> None:
    """Print how far it is."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
