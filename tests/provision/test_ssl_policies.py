"""SSL policies that AWS has and our lists have not: taken, shown, sent back, and refused by AWS alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.api.problems import problem
from chalicelib.model.errors import InvalidRequest, Refused
from lab.fidelity import elb_ssl, elbv2_ssl
from tests.world.by_hand import REFERENCE, negotiating
from tests.world.network import elbv2, listener, network_body
from tests.world.provisioning import Account

KINDS = ["classic", "network"]
NEWER = "ELBSecurityPolicy-TLS13-1-2-Res-2031-02"
WEAK = "ELBSecurityPolicy-TLS13-1-0-2031-02"
NAMELESS = "ELBSecurityPolicy-Quantum-2031-02"
OLD = "ELBSecurityPolicy-Partner-2018-01"
Adds = Callable[[str], None]


@pytest.fixture
def aws_has(monkeypatch: pytest.MonkeyPatch) -> Adds:
    """Let AWS have one more policy, for either kind."""

    def add(name: str) -> None:
        monkeypatch.setitem(elb_ssl.PREDEFINED, name, frozenset(["Protocol-TLSv1.2", *elb_ssl.TLS12]))
        networks = {**elbv2_ssl.POLICIES, name: (("TLSv1.2",), tuple(elb_ssl.TLS12))}
        monkeypatch.setattr(elbv2_ssl, "POLICIES", networks)

    return add


def asked(here: Account, kind: str, policy: str) -> dict[str, Any]:
    """A body of PUT with that policy."""
    body = network_body(here) if kind == "network" else here.article
    return {**body, "ssl_policy": policy}


def codes(report: Any) -> set[str]:
    return {one.code for one in report.warnings} & {"unknown-policy", "obsolete-tls"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("policy", "warned"),
    [
        (NEWER, {"unknown-policy"}),
        (NAMELESS, {"unknown-policy"}),
        (WEAK, {"unknown-policy", "obsolete-tls"}),
    ],
)
def test_one_that_aws_has_added_since_is_taken_with_a_warning(
    here: Account, aws_has: Adds, kind: str, policy: str, warned: set[str]
) -> None:
    aws_has(policy)
    body = asked(here, kind, policy)
    assert codes(here.put(body, dry_run=True)) == warned
    report = here.put(body)
    assert (report.state, codes(report)) == ("ready", warned)
    shown = here.get()
    assert shown["ssl_policy"] == policy
    assert here.put(shown).steps == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exists", [False, True], ids=["created", "converged"])
def test_one_that_aws_has_not_is_refused_on_its_field_with_those_that_may_be_meant(
    here: Account, kind: str, exists: bool
) -> None:
    body = asked(here, kind, NEWER)
    if exists:
        here.put({key: value for key, value in body.items() if key != "ssl_policy"})
    with pytest.raises(Refused) as caught:
        here.put(body)
    answer = problem(caught.value)
    assert (answer.status, answer.body["type"]) == (400, "/problems/refused")
    assert isinstance(answer.body["errors"], list)
    (fault,) = answer.body["errors"]
    assert fault["field"] == "ssl_policy"
    near = "TLS13-1-2-Res-2021-06" if kind == "network" else "TLS-1-2-2017-01"
    assert near in fault["message"]
    right = {**body, "ssl_policy": f"ELBSecurityPolicy-{near}"}
    assert here.put(right).state == "ready"
    here.put(right)
    assert here.calls.writes == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelled_one_is_a_fault_before_anything_is_made(here: Account, kind: str) -> None:
    near = "TLS13-1-2-Res-2021-06" if kind == "network" else "TLS-1-2-2017-01"
    body = asked(here, kind, "")
    for wrong in (f"ELBSecurityPolicy-{near}".replace("-1-2", "-12"), near, f"ELBSecurityPolicy_{near}"):
        with pytest.raises(InvalidRequest) as caught:
            here.put({**body, "ssl_policy": wrong})
        (fault,) = caught.value.faults
        assert (fault.field, near in fault.message) == ("ssl_policy", True), fault
        assert here.calls.writes == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_a_listener_has_by_hand_is_sent_back_whatever_its_name(
    here: Account, aws_has: Adds, kind: str
) -> None:
    aws_has(OLD)
    body = {key: value for key, value in asked(here, kind, "").items() if key != "ssl_policy"}
    here.put(body)
    if kind == "network":
        elbv2().modify_listener(ListenerArn=listener(8883)["ListenerArn"], SslPolicy=OLD)
    else:
        negotiating(here, "partner", {REFERENCE: OLD}, 8883)
    shown = here.get()
    assert shown["ssl_policy"] == OLD
    here.put(shown)
    assert here.get()["ssl_policy"] == OLD
    assert here.put(shown).steps == ()
    here.put(body)
    with pytest.raises(InvalidRequest, match="AWS has no"):
        here.put(shown)
