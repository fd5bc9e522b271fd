"""A job from its contenders to its files; a page of files; whole processes."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import results
from bench.__main__ import parse, run, write_page
from bench.job import Contender, NotRun
from bench.jobs import JOBS
from bench.process import DidNotEndWellError, measure
from tests.bench.measured import job, result, row

BURN = "import time\nwhile time.process_time() < 0.2: pass"


def fails() -> dict[str, float]:
    raise OSError("no port")


def test_what_was_measured_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    measured = result(row("ours", {"cpu": 1.25}, {"cpu": 2.0}, note="ü"), row("theirs", reason="no node"))
    results.write(tmp_path, measured)
    assert results.read(tmp_path, "made-up") == measured


def test_a_job_that_was_never_run_has_no_result(tmp_path: Path) -> None:
    assert results.read(tmp_path, "made-up") is None


def test_a_job_keeps_its_figures_and_what_failed_in_it(tmp_path: Path) -> None:
    contenders = (
        Contender("one", "ours", lambda: {"cpu": 1.0}),
        Contender("one", "theirs", fails),
        NotRun("one", "npm's", "node is missing"),
    )
    assert not run(job(contenders=contenders), 3, tmp_path)
    kept = results.read(tmp_path, "made-up")
    assert kept is not None
    assert [(one.contender, len(one.runs), one.failed) for one in kept.rows] == [
        ("ours", 3, False),
        ("theirs", 0, True),
        ("npm's", 0, False),
    ]
    assert kept.versions == {"peer": "1.0"}


def test_a_job_that_cannot_even_open_is_a_failure_in_its_result(tmp_path: Path) -> None:
    broken = type(job())(**{**vars(job()), "open": fails})
    assert not run(broken, None, tmp_path)
    kept = results.read(tmp_path, "made-up")
    assert kept is not None
    assert kept.failure == "OSError: no port"


def test_the_page_is_written_with_a_picture_of_every_chart(tmp_path: Path) -> None:
    contenders = (
        Contender("one", "ours", lambda: {"cpu": 1.0}),
        Contender("two", "theirs", lambda: {"cpu": 900.0}),
    )
    assert run(job(contenders=contenders), None, tmp_path / "benchmarks")
    write_page([job()], tmp_path)
    assert "A made-up job" in (tmp_path / "benchmarks.md").read_text()
    picture = tmp_path / "benchmarks" / "made-up-cpu.svg"
    first = picture.read_bytes()
    texts = {one.text for one in ET.fromstring(first).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314 - our own
    assert {"ours", "theirs", "one", "two", "CPU, s (logarithmic)"} <= texts
    write_page([job()], tmp_path)
    assert picture.read_bytes() == first


def test_jobs_are_named_once_and_charts_and_goals_name_figures_that_there_are() -> None:
    assert len({one.name for one in JOBS}) == len(JOBS)
    for one in JOBS:
        known = {figure.key for figure in one.figures}
        assert {chart.figure for chart in one.charts} <= known
        assert {goal.figure for goal in one.goals} <= known
        assert set(one.compared) <= known
        assert one.rounds >= 5


def test_an_unknown_job_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["nonsense"])
    assert "there is no job nonsense" in capsys.readouterr().err


def test_a_process_is_measured_with_those_that_it_starts() -> None:
    ran = measure(
        [sys.executable, "-c", f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"]
    )
    assert ran.cpu >= 0.2
    assert ran.seconds >= 0.2


def test_a_command_that_is_run_several_times_is_measured_as_one() -> None:
    ran = measure([sys.executable, "-c", f"{BURN}\nprint('done')"], times=2)
    assert ran.cpu >= 0.4
    assert ran.output == "done\ndone\n"


def test_peak_memory_is_the_commands_own_and_not_this_processs() -> None:
    held = bytearray(120_000_000)
    assert 60 < measure([sys.executable, "-I", "-S", "-c", "bytearray(60_000_000)"]).memory < 100
    del held


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("raise SystemExit('no such file')", "no such file"),
        ("import os; os.kill(os.getpid(), 9)", "said nothing"),
    ],
)
def test_a_process_that_does_not_end_well_is_an_error(command: str, said: str) -> None:
    with pytest.raises(DidNotEndWellError, match=said):
        measure([sys.executable, "-c", command])


def test_a_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(DidNotEndWellError, match=r"took longer than 0\.2 s"):
        measure([sys.executable, "-c", "import time; time.sleep(60)"], within=0.2)
