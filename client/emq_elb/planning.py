"""`plan` and `apply`: each declaration against what there is, and then for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emq_elb.answers import Answer, failed, faults_of, good
from emq_elb.api import Api
from emq_elb.difference import Change, changes
from emq_elb.faults import Failed, FaultsInFiles, FileFault, StillPending
from emq_elb.files import Document

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
IN_SERVICE = frozenset({"InService", "healthy", "unavailable"})
"""AWS's words for an instance that gets traffic, behind a classic and behind a network load balancer."""


@dataclass(frozen=True)
class Plan:
    """What a declaration would change; `answer` is the API's review."""

    document: Document
    changes: Sequence[Change]
    answer: Mapping[str, Any]
    exists: bool

    @property
    def changed(self) -> bool:
        """Whether anything at AWS would be changed."""
        return bool(self.answer.get("changed"))

    def value(self) -> dict[str, Any]:
        """Return the plan as a JSON value."""
        what = "none" if not self.changed else "change" if self.exists else "create"
        return {
            "file": self.document.file,
            "name": self.document.name,
            "change": what,
            "fields": [vars(one) for one in self.changes],
            **{key: self.answer.get(key, []) for key in ("actions", "warnings")},
        }


def plans(documents: Iterable[Document], api: Api, *, adopt: bool) -> list[Plan]:
    """Plan every declaration; raise FaultsInFiles with the faults of all, or Failed."""
    made: list[Plan] = []
    faults: list[FileFault] = []
    for one in documents:
        try:
            made.append(_plan(one, api, adopt=adopt))
        except FaultsInFiles as error:
            faults += error.faults
        except Failed:
            if not faults:
                raise
            break
    if faults:
        raise FaultsInFiles(faults)
    return made


def _plan(document: Document, api: Api, *, adopt: bool) -> Plan:
    answer = accepted(document, api.put(document.name, document.body, dry_run=True, adopt=adopt))
    there = api.find(document.name, adopt=adopt)
    after = answer.get("load_balancer")
    differing = changes(there, after) if answer.get("changed") and isinstance(after, Mapping) else []
    return Plan(document, differing, answer, there is not None)


def accepted(document: Document, answer: Answer) -> Mapping[str, Any]:
    """Return the body of a PUT's answer; raise FaultsInFiles for a bad request, else Failed for an error."""
    if (problem := answer.problem) and (found := faults_of(problem)):
        raise FaultsInFiles(document.fault(one["field"], one["message"]) for one in found)
    try:
        return good(answer, 200, 201, 202)
    except Failed as error:
        fault = failed(answer) if answer.status >= 400 else error
        raise Failed(f"{document.name}: {fault.message}", fault.remedy, fault.problem) from None


@dataclass
class Done:
    """What became of one PUT; `shown` is the load balancer in the end, `fault` what kept it."""

    plan: Plan
    answer: Mapping[str, Any]
    pending: bool = False
    fault: Failed | None = None

    def value(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        state = "failed" if self.fault else "pending" if self.pending else "ready"
        return {
            "file": self.plan.document.file,
            "name": self.plan.document.name,
            **self.answer,
            "state": state,
            **({"fault": self.fault.message} if self.fault else {}),
        }


def applied(planned: Iterable[Plan], api: Api, *, adopt: bool) -> Iterator[Done]:
    """PUT each declaration that changes something, and go on past one that fails."""
    for plan in planned:
        document = plan.document
        try:
            answer = accepted(document, api.put(document.name, document.body, adopt=adopt))
        except Failed as error:
            yield Done(plan, {}, fault=error)
        else:
            yield Done(plan, answer, pending=answer.get("state") == "pending")


def follow(
    waiting: Sequence[Done],
    api: Api,
    *,
    seconds: float,
    say: Callable[[str], None],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    """Wait until nothing is pending any more, and announce each phase; raise StillPending at the end."""
    began, pause = clock(), FIRST_PAUSE
    phases: dict[str, str] = {}
    while pending := [one for one in waiting if one.pending]:
        for one in pending:
            name = one.plan.document.name
            shown = api.find(name, adopt=False)
            one.pending = shown is None or shown.get("state") != "ready"
            if (now := phase(shown)) != phases.get(name):
                phases[name] = now
                say(f"{_elapsed(clock() - began)}  {name}: {now}")
        left = seconds - (clock() - began)
        if all(not one.pending for one in pending):
            return
        if left <= 0:
            names = ", ".join(one.plan.document.name for one in waiting if one.pending)
            raise StillPending(
                f"{names}: still pending after {seconds:.0f} s",
                "it goes on in the background: `emq-elb get` shows the state, the log of the function"
                " `provision` what AWS says",
            )
        sleep(min(pause, left))
        pause = min(LONGEST_PAUSE, pause * 1.5)


def phase(shown: Mapping[str, Any] | None) -> str:
    """Return how far a load balancer is, in a few words."""
    if shown is None:
        return "nothing at AWS yet; waiting for its certificate"
    members = shown.get("instances")
    found = [one for one in members if isinstance(one, Mapping)] if isinstance(members, list) else []
    serving = sum(one.get("state") in IN_SERVICE for one in found)
    state = "ready" if shown.get("state") == "ready" else "made; waiting for AWS"
    return f"{state}, {serving} of {len(found)} members in service"


def _elapsed(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
