"""The deployed functions at work: each in a warm environment of Lambda's runtime, under its role's policy."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.aws import SECRET
from lab.events import ATTEMPTS
from lab.fidelity.authorization import Role, enforce, release
from lab.lambda_.runtimeapi import ExecutionEnvironment, Outcome, Place, execution_environment
from lab.machine.processes import Processes
from lab.rehearsal.deployed import Deployed
from lab.rehearsal.gateway import TIMED_OUT

# Leads a function to the lab's load balancers by their names.
NAMES = Path(__file__).parents[1] / "names" / "sitecustomize.py"


@dataclass
class Warm:
    """One function and its environment, none before the first invocation; they come one after another."""

    deployed: Deployed
    task: Path
    turn: threading.Lock = field(default_factory=threading.Lock)
    environment: ExecutionEnvironment | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def end(self) -> None:
        """End the process: the next invocation would start another."""
        self.environment = None
        self.stack.close()


@dataclass
class Functions:
    """Everything that is deployed, to be invoked by name; each name is an access key id of its own."""

    processes: Processes
    address: str
    runtime: Path
    """What Lambda's runtime brings."""

    reach: Mapping[str, str]
    """The environment that leads to AWS, but for the access key."""

    warm: dict[str, Warm] = field(default_factory=dict)
    roles: list[tuple[str, Role]] = field(default_factory=list)
    """Every policy that was in force, by the function's name, with what it allowed and denied."""

    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)
    """How each invocation ended, by the function's name."""

    def deploy(self, deployed: Mapping[str, Deployed], tasks: Mapping[str, Path]) -> None:
        """Take over what is deployed now; what is at work finishes as it was. `tasks` is where code lies."""
        former, self.warm = self.warm, {name: Warm(one, tasks[one.code]) for name, one in deployed.items()}
        for name, one in deployed.items():
            self.roles.append((name, enforce(name, one.function.policy)))
        _end(former)

    def end(self) -> None:
        """End every process at once, whatever it works on, and let go of the policies."""
        former, self.warm = self.warm, {}
        for warm in former.values():
            if (at_work := warm.environment) is not None:
                self.processes.kill(at_work.process)
        _end(former)
        for name in former:
            release(name)

    def invoke(self, name: str, event: Any) -> Outcome:
        """Run a function and wait for it; one that is late is ended, as Lambda does."""
        while (warm := self.warm.get(name)) is not None:
            with warm.turn:
                if self.warm.get(name) is warm:  # else another was deployed meanwhile
                    outcome = self._invoke(name, warm, event)
                    self.outcomes.append((name, outcome))
                    return outcome
        return Outcome({"errorMessage": f"Function not found: {name}"}, "ResourceNotFoundException")

    def _invoke(self, name: str, warm: Warm, event: Any) -> Outcome:
        function = warm.deployed.function
        environment = warm.environment or self._start(name, warm)
        try:
            return environment.invoke(event, function.timeout)
        except TimeoutError as error:
            kind = TIMED_OUT if environment.process.alive() else "Runtime.ExitError"
            warm.end()
            return Outcome({"errorMessage": str(error), "errorType": kind}, kind)

    def _start(self, name: str, warm: Warm) -> ExecutionEnvironment:
        warm.environment = warm.stack.enter_context(
            execution_environment(
                warm.deployed.function,
                Place(warm.task, self.runtime),
                self.processes,
                self.address,
                {**self.reach, "AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": SECRET},
                scripts=[NAMES],
            )
        )
        return warm.environment

    def denied(self) -> list[str]:
        """Return what was asked for beyond a policy: function and action, in the order of deployment."""
        return [f"{name} {question.action}" for name, role in self.roles for question in role.denied]

    def answer(self, name: str, event: Any, kind: str) -> tuple[Any, str | None]:
        """Answer Lambda's Invoke: an `Event` at once, and it is tried up to three times."""
        if kind == "Event":
            threading.Thread(target=self.retried, args=(name, event), name=f"event for {name}").start()
            return None, None
        outcome = self.invoke(name, event)
        return outcome.payload, "Unhandled" if outcome.error else None

    def retried(self, name: str, event: Any) -> Outcome:
        """Try an event until it is answered, without Lambda's pauses, for which nobody here would wait.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        """
        outcome = self.invoke(name, event)
        for _ in range(ATTEMPTS - 1):
            if outcome.error is None:
                break
            outcome = self.invoke(name, event)
        return outcome

    def delivered(self, name: str, event: Any) -> str | None:
        """Run a function for EventBridge; return what went wrong, None for nothing."""
        outcome = self.invoke(name, event)
        return f"{outcome.error}: {outcome.payload.get('errorMessage')}" if outcome.error else None


def _end(former: Mapping[str, Warm]) -> None:
    for warm in former.values():
        with warm.turn:
            warm.end()
