"""The story as one HTML file that needs nothing else: pictures, and the steps with what was seen in each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from threading import Event

from lab.demo.declaration import NAME
from lab.demo.drawing import drawn
from lab.demo.pictures import Sample, Seen, Served, clock, faults, outages, rang
from lab.demo.steps import SECURE
from lab.demo.story import Step, counted
from lab.lab import Lab
from lab.machine.threads import beside

PAUSE = 1.0
STYLE = """
:root{color-scheme:light dark;--text:#16191f;--back:#fff;--line:#d5d9de;--quiet:#5a626b;--bad:#c62828}
@media(prefers-color-scheme:dark){
:root{--text:#e6e9ec;--back:#14171b;--line:#3a4048;--quiet:#a6aeb7;--bad:#ff7b72}}
body{font-family:system-ui,sans-serif;margin:24px auto;max-width:1200px;padding:0 16px;line-height:1.45}
body{color:var(--text);background:var(--back)}
h1{font-size:1.6rem;margin-bottom:.3em}h2{font-size:1.15rem;margin:1.6em 0 .4em}
.total{font-size:1.1rem}.picture{overflow-x:auto}.picture svg{width:100%;min-width:760px;height:auto}
table{border-collapse:collapse;width:100%;font-size:15px}
td,th{text-align:left;vertical-align:top;padding:6px 8px;border-bottom:1px solid var(--line)}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.seen{overflow-wrap:anywhere;min-width:18em}
small,.quiet{color:var(--quiet)}.bad{color:var(--bad);font-weight:600}
.red,.amber{padding:0 .35em;border-radius:3px}
.red{background:rgba(210,63,63,.25)}.amber{background:rgba(224,160,48,.35)}
@media(max-width:640px){
thead{display:none}table,tbody{display:block}
tr{display:grid;grid-template-columns:2.2em 1fr;padding:8px 0;border-bottom:1px solid var(--line)}
td{border:0;padding:2px 6px;min-width:0}td.seen,td.calls{grid-column:2;min-width:0}td.n{text-align:left}
td.time,td.spent{display:none}}
"""


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
        served(lab, found) if found else None,
        {node.name: sessions(lab.directory, node.name) for node in lab.nodes},
    )


def served(lab: Lab, arn: str) -> Served | None:
    """Return a certificate of IAM by its ARN; None for one that is none of IAM's, or gone by now."""
    listed = lab.aws.iam("report").list_server_certificates()["ServerCertificateMetadataList"]
    ends = {one["Arn"]: one["Expiration"] for one in listed}
    name = arn.rpartition("/")[2]
    return Served(name.rpartition("-")[2][:10], ends[arn]) if arn in ends else None


def sessions(directory: Path, node: str) -> int:
    """Return how many MQTT clients a node's broker has taken so far."""
    logs = (directory / f"{node}.log", directory / f"{node}-locked.log")
    return sum(log.read_text().count("New client connected") for log in logs if log.exists())


@contextmanager
def sampling(lab: Lab) -> Iterator[list[Sample]]:
    """Look every second while the block lasts."""
    samples: list[Sample] = []

    def look(stop: Event) -> None:
        while not stop.wait(PAUSE):
            samples.append(sample(lab))

    with beside("report", look):
        yield samples


def write(path: Path, seen: Seen) -> None:
    """Write the report."""
    bad = {fault.number for fault in faults(seen)}
    rows = "".join(_row(number, step, seen, number in bad) for number, step in enumerate(seen.steps, 1))
    heads = "".join(
        f"<th>{head}</th>" for head in ("", "at", "step", "what was seen", "seconds", "AWS calls")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>emq-elb: the demo</title>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<style>{STYLE}</style>"
        f"<h1>A load balancer for an MQTT cluster</h1>{_glance(seen)}"
        "<p class=quiet>Lines are probes by schedule, dots are probes on request.</p>"
        f"<div class=picture>{drawn(seen)}</div>"
        f"<h2>Step by step</h2><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></html>\n"
    )


def _glance(seen: Seen) -> str:
    """Return the story at a glance: how it ended, what is red, and which alarms rang for it."""
    held, spent = sum(step.held for step in seen.steps), sum(step.seconds for step in seen.steps)
    ended = (
        "Every step held"
        if held == len(seen.steps)
        else f"<span class=bad>{len(seen.steps) - held} failed</span>"
    )
    parts = [f"<p class=total>{ended}: {held} of {len(seen.steps)} steps, in {spent:.0f} seconds.</p>"]
    if found := faults(seen):
        items = "".join(
            f"<li value={fault.number}>{escape(fault.title)} <span class=quiet>({clock(fault.began)}: "
            f"{escape(fault.why)})</span></li>"
            for fault in found
        )
        parts.append(
            "<p><span class=red>Red</span> are the steps in which a device could not use the load balancer,"
            f" or not always. Each was made on purpose:</p><ol>{items}</ol>"
        )
    if outages(seen):
        parts.append(
            "<p><span class=amber>Amber</span> are the times in which the scheduled probe failed, until it"
            " succeeded again: the alarms rest on them.</p>"
        )
    if bells := rang(seen):
        times = "; ".join(
            f"{escape(name)} at {', '.join(f'{clock(began)} to {clock(end)}' for began, end in spans)}"
            for name, spans in bells.items()
        )
        parts.append(f"<p>Alarms that rang: {times}.</p>")
    return "".join(parts)


def _row(number: int, step: Step, seen: Seen, bad: bool) -> str:
    note = escape(step.note) if step.held else f"<span class=bad>{escape(step.note)}</span>"
    shown = f"<span class=bad>{number}</span>" if bad else str(number)
    began = clock(seen.at(step.began)) if step.began else ""
    return (
        f"<tr><td class=n>{shown}</td><td class='n time'>{began}</td><td>{escape(step.title)}</td>"
        f"<td class=seen>{note}</td><td class='n spent'>{step.seconds:.1f}</td>"
        f"<td class=calls><small>{escape(counted(step.calls))}</small></td></tr>"
    )
