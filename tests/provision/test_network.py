"""Network load balancers: made, converged, adopted and deleted like classic ones, by the other API."""

from __future__ import annotations

import json

import pytest

from chalicelib.api.views import report_json
from lab.fidelity.knobs import KNOBS
from tests.world.by_hand import undone_exactly
from tests.world.network import NETWORK_DRIFTS, full_network_body, network_body
from tests.world.provisioning import Account

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
