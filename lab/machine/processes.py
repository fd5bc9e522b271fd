"""Child processes: started, waited for, and gone with the lab, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

KEEPER = Path(__file__).with_name("keeper.py")


class DidNotStartError(Exception):
    """A child process ended, or did not answer in time; the message holds the end of its log."""


def slowness() -> float:
    """Return how many times as long as on a quiet machine a thing may take here and now.

    That is the load of each core: with two processes for each, every one gets half of it.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(
    condition: Callable[[], T],
    seconds: float,
    what: str,
    pause: float = 0.02,
    seen: Callable[[], object] | None = None,
) -> T:
    """Return the first true value of a condition; raise TimeoutError when it does not come in time.

    `seconds` are those of a quiet machine: a busy one has more. The error says what was expected, and what
    was `seen` in its place.
    """
    began = time.monotonic()
    while not (value := condition()):
        spent = time.monotonic() - began
        if spent >= seconds * slowness():
            instead = "" if seen is None else f"; seen: {seen()}"
            raise TimeoutError(f"expected: {what}; not so within {spent:.0f} seconds{instead}")
        time.sleep(pause)
    return value


@dataclass(frozen=True)
class Process:
    """A running child, leader of a process group of its own (its `pid` is the group's id too)."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process id, and the process group's."""
        return self.popen.pid

    def alive(self) -> bool:
        """Return whether it still runs (a frozen process does)."""
        return self.popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; a group that is gone is no fault."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(frozen=True)
class Processes:
    """The children of one lab, and the keeper that ends them if the lab cannot."""

    directory: Path
    keeper: subprocess.Popen[bytes]
    running: dict[int, Process] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        seconds: float = 20,
    ) -> Process:
        """Start a child and return it once `ready` is true; its output goes to `<name>.log`.

        Raises DidNotStartError, with the child ended, when it ends first or the time is over.
        """
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd or self.directory,
                env=dict(environment) if environment is not None else with_server_paths(os.environ),
                start_new_session=True,  # Ctrl-C is the lab's to answer
            )
        process = Process(name, popen, log)
        with self.lock:
            self.running[process.pid] = process
            self._write_to_keeper(f"+{process.pid}")
        try:
            until(lambda: ready() or not process.alive(), seconds, f"{name} answers")
        except TimeoutError as error:
            self.end(process)
            raise DidNotStartError(f"{error}\n{process.tail()}") from error
        except BaseException:
            self.end(process)
            raise
        if not process.alive():
            self.end(process)
            raise DidNotStartError(f"{name} ended with status {popen.returncode}\n{process.tail()}")
        return process

    def end(self, process: Process, seconds: float = 3) -> None:
        """End a child and its whole group: asked first, then killed."""
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)  # a frozen process takes no SIGTERM
        with suppress(subprocess.TimeoutExpired):
            process.popen.wait(seconds)
        self.kill(process)

    def kill(self, process: Process) -> None:
        """Kill a child and its whole group at once, as a machine that dies does."""
        process.signal(signal.SIGKILL)
        process.popen.wait()
        with self.lock:
            if self.running.pop(process.pid, None) is not None:
                self._write_to_keeper(f"-{process.pid}")

    def _write_to_keeper(self, line: str) -> None:
        assert self.keeper.stdin is not None  # noqa: S101 - it was opened with a pipe
        with suppress(BrokenPipeError):
            self.keeper.stdin.write(f"{line}\n".encode())
            self.keeper.stdin.flush()


@contextmanager
def open_processes(directory: Path) -> Iterator[Processes]:
    """Yield a place to start children in; at the end of the block none of them is left."""
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", str(KEEPER), str(directory)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    processes = Processes(directory, keeper)
    try:
        yield processes
    finally:
        children = list(processes.running.values())
        for process in children:  # all are asked before the first is waited for
            process.signal(signal.SIGTERM)
        for process in children:
            processes.end(process)
        keeper.communicate()


def missing(programs: Sequence[str]) -> list[str]:
    """Return the programs that this machine does not have."""
    path = with_server_paths(os.environ)["PATH"]
    return [program for program in programs if shutil.which(program, path=path) is None]


def with_server_paths(environment: Mapping[str, str]) -> dict[str, str]:
    """Add the directories where Debian keeps servers, which are not on everyone's PATH."""
    return {**environment, "PATH": f"{environment.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/usr/local/sbin"}
