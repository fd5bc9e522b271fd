"""The demo in pictures, one time for all of them: latency, outcomes, alarms, certificates, sessions.

What is drawn is decided here as plain values, and drawn by `lab/demo/drawing.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from lab.cloudwatch.alarms import Change
from lab.cloudwatch.metrics import Point
from lab.demo.story import Step

PHASES = ("tcp", "tls", "connack", "suback", "puback", "echo")
METRICS: Mapping[str, str] = {
    "tcp": "ProbeTcpTime",
    "tls": "ProbeTlsTime",
    "connack": "ProbeConnackTime",
    "echo": "ProbeRoundTripTime",
}
SUCCESS = "ProbeSuccess"

Tone = Literal["good", "bad"]


@dataclass(frozen=True)
class Served:
    """A certificate as it was on the listener at one moment; `name` is short, `ends` its own end."""

    name: str
    ends: datetime


@dataclass(frozen=True)
class Sample:
    """What there was at one moment: the certificate on the listener, the sessions each broker has taken."""

    time: datetime
    certificate: Served | None
    sessions: Mapping[str, int]


@dataclass(frozen=True)
class Seen:
    """All that was seen of the demo."""

    steps: Sequence[Step]
    probes: Sequence[tuple[datetime, Any]]
    """What the app answered when it was asked to probe, and when."""

    samples: Sequence[Sample]
    points: Sequence[Point] = ()
    changes: Sequence[Change] = ()
    minute: float = 60
    """Seconds that a minute of the schedules takes."""

    @property
    def began(self) -> datetime:
        """When the first step began."""
        return min(step.began for step in self.steps if step.began)

    @property
    def end(self) -> datetime:
        """When the last step ended."""
        return max(step.began + timedelta(seconds=step.seconds) for step in self.steps if step.began)

    def at(self, moment: datetime) -> float:
        """Return a moment in seconds from the start of the run."""
        return (moment - self.began).total_seconds()


@dataclass(frozen=True)
class Fault:
    """A step in which a probe on request failed, from its beginning to its end in seconds, and why.

    `lane` is how high its number is shown: labels that would be side by side stand above one another.
    """

    number: int
    title: str
    began: float
    ended: float
    why: str
    lane: int


@dataclass(frozen=True)
class Bar:
    """Something that lasted, in seconds, in the row of its name."""

    row: str
    began: float
    ended: float
    tone: Tone
    note: str


@dataclass(frozen=True)
class Dot:
    """One address's outcome when it was asked, at a second of the run."""

    row: str
    at: float
    tone: Tone
    note: str


Line = Sequence[tuple[float, float | None]]
"""Points by second; None breaks the line."""


def latency_dots(seen: Seen) -> dict[str, Line]:
    """Return each phase's times on request, in milliseconds."""
    asked = [(seen.at(at), one["times_ms"]) for at, answer in seen.probes for one in answer["targets"]]
    return {
        phase: [(at, times[phase]) for at, times in asked if times.get(phase) is not None] for phase in PHASES
    }


def latency_lines(seen: Seen) -> dict[str, Line]:
    """Return the times by schedule of those phases that are metrics, in milliseconds."""
    longest = 2.5 * seen.minute
    return {
        phase: with_gaps(
            [(seen.at(point.time), point.value) for point in seen.points if point.name == metric], longest
        )
        for phase, metric in METRICS.items()
    }


def with_gaps(line: Sequence[tuple[float, float]], longest: float) -> Line:
    """Return the line with a break wherever nothing was measured for longer than that, in seconds."""
    found: list[tuple[float, float | None]] = []
    for at, value in line:
        if found and at - found[-1][0] > longest:
            found.append((found[-1][0], None))
        found.append((at, value))
    return found


def outcomes(seen: Seen) -> list[Dot]:
    """Return what each address answered when it was asked."""
    return [
        Dot(
            one["address"] or "no address",
            seen.at(at),
            "bad" if one["cause"] else "good",
            f"{one['phase']}: {one['cause']}" if one["cause"] else "ok",
        )
        for at, answer in seen.probes
        for one in answer["targets"]
    ]


def alarms(seen: Seen) -> list[Bar]:
    """Return a bar for each time that an alarm rang, to its next change, or a good one where it never did."""
    found: list[Bar] = []
    for name in sorted({change.name for change in seen.changes}):
        ours = [change for change in seen.changes if change.name == name]
        ends = [change.time for change in ours[1:]] + [seen.end]
        short = name.partition("/")[2]
        rang = [
            Bar(short, seen.at(change.time), seen.at(end), "bad", f"{short} rings")
            for change, end in zip(ours, ends, strict=True)
            if change.after == "ALARM"
        ]
        found += rang or [Bar(short, 0, seen.at(seen.end), "good", f"{short} never rang")]
    return found


def certificates(seen: Seen) -> list[Bar]:
    """Return a bar for each certificate, from when it was first seen on the listener until it was last."""
    served = [(sample.time, sample.certificate) for sample in seen.samples if sample.certificate]
    began: list[tuple[datetime, Served]] = []
    for at, certificate in served:
        if not began or began[-1][1] != certificate:
            began.append((at, certificate))
    ends = [at for at, _ in began[1:]] + [served[-1][0]] if served else []
    found: list[Bar] = []
    for (at, certificate), end in zip(began, ends, strict=True):
        left = (certificate.ends - at) / timedelta(days=1)
        note = f"{certificate.name}, {left:.1f} days left, until {certificate.ends:%Y-%m-%d %H:%M:%S}"
        row = f"{certificate.name} ({left:.0f} d)"
        found.append(Bar(row, seen.at(at), seen.at(end), "bad" if left < 1 else "good", note))
    return found


def sessions(seen: Seen) -> dict[str, Line]:
    """Return the sessions that each broker has taken."""
    names = sorted({name for sample in seen.samples for name in sample.sessions})
    return {
        name: [(seen.at(one.time), one.sessions[name]) for one in seen.samples if name in one.sessions]
        for name in names
    }


def outages(seen: Seen) -> list[tuple[float, float]]:
    """Return the times in which the probe by schedule failed: what an alarm that rings rests on.

    From a failure to the next success of the same load balancer, in seconds; times that meet are one.
    """
    points = sorted((one for one in seen.points if one.name == SUCCESS), key=lambda one: one.time)
    found: list[tuple[float, float]] = []
    for dimensions in sorted({one.dimensions for one in points}):
        failing: float | None = None
        for point in (one for one in points if one.dimensions == dimensions):
            at = seen.at(point.time)
            if point.value == 0 and failing is None:
                failing = at
            if point.value != 0 and failing is not None:
                found.append((failing, at))
                failing = None
        if failing is not None:
            found.append((failing, max(failing, seen.at(seen.end))))
    return united(found)


def united(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans in order, those that meet as one."""
    found: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((began, ended))
    return found


def faults(seen: Seen) -> list[Fault]:
    """Return the steps in which a probe on request was not well, with what it said."""
    room = seen.at(seen.end) / 40
    taken: list[float] = []  # by lane, when its last label began
    found: list[Fault] = []
    for number, step in enumerate(seen.steps, 1):
        began = seen.at(step.began) if step.began else 0.0
        ended = began + step.seconds
        causes = [
            one["cause"]
            for at, answer in seen.probes
            if began <= seen.at(at) <= ended and answer["verdict"] != "ok"
            for one in answer["targets"]
            if one["cause"]
        ]
        if causes:
            lane = next((lane for lane, at in enumerate(taken) if began - at >= room), len(taken))
            taken[lane : lane + 1] = [began]
            counted = [f"{cause} ({count})" for cause, count in Counter(causes).most_common()]
            found.append(Fault(number, step.title, began, ended, ", ".join(counted), lane))
    return found


def rang(seen: Seen) -> dict[str, list[tuple[float, float]]]:
    """Return when each alarm rang, by its short name; those that never did are left out."""
    found: dict[str, list[tuple[float, float]]] = {}
    for bar in alarms(seen):
        if bar.tone == "bad":
            found.setdefault(bar.row, []).append((bar.began, bar.ended))
    return found


def clock(seconds: float) -> str:
    """Return seconds from the start of the run as `minutes:seconds`."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes}:{rest:02d}"
