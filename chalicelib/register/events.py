"""The events that wake us, one parser per kind; whatever cannot be read is a value too, with the reason.

An event is a hint: it says where to look, and when. Its time is a whole second. A state, action, transition
or destination that is not in our lists is None, and the rest of the hint counts as ever. Samples of every
kind are in `events/`. The envelope:
https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from chalicelib.model.load_balancer import InstanceState
from chalicelib.model.moments import moment_of
from chalicelib.model.names import CLUSTER_TAG
from chalicelib.model.syntax import matches

T = TypeVar("T", bound=str)

Transition = Literal["launching", "terminating"]
Destination = Literal["EC2", "AutoScalingGroup", "WarmPool"]
InterruptionAction = Literal["hibernate", "stop", "terminate"]

_STATES = frozenset[InstanceState](
    {"pending", "running", "shutting-down", "terminated", "stopping", "stopped"}
)
_ACTIONS = frozenset[InterruptionAction]({"hibernate", "stop", "terminate"})
_LONGEST = 1_000
"""Characters. The longest text that we read is the name of an Auto Scaling group, 255."""
# Half of a character, which JSON can have and nothing can send on.
_SURROGATE = re.compile("[\ud800-\udfff]")
# Longer than AWS's of today: an id that grows once more is a hint like any other.
_INSTANCE = r"^i-[0-9a-f]{8,64}$"
_PLACES = frozenset[Destination]({"EC2", "AutoScalingGroup", "WarmPool"})
_TRANSITIONS: Mapping[str, Transition] = {
    "autoscaling:EC2_INSTANCE_LAUNCHING": "launching",
    "autoscaling:EC2_INSTANCE_TERMINATING": "terminating",
}


@dataclass(frozen=True, kw_only=True)
class _About:
    """What every event says: its id, when it happened, and which instance it is about."""

    id: str
    at: datetime
    instance: str


@dataclass(frozen=True, kw_only=True)
class StateChange(_About):
    """The instance is in another state."""

    state: InstanceState | None


@dataclass(frozen=True, kw_only=True)
class SpotInterruption(_About):
    """The instance will be taken back in two minutes; at once, when it is hibernated."""

    action: InterruptionAction | None


@dataclass(frozen=True, kw_only=True)
class RebalanceRecommendation(_About):
    """The instance is more likely than others to be interrupted soon."""


@dataclass(frozen=True, kw_only=True)
class LifecycleAction(_About):
    """An Auto Scaling group holds the instance until the hook's action is completed.

    `destination` is None also where the event does not say it.
    """

    transition: Transition | None
    hook: str
    group: str
    token: str
    destination: Destination | None


@dataclass(frozen=True, kw_only=True)
class TagChange(_About):
    """Tags of the instance were set or taken off; `cluster` is what `emq-elb:cluster` is now."""

    changed: frozenset[str]
    cluster: str | None


Event = StateChange | SpotInterruption | RebalanceRecommendation | LifecycleAction | TagChange


@dataclass(frozen=True)
class Unreadable:
    """An event that cannot be read, and why: it is logged and dropped, since another try cannot help."""

    id: str
    reason: str


class _UnreadableError(Exception):
    pass


def read_event(event: Mapping[str, Any]) -> Event | Unreadable:
    """Read an EventBridge event, envelope and all.

    Kinds: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html and the
    pages that each parser names.
    """
    try:
        return _parsed(event)
    except _UnreadableError as unreadable:
        return Unreadable(str(event.get("id", "")), str(unreadable))


def _parsed(event: Mapping[str, Any]) -> Event:
    kind = (str(event.get("source")), str(event.get("detail-type")))
    if kind not in _PARSERS:
        raise _UnreadableError(f"nobody here reads {_short(kind[1])} of {_short(kind[0])}")
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise _UnreadableError("its detail is not an object")
    return _PARSERS[kind](event, detail)


def _state_change(event: Mapping[str, Any], detail: Mapping[str, Any]) -> StateChange:
    state = _known(_STATES, detail, "state")
    return StateChange(**_about(event, _text(detail, "instance-id")), state=state)


def _spot_interruption(event: Mapping[str, Any], detail: Mapping[str, Any]) -> SpotInterruption:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html"""
    action = _known(_ACTIONS, detail, "instance-action")
    return SpotInterruption(**_about(event, _text(detail, "instance-id")), action=action)


def _rebalance(event: Mapping[str, Any], detail: Mapping[str, Any]) -> RebalanceRecommendation:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html"""
    return RebalanceRecommendation(**_about(event, _text(detail, "instance-id")))


def _lifecycle_action(event: Mapping[str, Any], detail: Mapping[str, Any]) -> LifecycleAction:
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html"""
    return LifecycleAction(
        **_about(event, _text(detail, "EC2InstanceId")),
        transition=_TRANSITIONS.get(_text(detail, "LifecycleTransition")),
        hook=_text(detail, "LifecycleHookName"),
        group=_text(detail, "AutoScalingGroupName"),
        token=_text(detail, "LifecycleActionToken"),
        destination=_known(_PLACES, detail, "Destination") if "Destination" in detail else None,
    )


def _tag_change(event: Mapping[str, Any], detail: Mapping[str, Any]) -> TagChange:
    """https://docs.aws.amazon.com/tag-editor/latest/userguide/monitor-tag-changes.html"""
    resources, tags, changed = event.get("resources"), detail.get("tags"), detail.get("changed-tag-keys")
    arn = resources[0] if isinstance(resources, list) and len(resources) == 1 else None
    kind, _, instance = str(arn).rpartition(":")[2].partition("/")
    if kind != "instance" or not instance:
        raise _UnreadableError("its resource is not one instance")
    if not isinstance(tags, Mapping) or not isinstance(changed, list):
        raise _UnreadableError("it has no tags or changed-tag-keys")
    cluster = tags.get(CLUSTER_TAG)
    return TagChange(
        **_about(event, instance),
        changed=frozenset(map(str, changed)),
        cluster=None if cluster is None else str(cluster),
    )


_PARSERS: Mapping[tuple[str, str], Callable[[Mapping[str, Any], Mapping[str, Any]], Event]] = {
    ("aws.ec2", "EC2 Instance State-change Notification"): _state_change,
    ("aws.ec2", "EC2 Spot Instance Interruption Warning"): _spot_interruption,
    ("aws.ec2", "EC2 Instance Rebalance Recommendation"): _rebalance,
    ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action"): _lifecycle_action,
    ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"): _lifecycle_action,
    ("aws.tag", "Tag Change on Resource"): _tag_change,
}


def _about(event: Mapping[str, Any], instance: str) -> dict[str, Any]:
    at = moment_of(_text(event, "time"))
    if at is None:
        raise _UnreadableError(f"its time is {_short(event['time'])}, which is none with a zone")
    if not matches(_INSTANCE, instance):
        raise _UnreadableError(f"its instance is {_short(instance)}, which is no id of one")
    return {"id": _text(event, "id"), "at": at, "instance": instance}


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or _SURROGATE.search(value):
        raise _UnreadableError(f"its {key} is {_short(value)}")
    return value


def _short(value: object) -> str:
    return f"{value!r:.100}"


def _known(known: frozenset[T], said: Mapping[str, Any], key: str) -> T | None:
    value = _text(said, key)
    return next((one for one in known if one == value), None)
