"""What was asked of AWS, counted at its server: by operation, reads apart from writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.aws import Aws, Call

# What changes nothing, by how AWS's operations begin; AssumeRole only hands out credentials.
READS = ("Describe", "Get", "List", "AssumeRole", "Validate")


@dataclass(frozen=True)
class Tally:
    """How often each operation was called, whatever was answered; `refused` counts statuses of 400 and up."""

    operations: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0

    @property
    def reads(self) -> int:
        """Calls that change nothing."""
        return sum(count for name, count in self.operations.items() if name.startswith(READS))

    @property
    def writes(self) -> int:
        """Calls that may change something."""
        return self.total - self.reads

    @property
    def total(self) -> int:
        """All calls."""
        return sum(self.operations.values())


def tally(calls: Iterable[Call], caller: str) -> Tally:
    """Count those of one caller, known by the access key id that it signs with."""
    theirs = [call for call in calls if call.caller == caller]
    refused = sum(call.status >= 400 for call in theirs)
    return Tally(dict(Counter(call.operation for call in theirs)), refused)


@contextmanager
def counted(aws: Aws, caller: str) -> Iterator[list[Tally]]:
    """Count what one caller asks within the block; the one tally is in the list when the block has ended."""
    began = len(aws.calls)
    found: list[Tally] = []
    yield found
    found.append(tally(aws.calls[began:], caller))
