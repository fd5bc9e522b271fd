"""The policies that docs/security.md offers, evaluated, and the tests that its table names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.model import names
from lab.fidelity.authorization_policy import Policy, Question, decide
from tests.deploy.policies import actions, allowing, policy, policy_files

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ALLOW_ALL = {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}
SCP, POLICY = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
OUR_TAGS = sorted(value for name, value in vars(names).items() if name.endswith("_TAG"))
US = "arn:aws:iam::123456789012:role/emq-elb-prod-api_handler"
THEM = "arn:aws:iam::123456789012:role/emq-elb-production"

WRITES = [
    "autoscaling:CreateOrUpdateTags",
    "ec2:CreateTags",
    "ec2:DeleteTags",
    "ec2:RunInstances",
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:RemoveTags",
    "iam:TagServerCertificate",
    "secretsmanager:TagResource",
]


def allowed(policy: Policy, action: str, who: str, *keys: str) -> bool:
    """Whether somebody who may do everything else may do this."""
    whole: dict[str, Any] = {"Statement": [ALLOW_ALL, *policy["Statement"]]}
    context = {"aws:principalarn": (who,), **({"aws:tagkeys": keys} if keys else {})}
    return decide(whole, Question(action, "*", context)).allowed


@pytest.mark.parametrize("action", WRITES)
@pytest.mark.parametrize("tag", OUR_TAGS)
def test_both_policies_keep_every_tag_of_ours_from_others(action: str, tag: str) -> None:
    for offered in (SCP, POLICY):
        assert not allowed(offered, action, THEM, tag)
        assert not allowed(offered, action, THEM, "Name", tag.upper())
        assert allowed(offered, action, THEM, "Name")
    assert allowed(SCP, action, US, tag)


def test_nobody_takes_our_tags_off_with_all_others() -> None:
    for offered in (SCP, POLICY):
        assert not allowed(offered, "ec2:DeleteTags", THEM)
        assert allowed(offered, "ec2:CreateTags", THEM)
    assert allowed(SCP, "ec2:DeleteTags", US)


def test_both_policies_name_the_same_actions_and_tags() -> None:
    first, second = (policy["Statement"][0] for policy in (SCP, POLICY))
    assert first["Action"] == second["Action"]
    quantified = "ForAnyValue:StringEqualsIgnoreCase"
    assert first["Condition"][quantified] == second["Condition"][quantified]
    assert first["Condition"][quantified]["aws:TagKeys"] == OUR_TAGS


def test_the_page_names_whatever_is_granted_on_everything() -> None:
    first_row = next(line for line in PAGE.splitlines() if line.startswith("| `*` | every `Describe"))
    described = {"elasticloadbalancing": "ELB", "ec2": "EC2", "autoscaling": "Auto Scaling"}
    for file in policy_files().values():
        for statement in allowing(policy(file)):
            for action in actions(statement) if statement["Resource"] == "*" else ():
                service, _, operation = action.partition(":")
                if operation.startswith("Describe"):
                    assert described[service] in first_row, action
                else:
                    assert f"`{action}`" in PAGE, action


def test_the_tests_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`(tests/[a-z0-9_/]+\.py)`", PAGE))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
