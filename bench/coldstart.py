"""From a process's start to its first answer, beside a bare Chalice function that does the same work.

Both run as Lambda runs them: the package as it is unpacked there, the runtime's own boto3 with it,
awslambdaric as the runtime client, AWS the same emulator. Ours answer a real event about the article's load
balancer, which is there and well. For each the bare function makes the clients that ours needed, from boto3's
stock models, and the same calls, which were counted at AWS: what it lacks is everything else that ours does.
`python -c pass` is what Python takes to start and end: no function can take less.

[Decision 8](decisions/0008-what-a-cold-start-loads.md) says where a start of ours goes, and what is not done
about it.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from bench.crowd import launch
from bench.job import Chart, Contender, Figure, Goal, Job, Lineup, Run
from bench.process import measure
from bench.provisioning import authority, leaf
from lab import aws as api
from lab.aws import REGION, SECRET, Aws
from lab.lambda_.package import Function, build, copy_runtime, unpack
from lab.lambda_.runtimeapi import Place, execution_environment
from lab.machine.addresses import claim
from lab.machine.processes import Processes, open_processes
from lab.nodes.vpc import prepare
from tools.deploy import write_bytecode

CALLER = "app"
EVENTS = Path(__file__).parents[1] / "events"
BARE = """
import os

import boto3
from chalice import Chalice

app = Chalice(app_name="bare")
clients = {service: boto3.client(service) for service in os.environ["SERVICES"].split()}


@app.lambda_function(name="bare")
def bare(event, context):
    return [len(getattr(clients[one], call)(**arguments)) for one, call, arguments in event["calls"]]
"""
NAME = "demo"
# boto3's names of services whose endpoints have other ones.
CLIENTS = {"elasticloadbalancing": "elb", "monitoring": "cloudwatch"}
# Which function, with which event, and at most how much of the bare function's CPU it should take.
CASES: Mapping[str, tuple[str, str, float]] = {
    "GET of one": ("APIHandler", "apigateway-get", 1.0),
    "GET of all": ("APIHandler", "apigateway-list", 1.0),
    "PUT of what is there": ("APIHandler", "apigateway-put-dry-run", 1.25),
    "register": ("Register", "ec2-instance-running", 1.0),
    "drain": ("Drain", "ec2-spot-interruption", 1.0),
    "reconcile": ("Reconcile", "schedule-tick", 1.0),
}
ALONE = "Python alone"
OURS, BESIDE = "ours", "bare, with the same calls"


@dataclass(frozen=True)
class Account:
    """What the calls of the bare function name: the article's load balancer and what belongs to it."""

    vpc: str
    subnets: tuple[str, ...]
    instances: tuple[str, ...]
    group: str
    certificate: str

    def arguments(self, operation: str) -> Mapping[str, Any]:
        """What the bare function asks a call of that name for."""
        one: Mapping[str, Any] = {"LoadBalancerName": NAME}
        return {
            "DescribeTags": {"LoadBalancerNames": [NAME]},
            "DescribeInstanceHealth": one,
            "DescribeLoadBalancerAttributes": one,
            "DescribeLoadBalancerPolicies": one,
            "DescribeSubnets": {"SubnetIds": [*self.subnets]},
            "DescribeInstances": {"InstanceIds": [*self.instances]},
            "GetServerCertificate": {"ServerCertificateName": self.certificate},
            "ListServerCertificateTags": {"ServerCertificateName": self.certificate},
        }.get(operation, {})

    def body(self, arn: str) -> Mapping[str, Any]:
        """The declaration of the load balancer."""
        return {"subnets": [*self.subnets], "certificate": {"arn": arn}, "security_groups": [self.group]}


def method(operation: str) -> str:
    """Return boto3's name of an operation."""
    return re.sub("(?<!^)(?=[A-Z])", "_", operation).lower()


@dataclass(frozen=True)
class Bench:
    """Where functions are started, and how they reach AWS."""

    aws: Aws
    place: Place
    bare: Place
    processes: Processes
    address: str
    environment: Mapping[str, str]

    def start(
        self, function: Function, place: Place, event: Any, more: Mapping[str, str] | None = None
    ) -> Run:
        """Start a function, have it answer one event, end it, and read what the kernel counted."""
        before, began = children(), time.monotonic()
        with execution_environment(
            function, place, self.processes, self.address, {**self.environment, **(more or {})}
        ) as environment:
            outcome = environment.invoke(event)
            seconds = time.monotonic() - began
            status = Path(f"/proc/{environment.process.pid}/status").read_text()
        cpu = children() - before
        if outcome.error or _status(outcome.payload) >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{function.resource}: {outcome.payload!r}")
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


def _status(payload: Any) -> int:
    """The HTTP status of an answer to API Gateway; 200 for any other."""
    return int(payload.get("statusCode", 200)) if isinstance(payload, dict) else 200


def populate(aws: Aws) -> tuple[Account, str]:
    """Put the article's two nodes and certificate there; return the certificate's ARN too."""
    vpc, iam = prepare(aws.ec2()), aws.iam()
    subnet = next(iter(vpc.subnets.values()))
    tags = {"emq-elb:cluster": NAME}
    nodes = tuple(launch(REGION, subnet, tags, [vpc.node_group]) for _ in range(2))
    made, root = leaf(), authority()
    arn = iam.upload_server_certificate(
        ServerCertificateName="mqtt",
        CertificateBody=made.certificate,
        PrivateKey=made.private_key,
        CertificateChain=root.certificate,
    )["ServerCertificateMetadata"]["Arn"]
    account = Account(vpc.id, tuple(vpc.subnets.values()), nodes, vpc.node_group, "mqtt")
    return account, arn


def event_of(name: str, account: Account, arn: str) -> Any:
    """Return a sample event, about what is there."""
    event = json.loads((EVENTS / f"{name}.json").read_text())
    if event.get("httpMethod") == "PUT":
        nothing = {"queryStringParameters": None, "multiValueQueryStringParameters": None}
        return {**event, **nothing, "body": json.dumps(account.body(arn))}
    if "instance-id" in event.get("detail", {}):
        return {**event, "detail": {**event["detail"], "instance-id": account.instances[0]}}
    return event


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Build the package, unpack it beside the bare function, and provision the load balancer with it."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        package = build(directory / "package", stage="prod", prepare=write_bytecode)
        bench = stack.enter_context(open_bench(package.zip, directory))
        account, arn = populate(bench.aws)
        size = package.zip.stat().st_size

        def ours(case: str) -> Run:
            function, event, _ = CASES[case]
            return bench.start(package.functions[function], bench.place, event_of(event, account, arn))

        ours("PUT of what is there")  # now it is there
        yield Lineup(
            contenders=(
                Contender(ALONE, "python -c pass", python),
                *(
                    contender
                    for case in CASES
                    for contender in (
                        beside(case, bench, account, lambda case=case: ours(case)),  # type: ignore[misc]
                        Contender(case, OURS, lambda case=case: ours(case)),  # type: ignore[misc]
                    )
                ),
            ),
            versions={
                **{name: version(name) for name in ("awslambdaric", "boto3", "chalice")},
                "the package": f"{size / 1e6:.1f} MB (at most 15)",
            },
        )


def beside(case: str, bench: Bench, account: Account, ours: Callable[[], Run]) -> Contender:
    """Count what ours calls, and return the bare function that calls the same."""
    began = len(bench.aws.calls)
    ours()
    calls = [one for one in bench.aws.calls[began:] if one.caller == CALLER]
    if not calls:
        raise RuntimeError(f"{case}: nothing was called")
    asked = [
        (CLIENTS.get(one.service, one.service), method(one.operation), account.arguments(one.operation))
        for one in calls
    ]
    services = list(dict.fromkeys(service for service, _, _ in asked))
    bare = Function("Bare", "app.bare", 30, 512, "x86_64", {}, {}, ())
    note = ", ".join(f"{one.operation}" for one in calls)
    return Contender(
        case,
        BESIDE,
        lambda: bench.start(bare, bench.bare, {"calls": asked}, {"SERVICES": " ".join(services)}),
        note=note,
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
            aws=aws,
            place=Place(task, runtime),
            bare=Place(bare, runtime),
            processes=processes,
            address=network.functions,
            environment={
                "AWS_ACCESS_KEY_ID": CALLER,
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
    reference=BESIDE,
    compared=("cpu",),
    charts=(Chart("cpu", "CPU from the start of a process to its first answer"),),
    goals=tuple(
        Goal(
            f"{case}: at most {most} of the CPU of a bare function with the same calls",
            "cpu",
            of=(case, OURS),
            beside=(case, BESIDE),
            most=most,
        )
        for case, (_, _, most) in CASES.items()
    ),
    unsaid=(
        "How long AWS takes to fetch the package and to start the environment: that comes on top for both.",
        "How long it takes at Lambda, where a function of 512 MB has about a third of a CPU.",
        "Anything of warm starts, of which there are far more.",
    ),
    rounds=7,
)
