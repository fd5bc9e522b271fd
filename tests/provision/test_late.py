"""What AWS sees late: 202 where that takes longer than an answer, and the background ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chalicelib.model import errors
from tests.provision.test_crash import a_plain_listener, everything_else, nothing_there
from tests.provision.test_network_crash import everything_else as everything_of_a_network_one
from tests.provision.test_network_crash import nothing_there as no_network_there
from tests.world.kinds import CLASSIC, NETWORK, Kind, article, each_kind, tags
from tests.world.network import network_snapshot
from tests.world.provisioning import WATCHED, Account, account, granted

SAME_ZONE = {
    CLASSIC: "InvalidConfigurationRequest: ELB cannot be attached to multiple subnets in the same AZ.",
    NETWORK: "InvalidConfigurationRequest: A load balancer cannot be attached to multiple subnets in the same"
    " Availability Zone",
}
NO_BUCKET = "InvalidConfigurationRequest: Access Denied for bucket: logs. Please check S3bucket permission"
IN_USE = "InvalidConfigurationRequest: You cannot delete policy [p] since it is enabled or referred by others"
LAG = 25
"""Seconds: a tag was seen late for so long (https://github.com/kubernetes/kops/pull/12680)."""
ON_A_TAG = [
    (CLASSIC, "AuthorizeSecurityGroupIngress"),
    (CLASSIC, "CreateLoadBalancerPolicy"),
    (CLASSIC, "ConfigureHealthCheck"),
    (CLASSIC, "RegisterInstancesWithLoadBalancer"),
    (CLASSIC, "RemoveTags"),
    (NETWORK, "AuthorizeSecurityGroupIngress"),
    (NETWORK, "ModifyTargetGroupAttributes"),
    (NETWORK, "RegisterTargets"),
    (NETWORK, "CreateListener"),
    (NETWORK, "ModifyListenerAttributes"),
    (NETWORK, "RemoveTags"),
]
CREATES = {CLASSIC: nothing_there, NETWORK: no_network_there}
CHANGES = {CLASSIC: everything_else, NETWORK: everything_of_a_network_one}


def refusing(here: Account, refusal: str, *operations: str, seconds: float = 10**9) -> None:
    """Refuse the operations for so many seconds from the first of their calls."""
    began: list[float] = []

    def refuse(operation: str, _: Mapping[str, str]) -> str | None:
        if operation not in operations:
            return None
        began.append(here.passed.total_seconds())
        return refusal if began[-1] - began[0] < seconds else None

    WATCHED.refuse = refuse


def end_of(prepare: Callable[[Account], dict[str, Any]]) -> dict[str, Any]:
    """How it ends in good weather."""
    with account() as other:
        other.put(prepare(other))
        return network_snapshot(other)


@pytest.mark.parametrize(("kind", "operation"), ON_A_TAG)
def test_a_tag_that_iam_sees_late_is_waited_for_by_the_answer_and_then_by_the_background(
    kind: Kind, operation: str
) -> None:
    undisturbed = end_of(CREATES[kind])
    with account() as here:
        body = CREATES[kind](here)
        refusing(here, "AccessDenied", operation, seconds=LAG)
        report = here.put(body)
        assert report.state == "pending"
        ended = here.carry_on(report, body)
        assert ended is not None
        assert ended.state == "ready"
        assert network_snapshot(here) == undisturbed


@pytest.mark.parametrize(
    ("kind", "operation"), [(CLASSIC, "ConfigureHealthCheck"), (NETWORK, "ModifyTargetGroupAttributes")]
)
def test_what_the_role_may_never_do_is_an_error_in_the_background(
    here: Account, kind: Kind, operation: str
) -> None:
    body = CREATES[kind](here)
    refusing(here, "AccessDenied", operation)
    report = here.put(body)
    with pytest.raises(errors.Denied):
        here.carry_on(report, body)
    assert here.passed.total_seconds() < 600, "nobody waits for long for a permission that is missing"


@each_kind
@pytest.mark.parametrize("operation", ["CreateLoadBalancer", "UploadServerCertificate", "CreateSecret"])
def test_a_denial_that_hangs_on_no_tag_is_said_at_once(here: Account, kind: Kind, operation: str) -> None:
    body = {**CREATES[kind](here), "certificate": {"issuer": "private-ca"}, "hostname": "mqtt.example.com"}
    refusing(here, "AccessDenied", operation)
    with pytest.raises(errors.Denied):
        here.put(body)
    assert here.passed.total_seconds() == 0


@pytest.mark.parametrize(
    ("kind", "operation"), [(CLASSIC, "AttachLoadBalancerToSubnets"), (NETWORK, "SetSubnets")]
)
def test_a_zone_whose_old_subnet_is_seen_for_a_while_gets_its_new_one_in_the_background(
    kind: Kind, operation: str
) -> None:
    undisturbed = end_of(CHANGES[kind])
    with account() as here:
        body = CHANGES[kind](here)
        refusing(here, SAME_ZONE[kind], operation, seconds=LAG)
        report = here.put(body)
        assert report.state == "pending"
        assert "emq-elb:pending" in tags(here)
        assert here.carry_on(report, body)
        assert network_snapshot(here) == undisturbed


@pytest.mark.parametrize(
    ("prepare", "operation"),
    [
        (everything_else, "AttachLoadBalancerToSubnets"),
        (a_plain_listener, "CreateLoadBalancerListeners"),
        (everything_of_a_network_one, "SetSubnets"),
    ],
)
def test_what_is_half_exchanged_when_aws_refuses_says_so_and_the_next_request_ends_it(
    here: Account, prepare: Callable[[Account], dict[str, Any]], operation: str
) -> None:
    body = prepare(here)
    # The first of these calls adds something; the one after it comes after something was taken away.
    calls: list[str] = []

    def refuse(asked: str, _: Mapping[str, str]) -> str | None:
        if asked != operation:
            return None
        calls.append(asked)
        return NO_BUCKET if len(calls) > 1 else None

    WATCHED.refuse = refuse
    with pytest.raises(errors.Refused):
        here.put(body)
    assert len(calls) == 2
    assert "emq-elb:pending" in tags(here)
    assert here.get()["state"] == "pending"
    WATCHED.refuse = granted
    assert here.put(body).state == "ready"
    assert "emq-elb:pending" not in tags(here)
    here.put(body)
    assert here.calls.writes == []


@pytest.mark.parametrize(
    ("kind", "writes"),
    [(CLASSIC, ["ModifyLoadBalancerAttributes"]), (NETWORK, ["ModifyListenerAttributes"])],
)
def test_a_change_that_takes_nothing_away_needs_no_pending_tag(
    here: Account, kind: Kind, writes: list[str]
) -> None:
    body = article(here, kind)
    here.put(body)
    here.put({**body, "keepalive": 100})
    assert here.calls.writes == writes


def test_a_policy_that_aws_holds_on_to_is_left_behind_and_everything_else_is_done() -> None:
    undisturbed = end_of(everything_else)
    with account() as here:
        body = everything_else(here)
        refusing(here, IN_USE, "DeleteLoadBalancerPolicy")
        report = here.put(body)
        assert report.state == "ready"
        assert "left-behind" in {warning.code for warning in report.warnings}
        assert network_snapshot(here) != undisturbed
        WATCHED.refuse = granted
        here.put(body)
        assert {*here.calls.writes} == {"DeleteLoadBalancerPolicy"}
        assert network_snapshot(here) == undisturbed
