"""The story as one HTML file that needs nothing else: steps, latency by phase, certificates, sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from lab.declaration import NAME
from lab.lab import Lab
from lab.metrics import Point
from lab.steps import SECURE
from lab.story import Step, counted

PAUSE = 1.0
PHASES = ("tcp", "tls", "connack", "suback", "puback", "echo")
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # told apart by everyone
METRICS = {
    "tcp": "ProbeTcpTime",
    "tls": "ProbeTlsTime",
    "connack": "ProbeConnackTime",
    "echo": "ProbeRoundTripTime",
}
STYLE = """
body{font-family:system-ui,sans-serif;margin:24px auto;max-width:1200px;padding:0 16px}
body{color:#16191f;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:4px 8px;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}small{color:#555}.no{color:#c62828;font-weight:600}
"""


@dataclass(frozen=True)
class Sample:
    """What there was at one moment: the certificate on the listener, the sessions each broker has taken."""

    time: datetime
    certificate: str | None
    sessions: Mapping[str, int]


@dataclass
class Samples:
    """All of them, in their order."""

    taken: list[Sample] = field(default_factory=list)


def sample(lab: Lab) -> Sample:
    """Look once, by AWS's word and the brokers' own logs."""
    elb = lab.aws.elb("report")
    balancers = elb.describe_load_balancers()["LoadBalancerDescriptions"]
    arns = (
        described["Listener"].get("SSLCertificateId")
        for one in balancers
        if one["LoadBalancerName"] == NAME
        for described in one["ListenerDescriptions"]
        if described["Listener"]["LoadBalancerPort"] == SECURE
    )
    found = next(arns, None)
    return Sample(
        datetime.now(UTC),
        found.rpartition("/")[2].rpartition("-")[2] if found else None,
        {node.name: sessions(lab.directory, node.name) for node in lab.nodes},
    )


def sessions(directory: Path, node: str) -> int:
    """Return how many MQTT clients a node's broker has taken so far."""
    logs = (directory / f"{node}.log", directory / f"{node}-locked.log")
    return sum(log.read_text().count("New client connected") for log in logs if log.exists())


@contextmanager
def sampling(lab: Lab) -> Iterator[Samples]:
    """Look every second while the block lasts."""
    samples, stop = Samples(), threading.Event()

    def look() -> None:
        while not stop.wait(PAUSE):
            samples.taken.append(sample(lab))

    thread = threading.Thread(target=look, name="report")
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def write(
    path: Path,
    steps: Sequence[Step],
    probes: Sequence[tuple[datetime, Any]],
    samples: Samples,
    metrics: Sequence[Point] = (),
) -> None:
    """Write the report; `metrics` are what the schedule's probes put."""
    figure = drawn(steps, probes, samples.taken, metrics)
    chart = figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False})
    rows = "".join(_row(number, step) for number, step in enumerate(steps, 1))
    heads = "".join(f"<th>{head}</th>" for head in ("", "step", "what was seen", "seconds", "AWS calls"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>emq-elb: the demo</title>"
        f"<style>{STYLE}</style>"
        f"<h1>A load balancer for an MQTT cluster</h1><p>{_total(steps)}</p>{chart}"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></html>\n"
    )


def _total(steps: Sequence[Step]) -> str:
    held, seconds = sum(step.held for step in steps), sum(step.seconds for step in steps)
    return f"{held} of {len(steps)} steps held, in {seconds:.0f} seconds."


def _row(number: int, step: Step) -> str:
    note = escape(step.note) if step.held else f"<span class=no>{escape(step.note)}</span>"
    return (
        f"<tr><td class=n>{number}</td><td>{escape(step.title)}</td><td>{note}</td>"
        f"<td class=n>{step.seconds:.1f}</td><td><small>{escape(counted(step.calls))}</small></td></tr>"
    )


def drawn(
    steps: Sequence[Step],
    probes: Sequence[tuple[datetime, Any]],
    samples: Sequence[Sample],
    metrics: Sequence[Point] = (),
) -> Any:
    """Return the figure: latency by phase, outcomes, the certificate served, sessions; one time for all."""
    from plotly.graph_objects import Scatter  # type: ignore[import-untyped] # it has no stubs
    from plotly.subplots import make_subplots  # type: ignore[import-untyped] # it has no stubs

    titles = (
        "Latency by phase, ms: lines by schedule, dots on request",
        "Probe, by address",
        "Certificate on the listener",
        "Sessions taken",
    )
    figure = make_subplots(
        rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.07, subplot_titles=titles,
        row_heights=[0.4, 0.2, 0.15, 0.25],
    )  # fmt: skip
    for phase, colour in zip(PHASES, COLOURS, strict=True):
        seen = [(at, one["times_ms"].get(phase)) for at, told in probes for one in told["targets"]]
        times = [at for at, spent in seen if spent is not None]
        spent = [spent for _, spent in seen if spent is not None]
        figure.add_trace(
            Scatter(x=times, y=spent, mode="markers", name=phase, marker={"color": colour, "size": 7}), 1, 1
        )
        scheduled = [point for point in metrics if point.name == METRICS.get(phase)]
        figure.add_trace(
            Scatter(
                x=[point.time for point in scheduled],
                y=[point.value for point in scheduled],
                mode="lines",
                line={"color": colour, "width": 1},
                showlegend=False,
            ),
            1,
            1,
        )
    outcomes = [(at, one) for at, told in probes for one in told["targets"]]
    figure.add_trace(
        Scatter(
            x=[at for at, _ in outcomes],
            y=[one["address"] or "" for _, one in outcomes],
            text=[one["cause"] or "ok" for _, one in outcomes],
            mode="markers",
            marker={
                "symbol": ["x" if one["cause"] else "circle" for _, one in outcomes],
                "color": ["#c62828" if one["cause"] else "#1d7a3e" for _, one in outcomes],
                "size": 9,
            },
            hovertemplate="%{x|%H:%M:%S} %{text}<extra></extra>",
            showlegend=False,
        ),
        2,
        1,
    )
    served = [one for one in samples if one.certificate]
    figure.add_trace(
        Scatter(
            x=[one.time for one in served],
            y=[one.certificate for one in served],
            mode="markers",
            marker={"symbol": "square", "size": 8, "color": "#555"},
            showlegend=False,
        ),
        3,
        1,
    )
    for node in sorted({name for one in samples for name in one.sessions}):
        known = [(one.time, one.sessions[node]) for one in samples if node in one.sessions]
        figure.add_trace(
            Scatter(x=[at for at, _ in known], y=[count for _, count in known], mode="lines", name=node), 4, 1
        )
    _mark(figure, steps, [at for at, told in probes if told["verdict"] != "ok"])
    figure.update_yaxes(type="log", row=1, col=1)
    figure.update_yaxes(type="category", row=2, col=1)
    figure.update_yaxes(type="category", row=3, col=1)
    figure.update_layout(height=1100, margin={"l": 60, "r": 20, "t": 60, "b": 40}, template="plotly_white")
    return figure


def _mark(figure: Any, steps: Sequence[Step], bad: Sequence[datetime]) -> None:
    """Shade the steps in which a probe was not well, with the step's number over each."""
    for number, step in enumerate(steps, 1):
        if step.began is None:
            continue
        end = step.began + timedelta(seconds=step.seconds)
        if any(step.began <= at <= end for at in bad):
            figure.add_vrect(
                x0=step.began, x1=end, fillcolor="#c62828", opacity=0.12, line_width=0, row="all", col=1
            )
            figure.add_annotation(
                x=step.began, y=1, yref="y domain", text=str(number), showarrow=False, xanchor="left",
                hovertext=step.title,
            )  # fmt: skip
