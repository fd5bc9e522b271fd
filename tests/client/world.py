"""The command line against the app: behind the rehearsal's gateway, which verifies each signature.

with served(here) as shell:
    shell("list").out
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import app
from emq_elb.cli import Means, main
from emq_elb.terminal import Terminal, console
from lab.lambda_.runtimeapi import Outcome
from lab.rehearsal.front import front
from lab.rehearsal.gateway import Api, Route
from tests.world.chalice_client import OWNER, invoked, new_container

ADDRESS = "127.83.4.3"
CONTEXT = SimpleNamespace(
    aws_request_id="8a7d3c1e-0000-4000-8000-000000000001",
    function_name="emq-elb-dev",
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:emq-elb-dev",
    memory_limit_in_mb=512,
    get_remaining_time_in_millis=lambda: 28_000,
)


class Keyboard(StringIO):
    """What is typed, at a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Printed:
    """How a command ended: its exit status and both outputs."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result as a JSON value."""
        return json.loads(self.out)


@dataclass
class Shell:
    """Runs commands in this process. `sleep` gets each pause; `typed` None is no terminal."""

    url: str
    directory: Path
    sleep: Callable[[float], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    environment: dict[str, str] = field(default_factory=dict)
    invoked: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, *arguments: str, typed: str | None = None, width: int = 100) -> Printed:
        """Run `emq-elb` with these arguments."""
        environment = {**os.environ, "EMQ_ELB_URL": self.url, "COLUMNS": str(width), **self.environment}
        out, err = recording(environment), recording(environment)
        keys = StringIO() if typed is None else Keyboard(typed)
        means = Means(environment, self.directory, self.sleep, self.clock, Terminal(out, err, keys))
        status = main([*arguments], means)
        return Printed(status, written(out), written(err))

    def run_background(self) -> None:
        """Run the function `provision` with what it was invoked with last, as Lambda does."""
        function, payload = self.invoked[-1]
        assert function.endswith("-provision")
        app.provision(payload, CONTEXT)


def recording(environment: Mapping[str, str]) -> Console:
    """A console whose output is kept."""
    return console(StringIO(), environment)


def written(made: Console) -> str:
    """What a console printed, without the blanks that fill up a table's last column."""
    assert isinstance(made.file, StringIO)
    return "\n".join(line.rstrip() for line in made.file.getvalue().split("\n"))


def routes() -> tuple[Route, ...]:
    """The app's own routes, all of them signed."""
    return tuple(
        Route(method, resource, "api", signed=True)
        for resource, methods in app.app.routes.items()
        for method in methods
    )


@contextmanager
def served(directory: Path) -> Iterator[Shell]:
    """Serve the app as API Gateway does, in an account that a fixture made; yield a shell that reaches it."""

    # moto keeps its own in the environment while it is at work.
    secrets = {os.environ["AWS_ACCESS_KEY_ID"]: os.environ["AWS_SECRET_ACCESS_KEY"]}

    def invoke(_function: str, event: Any) -> Outcome:
        return Outcome(app.app(event, CONTEXT))

    with (
        new_container(),
        pytest.MonkeyPatch.context() as patch,
        front(ADDRESS, lambda: Api("a1b2c3", "api", routes()), secrets, invoke) as url,
    ):
        patch.setenv("OWNER", OWNER)
        yield Shell(f"{url}/api", directory, invoked=invoked())
