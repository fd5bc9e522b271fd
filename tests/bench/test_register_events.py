"""The clock of a replayed burst: it goes while somebody waits, and launches what is due by then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from bench.programs.register_events import Sky


@dataclass
class Launches:
    """What the bench answers: as many new ids as it is asked for."""

    asked: list[int] = field(default_factory=list)

    def write(self, line: str) -> None:
        """Take a number."""
        self.asked.append(int(line))

    def flush(self) -> None:
        """Nothing is kept back."""

    def readline(self) -> str:
        """Name new instances."""
        total = sum(self.asked)
        return json.dumps([f"i-{number}" for number in range(total - self.asked[-1], total)])


def test_each_events_instance_is_launched_when_the_event_comes() -> None:
    sky = Sky(Launches(), launches=20)
    launched = [event["detail"]["instance-id"] for event in sky.events()]
    assert launched == [f"i-{number}" for number in range(20)]
    assert sky.passed == 9


def test_a_wait_launches_what_is_due_meanwhile_and_the_events_come_late() -> None:
    launches = Launches()
    sky = Sky(launches, launches=20)
    events = sky.events()
    first = next(events)
    sky.sleep(6)
    assert len(sky.launched) == 14
    second = next(events)
    assert first["time"] == second["time"]
    assert sky.passed == 6


def test_an_instance_has_waited_from_its_launch_to_its_first_registration() -> None:
    sky = Sky(Launches(), launches=10)
    sky.sleep(6)
    sky.registered(["i-0", "i-4"])
    sky.sleep(1)
    sky.registered(["i-0"])
    assert sky.waited == {"i-0": 6, "i-4": 2}
