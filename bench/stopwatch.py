"""Run a command so many times and write seconds, CPU seconds and peak memory (KiB) to a file.

A process of its own, and a small one: Linux counts the memory of whoever starts a program as that program's
peak too (`setmax_mm_hiwater_rss` in the kernel's fs/exec.c), and the bench holds AWS's emulator.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Return the first exit status that is not 0."""
    report, times, *command = sys.argv[1:]
    cpu = peak = status = 0.0
    began = time.monotonic()
    for _ in range(int(times)):
        pid = os.posix_spawnp(command[0], command, os.environ)
        _, waited, used = os.wait4(pid, 0)
        cpu += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss)
        status = status or os.waitstatus_to_exitcode(waited)
    seconds = time.monotonic() - began
    with open(report, "w") as file:  # noqa: PTH123 - pathlib would be a quarter of its memory
        file.write(f"{seconds} {cpu} {peak}")
    return abs(int(status))


if __name__ == "__main__":
    sys.exit(main())
