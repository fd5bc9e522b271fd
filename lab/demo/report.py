"""The story as one HTML file that needs nothing else: pictures, and the steps with what was seen in each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from lab.demo.declaration import NAME
from lab.demo.pictures import Sample, Seen, Served, drawn, faults
from lab.demo.steps import SECURE
from lab.demo.story import Step, counted
from lab.lab import Lab

PAUSE = 1.0
STYLE = """
:root{color-scheme:light dark;--text:#16191f;--back:#fff;--line:#d5d9de;--quiet:#5a626b;--bad:#c62828}
@media(prefers-color-scheme:dark){
:root{--text:#e6e9ec;--back:#14171b;--line:#3a4048;--quiet:#a6aeb7;--bad:#ff7b72}}
body{font-family:system-ui,sans-serif;margin:24px auto;max-width:1200px;padding:0 16px}
body{color:var(--text);background:var(--back)}
table{border-collapse:collapse;width:100%;font-size:15px}
td,th{text-align:left;vertical-align:top;padding:6px 8px;border-bottom:1px solid var(--line)}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.seen{overflow-wrap:anywhere;min-width:18em}
small{color:var(--quiet)}.bad{color:var(--bad);font-weight:600}
"""
# The chart's text has the page's colour; without a script, a grey that reads on either.
FOLLOW = """
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => {
  const colour = getComputedStyle(document.body).color;
  Plotly.relayout('{plot_id}', {'font.color': colour});
};
dark.addEventListener('change', follow);
follow();
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
    samples, stop = list[Sample](), threading.Event()

    def look() -> None:
        while not stop.wait(PAUSE):
            samples.append(sample(lab))

    thread = threading.Thread(target=look, name="report")
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def write(path: Path, seen: Seen) -> None:
    """Write the report."""
    chart = drawn(seen).to_html(
        full_html=False, include_plotlyjs=True, post_script=FOLLOW, config={"displaylogo": False}
    )
    bad = {fault.number for fault in faults(seen)}
    rows = "".join(_row(number, step, number in bad) for number, step in enumerate(seen.steps, 1))
    heads = "".join(f"<th>{head}</th>" for head in ("", "step", "what was seen", "seconds", "AWS calls"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>emq-elb: the demo</title>"
        "<meta name=viewport content='width=device-width'>"
        f"<style>{STYLE}</style>"
        f"<h1>A load balancer for an MQTT cluster</h1><p>{_total(seen)}</p>{chart}"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></html>\n"
    )


def _total(seen: Seen) -> str:
    held, seconds = sum(step.held for step in seen.steps), sum(step.seconds for step in seen.steps)
    return (
        f"{held} of {len(seen.steps)} steps held, in {seconds:.0f} seconds. "
        "What is shaded red are steps in which a device could not use the load balancer, or not always, "
        "with their numbers above; the table tells them."
    )


def _row(number: int, step: Step, bad: bool) -> str:
    note = escape(step.note) if step.held else f"<span class=bad>{escape(step.note)}</span>"
    shown = f"<span class=bad>{number}</span>" if bad else str(number)
    return (
        f"<tr><td class=n>{shown}</td><td>{escape(step.title)}</td><td class=seen>{note}</td>"
        f"<td class=n>{step.seconds:.1f}</td><td><small>{escape(counted(step.calls))}</small></td></tr>"
    )
