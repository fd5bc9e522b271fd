"""`python -m bench` measures everything, prints it and writes `docs/benchmarks.md`."""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench import coldstart, probe

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
# Each part: its title, and what measures it and yields Markdown; its module's docstring introduces it.
PARTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "Cold start": coldstart.measure,
    "Probe": probe.measure,
}


def page() -> Iterator[str]:
    """Yield the page, line by line."""
    yield "# Measured"
    yield ""
    yield (
        f"By `make bench`, which writes this page; on {platform.machine()} with {os.cpu_count()} CPUs and"
        f" Python {platform.python_version()}. Ratios hold from machine to machine, times do not."
    )
    for title, measure in PARTS.items():
        yield from ("", f"## {title}", "", inspect.cleandoc(inspect.getmodule(measure).__doc__ or ""), "")
        yield from measure()


def main() -> None:
    """Measure and write."""
    lines = []
    for line in page():
        print(line, flush=True)
        lines.append(line)
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
