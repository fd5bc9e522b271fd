"""Every sample is read as the event that it is, and nothing else is read at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.register.events import (
    LifecycleAction,
    RebalanceRecommendation,
    SpotInterruption,
    StateChange,
    TagChange,
    Unreadable,
    read_event,
)

SAMPLES = {
    path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[2] / "events").glob("*.json")
}
ABOUT: Mapping[str, Any] = {
    "instance": "i-0123456789abcdef0",
    "at": datetime(2024, 11, 22, 10, 15, 30, tzinfo=UTC),
}
HELD: Mapping[str, Any] = {**ABOUT, "group": "nodes", "token": "87654321-4321-4321-4321-210987654321"}
LAUNCH = {**HELD, "transition": "launching", "hook": "emq-elb-ready"}
TERMINATE = {**HELD, "transition": "terminating", "hook": "emq-elb-drain"}
CLUSTER = "emq-elb:cluster"

READ = {
    **{
        f"ec2-instance-{state}": (StateChange, {**ABOUT, "state": state})
        for state in ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")
    },
    "ec2-spot-interruption": (SpotInterruption, {**ABOUT, "action": "terminate"}),
    "ec2-spot-interruption-stop": (SpotInterruption, {**ABOUT, "action": "stop"}),
    "ec2-spot-interruption-hibernate": (SpotInterruption, {**ABOUT, "action": "hibernate"}),
    "ec2-rebalance-recommendation": (RebalanceRecommendation, ABOUT),
    "autoscaling-launch-lifecycle": (LifecycleAction, {**LAUNCH, "destination": "AutoScalingGroup"}),
    "autoscaling-launch-into-warm-pool": (LifecycleAction, {**LAUNCH, "destination": "WarmPool"}),
    "autoscaling-launch-from-warm-pool": (LifecycleAction, {**LAUNCH, "destination": "AutoScalingGroup"}),
    "autoscaling-terminate-lifecycle": (LifecycleAction, {**TERMINATE, "destination": "EC2"}),
    "autoscaling-terminate-into-warm-pool": (LifecycleAction, {**TERMINATE, "destination": "WarmPool"}),
    "tag-cluster-set": (TagChange, {**ABOUT, "changed": frozenset({CLUSTER}), "cluster": "demo"}),
    "tag-cluster-changed": (
        TagChange,
        {**ABOUT, "changed": frozenset({CLUSTER, "Name"}), "cluster": "other"},
    ),
    "tag-cluster-removed": (TagChange, {**ABOUT, "changed": frozenset({CLUSTER}), "cluster": None}),
}


def test_every_sample_is_in_the_table() -> None:
    ours = {
        name
        for name, event in SAMPLES.items()
        if event.get("source") in {"aws.ec2", "aws.autoscaling", "aws.tag"}
    }
    assert ours == READ.keys()


@pytest.mark.parametrize("name", READ)
def test_a_sample_is_read_as_what_it_is(name: str) -> None:
    kind, fields = READ[name]
    assert read_event(SAMPLES[name]) == kind(id=SAMPLES[name]["id"], **fields)


def without(name: str, *path: str) -> dict[str, Any]:
    """The sample without one of its parts."""
    event: dict[str, Any] = json.loads(json.dumps(SAMPLES[name]))
    place = event
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return event


def detailed(name: str, key: str, value: str) -> dict[str, Any]:
    """The sample with another value in its detail."""
    return {**SAMPLES[name], "detail": {**SAMPLES[name]["detail"], key: value}}


RUNNING, TAGGED, HOOKED = "ec2-instance-running", "tag-cluster-set", "autoscaling-launch-lifecycle"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "nobody here reads 'None' of 'None'"),
        ({**SAMPLES[RUNNING], "detail-type": "Pet Peeve"}, "nobody here reads 'Pet Peeve' of 'aws.ec2'"),
        ({**SAMPLES[RUNNING], "source": "aws.ecs"}, "nobody here reads"),
        (SAMPLES["schedule-tick"], "nobody here reads 'Scheduled Event' of 'aws.events'"),
        ({**SAMPLES[RUNNING], "detail": "gone"}, "its detail is not an object"),
        ({**SAMPLES[RUNNING], "time": "yesterday"}, "its time is 'yesterday'"),
        ({**SAMPLES[RUNNING], "time": "2024-11-22T10:15:30"}, "none with a zone"),
        (without(RUNNING, "time"), "its time is None"),
        (without(RUNNING, "id"), "its id is None"),
        (without(RUNNING, "detail", "instance-id"), "its instance-id is None"),
        (without("ec2-spot-interruption", "detail", "instance-action"), "its instance-action is None"),
        (without(HOOKED, "detail", "EC2InstanceId"), "its EC2InstanceId is None"),
        (without(HOOKED, "detail", "LifecycleHookName"), "its LifecycleHookName is None"),
        (without(HOOKED, "detail", "LifecycleTransition"), "its LifecycleTransition is None"),
        (detailed(RUNNING, "instance-id", "i-*"), "its instance is 'i-*', which is no id of one"),
        (detailed(HOOKED, "EC2InstanceId", "i-0123456789abcdef0\n"), "which is no id of one"),
        (detailed(HOOKED, "LifecycleHookName", "\ud800"), "its LifecycleHookName is '\\ud800'"),
        (detailed(HOOKED, "AutoScalingGroupName", "g" * 200_000), "its AutoScalingGroupName is 'ggg"),
        ({**SAMPLES[RUNNING], "time": "9" * 200_000}, "its time is '999"),
        (without(TAGGED, "resources"), "its resource is not one instance"),
        ({**SAMPLES[TAGGED], "resources": ["arn:aws:ec2:eu-central-1:1:volume/v"]}, "not one instance"),
        (without(TAGGED, "detail", "tags"), "it has no tags"),
    ],
)
def test_what_cannot_be_read_says_why(event: dict[str, Any], reason: str) -> None:
    read = read_event(event)
    assert isinstance(read, Unreadable)
    assert reason in read.reason
    assert len(read.reason) < 300
    assert read.id == event.get("id", "")


@pytest.mark.parametrize(
    ("name", "key", "field"),
    [
        (RUNNING, "state", "state"),
        ("ec2-spot-interruption", "instance-action", "action"),
        (HOOKED, "LifecycleTransition", "transition"),
        (HOOKED, "Destination", "destination"),
    ],
)
def test_a_value_that_is_new_takes_nothing_from_the_rest_of_the_hint(name: str, key: str, field: str) -> None:
    kind, fields = READ[name]
    event = {**SAMPLES[name], "detail": {**SAMPLES[name]["detail"], key: "dreaming"}}
    assert read_event(event) == kind(id=event["id"], **{**fields, field: None})


def test_an_event_of_before_warm_pools_has_no_destination() -> None:
    read = read_event(without(HOOKED, "detail", "Destination"))
    assert isinstance(read, LifecycleAction)
    assert read.destination is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(sorted(READ)), st.data())
def test_no_event_makes_the_parsers_raise(name: str, data: st.DataObject) -> None:
    event = json.loads(json.dumps(SAMPLES[name]))
    places = [event, event["detail"]]
    place = data.draw(st.sampled_from(places))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(json_values)
    read_event(event)
