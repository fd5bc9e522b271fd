"""From a process's start to its first answer, beside a bare Chalice function.

Both run as Lambda runs them: the package as it is unpacked there, the runtime's own boto3 with it,
awslambdaric as the runtime client, AWS the same emulator. The bare function makes three clients from boto3's
stock models and makes one call; ours answer a real event in an account that holds nothing of ours.
`python -c pass` is what Python takes to start and end: no function can take less.

[Decision 8](decisions/0008-what-a-cold-start-loads.md) says where a start of ours goes, and what is not done
about it.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from bench.job import Chart, Contender, Figure, Goal, Job, Lineup, Run
from bench.process import measure
from lab import aws as api
from lab.aws import SECRET
from lab.lambda_.package import Function, build, copy_runtime, unpack
from lab.lambda_.runtimeapi import Place, execution_environment
from lab.machine.addresses import claim
from lab.machine.processes import Processes, open_processes
from tools.deploy import write_bytecode

EVENTS = Path(__file__).parents[1] / "events"
BARE = """
import boto3
from chalice import Chalice

app = Chalice(app_name="bare")
elb, iam, ec2 = boto3.client("elb"), boto3.client("iam"), boto3.client("ec2")


@app.lambda_function(name="bare")
def bare(event, context):
    return len(elb.describe_load_balancers()["LoadBalancerDescriptions"])
"""
# Which function, with which event, and at most how much of the bare function's CPU it should take.
CASES: Mapping[str, tuple[str, str, float | None]] = {
    "GET of one": ("APIHandler", "apigateway-get", 0.6),
    "GET of all": ("APIHandler", "apigateway-list", 0.6),
    "register": ("Register", "ec2-instance-running", 0.6),
    "drain": ("Drain", "ec2-spot-interruption", None),
    "reconcile": ("Reconcile", "schedule-tick", None),
    "rotate": ("Rotate", "schedule-tick", None),
    "probe": ("Probe", "schedule-tick", 0.7),
}
CASE = "first answer"


@dataclass(frozen=True)
class Bench:
    """Where functions are started, and how they reach AWS."""

    place: Place
    bare: Place
    processes: Processes
    address: str
    environment: Mapping[str, str]

    def start(self, function: Function, place: Place, event: Any) -> Run:
        """Start a function, have it answer one event, end it, and read what the kernel counted."""
        before, began = children(), time.monotonic()
        with execution_environment(
            function, place, self.processes, self.address, self.environment
        ) as environment:
            outcome = environment.invoke(event)
            seconds = time.monotonic() - began
            status = Path(f"/proc/{environment.process.pid}/status").read_text()
        cpu = children() - before
        if outcome.error:
            raise RuntimeError(f"{function.resource}: {outcome.payload}")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return {"cpu": cpu * 1000, "wall": seconds * 1000, "memory": int(peak.split()[1]) / 1024}


def children() -> float:
    """Return the CPU seconds of the children that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def python() -> Run:
    """Start Python, isolated as the functions are, and end it."""
    ran = measure([sys.executable, "-I", "-S", "-c", "pass"])
    return {"cpu": ran.cpu * 1000, "wall": ran.seconds * 1000, "memory": ran.memory}


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Build the package and unpack it beside the bare function."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        package = build(directory / "package", stage="prod", prepare=write_bytecode)
        bench = stack.enter_context(open_bench(package.zip, directory))
        bare = Function("Bare", "app.bare", 30, 512, "x86_64", {}, {}, ())

        def starts(function: Function, event: str) -> Callable[[], Run]:
            sample = json.loads((EVENTS / f"{event}.json").read_text())
            return lambda: bench.start(function, bench.place, sample)

        size = package.zip.stat().st_size
        yield Lineup(
            contenders=(
                Contender(CASE, "python -c pass", python),
                Contender(CASE, "bare", lambda: bench.start(bare, bench.bare, {})),
                *(
                    Contender(CASE, f"ours: {name}", starts(package.functions[function], event))
                    for name, (function, event, _) in CASES.items()
                ),
            ),
            versions={
                **{name: version(name) for name in ("awslambdaric", "boto3", "chalice")},
                "the package": f"{size / 1e6:.1f} MB (at most 15)",
            },
        )


@contextmanager
def open_bench(zipped: Path, directory: Path) -> Iterator[Bench]:
    """Yield the package and the bare function, unpacked, and an AWS that both can reach."""
    runtime = copy_runtime(directory / "runtime")
    task = unpack(zipped, directory / "task")
    bare = directory / "bare"
    shutil.copytree(task / "chalice", bare / "chalice", ignore=shutil.ignore_patterns("__pycache__"))
    (bare / "app.py").write_text(BARE)
    with (
        claim(Random()) as network,  # noqa: S311 - picks an address, keeps no secret
        open_processes(directory) as processes,
        api.serve(network.aws) as aws,
    ):
        api.warm(aws)
        yield Bench(
            place=Place(task, runtime),
            bare=Place(bare, runtime),
            processes=processes,
            address=network.functions,
            environment={
                "AWS_ACCESS_KEY_ID": "app",
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL": aws.endpoint,
            },
        )


JOB = Job(
    name="coldstart",
    title="Cold start",
    figures=(Figure("cpu", "CPU, ms"), Figure("wall", "wall, ms"), Figure("memory", "memory, MB")),
    open=open_lineup,
    reference="bare",
    compared=("cpu",),
    charts=(Chart("cpu", "CPU from the start of a process to its first answer"),),
    goals=tuple(
        Goal(
            f"{name}: at most {most} of the bare function's CPU",
            "cpu",
            of=(CASE, f"ours: {name}"),
            beside=(CASE, "bare"),
            most=most,
        )
        for name, (_, _, most) in CASES.items()
        if most is not None
    ),
    unsaid=(
        "How long AWS takes to fetch the package and to start the environment: that comes on top for both.",
        "How long it takes at Lambda, where a function of 512 MB has about a third of a CPU.",
        "Anything of warm starts, of which there are far more.",
    ),
    rounds=7,
)
