"""Corrections to moto's EventBridge: a rule that has only a schedule waits for no event."""

from __future__ import annotations

from typing import Any

from moto.events.models import Rule

_send_to_targets = Rule.send_to_targets


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for name, correction in {"send_to_targets": _only_what_it_waits_for}.items():
        setattr(Rule, name, correction)


def _only_what_it_waits_for(rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    """moto takes no pattern for one that every event matches.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
    """
    if rule.event_pattern.get_pattern():
        _send_to_targets(rule, original_event, transform_input)
