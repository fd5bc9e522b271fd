"""What is owed to a group that holds an instance: the table of the module, line by line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.model.load_balancer import Instance, Member
from chalicelib.register.lifecycle import lifecycle_calls

SERVING = Member("i-1", "InService")
DRAINING = Member("i-1", "InService", "", "Instance deregistration currently in progress.")
WAITING = Member("i-1", "OutOfService", "ELB", "Instance registration is still in progress.")
READY = ("CompleteLifecycleAction", "emq-elb-ready")
DRAINED = ("CompleteLifecycleAction", "emq-elb-drain")
BEAT = ("RecordLifecycleActionHeartbeat", "emq-elb-drain")


@pytest.mark.parametrize(
    ("lifecycle", "member", "expected"),
    [
        (None, SERVING, ()),
        ("InService", SERVING, ()),
        ("Pending", SERVING, ()),
        ("Pending:Wait", SERVING, (READY,)),
        ("Pending:Wait", WAITING, ()),
        ("Pending:Wait", DRAINING, ()),
        ("Pending:Wait", None, ()),
        ("Terminating:Wait", DRAINING, (BEAT,)),
        ("Terminating:Wait", SERVING, ()),
        ("Terminating:Wait", WAITING, ()),
        ("Terminating:Wait", None, (DRAINED,)),
        ("Terminating:Proceed", None, ()),
        ("ReplacingRootVolume:Wait", DRAINING, (BEAT,)),
        ("ReplacingRootVolume:Wait", SERVING, ()),
        ("ReplacingRootVolume:Wait", None, (DRAINED,)),
        ("ReplacingRootVolume:Proceed", None, ()),
        ("SleepingIn:Wait", SERVING, ()),
        ("SleepingIn:Wait", None, ()),
        ("Warmed:Pending:Wait", None, (READY, DRAINED)),
        ("Warmed:Terminating:Wait", SERVING, (READY, DRAINED)),
        ("Warmed:Stopped", None, ()),
        ("Detaching:Wait", None, ()),
    ],
)
def test_what_is_owed(
    lifecycle: str | None, member: Member | None, expected: tuple[tuple[str, str], ...]
) -> None:
    assert owed(lifecycle, [member]) == expected
    assert owed(lifecycle, [member, member]) == expected


def owed(lifecycle: str | None, members: list[Member | None]) -> tuple[tuple[str, str], ...]:
    """The calls for an instance in that state, each with its hook."""
    instance = Instance(
        id="i-1",
        state="running",
        vpc="vpc-1",
        zone="eu-central-1a",
        launched=datetime(2026, 1, 1, tzinfo=UTC),
        lifecycle=lifecycle,
    )
    return tuple((type(call).__name__, call.hook) for call in lifecycle_calls(instance, members))


@pytest.mark.parametrize(
    ("lifecycle", "members", "expected"),
    [
        ("Pending:Wait", [SERVING, SERVING], (READY,)),
        ("Pending:Wait", [SERVING, WAITING], ()),
        ("Pending:Wait", [SERVING, None], ()),
        ("Pending:Wait", [], ()),
        ("Terminating:Wait", [None, None], (DRAINED,)),
        ("Terminating:Wait", [], (DRAINED,)),
        ("Terminating:Wait", [None, DRAINING], (BEAT,)),
        ("Terminating:Wait", [SERVING, DRAINING], (BEAT,)),
        ("Terminating:Wait", [None, SERVING], ()),
        ("ReplacingRootVolume:Wait", [None, DRAINING], (BEAT,)),
        ("Warmed:Pending:Wait", [], (READY, DRAINED)),
    ],
)
def test_what_is_owed_where_several_load_balancers_serve_the_cluster(
    lifecycle: str, members: list[Member | None], expected: tuple[tuple[str, str], ...]
) -> None:
    assert owed(lifecycle, members) == expected
