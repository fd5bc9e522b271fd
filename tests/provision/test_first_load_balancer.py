"""The first load balancer of an account: until ELB has its role, it calls EC2 with the caller's rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest

from chalicelib.model.errors import Denied
from lab.fidelity.authorization import Role, enforce, release
from lab.fidelity.knobs import KNOBS
from tests.deploy.policies import policy, policy_files
from tests.enforced import OWNER, STAGE
from tests.lab.load_balancing import TCP, World, refusal
from tests.world.provisioning import CALLER, Account, account, issued, pem

ROLE = "AWSServiceRoleForElasticLoadBalancing"
MAKERS = ("api_handler", "provision")

# https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html
ASKED = (
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "iam:CreateServiceLinkedRole",
)


@pytest.fixture
def here() -> Iterator[Account]:
    with account() as one:
        one.settings = replace(one.settings, owner=OWNER, private_ca_secret=f"{OWNER}/private-ca")
        yield one


def without(function: str, action: str | None = None) -> dict[str, Any]:
    """The function's policy, less one action."""
    own = policy(policy_files(STAGE)[function])
    return {**own, "Statement": [kept for one in own["Statement"] if (kept := _less(one, action))["Action"]]}


def _less(statement: Mapping[str, Any], action: str | None) -> dict[str, Any]:
    named = statement["Action"]
    return {
        **statement,
        "Action": [one for one in ([named] if isinstance(named, str) else named) if one != action],
    }


@contextmanager
def held(to: Mapping[str, Any]) -> Iterator[Role]:
    """Hold the app to a policy."""
    try:
        yield enforce(CALLER, to)
    finally:
        release(CALLER)


def roles() -> list[str]:
    return [one["RoleName"] for one in boto3.client("iam").list_roles()["Roles"]]


def test_a_put_makes_it_under_the_policy_of_the_api(here: Account) -> None:
    body = here.article
    with held(without("api_handler")) as role:
        assert here.put(body).created
    assert role.denied == []
    assert roles() == [ROLE]


def test_the_background_makes_it_under_the_policy_of_provision(here: Account) -> None:
    KNOBS.certificate_propagation_seconds = 120
    body = {"subnets": here.subnets[:2], "certificate": {"pem": pem(issued())}}
    with held(without("api_handler")):
        report = here.put(body)
    assert (report.state, roles()) == ("pending", [])
    with held(without("provision")) as role:
        here.carry_on(report, body)
    assert role.denied == []
    assert (here.get()["state"], roles()) == ("ready", [ROLE])


@pytest.mark.parametrize("function", MAKERS)
@pytest.mark.parametrize("action", ASKED)
def test_without_one_of_these_rights_aws_denies_it_and_names_the_right(
    here: Account, function: str, action: str
) -> None:
    asked: dict[str, Any] = {
        "LoadBalancerName": "demo",
        "Listeners": [TCP],
        "Subnets": here.subnets[:1],
        "Tags": [{"Key": "emq-elb:owner", "Value": OWNER}],
    }
    elb = boto3.client("elb", aws_access_key_id=CALLER, aws_secret_access_key="made-up")
    with held(without(function, action)) as role:
        assert refusal(elb.create_load_balancer, **asked) == ("AccessDenied", 403)
        assert [question.action for question in role.denied] == [action]
        assert roles() == []
        # By whomever the first was made: the role is there from then on, and stays.
        World().create("first")
        World().elb.delete_load_balancer(LoadBalancerName="first")
        elb.create_load_balancer(**asked)
    assert roles() == [ROLE]


def test_a_put_that_is_denied_names_the_right(here: Account) -> None:
    body = here.article
    with (
        held(without("api_handler", "ec2:DescribeAddresses")),
        pytest.raises(Denied, match="DescribeAddresses"),
    ):
        here.put(body)


def test_the_role_that_an_administrator_makes_beforehand_is_the_same(here: Account) -> None:
    boto3.client("iam").create_service_linked_role(AWSServiceName="elasticloadbalancing.amazonaws.com")
    assert roles() == [ROLE]
    here.world.create("demo")
    assert roles() == [ROLE]
