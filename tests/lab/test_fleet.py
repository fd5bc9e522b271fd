"""The demo's fleet counts what happens to its devices, and resolves their name at the lab's DNS server."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from lab.demo.devices import Seen, read
from lab.dns.server import open_dns
from lab.fidelity.route53_answers import Answer, Record
from lab.lambda_.api import ROOT
from lab.machine.addresses import Network, answers
from lab.machine.processes import Process, Processes, until, with_server_paths
from lab.nodes.brokers import mosquitto
from tests.world.certificates import leaf

NAME = "mqtt.example.com"


def line(event: str, device: str, what: str = "") -> str:
    return json.dumps({"event": event, "device": device, "what": what}) + "\n"


def test_a_fleets_log_says_where_each_device_is_and_what_it_lost(tmp_path: Path) -> None:
    log = tmp_path / "fleet.log"
    log.write_text(
        "not of the fleet's\n"
        + line("connected", "a", "127.0.0.1")
        + line("connected", "b", "127.0.0.1")
        + line("connected", "c", "127.0.0.2")
        + line("acknowledged", "a", "a 0")
        + line("dropped", "a")
        + line("failed", "a", "TimeoutError")
        + line("connected", "a", "127.0.0.2")
        + line("left", "c")
        + line("acknowledged", "b", "b 0")[:-1]  # half written
    )
    seen = read(log)
    assert seen == Seen(
        at={"a": "127.0.0.2", "b": "127.0.0.1"},
        sessions=4,
        failures=["a: TimeoutError"],
        drops=Counter({"a": 1}),
        acknowledged={"a 0"},
    )
    zones = {"old": {"x": "127.0.0.1", "y": "127.0.0.3"}, "new": {"x": "127.0.0.2"}}
    assert seen.by_load_balancer(zones) == {"old": 1, "new": 1}


def test_a_device_starts_again_when_asked_and_comes_back_after_a_drop(
    network: Network, processes: Processes, tmp_path: Path
) -> None:
    issued, host = leaf(NAME), network.host(150)
    for name, text in (
        ("root.pem", issued.root_pem),
        ("certificate.pem", issued.certificate_pem),
        ("key.pem", issued.private_key_pem),
        ("broker.conf", mosquitto(host, 8883) + "certfile certificate.pem\nkeyfile key.pem\n"),
    ):
        (tmp_path / name).write_text(text)

    def start() -> Process:
        return processes.start(
            "broker", ["mosquitto", "-c", "broker.conf"], ready=lambda: answers(host, 8883), cwd=tmp_path
        )

    broker, log = start(), tmp_path / "fleet.log"
    known = Answer("NOERROR", (Record(f"{NAME}.", "A", 60, host),))
    with open_dns(network.dns, lambda name, _: known if name == f"{NAME}." else None) as dns:
        fleet = processes.start(
            "fleet",
            [sys.executable, "-m", "lab.demo.fleet", NAME, "8883", str(tmp_path / "root.pem"), "4", "topic"],
            ready=lambda: log.exists() and len(read(log).at) == 4,
            environment={
                **with_server_paths(os.environ),
                "LAB_DNS": f"{dns.address}:{dns.port}",
                "PYTHONPATH": str(ROOT / "lab" / "names"),
            },
            cwd=ROOT,
        )
        fleet.signal(signal.SIGUSR1)
        until(lambda: read(log).sessions == 6 and len(read(log).at) == 4, 20, "two devices started again")
        assert read(log).drops.total() == 0
        processes.kill(broker)
        until(
            lambda: set(read(log).drops.values()) == {1} and len(read(log).drops) == 4, 20, "all are dropped"
        )
        until(lambda: bool(read(log).failures), 20, "a connection fails")
        start()
        until(lambda: len(read(log).at) == 4, 20, "all are back")
        processes.end(fleet)
    assert read(log).at == {}
    assert read(log).acknowledged
