"""Network load balancers: made, converged, adopted and deleted like classic ones, by the other API."""

from __future__ import annotations

import json

import pytest

from chalicelib.api.views import report_json
from chalicelib.model.errors import Conflict, NotOurs
from lab.fidelity.knobs import KNOBS
from tests.world.by_hand import undone_exactly
from tests.world.network import (
    NETWORK_DRIFTS,
    balancer,
    elbv2,
    full_network_body,
    listener,
    network_body,
    target_group,
    targets,
)
from tests.world.provisioning import Account
from tests.world.register import Fleet

FLOOR = (
    "CreateLoadBalancer",
    "CreateTargetGroup",
    "CreateTargetGroup",
    "ModifyTargetGroupAttributes",
    "ModifyTargetGroupAttributes",
    "RegisterTargets",
    "RegisterTargets",
    "CreateListener",
    "CreateListener",
    "ModifyListenerAttributes",
    "RemoveTags",
)
"""The floor that the API allows, and the `pending` tag (docs/decisions)."""


def test_the_articles_network_load_balancer_is_made_with_the_fewest_calls(here: Account) -> None:
    report = here.put(network_body(here))
    assert sorted(here.calls.writes) == sorted(FLOOR)
    assert len(here.calls.reads) <= 16
    assert report.created
    assert report.state == "ready"


def test_the_same_request_again_changes_nothing_and_reads_little(here: Account) -> None:
    body = network_body(here)
    here.put(body)
    report = here.put(body)
    assert here.calls.writes == []
    assert len(here.calls.reads) <= 16
    assert not report.changed


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize("part", ["target group", "listener"])
def test_a_part_that_carries_another_deployments_tag_stays_that_ones(
    here: Account, part: str, adopt: bool
) -> None:
    body = network_body(here)
    here.put(body)
    arn = target_group(1883) if part == "target group" else listener(8883)["ListenerArn"]
    elbv2().add_tags(ResourceArns=[arn], Tags=[{"Key": "emq-elb:owner", "Value": "another"}])
    if adopt:
        elbv2().remove_tags(ResourceArns=[balancer()["LoadBalancerArn"]], TagKeys=["emq-elb:owner"])
    with pytest.raises(NotOurs, match=f"the {part} .* of the load balancer demo belongs to the .* another"):
        here.put({**body, "keepalive": 200}, adopt=adopt)
    assert here.calls.writes == []


def test_get_shows_what_put_answered(here: Account) -> None:
    body = network_body(here)
    KNOBS.target_registration_seconds = 1000
    answered = json.loads(json.dumps(report_json(here.put(body))))["load_balancer"]
    shown = here.get()
    assert len(here.calls.made) <= 14
    assert here.calls.writes == []
    assert shown == answered
    assert here.put(shown).steps == ()


@pytest.mark.parametrize("name", NETWORK_DRIFTS)
def test_the_way_back_is_exactly_what_was_changed(here: Account, name: str) -> None:
    change, way_back = NETWORK_DRIFTS[name]
    undone_exactly(here, full_network_body(here), change, way_back)


@pytest.mark.parametrize("port", [1883, 18083])
def test_who_serves_at_one_port_only_is_taken_for_serving_by_put_register_and_delete(
    here: Account, port: int
) -> None:
    """The last one in service stays, whoever looks, and DELETE asks before it goes."""
    body = network_body(here)
    here.put(body)
    last, other = targets(1883)
    KNOBS.target_health = lambda _, id_, at: (
        None if (id_, at) == (last, port) else ("unhealthy", "Target.Timeout", "Request timed out")
    )
    here.world.ec2.delete_tags(Resources=[last], Tags=[{"Key": "emq-elb:cluster"}])
    report = here.put(body)
    assert here.calls.writes == []
    assert report.state == "ready"
    Fleet(here).reconcile()
    assert targets(1883) == targets(18083) == sorted([last, other])
    with pytest.raises(Conflict, match=f"{last} is in service"):
        here.delete()
