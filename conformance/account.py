"""The account that is asked: its clients, the run's tag, and what the rules of a run share.

A need is made once, when the first rule wants it. Whatever is made carries `emq-elb:conformance=<run>`, or,
where AWS takes no tag on creation, the run in its name.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, RLock
from typing import Any, Generic, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError

from conformance.answer import DiffersError, code_and_message

T = TypeVar("T")
TAG = "emq-elb:conformance"
PREFIX = "conform-"
"""Begins the name of everything that is named here; the run follows."""

CERTIFICATES = "/emq-elb-conformance/"
"""Begins the IAM path of every certificate; the run follows."""

TIME = "%y%m%dt%H%M%S"
RUN = re.compile(r"\d{6}t\d{6}[0-9a-f]{4}")


class BudgetSpentError(Exception):
    """The run may not spend more money or time, or was interrupted."""


class MissingNeedError(Exception):
    """What a rule needs could not be made; the message says what, and AWS's reason."""


@dataclass(frozen=True)
class Run:
    """One run: its name, which has the time when it began, is in every tag."""

    name: str

    @property
    def began(self) -> datetime:
        """When it began; ValueError for a name that no run has."""
        return datetime.strptime(self.name[:-4], TIME).replace(tzinfo=UTC)

    @classmethod
    def begin(cls, now: datetime) -> Run:
        """Name a new run."""
        return cls(f"{now:{TIME}}{secrets.token_hex(2)}")


@dataclass(frozen=True)
class Place:
    """Where the rules run. `on_aws` is false for the corrected moto, where nothing is confirmed."""

    region: str
    on_aws: bool
    image: Callable[[Any], str]
    """Returns the machine image for instances, given EC2's client."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    pause: float = 2.0
    """Seconds between two looks at a condition."""

    longest: float = 1200.0
    """The most seconds that any condition is waited for; on moto nothing changes by waiting."""


@dataclass(frozen=True)
class Budget:
    """What a run may spend."""

    dollars: float
    minutes: float


@dataclass(frozen=True)
class Need(Generic[T]):
    """Something that rules share: how it is made, what it costs and takes, and what it stands on.

    What no rule changes is `common` to all lanes of a run; of the rest each lane has its own.
    """

    name: str
    make: Callable[[Account], T]
    dollars: float = 0.0
    minutes: float = 0.05
    of: tuple[Need[Any], ...] = ()
    common: bool = False


def closure(needs: Iterable[Need[Any]]) -> tuple[Need[Any], ...]:
    """Return the needs and all that they stand on, each once, the foundations first."""
    found: dict[str, Need[Any]] = {}
    for need in needs:
        found |= {one.name: one for one in (*closure(need.of), need)}
    return tuple(found.values())


@dataclass
class Made:
    """The needs that are there, by name, and why others could not be made."""

    there: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, MissingNeedError] = field(default_factory=dict)


@dataclass
class Common:
    """What all lanes of a run share; `stop` is set when the run is interrupted."""

    began: float
    spent: float = 0.0
    named: int = 0
    made: Made = field(default_factory=Made)
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)
    stop: Event = field(default_factory=Event)


@dataclass
class Account:
    """An account of AWS's, or the corrected moto, as one lane of a run sees it."""

    session: Any
    place: Place
    run: Run
    budget: Budget
    common: Common = field(default_factory=lambda: Common(0.0))
    made: Made = field(default_factory=Made)
    _allowed: frozenset[str] = frozenset()
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.common.began = self.common.began or self.place.clock()

    def lane(self) -> Account:
        """Return the account for rules that are asked beside others."""
        return Account(self.session, self.place, self.run, self.budget, self.common)

    def client(self, service: str, region: str = "") -> Any:
        """Return a client. AWS, not botocore, says what is wrong with a parameter."""
        where = region or self.place.region
        clients = self.common.clients
        with self.common.lock:  # sessions are not for several threads, clients are
            if (service, where) not in clients:
                config = Config(
                    parameter_validation=False,
                    retries={"mode": "standard", "max_attempts": 8},
                    connect_timeout=10,
                    read_timeout=60,
                )
                clients[service, where] = self.session.client(service, region_name=where, config=config)
            return clients[service, where]

    def name(self, what: str = "") -> str:
        """Return a new name within 32 characters, which also a load balancer may have."""
        with self.common.lock:
            self.common.named += 1
            return f"{PREFIX}{self.run.name}-{what[:3]}{self.common.named}"

    @property
    def tags(self) -> list[dict[str, str]]:
        """The run's tag, as most services take tags."""
        return [{"Key": TAG, "Value": self.run.name}]

    def tagged(self, kind: str) -> list[dict[str, Any]]:
        """Return EC2's `TagSpecifications` for a kind of resource."""
        return [{"ResourceType": kind, "Tags": self.tags}]

    def need(self, need: Need[T]) -> T:
        """Return something shared, made now when it is not there yet."""
        if need.name not in self._allowed:
            raise ValueError(f"the rule does not say that it needs: {need.name}")
        if not need.common:
            return self._make(need, self.made)
        with self.common.lock:
            return self._make(need, self.common.made)

    def _make(self, need: Need[T], made: Made) -> T:
        if need.name in made.failed:  # not tried again for each rule: it may have made a part
            raise made.failed[need.name]
        if need.name not in made.there:
            for one in need.of:
                self.need(one)
            self.spend(need.dollars)
            try:
                made.there[need.name] = need.make(self)
            except (ClientError, DiffersError) as error:
                reason = ": ".join(code_and_message(error)) if isinstance(error, ClientError) else str(error)
                made.failed[need.name] = MissingNeedError(f"no {need.name}: {reason}")
                raise made.failed[need.name] from None
        found: T = made.there[need.name]
        return found

    def spend(self, dollars: float) -> None:
        """Count what is about to cost money; raises BudgetSpentError instead when it would be too much."""
        with self.common.lock:
            if self.common.spent + dollars > self.budget.dollars:
                raise BudgetSpentError(f"${self.budget.dollars:.2f} are spent")
            self.common.spent += dollars

    def minutes_left(self) -> float:
        """How long the run may still go on."""
        return self.budget.minutes - (self.place.clock() - self.common.began) / 60

    @contextmanager
    def asking(self, needs: Iterable[Need[Any]]) -> Iterator[None]:
        """Make what one rule needs; at the end of the block everything that it deferred is done."""
        wanted = closure(needs)
        self._allowed = frozenset(one.name for one in wanted)
        with ExitStack() as self._stack:
            for one in wanted:
                self.need(one)
            yield

    def defer(self, call: Callable[..., Any], **parameters: object) -> None:
        """Make a call when the rule has ended, however it ended; AWS may refuse it."""
        self._stack.callback(partial(quietly, call, **parameters))

    def until(self, look: Callable[[], T | None], seconds: float, what: str) -> T:
        """Look until there is something to return; DiffersError when the time is over.

        Raises BudgetSpentError when it is the run's time that is over: that says nothing of AWS.
        """
        deadline = self.place.clock() + min(seconds, self.place.longest)
        while True:
            if found := look():
                return found
            if self.place.clock() >= deadline:
                raise DiffersError(f"not so within {seconds:.0f} s: {what}")
            if self.common.stop.is_set():
                raise BudgetSpentError("interrupted")
            if self.minutes_left() <= 0:
                raise BudgetSpentError(f"{self.budget.minutes:.0f} minutes are spent")
            self.place.sleep(self.place.pause)

    def once_allowed(
        self, call: Callable[..., Any], codes: Sequence[str], seconds: float, **parameters: object
    ) -> float:
        """Make a call until AWS refuses it with none of the codes any more; return after how many seconds."""
        began = self.place.clock()
        seen = ["nothing"]

        def accepted() -> bool:
            try:
                call(**parameters)
            except ClientError as error:
                code, message = code_and_message(error)
                if code not in codes:
                    raise
                seen[0] = f"{code}: {message}"
                return False
            return True

        try:
            self.until(accepted, seconds, "accepted")
        except DiffersError:
            raise DiffersError(f"after {seconds:.0f} s AWS still says {seen[0]}") from None
        return self.place.clock() - began


def quietly(call: Callable[..., Any], **parameters: object) -> None:
    """Make a call whose refusal is nobody's concern: the sweep comes afterwards."""
    try:
        call(**parameters)
    except ClientError:
        return


def age(run: str, now: datetime) -> timedelta:
    """Return how old a run is by its name; a name without a time is as old as can be."""
    try:
        return now - Run(run).began
    except ValueError:
        return timedelta.max
