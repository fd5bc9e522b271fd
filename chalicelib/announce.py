"""What we changed, put on EventBridge for users' own rules: source `emq-elb`, one event a change.

Instances Registered, Instances Deregistered     {"load_balancer", "instances", "reason"}
Load Balancer Provisioned, … Deleted             {"load_balancer", "actions"}
Certificate Rotated, … Rolled Back               {"load_balancer", …}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib import telemetry
from chalicelib.aws.clients import Clients
from chalicelib.aws.eventbridge import Announcement, put_events
from chalicelib.model.errors import AwsError
from chalicelib.model.step import Step

MEMBERSHIP = {
    "RegisterInstances": "Instances Registered",
    "RegisterTargets": "Instances Registered",
    "DeregisterInstances": "Instances Deregistered",
    "DeregisterTargets": "Instances Deregistered",
}
"""The actions that change who is registered, and how each is announced."""


def announce(announcements: Sequence[Announcement], clients: Clients) -> None:
    """Put them in one call; nothing that goes wrong with it makes a story fail."""
    if not announcements:
        return
    try:
        put_events(clients.eventbridge, announcements)
    except AwsError as error:
        telemetry.unannounced(str(error))


def of_steps(steps: Iterable[tuple[str, Step]]) -> tuple[Announcement, ...]:
    """The announcements of registrations and deregistrations among the steps, each with its load balancer.

    What is done in several target groups of one is announced once.
    """
    found: list[Announcement] = []
    for load_balancer, step in steps:
        instances = step.fields.get("instances")
        if step.action in MEMBERSHIP and isinstance(instances, list):
            detail = {"load_balancer": load_balancer, "instances": instances, "reason": step.reason}
            said = Announcement(MEMBERSHIP[step.action], detail)
            if said not in found:
                found.append(said)
    return tuple(found)


def asked_for(detail_type: str, load_balancer: str, actions: Iterable[str]) -> Announcement:
    """Return the announcement of a PUT or a DELETE, with the AWS calls that it made."""
    return Announcement(detail_type, {"load_balancer": load_balancer, "actions": [*actions]})
