"""The demo in pictures, one time for all of them: latency, outcomes, alarms, certificates, sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lab.cloudwatch.alarms import Change
from lab.cloudwatch.metrics import Point
from lab.demo.story import Step

# Told apart from each other by everyone, and from white and from black.
COLOURS = {
    "tcp": "#3d7cc9",
    "tls": "#d1603d",
    "connack": "#2e9461",
    "suback": "#a8792a",
    "puback": "#1f93ab",
    "echo": "#a85fc0",
}
METRICS = {
    "tcp": "ProbeTcpTime",
    "tls": "ProbeTlsTime",
    "connack": "ProbeConnackTime",
    "echo": "ProbeRoundTripTime",
}
GOOD, BAD, PLAIN = "#2e9461", "#d23f3f", "#7a828c"
TITLES = (
    "Latency by phase, ms: lines by schedule, dots on request",
    "Probe on request, by address",
    "Alarms that ring",
    "Certificate on the listener",
    "Sessions that each broker has taken",
)
HEIGHTS = (0.36, 0.12, 0.14, 0.16, 0.22)
LANES = 4


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
    def end(self) -> datetime:
        """When the last step ended."""
        return max(step.began + timedelta(seconds=step.seconds) for step in self.steps if step.began)


@dataclass(frozen=True)
class Fault:
    """A step in which a device could not use the load balancer; `lane` is how high its number is shown."""

    number: int
    title: str
    began: datetime
    ended: datetime
    lane: int


def drawn(seen: Seen) -> Any:
    """Return the figure."""
    from plotly.subplots import make_subplots  # type: ignore[import-untyped] # it has no stubs

    figure = make_subplots(
        rows=len(TITLES), cols=1, shared_xaxes=True, vertical_spacing=0.05, subplot_titles=TITLES,
        row_heights=HEIGHTS,
    )  # fmt: skip
    pictures = (latency(seen), outcomes(seen), alarms(seen), certificates(seen), sessions(seen))
    for row, traces in enumerate(pictures, 1):
        for trace in traces:
            figure.add_trace(trace, row, 1)
    for row in (2, 3, 4):
        figure.update_yaxes(type="category", row=row, col=1)
    figure.update_yaxes(type="log", row=1, col=1)
    figure.update_yaxes(automargin=True, gridcolor="rgba(128,128,128,.25)", zeroline=False)
    figure.update_xaxes(gridcolor="rgba(128,128,128,.25)", tickformat="%H:%M:%S", range=_span(seen))
    figure.update_annotations(x=0, xanchor="left", font_size=14)
    for fault in faults(seen):
        figure.add_vrect(
            x0=fault.began, x1=fault.ended, fillcolor=BAD, opacity=0.15, line_width=0, row="all", col=1
        )
        figure.add_vline(x=fault.began, line={"color": BAD, "width": 1}, opacity=0.6, row="all", col=1)
        figure.add_annotation(
            x=fault.began, y=1, yref="paper", yshift=32 + 15 * fault.lane, text=f"<b>{fault.number}</b>",
            font_color=BAD, showarrow=False, xanchor="left", hovertext=fault.title,
        )  # fmt: skip
    figure.update_layout(
        height=1300,
        margin={"l": 10, "r": 10, "t": 48 + 15 * LANES, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "color": PLAIN},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        legend2={
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": figure.layout[f"yaxis{len(TITLES)}"].domain[1],
            "yanchor": "bottom",
        },
        hovermode="closest",
    )
    return figure


def latency(seen: Seen) -> Iterator[Any]:
    """Yield the phases' times: every one on request, by schedule those that are metrics."""
    from plotly.graph_objects import Scatter  # type: ignore[import-untyped] # it has no stubs

    for phase, colour in COLOURS.items():
        asked = [(at, one["times_ms"].get(phase)) for at, told in seen.probes for one in told["targets"]]
        known = [(at, spent) for at, spent in asked if spent is not None]
        yield Scatter(
            x=[at for at, _ in known], y=[spent for _, spent in known], mode="markers", name=phase,
            legendgroup=phase, marker={"color": colour, "size": 6},
            hovertemplate=f"{phase} %{{y:.1f}} ms<extra></extra>",
        )  # fmt: skip
        if phase in METRICS:
            line = [(point.time, point.value) for point in seen.points if point.name == METRICS[phase]]
            parts = with_gaps(line, timedelta(seconds=2.5 * seen.minute))
            yield Scatter(
                x=[at for at, _ in parts], y=[value for _, value in parts], mode="lines",
                legendgroup=phase, showlegend=False, line={"color": colour, "width": 1.5}, hoverinfo="skip",
            )  # fmt: skip


def with_gaps(
    line: Sequence[tuple[datetime, float]], longest: timedelta
) -> list[tuple[datetime, float | None]]:
    """Return the line with a break wherever nothing was measured for longer than that."""
    found: list[tuple[datetime, float | None]] = []
    for at, value in line:
        if found and at - found[-1][0] > longest:
            found.append((found[-1][0], None))
        found.append((at, value))
    return found


def outcomes(seen: Seen) -> Iterator[Any]:
    """Yield what each address answered when it was asked."""
    from plotly.graph_objects import Scatter

    told = [(at, one) for at, answer in seen.probes for one in answer["targets"]]
    yield Scatter(
        x=[at for at, _ in told],
        y=[one["address"] or "no address" for _, one in told],
        text=[f"{one['phase']}: {one['cause']}" if one["cause"] else "ok" for _, one in told],
        mode="markers",
        marker={
            "symbol": ["x" if one["cause"] else "circle" for _, one in told],
            "color": [BAD if one["cause"] else GOOD for _, one in told],
            "size": 9,
        },
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def alarms(seen: Seen) -> Iterator[Any]:
    """Yield a bar for each time that an alarm rang, from its change to the next one."""
    for name in sorted({change.name for change in seen.changes}):
        ours = [change for change in seen.changes if change.name == name]
        ends = [change.time for change in ours[1:]] + [seen.end]
        short = name.partition("/")[2]
        for change, end in zip(ours, ends, strict=True):
            if change.after == "ALARM":
                yield _bar(short, change.time, end, BAD, f"{short} rings")
        if all(change.after != "ALARM" for change in ours):
            yield _bar(short, seen.end, seen.end, GOOD, f"{short} never rang")


def certificates(seen: Seen) -> Iterator[Any]:
    """Yield a bar for each certificate, from when it was first seen on the listener until it was last."""
    served = [(sample.time, sample.certificate) for sample in seen.samples if sample.certificate]
    began: list[tuple[datetime, Served]] = []
    for at, certificate in served:
        if not began or began[-1][1] != certificate:
            began.append((at, certificate))
    ends = [at for at, _ in began[1:]] + [served[-1][0]] if served else []
    for (at, certificate), end in zip(began, ends, strict=True):
        left = (certificate.ends - at) / timedelta(days=1)
        note = f"{certificate.name}, {left:.1f} days left, until {certificate.ends:%Y-%m-%d %H:%M:%S}"
        yield _bar(f"{certificate.name} ({left:.0f} d)", at, end, BAD if left < 1 else GOOD, note)


def sessions(seen: Seen) -> Iterator[Any]:
    """Yield a line for each broker."""
    from plotly.graph_objects import Scatter

    names = sorted({name for sample in seen.samples for name in sample.sessions})
    for name, colour in zip(names, _again(COLOURS.values(), len(names)), strict=True):
        known = [(one.time, one.sessions[name]) for one in seen.samples if name in one.sessions]
        yield Scatter(
            x=[at for at, _ in known], y=[count for _, count in known], mode="lines", name=name,
            line={"color": colour, "width": 2}, hovertemplate=f"{name}: %{{y}}<extra></extra>",
            legend="legend2",
        )  # fmt: skip


def faults(seen: Seen) -> list[Fault]:
    """Return the steps in which a probe was not well.

    Labels that would be side by side are put above one another: a step may take less than a second.
    """
    bad = [at for at, told in seen.probes if told["verdict"] != "ok"]
    first, last = _span(seen)
    room = (last - first) / 40
    taken: list[datetime] = []  # by lane, when its last label began
    found = []
    for number, step in enumerate(seen.steps, 1):
        began = step.began or first
        ended = began + timedelta(seconds=step.seconds)
        if any(began <= at <= ended for at in bad):
            lane = next((lane for lane, at in enumerate(taken) if began - at >= room), len(taken))
            taken[lane : lane + 1] = [began]
            found.append(Fault(number, step.title, began, ended, lane % LANES))
    return found


def _span(seen: Seen) -> tuple[datetime, datetime]:
    return min(step.began for step in seen.steps if step.began), seen.end


def _bar(name: str, began: datetime, end: datetime, colour: str, note: str) -> Any:
    from plotly.graph_objects import Scatter

    return Scatter(
        x=[began, end], y=[name, name], mode="lines", line={"color": colour, "width": 12},
        text=[note, note], hovertemplate="%{text}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _again(colours: Iterable[str], count: int) -> list[str]:
    kept = list(colours)
    return [kept[number % len(kept)] for number in range(count)]
