"""The functions `register`, `drain` and `reconcile` as Lambda calls them, with every sample of an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib import container
from chalicelib.model.errors import Throttled, Unserved
from tests.world.chalice_client import OWNER, app_client
from tests.world.provisioning import Account
from tests.world.register import Fleet, sample

ROOT = Path(__file__).parents[2]
REGISTER = [
    *(f"ec2-instance-{state}" for state in ("running", "stopping", "stopped", "shutting-down", "terminated")),
    *(f"tag-cluster-{what}" for what in ("set", "changed", "removed")),
]
DRAIN = [
    "ec2-spot-interruption",
    "ec2-spot-interruption-stop",
    "ec2-spot-interruption-hibernate",
    "ec2-rebalance-recommendation",
    "autoscaling-launch-lifecycle",
    "autoscaling-launch-into-warm-pool",
    "autoscaling-launch-from-warm-pool",
    "autoscaling-terminate-lifecycle",
    "autoscaling-terminate-into-warm-pool",
]


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with a load balancer of the deployment `emq-elb-dev`."""
    fleet = Fleet(here)
    fleet.balancer("demo", owner=OWNER)
    return fleet


@pytest.fixture
def invoke(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], object]]:
    """Invoke a function of the deployment `emq-elb-dev`, as a cold container does first."""
    monkeypatch.setenv("SETTLE_SECONDS", "0")
    assert fleet.registered() == set()
    container.last_look.clear()
    with app_client() as client:
        yield client.lambda_.invoke
    container.last_look.clear()


@pytest.mark.parametrize("name", REGISTER)
def test_any_event_about_an_instance_leads_to_a_look_at_all(
    fleet: Fleet, invoke: Callable[[str, Any], object], name: str
) -> None:
    (node,) = fleet.nodes("demo")
    invoke("register", sample(name))
    assert fleet.registered() == {node}


def test_a_warm_container_answers_a_second_event_by_the_look_it_took(
    fleet: Fleet, invoke: Callable[[str, Any], object], logged: Callable[[], list[Any]]
) -> None:
    fleet.nodes("demo")
    for name in REGISTER:
        invoke("register", sample(name))
    records = [record for record in logged() if record.get("function") == "register"]
    assert ["outcome" in record for record in records] == [False, *[True] * (len(REGISTER) - 1)]
    assert {record["outcome"] for record in records[1:]} == {"answered already"}


@pytest.mark.parametrize("name", DRAIN)
def test_an_urgent_event_about_an_instance_that_is_gone_does_nothing(
    invoke: Callable[[str, Any], object], logged: Callable[[], list[Any]], name: str
) -> None:
    invoke("drain", sample(name))
    (record,) = [one for one in logged() if one.get("function") == "drain"]
    assert record["actions"] == []


def test_an_interruption_drains(fleet: Fleet, invoke: Callable[[str, Any], object]) -> None:
    (node,) = fleet.spot("demo")
    fleet.by_hand("demo", add=[node])
    invoke("drain", fleet.raw("ec2-spot-interruption", node))
    assert fleet.registered() == set()


@pytest.mark.parametrize("function", ["register", "drain"])
def test_an_event_that_cannot_be_read_is_logged_with_its_id_and_dropped(
    fleet: Fleet, invoke: Callable[[str, Any], object], logged: Callable[[], list[Any]], function: str
) -> None:
    event = fleet.raw("ec2-instance-running", "")
    invoke(function, event)
    (line,) = logged()
    assert (line["message"], line["event"]) == ("event dropped", event["id"])
    assert "its instance-id is ''" in line["reason"]


def test_a_state_that_is_new_is_a_hint_as_any_other(
    fleet: Fleet, invoke: Callable[[str, Any], object]
) -> None:
    (node,) = fleet.nodes("demo")
    invoke("register", fleet.raw("ec2-instance-running", node, state="dreaming"))
    assert fleet.registered() == {node}


def test_a_state_change_of_an_instance_without_the_tag_is_logged_as_such(
    fleet: Fleet, invoke: Callable[[str, Any], object], logged: Callable[[], list[Any]]
) -> None:
    (stranger,) = fleet.nodes(None)
    invoke("register", fleet.raw("ec2-instance-running", stranger))
    (line,) = logged()
    assert (line["instance"], line["outcome"]) == (stranger, "not tagged")


def test_reconcile_looks_and_logs_what_was_drift(
    fleet: Fleet, invoke: Callable[[str, Any], object], logged: Callable[[], list[Any]]
) -> None:
    fleet.network("demo-network", owner=OWNER, cluster="demo")
    fleet.network("untouched", owner=OWNER)
    (node,) = fleet.nodes("demo")
    invoke("reconcile", sample("schedule-tick"))
    assert fleet.registered() == fleet.in_each("demo-network") == {node}
    (record,) = [one for one in logged() if one.get("function") == "reconcile"]
    assert record["drift"] == ["demo", "demo-network"]


def refuse(**_: Any) -> tuple[Any, Any]:
    """Answer a call, before it is sent, as AWS denies it."""
    answer = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {}}
    return SimpleNamespace(status_code=403), answer


@pytest.mark.parametrize(
    ("function", "name"), [("register", "ec2-instance-running"), ("reconcile", "schedule-tick")]
)
def test_a_failure_is_loud_so_that_lambda_tries_again(
    fleet: Fleet, invoke: Callable[[str, Any], object], function: str, name: str
) -> None:
    fleet.nodes("demo")
    events = container.clients().elb.meta.events

    operation = "before-call.elastic-load-balancing.RegisterInstancesWithLoadBalancer"
    events.register(operation, refuse)  # type: ignore[arg-type] # it may answer
    with pytest.raises(Unserved, match="demo: RegisterInstances: AccessDenied"):
        invoke(function, sample(name))
    events.unregister(operation, refuse)  # type: ignore[arg-type] # it may answer
    invoke(function, sample(name))
    assert len(fleet.registered()) == 1


def test_what_the_look_and_the_sweep_could_not_do_is_reported_together(
    fleet: Fleet, invoke: Callable[[str, Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.nodes("demo")
    events = container.clients().elb.meta.events

    def sweeping(_: object) -> None:
        raise Unserved([("old", Throttled("DeleteSecurityGroup", "Throttling", "slow"))])

    monkeypatch.setattr("chalicelib.provision.sweep.sweep_due", lambda _: True)
    monkeypatch.setattr("chalicelib.provision.sweep.sweep", sweeping)
    operation = "before-call.elastic-load-balancing.RegisterInstancesWithLoadBalancer"
    events.register(operation, refuse)  # type: ignore[arg-type] # it may answer
    with pytest.raises(Unserved, match=r"demo: RegisterInstances: AccessDenied.*old: DeleteSecurityGroup"):
        invoke("reconcile", sample("schedule-tick"))
    events.unregister(operation, refuse)  # type: ignore[arg-type] # it may answer
