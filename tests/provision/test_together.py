"""Two requests for one load balancer at the same time."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.report import Report
from tests.world.provisioning import Account, just_before


def without_groups(here: Account) -> dict[str, Any]:
    return {key: value for key, value in here.article.items() if key != "security_groups"}


@pytest.mark.parametrize("operation", ["CreateSecurityGroup", "CreateLoadBalancer"])
def test_of_two_puts_that_create_it_at_once_one_says_that_it_did(here: Account, operation: str) -> None:
    body = without_groups(here)
    others: list[Report] = []
    just_before(operation, lambda: others.append(here.put(body)))
    report = here.put(body)
    assert [one.created for one in (*others, report)] == [True, False]
    assert (report.state, here.get()["state"]) == ("ready", "ready")
    here.put(body)
    assert here.calls.writes == []


@pytest.mark.parametrize(
    "operation",
    ["AuthorizeSecurityGroupIngress", "ConfigureHealthCheck", "RegisterInstancesWithLoadBalancer"],
)
def test_what_is_deleted_while_a_put_is_at_work_is_made_by_it_anew(here: Account, operation: str) -> None:
    body = without_groups(here)
    here.put(body)
    changed = {
        **body,
        "allow": {"mqtt": ["10.0.0.0/8"]},
        "health_check": {"target": "TCP:8883"},
        "instances": [*body["instances"], *here.launch("node-3")],
    }
    just_before(operation, lambda: here.delete(force=True))
    assert here.put(changed).state == "ready"
    here.put(changed)
    assert here.calls.writes == []


@pytest.mark.parametrize("operation", ["DeleteServerCertificate", "DeleteSecurityGroup"])
def test_what_is_made_while_a_delete_is_at_work_keeps_what_it_uses(here: Account, operation: str) -> None:
    body = {**without_groups(here), "certificate": {"issuer": "private-ca"}}
    here.put(body)
    just_before(operation, lambda: here.put(body))
    here.delete(force=True)
    assert here.get()["state"] == "ready"
    assert here.put(body).steps == ()


@pytest.mark.parametrize("operation", ["CreateLoadBalancer", "ConfigureHealthCheck"])
def test_what_a_delete_takes_from_under_a_put_is_made_anew(here: Account, operation: str) -> None:
    body = {**without_groups(here), "certificate": {"issuer": "private-ca"}}
    here.put(body)
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    just_before(operation, lambda: here.delete(force=True))
    assert here.put(body).state == "ready"
    here.put(body)
    assert here.calls.writes == []
