"""AWS does not take an instance into the target group that a listener is to forward to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.model.errors import Refused
from tests.world.network import listener, network_body, target_group, targets
from tests.world.provisioning import WATCHED, Account, granted


def forwards_to(port: int) -> str:
    """The ARN of the target group that a listener forwards to."""
    return str(listener(port)["DefaultActions"][0]["TargetGroupArn"])


def keep_out(instance: str) -> None:
    """Let AWS refuse to register this instance."""

    def refuse(operation: str, parameters: Mapping[str, str]) -> str | None:
        named = operation == "RegisterTargets" and instance in parameters.values()
        return f"InvalidTarget: The following targets are not supported: '{instance}'" if named else None

    WATCHED.refuse = refuse


def elsewhere(body: dict[str, Any]) -> dict[str, Any]:
    """The same with another port of the instances behind 8883."""
    moved = {"protocol": "TLS", "port": 8883, "instance_protocol": "TCP", "instance_port": 1884}
    return {**body, "listeners": [moved]}


def test_a_listener_stays_where_it_is_when_a_member_is_not_taken_where_it_is_to_go(here: Account) -> None:
    body = network_body(here)
    here.put(body)
    before = forwards_to(8883)
    (first, _) = targets(1883)
    keep_out(first)
    with pytest.raises(Refused, match=f"port 8883 stays as it is: AWS does not register {first}"):
        here.put(elsewhere(body))
    assert forwards_to(8883) == before
    assert here.passed.total_seconds() == 0, "nobody waits for what does not change"
    WATCHED.refuse = granted
    here.put(elsewhere(body))
    assert forwards_to(8883) == target_group(1884)
    assert here.put(elsewhere(body)).steps == ()


def test_one_that_never_served_keeps_no_listener_where_it_is(here: Account) -> None:
    body = network_body(here)
    here.put(body)
    (new,) = here.launch("node-3")
    keep_out(new)
    report = here.put({**elsewhere(body), "instances": [new]})
    assert forwards_to(8883) == target_group(1884)
    assert [one.code for one in report.warnings if new in one.message] == ["instance-refused"]
