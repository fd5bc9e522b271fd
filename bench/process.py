"""Measure whole processes: wall time, CPU and peak memory, with everything that they start and wait for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STOPWATCH = Path(__file__).with_name("stopwatch.py")


class DidNotEndWellError(Exception):
    """A measured process ended with another status than 0, or not in time; the message has its last words."""


@dataclass(frozen=True)
class Ran:
    """What a command took: seconds on the wall, seconds of CPU, and its largest process's peak in MB."""

    seconds: float
    cpu: float
    memory: float
    output: str = ""


def measure(
    command: Sequence[str],
    *,
    times: int = 1,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    within: float = 300,
) -> Ran:
    """Run a command so many times, one after another, and return what all took together.

    Less memory than about 10 MB, the stopwatch's own, cannot be measured. Raises DidNotEndWellError.
    """
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report"
        launched = subprocess.Popen(
            [sys.executable, "-I", "-S", str(STOPWATCH), str(report), str(times), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(environment) if environment is not None else None,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            output, errors = launched.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            raise DidNotEndWellError(f"{command[0]} took longer than {within:g} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(launched.pid, signal.SIGKILL)
            launched.communicate()
        if launched.returncode != 0:
            said = (errors or output).strip().splitlines() or ["(it said nothing)"]
            raise DidNotEndWellError(f"{command[0]} ended with {launched.returncode}: {said[-1]}")
        seconds, cpu, peak = (float(word) for word in report.read_text().split())
    return Ran(seconds, cpu, peak / 1024, output)
