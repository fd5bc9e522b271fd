"""`make lab`, `make demo`, `make rehearse` and the like: leave a lab running, or show a story in it."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType

from lab.certificates import acme
from lab.demo.declaration import FILE, NAME, write_declaration
from lab.lab import Lab, brokers_setting, open_lab
from lab.machine.processes import DidNotStartError, missing

USAGE = "python -m lab [demo|demo-network|picture|rehearse [--from COMMIT]]"


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    # SIGINT too: a shell makes what it starts in the background ignore it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if absent := missing(["haproxy", "mosquitto", "mosquitto_pub", *acme.PROGRAMS]):
        print(
            f"Not installed: {', '.join(absent)}. Please type:  lab/setup.sh --packages pebble",
            file=sys.stderr,
        )
        return 1
    try:
        return play(arguments)
    except (DidNotStartError, ValueError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left running.", file=sys.stderr)
        return 130


def play(arguments: list[str]) -> int:
    """Do what was asked for, and return the exit status."""
    match arguments:
        case []:
            return leave_running()
        case ["demo"]:
            from lab.demo.demo import demo

            return demo()
        case ["demo-network"]:
            from lab.demo.demo_network import demo_network

            return demo_network()
        case ["picture"]:
            from lab.demo.screenshot import screenshot

            return screenshot()
        case ["rehearse"]:
            from lab.rehearsal.run import rehearse

            return rehearse()
        case ["rehearse", "--from", commit]:
            from lab.rehearsal.run import rehearse_upgrade

            return rehearse_upgrade(commit)
        case _:
            print(USAGE, file=sys.stderr)
            return 2


def leave_running() -> int:
    """Run a lab until Ctrl-C."""
    print("Starting the lab ...", flush=True)
    with open_lab(brokers_running=brokers_setting(), say=lambda text: print(f"  {text}", flush=True)) as lab:
        write_declaration(lab)
        print(f"\n{how_to_reach(lab)}\n\nCtrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        print("\nEnding ...", flush=True)
    return 0


def how_to_reach(lab: Lab) -> str:
    """Return what to type to play with the lab."""
    address = next(iter(lab.addresses(NAME).values()))
    authority = lab.directory / "private-ca.pem"
    credentials = " ".join(
        f"{name}={value}" for name, value in lab.aws.environment("you").items() if name.startswith("AWS_")
    )
    return "\n".join(
        [
            f"AWS's API        {lab.aws.endpoint}",
            f"  export {credentials}",
            f"The app's API    {lab.api_url}",
            f"Lambda's Invoke  {lab.functions_url}",
            f"The dashboard    {lab.console_url}",
            f"Names            {lab.data_plane.hosts}",
            f"Logs             {lab.directory}/*.log",
            "",
            "A load balancer in front of the nodes; the review first, then for good:",
            f"  export EMQ_ELB_URL={lab.api_url} PATH=$PATH:{Path(sys.executable).parent}",
            f"  emq-elb plan {lab.directory / FILE}",
            f"  emq-elb apply {lab.directory / FILE} --wait",
            f"  emq-elb probe {NAME}",
            "",
            "Its certificate authority, then a message through TLS, once an instance is in service:",
            f"  emq-elb private-ca > {authority}",
            f"  mosquitto_sub -h {address} -p 8883 --cafile {authority} -t hello -d &",
            f"  mosquitto_pub -h {address} -p 8883 --cafile {authority} -t hello -m world -q 1 -d",
        ]
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
