"""The demo's report: one file that needs nothing else, and says what happened."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.metrics import Point
from lab.report import Sample, Samples, drawn, sessions, write
from lab.story import Step

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def told(cause: str | None) -> dict[str, Any]:
    """What the app answers when it is asked to probe."""
    target = {"address": "127.0.0.1", "port": 8883, "cause": cause, "times_ms": {"tcp": 0.2, "tls": 3.0}}
    return {"verdict": "failed" if cause else "ok", "targets": [target]}


STEPS = (
    Step("All <green>", 5.0, (), "fine", held=True, began=BEGAN),
    Step("Frozen", 5.0, (), "named", held=True, began=BEGAN + timedelta(seconds=5)),
)
PROBES = [(BEGAN, told(None)), (BEGAN + timedelta(seconds=6), told("connack-timeout"))]
SAMPLES = Samples([Sample(BEGAN, "0123456789abcdef", {"node-1": 3})])
POINTS = [Point("EmqElb", "ProbeTlsTime", (("LoadBalancer", "demo"),), BEGAN, 2.0)]


def test_the_report_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "demo.html"
    write(path, STEPS, PROBES, SAMPLES, POINTS)
    text = path.read_text()
    assert "2 of 2 steps held" in text
    assert "All &lt;green&gt;" in text
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", text)


def test_the_figure_shows_each_outcome_and_marks_the_steps_with_a_fault() -> None:
    figure = drawn(STEPS, PROBES, SAMPLES.taken, POINTS)
    texts = [list(trace.text) for trace in figure.data if trace.text is not None]
    assert texts == [["ok", "connack-timeout"]]
    assert {shape.x0 for shape in figure.layout.shapes} == {STEPS[1].began}
    assert [list(trace.y) for trace in figure.data if trace.mode == "lines" and trace.y] == [[2.0], [3]]


def test_sessions_are_counted_in_the_brokers_own_logs(tmp_path: Path) -> None:
    (tmp_path / "node-1.log").write_text("New client connected\nNew client connected\n")
    (tmp_path / "node-1-locked.log").write_text("New client connected\n")
    assert (sessions(tmp_path, "node-1"), sessions(tmp_path, "node-2")) == (3, 0)
