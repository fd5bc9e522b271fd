"""A tool's runs: in an empty account, and again on what it made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.account import Account
from bench.job import Contender, Goal, NotRun, Run
from bench.process import DidNotEndWellError
from bench.provisioning import Asked
from bench.tools import FLOOR, PLAYBOOK, PUT, STORY, Tool

Ask = Callable[[Account], Asked]
"""Empties the account but for what everybody is given, and returns the request."""
Lacking = Callable[[Account, Asked], frozenset[str]]
"""Returns what of the request is not so at AWS."""


@dataclass(frozen=True)
class Runs:
    """One tool's runs: each begins in an empty account, and runs the tool twice."""

    account: Account
    tool: Tool
    ask: Ask
    lacking: Lacking
    again: list[Run] = field(default_factory=list)

    def warm(self) -> None:
        """Run it once, so that its bytecode is there; one that is missing is left out."""
        if not self.tool.missing:
            self.first()
            self.again.clear()

    def first(self) -> Run:
        """Run it in an empty account, see what it made, run it again, and return what the first run took."""
        given = self.ask(self.account)
        ran = self._run(given, self.tool.first)
        if (lacks := self.lacking(self.account, given)) != self.tool.lacks:
            raise RuntimeError(f"{self.tool.name} left out {sorted(lacks)}")
        if self.tool.once:
            self._refused(given)
        else:
            self.again.append(self._run(given, self.tool.again))
        return ran

    def second(self) -> Run:
        """Return what the second run of this round took."""
        return self.again.pop(0)

    def start(self) -> Run:
        """Start it, and end before any work."""
        return self._run(self.ask(self.account), self.tool.start)

    def _run(self, given: Asked, arguments: tuple[str, ...]) -> Run:
        command = [*self.tool.command, *arguments]
        environment = {**given.environment(), **self.tool.environment}
        return self.account.run(self.tool.slug, command, more=environment)

    def _refused(self, given: Asked) -> None:
        try:
            self._run(given, self.tool.again)
        except DidNotEndWellError:
            return
        raise RuntimeError(f"{self.tool.name} can be run twice after all")


def contender(case: str, tool: Tool, run: Callable[[], Run], rounds: int | None = None) -> Contender | NotRun:
    """Return a tool in a case; one that is missing says why."""
    if tool.missing:
        return NotRun(case, tool.name, tool.missing, tool.note)
    return Contender(case, tool.name, run, tool.note, rounds)


def cpu_goals(first: str) -> tuple[Goal, ...]:
    """Return what the CPU of a first run may be, of either kind of load balancer; `first` is that case."""
    return (
        Goal(
            "CPU of the story, at most 1.3 times the floor's", "cpu", (first, STORY), (first, FLOOR), most=1.3
        ),
        Goal(
            "CPU of the whole PUT, at most 1.3 times the floor's",
            "cpu",
            (first, PUT),
            (first, FLOOR),
            most=1.3,
        ),
        Goal(
            "Ansible takes at least 4 times the story's CPU",
            "cpu",
            (first, PLAYBOOK),
            (first, STORY),
            least=4,
        ),
    )
