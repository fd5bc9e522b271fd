"""CPU time from a process's start to its first answer, beside a bare Chalice function.

Both run as Lambda runs them: the package unpacked without bytecode, the runtime's own boto3 with it,
awslambdaric as the runtime client, AWS the same emulator. The bare function makes three clients from boto3's
stock models and makes one call; ours answer a real event in an account that holds nothing of ours.

Where a cold start of ours goes, roughly: Python, the runtime client and Chalice, which both have, a third;
botocore a third, its clients from cut models little of it; Powertools' logger a sixth; compiling our own
modules the rest. The first two thirds alone are more than the budget: to meet it, the package would have to
carry bytecode, and do without Powertools.
"""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from lab import aws as api
from lab.addresses import claim
from lab.aws import SECRET
from lab.package import Function, build, copy_runtime, unpack
from lab.processes import Processes, open_processes
from lab.runtimeapi import Place, execution_environment

ROUNDS = 7
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


@dataclass(frozen=True)
class Start:
    """One cold start: CPU in milliseconds, the most memory in MB."""

    cpu: float
    memory: int


@dataclass(frozen=True)
class Bench:
    """Where functions are started, and how they reach AWS."""

    place: Place
    bare: Place
    processes: Processes
    address: str
    environment: Mapping[str, str]

    def start(self, function: Function, place: Place, event: Any) -> Start:
        """Start a function, have it answer one event, end it, and read what the kernel counted."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with execution_environment(
            function, place, self.processes, self.address, self.environment
        ) as environment:
            outcome = environment.invoke(event)
            status = Path(f"/proc/{environment.process.pid}/status").read_text()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if outcome.error:
            raise RuntimeError(f"{function.resource}: {outcome.payload}")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Start(cpu * 1000, int(peak.split()[1]) // 1024)


def measure() -> Iterator[str]:
    """Measure in turns, so that what else the machine does falls on all alike, and yield a Markdown table."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        package = build(directory / "package", stage="prod")
        bench = stack.enter_context(open_bench(package.zip, directory))
        bare = Function("Bare", "app.bare", 30, 512, "x86_64", {}, {}, ())
        found: dict[str, list[Start]] = {name: [] for name in ("bare", *CASES)}
        for _ in range(ROUNDS):
            found["bare"].append(bench.start(bare, bench.bare, {}))
            for name, (resource_name, event, _) in CASES.items():
                sample = json.loads((EVENTS / f"{event}.json").read_text())
                found[name].append(bench.start(package.functions[resource_name], bench.place, sample))
        size = package.zip.stat().st_size
    yield f"The package has {size / 1e6:.1f} MB (at most 10)."
    yield ""
    yield "| | CPU, ms | spread, ms | of the bare function's | budget | memory, MB |"
    yield "|---|---:|---:|---:|---:|---:|"
    whole = median(start.cpu for start in found["bare"])
    for name, starts in found.items():
        yield row(name, starts, whole, CASES[name][2] if name in CASES else None)


def row(name: str, starts: Sequence[Start], whole: float, budget: float | None) -> str:
    """Return one function's line."""
    cpu = [start.cpu for start in starts]
    told = f"{median(cpu) / whole:.2f}"
    met = "" if budget is None else f"{budget} {'met' if median(cpu) <= budget * whole else '**missed**'}"
    memory = max(start.memory for start in starts)
    return f"| {name} | {median(cpu):.0f} | {min(cpu):.0f} to {max(cpu):.0f} | {told} | {met} | {memory} |"


@contextmanager
def open_bench(zipped: Path, directory: Path) -> Iterator[Bench]:
    """Yield the package and the bare function, unpacked, and an AWS that both can reach."""
    runtime = copy_runtime(directory / "runtime")
    task = unpack(zipped, directory / "task")
    bare = directory / "bare"
    shutil.copytree(task / "chalice", bare / "chalice")
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
