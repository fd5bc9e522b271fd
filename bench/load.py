"""What devices notice while something is done to their load balancer: those that come, those that stay."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import ROOT


@dataclass(frozen=True)
class Attempt:
    """One device that came: when, in seconds, and whether it was let in (TCP, TLS verified, CONNACK)."""

    at: float
    served: bool


@dataclass
class Noticed:
    """What all devices noticed, filled in when the load has ended."""

    attempts: tuple[Attempt, ...] = ()
    dropped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """How many were not let in."""
        return sum(not one.served for one in self.attempts)


def gap(attempts: Sequence[Attempt]) -> float:
    """Return the longest time in which nobody was let in: from a first failure to the next success.

    One that lasts to the end is as long as was looked; without a failure there is none.
    """
    longest, began = 0.0, None
    for one in sorted(attempts, key=lambda attempt: attempt.at):
        if not one.served:
            began = one.at if began is None else began
        if began is not None:
            longest = max(longest, one.at - began)
        if one.served:
            began = None
    return longest


@contextmanager
def load(addresses: Sequence[str], port: int, authority: Path) -> Iterator[Noticed]:
    """Keep sessions open and let new devices come, at all addresses in turn, until the end of the block."""
    noticed = Noticed()
    command = [sys.executable, "-m", "bench.programs.devices", str(port), str(authority), *addresses]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as devices:
        try:
            if devices.stdout is None or devices.stdout.readline().strip() != "ready":
                raise OSError("the devices could not connect before anything was done")
            yield noticed
            report = json.loads(devices.communicate("", timeout=30)[0])
        finally:
            devices.kill()
    noticed.attempts = tuple(Attempt(at, served) for at, served in report["attempts"])
    noticed.dropped, noticed.reasons = report["dropped"], report["reasons"]
