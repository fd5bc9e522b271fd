"""The ways to provision that are measured: ours, the floor, and what a user would pick instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.account import Account, deployed, program
from bench.machine import ROOT
from bench.peers import ANSIBLE, AWS_CLI, NotInstalledError, installed, size
from lab.lambda_.functions import Configuration, Functions, server
from lab.machine.serving import serving

PROGRAMS = ROOT / "bench" / "programs"
FLOOR, STORY, PUT = "boto3, the floor", "ours: provision", "ours: PUT"
CLI, PLAYBOOK, STACK = "AWS CLI script", "Ansible", "CloudFormation"
FLOOR_NOTE = (
    "knows what is there and what is asked, examines nothing and waits for nothing; its second run only"
    " compares"
)


@dataclass(frozen=True)
class Tool:
    """A command, and what follows it for a first run, another one, and a mere start.

    `lacks` is what it cannot do or is not made to, `once` whether a second run ends in an error.
    """

    name: str
    command: tuple[str, ...]
    first: tuple[str, ...]
    again: tuple[str, ...]
    start: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    note: str = ""
    lacks: frozenset[str] = frozenset()
    once: str = ""
    missing: str = ""

    @property
    def slug(self) -> str:
        """The access key id that it signs with."""
        return "".join(letter for letter in self.name if letter.isalnum())


@contextmanager
def tools(account: Account) -> Iterator[tuple[Tool, ...]]:
    """Yield every tool; a peer that cannot be installed says why in `missing`."""
    request = str(account.directory / "request.json")
    with background(account) as invoked:
        yield (
            Tool(
                FLOOR,
                python("provision_floor"),
                ("create", request),
                ("compare", request),
                ("nothing", request),
                note=FLOOR_NOTE,
            ),
            *ours(request, invoked),
            *_peers(request),
        )


def ours(request: str, invoked: str) -> Iterator[Tool]:
    """Yield the story and the PUT, which read the same request; Lambda's Invoke is answered at `invoked`."""
    yield Tool(
        STORY,
        python("provision_story"),
        *_modes(request),
        deployed(),
        note=(
            "first examines certificate and key, subnets, routes, groups, instances and quota;"
            " its one write more than the floor's takes off the mark of what is half made"
        ),
    )
    yield Tool(
        PUT,
        python("provision_put"),
        *_modes(request),
        deployed() | {"AWS_ENDPOINT_URL_LAMBDA": invoked},
        note=(
            "beside what is counted it invokes a function in the background, which announces the"
            " changes and lets alarms follow; that one is not run here"
        ),
    )


def python(name: str) -> tuple[str, ...]:
    """Return the command of one of `bench/programs`."""
    return tuple(str(one) for one in program(name))


def _modes(request: str) -> tuple[tuple[str, str], tuple[str, str], tuple[str, str]]:
    return ("converge", request), ("converge", request), ("nothing", request)


def _peers(request: str) -> Iterator[Tool]:
    cli, no_cli = programs("awscli", AWS_CLI)
    ansible, no_ansible = programs("ansible", ANSIBLE)
    path = {"PATH": f"{cli}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    script = ("sh", str(PROGRAMS / "provision.sh"))
    yield Tool(
        CLI,
        script,
        ("create",),
        ("create",),
        ("nothing",),
        path,
        note=f"version 1, as PyPI has it, {size(cli)} MB; a process for each call, waits for nothing",
        once="such a script is for once: a second run ends at its first call",
        missing=no_cli,
    )
    playbook = str(ansible / "ansible-playbook")
    variables = ("-e", f"request={request}", str(PROGRAMS / "provision.yml"))
    yield Tool(
        PLAYBOOK,
        (playbook,),
        variables,
        variables,
        (str(PROGRAMS / "nothing.yml"),),
        path,
        note=(
            "`ec2_security_group`, `iam_server_certificate` and `elb_classic_lb`, which cannot set the SSL"
            f" policy: it makes less; {size(ansible)} MB"
        ),
        lacks=frozenset({"SSL policy"}),
        missing=no_ansible,
    )
    yield Tool(
        STACK,
        ("sh", str(PROGRAMS / "provision_stack.sh")),
        ("deploy",),
        ("deploy",),
        ("nothing",),
        path | {"TEMPLATE": str(PROGRAMS / "provision_stack.yml")},
        note="`aws cloudformation deploy`; what CloudFormation itself calls is not counted",
        missing=no_cli,
    )


def programs(name: str, requirements: tuple[str, ...]) -> tuple[Path, str]:
    """Return where a peer's programs are, and why there are none, when they cannot be installed."""
    try:
        return installed(name, requirements), ""
    except NotInstalledError as error:
        return Path(), str(error)


@contextmanager
def background(account: Account) -> Iterator[str]:
    """Answer Lambda's Invoke as it does for an asynchronous one, and run nothing; yield where."""
    configuration = Configuration(app="emq-elb", stage="dev", environment={}, timeouts={})
    listening = server(account.network.functions, 0, Functions(configuration, lambda _: _nothing))
    with serving(listening, "functions"):
        yield f"http://{account.network.functions}:{listening.server_port}"


def _nothing(_event: Any, _context: Any) -> None:
    """Do nothing."""


def versions() -> dict[str, str]:
    """Return which of everything took part."""
    found = {name: version(name) for name in ("boto3", "moto")}
    pinned = (one.partition("==") for one in (*AWS_CLI, ANSIBLE[0]))
    return found | {name: number for name, _, number in pinned}
