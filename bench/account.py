"""The AWS account that contenders work in: emptied before a run, every call counted at the server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from bench.crowd import launch
from bench.job import Figure, Run
from bench.machine import ROOT
from bench.peers import BYTECODE
from bench.process import measure
from lab import aws as api
from lab.aws import REGION, Aws
from lab.counting import counted
from lab.machine.addresses import Network, claim
from lab.nodes.vpc import Vpc, prepare

OWNER = "emq-elb-dev"
# What the tables of the jobs against AWS's API show.
WRITES = Figure("writes", "writes")
READS = Figure("reads", "reads")
CALLS = Figure("calls", "AWS calls")
EVENTS = Figure("events", "events put")
SECONDS = Figure("seconds", "wall, s", digits=2)
CPU = Figure("cpu", "CPU, s", digits=2)
MEMORY = Figure("memory", "memory, MB")


@dataclass(frozen=True)
class Account:
    """AWS on loopback, and a directory for what contenders are asked to do."""

    aws: Aws
    network: Network
    directory: Path

    def empty(self) -> Vpc:
        """Forget everything at AWS, and return the default VPC with a security group for the nodes."""
        from moto.moto_api._internal.models import moto_api_backend

        moto_api_backend.reset()
        return prepare(self.aws.ec2())

    def launch(self, vpc: Vpc, count: int, tags: Mapping[str, str]) -> list[str]:
        """Run instances, and return their ids."""
        subnet = next(iter(vpc.subnets.values()))
        return [launch(REGION, subnet, tags, [vpc.node_group]) for _ in range(count)]

    def write(self, name: str, content: str | Mapping[str, Any]) -> Path:
        """Write a file for a contender, JSON unless it is text, and return its path."""
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def run(
        self,
        caller: str,
        command: Sequence[object],
        region: str = REGION,
        more: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a command, words and paths, as a whole process that signs as `caller`, and return what it took.

        Putting events on EventBridge changes nothing of a load balancer's and is counted apart, as `events`.
        What the program writes to the file `FIGURES` as JSON is added.
        """
        figures = self.directory / "figures.json"
        figures.write_text("{}")
        environment = _environment(self.aws, caller, region) | {
            "HOME": str(self.directory),
            "FIGURES": str(figures),
            **(more or {}),
        }
        with counted(self.aws, caller) as calls:
            ran = measure([str(one) for one in command], environment=environment, cwd=ROOT, within=600)
        (found,) = calls
        events = found.operations.get("PutEvents", 0)
        return {
            "reads": found.reads,
            "writes": found.writes - events,
            "calls": found.total - events,
            "events": events,
            "seconds": ran.seconds,
            "cpu": ran.cpu,
            "memory": ran.memory,
            **json.loads(figures.read_text()),
        }


def _environment(aws: Aws, caller: str, region: str) -> dict[str, str]:
    """The same for all: everybody's bytecode is kept, whatever the user's own settings are."""
    mine = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV"}
    theirs = {name: value for name, value in aws.environment(caller).items() if name not in mine}
    regions = {"AWS_DEFAULT_REGION": region, "AWS_REGION": region}
    return {**theirs, **regions, "PYTHONPYCACHEPREFIX": str(BYTECODE)}


def counts(run: Callable[[], Run]) -> Run:
    """Run for the counts alone, which are exact and need no second run: where a run takes long."""
    return {key: value for key, value in run().items() if key in {"reads", "writes", "calls", "events"}}


def program(name: str, *arguments: object) -> list[object]:
    """Return the command of one of `bench/programs`."""
    return [sys.executable, "-m", f"bench.programs.{name}", *arguments]


def deployed() -> dict[str, str]:
    """Return the settings that a function of ours finds in its environment."""
    return {"OWNER": OWNER}


@contextmanager
def open_account(**how: Any) -> Iterator[Account]:
    """Serve AWS in this process until the block ends, `how` as `lab.aws.serve` takes it."""
    with (
        TemporaryDirectory(prefix="emq-elb-bench-") as directory,
        claim(Random()) as network,  # noqa: S311 - picks an address, keeps no secret
        api.serve(network.aws, **how) as aws,
    ):
        api.warm(aws)
        yield Account(aws, network, Path(directory))
