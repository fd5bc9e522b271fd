"""EventBridge on one machine: EC2 and Auto Scaling make events, rules route them, schedules fire.

moto emits none of them. The rules are the app's own, as `chalice deploy` would make them; matching is moto's.
Each function has one worker, as one warm environment with a reserved concurrency of 1 would be: an event is
tried up to three times, and what fails then is dropped, as Lambda does with asynchronous invocations.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any
from urllib.request import Request

from lab.aws import ACCOUNT, REGION
from lab.lambda_.api import OPENER

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

Json = dict[str, Any]
ATTEMPTS = 3
PAUSE = 0.1
SELDOM = 2.0
UNITS = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60, "day": 1440, "days": 1440}


@dataclass(frozen=True)
class Rule:
    """One rule: the deployed function that it invokes, and an event pattern, or a rate in minutes."""

    function: str
    pattern: Mapping[str, Any] | None = None
    minutes: int | None = None

    def matches(self, event: Json) -> bool:
        """Return whether the pattern lets the event through."""
        from moto.events.models import EventPattern

        if self.pattern is None:
            return False
        matched: bool = EventPattern.load(json.dumps(self.pattern)).matches_event(event)  # type: ignore[arg-type] # any event
        return matched


@dataclass(frozen=True)
class Delivery:
    """One event that a function was invoked with; `error` is None when it succeeded."""

    function: str
    event: Json
    attempts: int
    error: str | None


@dataclass
class EventBridge:
    """The default bus: rules, a queue for each function, and what was delivered."""

    rules: Sequence[Rule]
    invoke: Callable[[str, Json], str | None]
    """Invoke a function by its deployed name; its answer is what went wrong, None for nothing."""

    delivered: list[Delivery] = field(default_factory=list)
    queues: dict[str, Queue[Json]] = field(default_factory=dict)
    looks: int = 0
    """How many looks at EC2 have ended: changes that come within one are one event."""

    def __post_init__(self) -> None:
        self.queues = {rule.function: Queue() for rule in self.rules}

    def put(self, event: Json) -> None:
        """Route one event: a function gets it once for each of its rules that it matches."""
        for rule in self.rules:
            if rule.matches(event):
                self.queues[rule.function].put(event)

    def fire(self, rule: Rule) -> None:
        """Let a schedule fire; one that finds its last time unanswered is left out: time here is quick."""
        if self.queues[rule.function].empty():
            self.queues[rule.function].put(envelope("Scheduled Event", "aws.events", {}, []))

    def interrupt(self, instance_id: str, action: str = "terminate") -> None:
        """Warn that Spot takes the instance back; the end itself is the caller's to bring about."""
        detail = {"instance-id": instance_id, "instance-action": action}
        kind = "EC2 Spot Instance Interruption Warning"
        self.put(envelope(kind, "aws.ec2", detail, [arn_of(instance_id)]))

    def work(self, function: str, stop: threading.Event) -> None:
        """Deliver what comes for one function, until `stop` is set."""
        while not stop.is_set():
            try:
                event = self.queues[function].get(timeout=PAUSE)
            except Empty:
                continue
            attempts, error = 1, self.invoke(function, event)
            while error is not None and attempts < ATTEMPTS and not stop.is_set():
                attempts, error = attempts + 1, self.invoke(function, event)
            self.delivered.append(Delivery(function, event, attempts, error))


def envelope(detail_type: str, source: str, detail: Json, resources: Sequence[str]) -> Json:
    """Return an event of this moment, in whole seconds.

    https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": list(resources),
        "detail": detail,
    }


def arn_of(instance_id: str) -> str:
    """Return an instance's ARN."""
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance_id}"


@dataclass(frozen=True)
class Seen:
    """What of an instance makes events."""

    state: str
    tags: Mapping[str, str]


def look(ec2: EC2Client) -> dict[str, Seen]:
    """Return every instance as it is now."""
    return {
        instance["InstanceId"]: Seen(
            instance["State"]["Name"], {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
        )
        for page in ec2.get_paginator("describe_instances").paginate()
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    }


def changes(before: Mapping[str, Seen], after: Mapping[str, Seen]) -> list[Json]:
    """Return the events of what changed; a new instance's event has its state, and it came with its tags."""
    events = []
    for id_, now in after.items():
        then = before.get(id_)
        if then is None or then.state != now.state:
            detail: Json = {"instance-id": id_, "state": now.state}
            kind = "EC2 Instance State-change Notification"
            events.append(envelope(kind, "aws.ec2", detail, [arn_of(id_)]))
        if then is not None and then.tags != now.tags:
            changed = sorted({key for key, _ in {*then.tags.items()} ^ {*now.tags.items()}})
            detail = {
                "changed-tag-keys": changed,
                "service": "ec2",
                "resource-type": "instance",
                "version": 1,
                "tags": {**now.tags},
            }
            events.append(envelope("Tag Change on Resource", "aws.tag", detail, [arn_of(id_)]))
    return events


def rules_of(functions_url: str) -> tuple[Rule, ...]:
    """Ask the functions' process, which alone knows the app, for the app's rules."""
    with OPENER.open(f"{functions_url}/rules", timeout=60) as answer:
        return tuple(
            Rule(one["function"], one.get("pattern"), minutes(one.get("schedule")))
            for one in json.loads(answer.read())
        )


def minutes(schedule: str | None) -> int | None:
    """Return how many minutes there are between the times of a `rate(…)`; None without one.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
    """
    if schedule is None:
        return None
    number, _, unit = schedule.removeprefix("rate(").removesuffix(")").partition(" ")
    return int(number) * UNITS[unit]


def invoker(functions_url: str) -> Callable[[str, Json], str | None]:
    """Return what invokes a function over Lambda's API, and waits for it."""

    def invoke(function: str, event: Json) -> str | None:
        url = f"{functions_url}/2015-03-31/functions/{function}/invocations"
        asked = Request(url, json.dumps(event).encode(), method="POST")  # noqa: S310 - http to loopback
        try:
            with OPENER.open(asked, timeout=900) as answer:
                said = answer.read().decode()
                return said if answer.headers.get("X-Amz-Function-Error") else None
        except OSError as error:
            return str(error)

    return invoke


@contextmanager
def emitting(
    bridge: EventBridge, ec2: EC2Client, minute: float, changed: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Emit events while the block lasts; `minute` is how many seconds a minute of the schedules takes.

    EC2 is looked at when something `changed` at AWS, and every `SELDOM` seconds besides.
    """
    from lab.fidelity.autoscaling import on_lifecycle_action

    stop = threading.Event()
    # A function may be at work for minutes: who waits for it ends with its process, which the lab ends later.
    threads = [
        threading.Thread(target=bridge.work, args=(function, stop), name=f"events to {function}", daemon=True)
        for function in bridge.queues
    ]
    beginning = look(ec2)
    tick = partial(_tick, bridge, ec2, beginning, minute, changed=changed, stop=stop)
    threads.append(threading.Thread(target=tick, name="events"))
    on_lifecycle_action.append(bridge.put)
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=None if thread is threads[-1] else PAUSE)
        on_lifecycle_action.remove(bridge.put)


def _tick(
    bridge: EventBridge,
    ec2: EC2Client,
    seen: dict[str, Seen],
    minute: float,
    *,
    changed: Callable[[], bool],
    stop: threading.Event,
) -> None:
    """See what changed, complete what is overdue, and fire what is due."""
    from lab.fidelity.autoscaling import complete_overdue

    began = looked = time.monotonic()
    fired = {id(rule): 0 for rule in bridge.rules}
    while not stop.wait(PAUSE):
        complete_overdue()
        if changed() or time.monotonic() - looked >= SELDOM:
            looked = time.monotonic()
            before, seen = seen, look(ec2)
            for event in changes(before, seen):
                bridge.put(event)
            bridge.looks += 1
        for rule in bridge.rules:
            times = int((time.monotonic() - began) / (rule.minutes * minute)) if rule.minutes else 0
            if times > fired[id(rule)]:
                fired[id(rule)] = times
                bridge.fire(rule)
