"""Where something was measured: the machine, the interpreter, the code."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from lab.machine.processes import with_server_paths

ROOT = Path(__file__).parents[1]


def machine() -> str:
    """Return processor, memory, system and the code's commit in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{processor()}, {os.cpu_count()} CPUs, {memory:.0f} GB; Linux {platform.release()},"
        f" Python {platform.python_version()}; code at {commit()}"
    )


def processor() -> str:
    """Return the processor's own name, or its architecture where it has none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def commit() -> str:
    """Return the commit that is measured, marked where files differ from it."""
    return first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"])


def first_line(command: list[str]) -> str:
    """Return the first line that a command prints, for its version; `unknown` where it cannot be run."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=with_server_paths(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return next(iter((done.stdout or done.stderr).strip().splitlines()), "unknown")
