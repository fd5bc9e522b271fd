"""Which of the deployed functions an event goes to, by what the template says: EventBridge, read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.lambda_.package import Function

SCHEDULED = "Scheduled Event"


def routed(event: Mapping[str, Any], functions: Mapping[str, Function]) -> tuple[Function, ...]:
    """Return the functions that have a trigger for this event: a pattern that it matches, or a schedule."""
    return tuple(
        function
        for function in functions.values()
        if any(triggered(event, trigger) for trigger in function.events)
    )


def triggered(event: Mapping[str, Any], trigger: Mapping[str, Any]) -> bool:
    """Return whether one trigger, as SAM writes it, answers the event; the API is no trigger of these."""
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
    from moto.events.models import EventPattern

    scheduled = event.get("detail-type") == SCHEDULED
    match trigger:
        case {"Type": "Schedule"}:
            return scheduled
        case {"Type": "CloudWatchEvent" | "EventBridgeRule", "Properties": {"Pattern": pattern}}:
            return not scheduled and EventPattern(None, pattern).matches_event(event)  # type: ignore[arg-type]
        case _:
            return False
