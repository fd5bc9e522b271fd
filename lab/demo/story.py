"""A story in steps: each is timed, its AWS calls are counted, and it holds or the story ends there."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import fill

from lab.aws import READS, Call

INDENT = " " * 5


class DidNotHoldError(Exception):
    """A step's promise was not kept; the message says which."""


@dataclass(frozen=True)
class Step:
    """One step as it went; `note` says what was seen."""

    title: str
    seconds: float
    calls: tuple[Call, ...]
    note: str
    held: bool
    began: datetime | None = None


def hold(promise: bool, what: str) -> None:
    """Raise DidNotHoldError, with what was promised, unless it is so."""
    if not promise:
        raise DidNotHoldError(what)


def play(
    steps: Iterable[tuple[str, Callable[[], str]]],
    calls: Sequence[Call],
    *,
    callers: Container[str] = ("app",),
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Step, ...]:
    """Play steps until one does not hold; `calls` grows meanwhile, and those by `callers` are the app's.

    Progress goes to standard output.
    """
    played: list[Step] = []
    for number, (title, act) in enumerate(steps, 1):
        print(f"\n{bold(f'{number}. {title}')}", flush=True)
        began, at, before = clock(), datetime.now(UTC), len(calls)
        try:
            note, held = act(), True
        except (DidNotHoldError, TimeoutError, OSError) as error:
            note, held = str(error), False
        app = tuple(call for call in calls[before:] if call.caller in callers)
        played.append(Step(title, clock() - began, app, note, held, at))
        print(f"   {mark(held)} {note} ({played[-1].seconds:.1f} s)", flush=True)
        if not held:
            break
    return tuple(played)


def summary(steps: Sequence[Step], columns: int = 0) -> str:
    """Return the table: each step, how long it took, and the app's AWS calls by name."""
    width = max(len(step.title) for step in steps)
    room = columns or shutil.get_terminal_size((120, 24)).columns
    lines = [bold(f"   {'step':<{width}}  seconds  reads  writes")]
    for step in steps:
        reads = sum(call.operation.startswith(READS) for call in step.calls)
        writes = len(step.calls) - reads
        lines.append(f" {mark(step.held)} {step.title:<{width}}  {step.seconds:7.1f}  {reads:5}  {writes:6}")
        if step.calls:
            lines.append(fill(counted(step.calls), room, initial_indent=INDENT, subsequent_indent=INDENT))
    return "\n".join(lines)


def counted(calls: Iterable[Call]) -> str:
    """Return the operations in the order of their first call, with how often where that is not once."""
    counts = Counter(call.operation for call in calls)
    return ", ".join(name if times == 1 else f"{name} x{times}" for name, times in counts.items())


def mark(held: bool) -> str:
    """Return the sign for a step."""
    return coloured("✓", 32) if held else coloured("✗", 31)


def bold(text: str) -> str:
    """Return the text, bold where it is shown on a terminal."""
    return coloured(text, 1)


def coloured(text: str, code: int) -> str:
    """Return the text in an ANSI style where it is shown on a terminal."""
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text
