"""The demo's report: one file that needs nothing else, and says what happened."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.cloudwatch.alarms import Change, State
from lab.cloudwatch.metrics import Point
from lab.demo.drawing import drawn
from lab.demo.pictures import (
    Bar,
    Sample,
    Seen,
    Served,
    alarms,
    certificates,
    clock,
    faults,
    latency_dots,
    latency_lines,
    outages,
    outcomes,
    rang,
    with_gaps,
)
from lab.demo.pictures import sessions as session_lines
from lab.demo.report import sessions, write
from lab.demo.story import Step

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def answered(cause: str | None) -> dict[str, Any]:
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
    probes=[(BEGAN, answered(None)), (later(6), answered("connack-timeout"))],
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


def test_the_report_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "demo.html"
    write(path, SEEN)
    text = path.read_text()
    assert "3 of 3 steps, in 15 seconds" in text
    assert "All &lt;green&gt;" in text
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", text)


def test_the_report_says_at_a_glance_what_is_red_and_why(tmp_path: Path) -> None:
    write(tmp_path / "demo.html", SEEN)
    text = (tmp_path / "demo.html").read_text()
    assert "Every step held" in text
    assert "<li value=2>Frozen <span class=quiet>(0:05: connack-timeout (1))</span></li>" in text
    assert "Alarms that rang: demo/probe at 0:07 to 0:09." in text


def test_the_picture_takes_the_pages_own_colours() -> None:
    svg = drawn(SEEN)
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert "#010203" not in svg
    for text in ("Alarms that ring", "demo/probe", "89abcdef (90 d)", "127.0.0.1", "node-1", "0:10"):
        assert text in svg


def test_a_picture_of_hardly_anything_is_drawn() -> None:
    assert drawn(Seen([step("Only", 0)], [], [])).startswith("<svg")


def test_latency_is_drawn_by_phase_on_request_and_by_schedule() -> None:
    dots = {phase: list(line) for phase, line in latency_dots(SEEN).items() if line}
    assert dots == {"tcp": [(0, 0.2), (6, 0.2)], "tls": [(0, 3.0), (6, 3.0)]}
    assert {phase: list(line) for phase, line in latency_lines(SEEN).items() if line} == {"tls": [(0, 2.0)]}


def test_an_outcome_has_its_phase_and_cause() -> None:
    assert [(dot.row, dot.at, dot.tone, dot.note) for dot in outcomes(SEEN)] == [
        ("127.0.0.1", 0, "good", "ok"),
        ("127.0.0.1", 6, "bad", "connack: connack-timeout"),
    ]


def test_an_alarm_is_a_bar_for_as_long_as_it_rings() -> None:
    assert alarms(SEEN) == [Bar("demo/probe", 7, 9, "bad", "demo/probe rings")]
    assert rang(SEEN) == {"demo/probe": [(7, 9)]}
    quiet = replace(SEEN, changes=SEEN.changes[:1])
    assert alarms(quiet) == [Bar("demo/probe", 0, 15, "good", "demo/probe never rang")]
    assert rang(quiet) == {}


def test_a_certificate_is_a_bar_for_as_long_as_it_is_served_with_its_end() -> None:
    bars = {bar.row: (bar.began, bar.ended, bar.note) for bar in certificates(SEEN)}
    assert bars == {
        "01234567 (0 d)": (1, 3, "01234567, 0.0 days left, until 2026-01-01 01:00:00"),
        "89abcdef (90 d)": (3, 5, "89abcdef, 90.0 days left, until 2026-04-01 00:00:00"),
    }


def test_sessions_are_a_line_for_each_broker() -> None:
    assert session_lines(SEEN) == {"node-1": [(1, 3), (2, 4), (3, 4), (4, 5), (5, 5)]}


def test_the_step_in_which_a_probe_was_not_well_is_marked() -> None:
    (fault,) = faults(SEEN)
    assert (fault.number, fault.title, fault.lane) == (2, "Frozen", 0)
    assert (fault.began, fault.ended, fault.why) == (5, 10, "connack-timeout (1)")


def test_an_outage_lasts_from_a_failed_scheduled_probe_to_the_next_that_succeeds() -> None:
    def points(name: str, values: dict[float, float]) -> list[Point]:
        where = (("LoadBalancer", name),)
        return [Point("EmqElb", "ProbeSuccess", where, later(at), value) for at, value in values.items()]

    seen = replace(
        SEEN, points=points("demo", {0: 1, 2: 0, 3: 0, 5: 1, 9: 0}) + points("other", {4: 0, 6: 1})
    )
    assert outages(seen) == [(2, 6), (9, 15)]


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "60:00")])
def test_a_moment_is_shown_in_minutes_and_seconds_of_the_run(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_line_breaks_where_nothing_was_measured() -> None:
    broken = [value for _, value in with_gaps([(at, at) for at in (0, 60, 120, 300, 360)], 150)]
    assert broken == [0, 60, 120, None, 300, 360]


@pytest.mark.parametrize(
    ("begin", "lanes"), [([0, 20, 40], [0, 0, 0]), ([0, 1, 2], [0, 1, 2]), ([0, 1, 30, 31], [0, 1, 0, 1])]
)
def test_labels_of_short_steps_are_put_above_one_another(begin: list[float], lanes: list[int]) -> None:
    steps = [*(step("Fault", at, 0.5) for at in begin), step("End", 100)]
    probes = [(later(at + 0.2), answered("tls-name")) for at in begin]
    assert [fault.lane for fault in faults(Seen(steps, probes, []))] == lanes


def test_sessions_are_counted_in_the_brokers_own_logs(tmp_path: Path) -> None:
    (tmp_path / "node-1.log").write_text("New client connected\nNew client connected\n")
    (tmp_path / "node-1-locked.log").write_text("New client connected\n")
    assert (sessions(tmp_path, "node-1"), sessions(tmp_path, "node-2")) == (3, 0)
