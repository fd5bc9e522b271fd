"""The demo's report: one file that needs nothing else, and says what happened."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.cloudwatch.alarms import Change, State
from lab.cloudwatch.metrics import Point
from lab.demo.pictures import Sample, Seen, Served, drawn, faults, with_gaps
from lab.demo.report import sessions, write
from lab.demo.story import Step

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def told(cause: str | None) -> dict[str, Any]:
    """What the app answers when it is asked to probe."""
    target = {
        "address": "127.0.0.1",
        "port": 8883,
        "phase": cause and cause.partition("-")[0],
        "cause": cause,
        "times_ms": {"tcp": 0.2, "tls": 3.0},
    }
    return {"verdict": "failed" if cause else "ok", "targets": [target]}


def step(title: str, began: float, seconds: float = 5.0) -> Step:
    return Step(title, seconds, (), "fine", held=True, began=later(began))


def change(seconds: float, before: State, after: State) -> Change:
    return Change(later(seconds), {"AlarmName": "ours/demo/probe", "StateValue": before}, after)


OLD, NEW = Served("01234567", later(3600)), Served("89abcdef", later(90 * 86400))
SEEN = Seen(
    steps=(step("All <green>", 0), step("Frozen", 5), step("Green", 10)),
    probes=[(BEGAN, told(None)), (later(6), told("connack-timeout"))],
    samples=[
        Sample(later(1), OLD, {"node-1": 3}),
        Sample(later(2), OLD, {"node-1": 4}),
        Sample(later(3), NEW, {"node-1": 4}),
        Sample(later(4), None, {"node-1": 5}),
        Sample(later(5), NEW, {"node-1": 5}),
    ],
    points=[Point("EmqElb", "ProbeTlsTime", (("LoadBalancer", "demo"),), BEGAN, 2.0)],
    changes=[change(1, "INSUFFICIENT_DATA", "OK"), change(7, "OK", "ALARM"), change(9, "ALARM", "OK")],
)


def traces(row: int) -> list[Any]:
    """What is drawn in a row of the figure."""
    return [trace for trace in drawn(SEEN).data if trace.yaxis == ("y" if row == 1 else f"y{row}")]


def test_the_report_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "demo.html"
    write(path, SEEN)
    text = path.read_text()
    assert "3 of 3 steps held" in text
    assert "All &lt;green&gt;" in text
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", text)


def test_latency_is_drawn_by_phase_on_request_and_by_schedule() -> None:
    dots = {trace.name: list(trace.y) for trace in traces(1) if trace.mode == "markers"}
    assert {name: values for name, values in dots.items() if values} == {"tcp": [0.2, 0.2], "tls": [3.0, 3.0]}
    assert [list(trace.y) for trace in traces(1) if trace.mode == "lines" and trace.y] == [[2.0]]


def test_an_outcome_is_told_with_phase_and_cause() -> None:
    (trace,) = traces(2)
    assert list(trace.text) == ["ok", "connack: connack-timeout"]


def test_an_alarm_is_a_bar_for_as_long_as_it_rings() -> None:
    (trace,) = traces(3)
    assert list(trace.x) == [later(7), later(9)]
    assert set(trace.y) == {"demo/probe"}


def test_a_certificate_is_a_bar_for_as_long_as_it_is_served_with_its_end() -> None:
    bars = {trace.y[0]: (trace.x[0], trace.x[1], trace.text[0]) for trace in traces(4)}
    assert bars == {
        "01234567 (0 d)": (later(1), later(3), "01234567, 0.0 days left, until 2026-01-01 01:00:00"),
        "89abcdef (90 d)": (later(3), later(5), "89abcdef, 90.0 days left, until 2026-04-01 00:00:00"),
    }


def test_sessions_are_a_line_for_each_broker() -> None:
    (trace,) = traces(5)
    assert (trace.name, list(trace.y)) == ("node-1", [3, 4, 4, 5, 5])


def test_the_step_in_which_a_probe_was_not_well_is_marked() -> None:
    assert [(fault.number, fault.title, fault.lane) for fault in faults(SEEN)] == [(2, "Frozen", 0)]
    shapes = drawn(SEEN).layout.shapes
    assert {(shape.x0, shape.x1) for shape in shapes} == {(later(5), later(10)), (later(5), later(5))}


def test_a_line_breaks_where_nothing_was_measured() -> None:
    line = [(later(at), float(at)) for at in (0, 60, 120, 300, 360)]
    broken = [value for _, value in with_gaps(line, timedelta(seconds=150))]
    assert broken == [0, 60, 120, None, 300, 360]


@pytest.mark.parametrize(
    ("begin", "lanes"), [([0, 20, 40], [0, 0, 0]), ([0, 1, 2], [0, 1, 2]), ([0, 1, 30, 31], [0, 1, 0, 1])]
)
def test_labels_of_short_steps_are_put_above_one_another(begin: list[float], lanes: list[int]) -> None:
    steps = [*(step("Fault", at, 0.5) for at in begin), step("End", 100)]
    probes = [(later(at + 0.2), told("tls-name")) for at in begin]
    assert [fault.lane for fault in faults(Seen(steps, probes, []))] == lanes


def test_sessions_are_counted_in_the_brokers_own_logs(tmp_path: Path) -> None:
    (tmp_path / "node-1.log").write_text("New client connected\nNew client connected\n")
    (tmp_path / "node-1-locked.log").write_text("New client connected\n")
    assert (sessions(tmp_path, "node-1"), sessions(tmp_path, "node-2")) == (3, 0)
