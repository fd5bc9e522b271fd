"""What was measured, as files: one JSON file for each job."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bench.job import Result, Row


def write(directory: Path, result: Result) -> None:
    """Keep a job's result in the place of its former one."""
    directory.mkdir(parents=True, exist_ok=True)
    path(directory, result.job).write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n")


def read(directory: Path, job: str) -> Result | None:
    """Return a job's latest result; None when it was never run."""
    kept = path(directory, job)
    if not kept.exists():
        return None
    found = json.loads(kept.read_text())
    rows = tuple(Row(**{**row, "runs": tuple(row["runs"])}) for row in found.pop("rows"))
    return Result(rows=rows, **found)


def path(directory: Path, job: str) -> Path:
    """Return where a job's result is kept."""
    return directory / f"{job}.json"
