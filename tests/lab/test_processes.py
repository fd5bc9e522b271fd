"""Addresses and child processes: each lab has its own, and none is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from lab.machine.addresses import Network, answers, claim, free_port, port_or_free
from lab.machine.keeper import survivors
from lab.machine.processes import DidNotStartError, Processes, missing, open_processes, slowness, until

ROOT = Path(__file__).parents[2]


def running(pid: int) -> bool:
    """Return whether a process runs; one that has ended but was not waited for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_two_labs_never_share_a_network() -> None:
    with claim(Random(1)) as first, claim(Random(1)) as second:  # noqa: S311 - the same numbers on purpose
        assert first != second


def test_a_network_is_free_again_afterwards() -> None:
    with claim(Random(2)) as first:  # noqa: S311 - the same numbers on purpose
        pass
    with claim(Random(2)) as second:  # noqa: S311 - the same numbers on purpose
        assert first == second


@pytest.mark.parametrize("number", [0, 255, -1])
def test_a_network_has_254_hosts(number: int) -> None:
    with pytest.raises(ValueError, match="host number"):
        Network("127.7.7").host(number)


def test_a_port_that_is_taken_everywhere_gives_way_to_a_free_one(network: Network) -> None:
    with closing(socket.socket()) as everywhere:
        everywhere.bind(("0.0.0.0", 0))  # noqa: S104 - that is what is in the way
        everywhere.listen()
        taken = everywhere.getsockname()[1]
        assert port_or_free(network.host(150), taken) != taken
    free = free_port(network.host(150))
    assert port_or_free(network.host(150), free) == free


def test_a_condition_that_does_not_come_says_so() -> None:
    with pytest.raises(TimeoutError, match="expected: the moon rises; not so within 0 seconds"):
        until(lambda: False, 0, "the moon rises")


def test_what_was_seen_instead_is_said() -> None:
    with pytest.raises(TimeoutError, match="expected: noon; not so within 0 seconds; seen: midnight"):
        until(lambda: False, 0, "noon", seen=lambda: "midnight")


@pytest.mark.parametrize(("load", "times"), [(0.0, 1.0), (1.0, 1.0), (8.0, 4.0)])
def test_a_busy_machine_has_more_time(monkeypatch: pytest.MonkeyPatch, load: float, times: float) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert slowness() == times


@pytest.mark.parametrize(
    ("lines", "left"), [([], set()), (["+1", "+2", "-1"], {2}), (["+1", "-1", "+1"], {1}), (["-3"], set())]
)
def test_the_keeper_knows_who_is_left(lines: list[str], left: set[int]) -> None:
    assert survivors(lines) == left


def test_a_child_that_ends_at_once_is_reported_with_its_log(processes: Processes) -> None:
    with pytest.raises(DidNotStartError, match=r"status 3\nno luck"):
        processes.start("child", ["sh", "-c", "echo no luck; exit 3"], ready=lambda: False)


def test_a_child_that_never_answers_is_ended(processes: Processes) -> None:
    with pytest.raises(DidNotStartError, match="not so within"):
        processes.start("child", ["sleep", "600"], ready=lambda: False, seconds=0.1)
    assert processes.running == {}


def test_children_are_gone_after_the_block_frozen_ones_and_grandchildren_too(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with open_processes(tmp_path) as processes:
        child = processes.start(
            "child",
            ["sh", "-c", f"sleep 600 & echo $! > {pids}.draft; mv {pids}.draft {pids}; wait"],
            ready=pids.exists,
        )
        child.signal(signal.SIGSTOP)
    assert not running(child.pid)
    assert not running(int(pids.read_text()))


def test_children_and_keys_are_gone_when_the_lab_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from lab.machine.processes import open_processes
with open_processes(Path({str(tmp_path)!r})) as processes:
    child = processes.start("child", ["sleep", "600"], ready=lambda: True)
    Path({str(tmp_path)!r}, "8883.pem").write_text("a key")
    print(child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    until(lambda: not running(pid), 5, "the child is gone")
    until(lambda: not (tmp_path / "8883.pem").exists(), 5, "the key is gone")


def test_a_program_that_is_not_installed_is_named() -> None:
    assert missing(["sh", "no-such-program", "haproxy"]) == ["no-such-program"]


def test_a_port_without_a_server_does_not_answer(network: Network) -> None:
    assert not answers(network.host(150), 1883)


def test_the_environment_of_a_child_is_the_callers(processes: Processes) -> None:
    log = processes.directory / "child.log"
    child = processes.start(
        "child",
        ["sh", "-c", "echo $COLOUR; sleep 600"],
        ready=lambda: log.read_text() == "blue\n",
        environment={"COLOUR": "blue", "PATH": os.environ["PATH"]},
    )
    assert child.alive()
