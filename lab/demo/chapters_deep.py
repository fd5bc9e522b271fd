"""The demo's chapters on the deep probe: what takes minutes at AWS, and what only it finds."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.cloudwatch import metrics
from lab.demo import client
from lab.demo.declaration import declaration
from lab.demo.probing import ask, put_back, show_verdict
from lab.demo.steps import Story, refusal
from lab.demo.story import hold
from lab.machine.processes import until

KEEPALIVE = 4
"""Seconds: a session is left idle for as long as that, and nobody waits five minutes for a demo."""


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    return [
        ("The deep probe: obsolete TLS, an idle session, the cluster", lambda: healthy(story)),
        ("The cluster has split, and every broker answers", lambda: split(story)),
    ]


def healthy(story: Story) -> str:
    """Ask for a deep probe, and read in the log what it found."""
    reply = client.request("PUT", story.url, declaration(story.lab) | {"keepalive": KEEPALIVE})
    hold(reply.status == 200, f"the PUT answers 200, not {refusal(reply)}")
    report = deeply(story)
    show(report)
    hold(report["result"] == "passed", f"all of it passes, not {report['result']}")
    return f"{len(report['findings'])} checks passed"


def split(story: Story) -> str:
    """Freeze what the nodes' bridges meet at: two brokers go on, and no longer as one cluster."""
    hub = story.lab.cluster.backplane
    hold(hub is not None, "there is a backplane")
    if hub is None:
        return ""
    hub.signal(signal.SIGSTOP)
    try:
        answer = ask(story)
        show_verdict(answer)
        hold(answer["verdict"] == "ok", f"the probe is ok, not {answer['verdict']}")
        found = deeply(story)
    finally:
        hub.signal(signal.SIGCONT)
        put_back(story)
    show(found)
    failed = {one["check"] for one in found["findings"] if one["result"] == "failed"}
    hold(failed == {"delivery"}, f"delivery fails and nothing else, not {failed or 'nothing'}")
    return "delivery across the cluster found it; the probe itself saw nothing"


def deeply(story: Story) -> Any:
    """Ask for a deep probe, and return the next record of one in the functions' log."""
    log = story.lab.directory / "functions.log"
    before = len(records(log))
    reply = client.request("POST", f"{story.url}/probe?deep=true")
    hold(reply.status == 202, f"the deep probe answers 202, not {refusal(reply)}")
    until(lambda: len(records(log)) > before, 60, "the deep probe logs what it found", pause=0.2)
    return records(log)[before]


def records(log: Path) -> list[Any]:
    """Return what deep probes wrote so far into a function's log."""
    lines = log.read_text().splitlines()
    about = (one for line in lines if "deep-probe" in line for one in metrics.records(line))
    return [one for one in about if one.get("message") == "deep-probe"]


def show(report: Any) -> None:
    """Print each finding."""
    for one in report["findings"]:
        print(f"   {one['result']}: {one['check']}: {one['note']}", flush=True)
