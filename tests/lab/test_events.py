"""The lab's EventBridge: what happens becomes events, rules route them, and functions get them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from chalicelib.rules import DRAIN_WHEN, REGISTER_WHEN
from lab import events
from lab.events import EventBridge, Rule, Seen, changes, emitting, envelope, look
from lab.lambda_.functions import Configuration, Functions, rules_of_app, server
from lab.machine.addresses import Network
from lab.machine.processes import until
from lab.machine.serving import serving
from tests.lab.load_balancing import World
from tests.world.register import sample

REGISTER = Rule("register", REGISTER_WHEN)
DRAIN = Rule("drain", DRAIN_WHEN)
RUNNING = Seen("running", {})


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("ec2-instance-running", ["register"]),
        ("ec2-instance-terminated", ["register"]),
        ("ec2-instance-pending", []),
        ("tag-cluster-changed", ["register"]),
        ("ec2-spot-interruption", ["drain"]),
        ("ec2-rebalance-recommendation", ["drain"]),
        ("autoscaling-launch-lifecycle", ["drain"]),
        ("autoscaling-terminate-into-warm-pool", ["drain"]),
        ("schedule-tick", []),
    ],
)
def test_the_apps_own_rules_let_each_sample_through_to_its_function(name: str, functions: list[str]) -> None:
    assert [rule.function for rule in (REGISTER, DRAIN) if rule.matches(sample(name))] == functions


def test_tags_of_ours_do_not_wake_us() -> None:
    event = sample("tag-cluster-changed")
    event["detail"]["changed-tag-keys"] = ["emq-elb:draining"]
    assert not REGISTER.matches(event)


def test_a_hook_of_somebody_elses_does_not_wake_us() -> None:
    event = sample("autoscaling-launch-lifecycle")
    event["detail"]["LifecycleHookName"] = "their-own"
    assert not DRAIN.matches(event)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({}, {"i-1": RUNNING}, [("instance-id", "i-1"), ("state", "running")]),
        ({"i-1": RUNNING}, {"i-1": RUNNING}, []),
        ({"i-1": RUNNING}, {"i-1": Seen("stopped", {})}, [("instance-id", "i-1"), ("state", "stopped")]),
        (
            {"i-1": Seen("running", {"a": "1", "b": "1"})},
            {"i-1": Seen("running", {"b": "2", "c": "1"})},
            [
                ("changed-tag-keys", ["a", "b", "c"]),
                ("service", "ec2"),
                ("resource-type", "instance"),
                ("version", 1),
                ("tags", {"b": "2", "c": "1"}),
            ],
        ),
    ],
)
def test_what_changed_becomes_events(before: Any, after: Any, expected: list[tuple[str, Any]]) -> None:
    assert [list(event["detail"].items()) for event in changes(before, after)] == (
        [expected] if expected else []
    )


class Deaf:
    """A function that notes what it gets, and fails the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.failures = failures

    def __call__(self, function: str, event: Any) -> str | None:
        """Take one event."""
        self.heard.append((function, event))
        return "no" if len(self.heard) <= self.failures else None


@pytest.mark.parametrize(("failures", "attempts", "error"), [(0, 1, None), (2, 3, None), (9, 3, "no")])
def test_an_event_is_tried_up_to_three_times(failures: int, attempts: int, error: str | None) -> None:
    function, stop = Deaf(failures), threading.Event()
    bridge = EventBridge([REGISTER], function)
    worker = threading.Thread(target=bridge.work, args=("register", stop))
    worker.start()
    bridge.put(sample("ec2-instance-running"))
    until(lambda: bridge.delivered, 5, "it is delivered")
    stop.set()
    worker.join()
    assert [(one.attempts, one.error) for one in bridge.delivered] == [(attempts, error)]
    assert len(function.heard) == attempts


@pytest.mark.usefixtures("aws")
def test_what_happens_in_ec2_reaches_the_function_and_schedules_fire() -> None:
    world, function = World(), Deaf()
    (before,) = world.launch()
    bridge = EventBridge([REGISTER, DRAIN, Rule("reconcile", minutes=1)], function)
    with emitting(bridge, world.ec2, minute=0.2):
        (node,) = world.launch()
        until(lambda: ("register", "running") in delivered(function, node), 20, "its start arrives")
        world.ec2.create_tags(Resources=[node], Tags=[{"Key": "emq-elb:cluster", "Value": "demo"}])
        until(lambda: ("register", "demo") in delivered(function, node), 20, "its tag arrives")
        bridge.interrupt(node)
        until(
            lambda: ("drain", "terminate") in delivered(function, node), 20, "its interruption is delivered"
        )
        world.ec2.terminate_instances(InstanceIds=[node])
        until(lambda: ("register", "terminated") in delivered(function, node), 20, "its end arrives")
        until(lambda: any(name == "reconcile" for name, _ in function.heard), 20, "the schedule fires")
    assert delivered(function, before) == [], "what was there before is no news"


def delivered(function: Deaf, instance: str) -> list[tuple[str, str]]:
    """Which function got an event about the instance, and a word of the event."""
    return [
        (name, detail.get("state") or detail.get("instance-action") or detail["tags"]["emq-elb:cluster"])
        for name, event in list(function.heard)
        if instance in json.dumps(event) and (detail := event["detail"])
    ]


def test_a_schedule_whose_last_time_is_unanswered_is_left_out() -> None:
    rule = Rule("reconcile", minutes=1)
    bridge = EventBridge([rule], Deaf())
    for _ in range(3):
        bridge.fire(rule)
    assert bridge.queues["reconcile"].qsize() == 1


@pytest.fixture
def functions(network: Network) -> Iterator[ThreadingHTTPServer]:
    """The functions' process, with a function that succeeds and one that fails."""

    def fine(_event: Any, _context: Any) -> str:
        return "done"

    def fails(_event: Any, _context: Any) -> None:
        raise ValueError("no good")

    found = Functions(Configuration("emq-elb", "dev", {}, {}), {"fine": fine, "fails": fails}.get)
    with serving(server(network.functions, 0, found), "functions") as listening:
        yield listening


def test_the_rules_come_from_the_app_itself(functions: ThreadingHTTPServer, network: Network) -> None:
    rules = events.rules_of(f"http://{network.functions}:{functions.server_port}")
    by_function = {rule.function: rule for rule in rules}
    assert by_function["emq-elb-dev-register"].pattern == REGISTER_WHEN
    assert by_function["emq-elb-dev-drain"].pattern == DRAIN_WHEN
    assert by_function["emq-elb-dev-reconcile"].minutes == 1
    assert len(rules) == len(rules_of_app(Configuration("emq-elb", "dev", {}, {})))


def test_an_invocation_answers_what_went_wrong(functions: ThreadingHTTPServer, network: Network) -> None:
    invoke = events.invoker(f"http://{network.functions}:{functions.server_port}")
    event = envelope("Scheduled Event", "aws.events", {}, [])
    assert invoke("emq-elb-dev-fine", event) is None
    assert "no good" in str(invoke("emq-elb-dev-fails", event))
    assert invoke("emq-elb-dev-nobody", event) is not None


@pytest.mark.usefixtures("aws")
def test_an_instance_is_seen_with_its_state_and_tags() -> None:
    world = World()
    (node,) = world.launch()
    world.ec2.create_tags(Resources=[node], Tags=[{"Key": "a", "Value": "1"}])
    assert look(world.ec2) == {node: Seen("running", {"a": "1"})}
