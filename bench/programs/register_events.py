"""A burst of launches, event by event, by the way that the mode names: `story`, `each` or `described`.

Time goes only when somebody waits, and the bench launches what is due by then: ten seconds of a burst take no
ten seconds. REQUEST names the load balancer, the number of launches, and where the bench answers.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EVENT = Path(__file__).parents[2] / "events" / "ec2-instance-running.json"
BURST = 10.0


@dataclass
class Sky:
    """The clock, and who was launched by then; `waited` is how long each waited to be registered."""

    connection: Any
    launches: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    passed: float = 0.0
    launched: list[str] = field(default_factory=list)
    waited: dict[str, float] = field(default_factory=dict)

    def now(self) -> datetime:
        """The time."""
        return self.began + timedelta(seconds=self.passed)

    def sleep(self, seconds: float) -> None:
        """Let time pass, and be launched what is due by then."""
        self.passed += seconds
        due = len(self.launched)
        while due < self.launches and self.due(due) <= self.passed:
            due += 1
        if due > len(self.launched):
            self.connection.write(f"{due - len(self.launched)}\n")
            self.connection.flush()
            self.launched += json.loads(self.connection.readline())

    def due(self, number: int) -> float:
        """When the instance of that number is launched: evenly, within ten seconds."""
        return number * BURST // self.launches

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield each launch's event when it is due, or later when somebody waited meanwhile."""
        sample = EVENT.read_text()
        for number in range(self.launches):
            self.sleep(max(self.due(number) - self.passed, 0))
            event = json.loads(sample.replace("i-0123456789abcdef0", self.launched[number]))
            event["time"] = f"{self.began + timedelta(seconds=self.due(number)):%Y-%m-%dT%H:%M:%SZ}"
            yield event

    def registered(self, instances: list[str]) -> None:
        """Note that they are registered now."""
        for one in instances:
            self.waited.setdefault(one, self.passed - self.due(self.launched.index(one)))


def story(name: str, sky: Sky) -> None:
    """Ours: `register.answer` for each event, in one warm function."""
    from dataclasses import replace

    from chalicelib import container
    from chalicelib.register import story as register
    from chalicelib.register.events import Unreadable, read_event
    from chalicelib.register.settle import Memory

    memory = Memory()
    for payload in sky.events():
        event = read_event(payload)
        if isinstance(event, Unreadable):
            raise SystemExit(event.reason)
        work = container.invocation(timedelta(seconds=175))
        work = replace(work, now=sky.now, sleep=sky.sleep, deadline=sky.now() + timedelta(seconds=175))
        look = register.answer_event(event, work, memory)
        if look is None:
            continue
        memory = look.memory
        if isinstance(look, register.Untagged):
            continue
        look.complain()
        for balancer, step in look.steps:
            instances = step.fields["instances"]
            if balancer == name and isinstance(instances, list):
                sky.registered(instances)


def each(name: str, sky: Sky) -> None:
    """The first function that comes to mind: whoever is launched is registered."""
    import boto3

    elb = boto3.client("elb")
    for event in sky.events():
        instance = event["detail"]["instance-id"]
        elb.register_instances_with_load_balancer(LoadBalancerName=name, Instances=[{"InstanceId": instance}])
        sky.registered([instance])


def described(name: str, sky: Sky) -> None:
    """The next one: whoever is launched is looked at, and registered when the tag says so."""
    import boto3

    elb, ec2 = boto3.client("elb"), boto3.client("ec2")
    for event in sky.events():
        instance = event["detail"]["instance-id"]
        (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        tags = {tag["Key"]: tag["Value"] for tag in reservation["Instances"][0].get("Tags", [])}
        if tags.get("emq-elb:cluster") == name:
            elb.register_instances_with_load_balancer(
                LoadBalancerName=name, Instances=[{"InstanceId": instance}]
            )
            sky.registered([instance])


WAYS: dict[str, Callable[[str, Sky], None]] = {"story": story, "each": each, "described": described}


def main() -> None:
    """Replay the burst, and report how long an instance waited at most."""
    mode, request = sys.argv[1:]
    asked = json.loads(Path(request).read_text())
    with socket.create_connection((asked["address"], asked["port"])) as connected:
        sky = Sky(connected.makefile("rw"), asked["launches"])
        WAYS[mode](asked["name"], sky)
    if len(sky.waited) != asked["launches"]:
        raise SystemExit(f"{len(sky.waited)} of {asked['launches']} are registered")
    Path(os.environ["FIGURES"]).write_text(json.dumps({"waited": max(sky.waited.values())}))


if __name__ == "__main__":
    main()
