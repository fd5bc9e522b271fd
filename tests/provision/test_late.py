"""What AWS sees late: 202 where that takes longer than an answer, and the background ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chalicelib.model import errors
from tests.provision.test_crash import a_plain_listener, everything_else, nothing_there
from tests.world.provisioning import WATCHED, Account, account, granted

SAME_ZONE = "InvalidConfigurationRequest: ELB cannot be attached to multiple subnets in the same AZ."
NO_BUCKET = "InvalidConfigurationRequest: Access Denied for bucket: logs. Please check S3bucket permission"
IN_USE = "InvalidConfigurationRequest: You cannot delete policy [p] since it is enabled or referred by others"
LAG = 25
"""Seconds: a tag was seen late for so long (https://github.com/kubernetes/kops/pull/12680)."""
ON_A_TAG = (
    "AuthorizeSecurityGroupIngress",
    "CreateLoadBalancerPolicy",
    "ConfigureHealthCheck",
    "RegisterInstancesWithLoadBalancer",
    "RemoveTags",
)


def refusing(here: Account, refusal: str, *operations: str, seconds: float = 10**9) -> None:
    """Refuse the operations for so many seconds from the first of their calls."""
    began: list[float] = []

    def refuse(operation: str, _: Mapping[str, str]) -> str | None:
        if operation not in operations:
            return None
        began.append(here.passed.total_seconds())
        return refusal if began[-1] - began[0] < seconds else None

    WATCHED.refuse = refuse


def tags(here: Account) -> dict[str, str]:
    found = here.world.elb.describe_tags(LoadBalancerNames=["demo"])["TagDescriptions"][0]["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def end_of(prepare: Callable[[Account], dict[str, Any]]) -> dict[str, Any]:
    """How it ends in good weather."""
    with account() as other:
        other.put(prepare(other))
        return other.snapshot()


@pytest.mark.parametrize("operation", ON_A_TAG)
def test_a_tag_that_iam_sees_late_is_waited_for_by_the_answer_and_then_by_the_background(
    operation: str,
) -> None:
    undisturbed = end_of(nothing_there)
    with account() as here:
        body = nothing_there(here)
        refusing(here, "AccessDenied", operation, seconds=LAG)
        report = here.put(body)
        assert report.state == "pending"
        ended = here.carry_on(report, body)
        assert ended is not None
        assert ended.state == "ready"
        assert here.snapshot() == undisturbed


def test_what_the_role_may_never_do_is_an_error_in_the_background(here: Account) -> None:
    body = nothing_there(here)
    refusing(here, "AccessDenied", "ConfigureHealthCheck")
    report = here.put(body)
    with pytest.raises(errors.Denied):
        here.carry_on(report, body)
    assert here.passed.total_seconds() < 600, "nobody waits for long for a permission that is missing"


@pytest.mark.parametrize("operation", ["CreateLoadBalancer", "UploadServerCertificate", "CreateSecret"])
def test_a_denial_that_hangs_on_no_tag_is_said_at_once(here: Account, operation: str) -> None:
    body = nothing_there(here)
    refusing(here, "AccessDenied", operation)
    with pytest.raises(errors.Denied):
        here.put(body)
    assert here.passed.total_seconds() == 0


def test_a_zone_whose_old_subnet_is_seen_for_a_while_gets_its_new_one_in_the_background() -> None:
    undisturbed = end_of(everything_else)
    with account() as here:
        body = everything_else(here)
        refusing(here, SAME_ZONE, "AttachLoadBalancerToSubnets", seconds=LAG)
        report = here.put(body)
        assert report.state == "pending"
        assert "emq-elb:pending" in tags(here)
        assert here.carry_on(report, body)
        assert here.snapshot() == undisturbed


@pytest.mark.parametrize(
    ("prepare", "operation"),
    [(everything_else, "AttachLoadBalancerToSubnets"), (a_plain_listener, "CreateLoadBalancerListeners")],
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


def test_a_change_that_takes_nothing_away_needs_no_pending_tag(here: Account) -> None:
    body = here.article
    here.put(body)
    here.put({**body, "keepalive": 100})
    assert here.calls.writes == ["ModifyLoadBalancerAttributes"]


def test_a_policy_that_aws_holds_on_to_is_left_behind_and_everything_else_is_done() -> None:
    undisturbed = end_of(everything_else)
    with account() as here:
        body = everything_else(here)
        refusing(here, IN_USE, "DeleteLoadBalancerPolicy")
        report = here.put(body)
        assert report.state == "ready"
        assert "left-behind" in {warning.code for warning in report.warnings}
        assert here.snapshot() != undisturbed
        WATCHED.refuse = granted
        here.put(body)
        assert {*here.calls.writes} == {"DeleteLoadBalancerPolicy"}
        assert here.snapshot() == undisturbed
