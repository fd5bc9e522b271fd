"""What the demo sees of the fleet: which load balancer each device is at, and what became of its messages."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.demo import client
from lab.demo.story import hold
from lab.lab import Lab
from lab.lambda_.api import ROOT
from lab.machine.processes import Process, until
from lab.nodes.brokers import MQTT

TOPIC = "fleet/demo"
COUNT = 12


@dataclass
class Fleet:
    """The fleet's process, and the subscriber that keeps what the devices published."""

    process: Process
    collector: Process

    def seen(self) -> Seen:
        """Return what happened so far, by the fleet's own record."""
        return read(self.process.log)

    def start_again(self) -> None:
        """Let half of the devices, in turn, begin another session, and wait until they have one."""
        before = self.seen()
        self.process.signal(signal.SIGUSR1)
        until(
            lambda: self.seen().sessions >= before.sessions + COUNT // 2,
            30,
            "half of the devices have another session",
            pause=0.1,
            seen=lambda: self.seen().failures[-3:],
        )

    def received(self) -> set[str]:
        """Return the messages that a subscriber behind the load balancers has."""
        return set(self.collector.log.read_text().splitlines())


@dataclass
class Seen:
    """What happened to the devices; `at` is the address to which each one's session goes now."""

    at: dict[str, str] = field(default_factory=dict)
    sessions: int = 0
    failures: list[str] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)

    def by_load_balancer(self, addresses: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
        """Return how many devices have a session at each load balancer; `addresses` are by name and zone."""
        here = list(self.at.values())
        return {name: sum(map(here.count, set(zones.values()))) for name, zones in addresses.items()}


def read(log: Path) -> Seen:
    """Return what the lines of a fleet's log say; the last one may be half written."""
    seen = Seen()
    for line in log.read_text().splitlines(keepends=True):
        if not line.startswith("{") or not line.endswith("\n"):
            continue
        one = json.loads(line)
        device, what = one["device"], one["what"]
        match one["event"]:
            case "connected":
                seen.at[device] = what
                seen.sessions += 1
            case "failed":
                seen.failures.append(f"{device}: {what}")
            case "dropped":
                seen.drops[device] += 1
                seen.at.pop(device, None)
            case "left":
                seen.at.pop(device, None)
            case "acknowledged":
                seen.acknowledged.add(what)
    return seen


def start(lab: Lab, host: str, port: int, authority: Path) -> Fleet:
    """Start the devices, and return when each has a session."""
    hub = lab.cluster.backplane and (lab.network.backplane, lab.cluster.backplane_port)
    collector = client.subscribe(
        lab.processes, client.plainly(*(hub or lab.nodes[0].endpoints[MQTT])), TOPIC, "collector"
    )
    log = lab.directory / "fleet.log"
    process = lab.processes.start(
        "fleet",
        [sys.executable, "-m", "lab.demo.fleet", host, str(port), str(authority), str(COUNT), TOPIC],
        ready=lambda: log.exists() and len(read(log).at) == COUNT,
        environment=lab.device_environment(),
        cwd=ROOT,
        seconds=30,
    )
    return Fleet(process, collector)


def unharmed(fleet: Fleet) -> str:
    """Hold what a fleet may expect of a move, and return it in words."""
    seen = fleet.seen()
    hold(not seen.failures, f"no handshake fails, not {len(seen.failures)}: {seen.failures[:3]}")
    most = max(seen.drops.values(), default=0)
    hold(most <= 1, f"no device is dropped more than once, not {seen.drops}")
    until(
        lambda: seen.acknowledged <= fleet.received(),
        20,
        "what was acknowledged has arrived",
        seen=lambda: sorted(seen.acknowledged - fleet.received())[:5],
    )
    return (
        f"{seen.sessions} sessions, no handshake failed, {seen.drops.total()} dropped once,"
        f" {len(seen.acknowledged)} messages acknowledged and none lost"
    )
