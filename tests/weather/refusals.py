"""What AWS may answer to a call instead of doing it: every class of the table of refusals, and how long.

`CreateTags` is every call of that operation; `v2 DescribeTags` one of the second load balancing API;
`CreateTags of it` those that are about the story's load balancer `demo` and its instances, and no other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Literal

from chalicelib.aws.errors import of_code
from chalicelib.aws.refusals import EVERYWHERE, OWNED, REFUSALS, Meaning, parse_rows
from chalicelib.model.errors import AwsError
from tests.world.provisioning import DONE, READS, Account

Lasting = Literal["once", "once, though it is done", "for a while", "for ever"]
A_WHILE = timedelta(seconds=8)
OF_IT, SECOND = " of it", "v2 "


@dataclass(frozen=True)
class Refusal:
    """One answer to the calls of a kind; `code` may have a text after `: `."""

    call: str
    meaning: Meaning
    code: str
    lasting: Lasting

    @property
    def error(self) -> type[AwsError]:
        """What the adapters make of it."""
        code, _, message = self.code.partition(": ")
        return type(of_code(operation_of(self.call), code, message))

    def __str__(self) -> str:
        return f"{self.call}, {self.code}, {self.lasting}"


def operation_of(call: str) -> str:
    """The operation of a kind of calls."""
    return call.removesuffix(OF_IT).removeprefix(SECOND)


@cache
def refusals(call: str) -> tuple[Refusal, ...]:
    """Each class of refusal for the calls of a kind, for as long as it may last."""
    return tuple(_refusals(call))


def _refusals(call: str) -> Iterator[Refusal]:
    operation = operation_of(call)
    own = REFUSALS[operation]
    seen: set[tuple[Meaning, type[AwsError]]] = set()
    for table in (own, EVERYWHERE):
        for meaning, text in table.items():
            for code, part in parse_rows(text):
                refusal = Refusal(call, meaning, f"{code}: {part}" if part else code, "once")
                if (meaning, refusal.error) in seen:
                    continue
                seen.add((meaning, refusal.error))
                for lasting in lastings(operation, meaning):
                    yield Refusal(call, meaning, refusal.code, lasting)


def lastings(operation: str, meaning: Meaning) -> Iterator[Lasting]:
    """How long a refusal of that meaning may last; somebody was quicker with what a `Delete` names."""
    if meaning is Meaning.GONE and operation.startswith("Delete"):
        yield "once, though it is done"
        return
    writes = not operation.startswith(READS)
    match meaning:
        case Meaning.NOT_YET:
            yield "for a while"
        case Meaning.NOT_ALLOWED if operation in OWNED and writes:
            yield "for a while"
        case Meaning.SLOW | Meaning.GONE:
            yield "once"
    if writes and meaning in {Meaning.SLOW, Meaning.ALREADY_SO}:
        yield "once, though it is done"
    yield "for ever"


@dataclass
class Sky:
    """Answers in AWS's place, and keeps the kinds of calls that were made.

    `refusal` is None in good weather. A call is of `demo` when it names any of `its` and none of `others`.
    `spared` counts the calls that AWS could not answer so.
    """

    here: Account
    its: Collection[str] = ()
    others: Collection[str] = ()
    refusal: Refusal | None = None
    calls: set[str] = field(default_factory=set)
    refused: int = 0
    spared: int = 0
    until: timedelta = timedelta.max

    def refuse(self, operation: str, parameters: Mapping[str, str]) -> str | None:
        """Return the refusal for a call that is to be refused."""
        call = self.kind(operation, parameters)
        self.calls.add(call)
        if not self.refusal or self.refusal.call != call or self.here.passed >= self.until:
            return None
        if self.refusal.lasting.startswith("once") and self.refused:
            return None
        if not _sayable(self.refusal, parameters):
            self.spared += 1
            return None
        if not self.refused and self.refusal.lasting == "for a while":
            self.until = self.here.passed + A_WHILE
        self.refused += 1
        return f"{DONE if 'done' in self.refusal.lasting else ''}{self.refusal.code}"

    def kind(self, operation: str, parameters: Mapping[str, str]) -> str:
        """What kind of call it is."""
        second = SECOND if parameters.get("Version") == "2015-12-01" else ""
        values = [str(value) for value in parameters.values()]

        def names(some: Collection[str]) -> bool:
            return any(name in value for value in values for name in some)

        return f"{second}{operation}{OF_IT if names(self.its) and not names(self.others) else ''}"


def _sayable(refusal: Refusal, parameters: Mapping[str, str]) -> bool:
    """Whether AWS could say it of a call: that an instance is not there, only of one that the call names."""
    instances = operation_of(refusal.call) == "DescribeInstances" and refusal.meaning is Meaning.GONE
    return not instances or any(key.startswith("InstanceId") for key in parameters)
