"""Ends what the lab started when the lab itself died: the other end of a pipe that only the lab holds.

Run as a script, it reads `+PGID` and `-PGID` lines on its standard input and, at the end of the input, kills
the process groups that are left. If there are any, the lab did not end in its own way, and the private keys
below the directory that is its argument go too. A parent-death signal would not do: Linux sends it when the
*thread* that started the child ends (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path


def survivors(lines: list[str]) -> set[int]:
    """Return the process groups that were named with `+` and not with `-` since."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def main() -> None:
    """Wait for the lab's end, then leave nothing behind."""
    left = survivors(sys.stdin.read().split())
    for group in left:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    for key in Path(sys.argv[1]).rglob("*.pem") if left else ():
        key.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
