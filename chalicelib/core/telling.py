"""How an action is told in answers and logs."""

from __future__ import annotations

from dataclasses import fields

from chalicelib.core.actions import Action
from chalicelib.core.model import (
    AccessLogs,
    CustomPolicy,
    HealthCheck,
    Listener,
    LoadBalancer,
    PredefinedPolicy,
)
from chalicelib.core.step import Step
from chalicelib.core.vpcs import Rule


def step(action: Action) -> Step:
    """Return the action with its fields as JSON values, without those left alone."""
    told = {
        field.name: _plain(value)
        for field in fields(action)
        if field.name != "reason" and (value := getattr(action, field.name)) is not None
    }
    return Step(action=type(action).__name__, reason=action.reason, fields=told)


def _plain(value: object) -> object:
    match value:
        case LoadBalancer():
            return {
                "scheme": value.scheme,
                "subnets": sorted(value.subnets),
                "security_groups": sorted(value.security_groups),
                "listeners": [_plain(listener) for listener in value.listeners],
                "tags": dict(sorted(value.tags.items())),
            }
        case Listener():
            told = dict(
                zip(("port", "protocol", "instance_port", "instance_protocol"), value.wiring, strict=True)
            )
            return told | ({"certificate": value.certificate} if value.certificate else {})
        case PredefinedPolicy():
            return value.name
        case CustomPolicy():
            return {
                "protocols": sorted(value.protocols),
                "ciphers": sorted(value.ciphers),
                "server_defined_order": value.server_defined_order,
            }
        case HealthCheck() | AccessLogs() | Rule():
            return {field.name: getattr(value, field.name) for field in fields(value)}
        case tuple():
            return [_plain(item) for item in value]
        case str() | int():
            return value
        case _:
            return type(value).__name__
