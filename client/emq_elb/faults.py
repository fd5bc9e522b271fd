"""What keeps a command from being done, and the exit status that says so.

Failed               1   the message says what is wrong, the remedy what to do
├── FaultsInFiles    1   every fault of the files, with its place
├── StillPending     3   `--wait` ended first
└── WrongUsage      64   the command line itself is wrong
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

DONE, FAULT, CHANGES, PENDING, USAGE, INTERRUPTED = 0, 1, 2, 3, 64, 130


@dataclass(frozen=True, order=True)
class FileFault:
    """A fault of a file; `line` and `column` count from 1, `field` is empty where the whole file is wrong."""

    file: str
    line: int
    column: int
    field: str
    message: str

    def __str__(self) -> str:
        """Return the fault in the form that editors take for a link."""
        field = f"{self.field}: " if self.field else ""
        return f"{self.file}:{self.line}:{self.column}: {field}{self.message}"


class Failed(Exception):
    """The command cannot be done; `problem` is the API's own document, where it sent one."""

    status = FAULT

    def __init__(self, message: str, remedy: str = "", problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.problem = problem


class WrongUsage(Failed):
    """The command line asks for what is not possible."""

    status = USAGE


class StillPending(Failed):
    """The time for waiting is over, and AWS is not."""

    status = PENDING


class FaultsInFiles(Failed):
    """Faults of files, each at its place."""

    def __init__(self, faults: Iterable[FileFault]) -> None:
        self.faults = tuple(sorted(faults))
        count = "one fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{count}; nothing was changed")
