"""IAM's decision, row by row of AWS's pages on policies, and what it refuses to guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.fidelity.authorization_policy import Decision, Question, Values, decide, like

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/demo"


def allowing(**changed: Any) -> dict[str, Any]:
    """A policy of one statement that allows to delete any load balancer, or what it is changed to."""
    statement = {
        "Sid": "One",
        "Effect": "Allow",
        "Action": "elasticloadbalancing:DeleteLoadBalancer",
        "Resource": "arn:*:elasticloadbalancing:*:*:loadbalancer/*",
    }
    return {"Version": "2012-10-17", "Statement": [statement | changed]}


def asking(
    action: str = "elasticloadbalancing:DeleteLoadBalancer",
    resource: str = ARN,
    context: Mapping[str, Values] | None = None,
) -> Question:
    """The question that goes with it."""
    return Question(action, resource, {key.lower(): values for key, values in (context or {}).items()})


@pytest.mark.parametrize(
    ("changed", "question", "allowed"),
    [
        ({}, asking(), True),
        ({}, asking("ELASTICLOADBALANCING:deleteloadbalancer"), True),
        ({}, asking("elasticloadbalancing:DeleteLoadBalancerPolicy"), False),
        ({"Action": "elasticloadbalancing:Delete*"}, asking(), True),
        ({"Action": ["ec2:*", "elasticloadbalancing:?eleteLoadBalancer"]}, asking(), True),
        ({"Action": []}, asking(), False),
        ({"Resource": "*"}, asking(), True),
        ({}, asking(resource="*"), False),
        ({"Resource": "arn:*:elasticloadbalancing:*:*:loadbalancer/DEMO"}, asking(), False),
        ({"Resource": "arn:aws:elasticloadbalancing:*:loadbalancer/demo"}, asking(), False),
        ({"Resource": "arn:*:loadbalancer/demo"}, asking(), False),
        ({"Resource": ["arn:aws:iam::*:role/x", ARN]}, asking(), True),
    ],
)
def test_action_and_resource_both_have_to_fit(
    changed: dict[str, Any], question: Question, allowed: bool
) -> None:
    assert decide(allowing(**changed), question).allowed == allowed


@pytest.mark.parametrize(
    ("condition", "context", "allowed"),
    [
        ({"StringEquals": {"aws:ResourceTag/owner": "ours"}}, {"aws:ResourceTag/owner": ("ours",)}, True),
        ({"StringEquals": {"aws:ResourceTag/owner": "ours"}}, {"aws:resourcetag/OWNER": ("ours",)}, True),
        ({"StringEquals": {"aws:ResourceTag/owner": "ours"}}, {"aws:ResourceTag/owner": ("Ours",)}, False),
        ({"StringEquals": {"aws:ResourceTag/owner": "ours"}}, {}, False),
        ({"StringEquals": {"aws:ResourceTag/owner": ["a", "b"]}}, {"aws:ResourceTag/owner": ("b",)}, True),
        ({"StringEquals": {"aws:ResourceTag/owner": "o*"}}, {"aws:ResourceTag/owner": ("ours",)}, False),
        ({"StringLike": {"aws:ResourceTag/owner": "o*"}}, {"aws:ResourceTag/owner": ("ours",)}, True),
        ({"StringLike": {"aws:ResourceTag/owner": "*"}}, {}, False),
        ({"StringNotEquals": {"aws:ResourceTag/owner": "ours"}}, {"aws:ResourceTag/owner": ("x",)}, True),
        ({"StringNotEquals": {"aws:ResourceTag/owner": "ours"}}, {"aws:ResourceTag/owner": ("ours",)}, False),
        ({"StringNotEquals": {"aws:ResourceTag/owner": "ours"}}, {}, True),
        ({"StringEqualsIfExists": {"aws:ResourceTag/owner": "ours"}}, {}, True),
        (
            {"StringEqualsIfExists": {"aws:ResourceTag/owner": "ours"}},
            {"aws:ResourceTag/owner": ("x",)},
            False,
        ),
        ({"Null": {"aws:ResourceTag/owner": "true"}}, {}, True),
        ({"Null": {"aws:ResourceTag/owner": "true"}}, {"aws:ResourceTag/owner": ("ours",)}, False),
        ({"Null": {"aws:ResourceTag/owner": "false"}}, {}, False),
        ({"Null": {"aws:ResourceTag/owner": "false"}}, {"aws:ResourceTag/owner": ("ours",)}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ("a", "b")}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ("a", "b")}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ("a", "b")}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, False),
        ({"StringEquals": {"aws:TagKeys": "a"}}, {"aws:TagKeys": ("a", "a")}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws:SecureTransport": ("True",)}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, {"aws:SourceArn": ("arn:aws:s3:::b",)}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:*:b"}}, {"aws:SourceArn": ("arn:aws:s3:::b",)}, False),
        (
            {"StringEquals": {"aws:ResourceTag/owner": "ours"}, "Null": {"aws:TagKeys": "false"}},
            {"aws:ResourceTag/owner": ("ours",)},
            False,
        ),
    ],
)
def test_every_condition_has_to_hold(
    condition: dict[str, Any], context: dict[str, Values], allowed: bool
) -> None:
    assert decide(allowing(Condition=condition), asking(context=context)).allowed == allowed


def test_a_deny_is_stronger_than_any_allow() -> None:
    policy = allowing(Sid="Yes")
    policy["Statement"] += allowing(Sid="No", Effect="Deny")["Statement"]
    assert decide(policy, asking()) == Decision(allowed=False, statements=("No",))


def test_what_nobody_allows_is_denied_by_no_statement() -> None:
    assert decide(allowing(), asking("iam:CreateUser", "*")) == Decision(allowed=False)


def test_every_statement_that_allows_is_named() -> None:
    policy = allowing(Sid="One")
    policy["Statement"] += allowing(Sid="Two", Resource="*")["Statement"]
    assert decide(policy, asking()).statements == ("One", "Two")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, "IpAddress"),
        ({"Condition": {"ForMostValues:StringEquals": {"aws:TagKeys": "a"}}}, "ForMostValues"),
        ({"NotAction": "iam:*"}, "NotAction"),
        ({"Resource": "arn:*:elasticloadbalancing:*:*:loadbalancer/${aws:username}"}, "policy variable"),
    ],
)
def test_what_is_not_evaluated_is_refused_and_not_guessed(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decide(allowing(**changed), asking())


@given(st.text(alphabet="ab*?.[", max_size=8))
def test_nothing_but_the_two_wildcards_is_special(text: str) -> None:
    plain = text.replace("*", "x").replace("?", "y")
    assert like(text, plain)
    assert not like(plain + "z", plain)
