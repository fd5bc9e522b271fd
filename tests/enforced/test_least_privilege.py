"""Each function under its own policy: all that it is for, with all that it is granted; `test_stolen_roles.py`
has what that does not let it do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import boto3
import pytest

from chalicelib.aws import elb_calls, iam
from chalicelib.aws import vpc as vpcs
from chalicelib.model import actions as do
from chalicelib.model.errors import Absent, Denied, InvalidRequest
from lab.certificates.acme import Acme
from lab.fidelity.authorization import Role, enforce, release
from tests.deploy.policies import LOGS, allowing, granted, policy, policy_files
from tests.enforced import OWNER, STAGE, deployed
from tests.enforced.stories import STORIES
from tests.world.provisioning import CALLER, Account, account, clients
from tests.world.rotating import bundle, keep_secret

# Chalice's test client cannot check signatures, and says so at each request.
pytestmark = pytest.mark.filterwarnings("ignore:IAMAuthorizer is not a supported in local mode")


@pytest.mark.parametrize("function", sorted(policy_files()))
def test_a_function_does_all_that_it_is_for_with_its_policy_and_uses_all_of_that(
    function: str, acme: Acme
) -> None:
    roles: dict[str, Role] = {}
    for story in STORIES[function]:
        with account() as here, deployed(here, roles, acme) as prod:
            story(prod)
        denied = {name: role.denied for name, role in roles.items() if role.denied}
        assert denied == {}, story.__name__
    own, role = policy(policy_files(STAGE)[function]), roles[function]
    asked = {question.action for question in role.allowed}
    assert asked == granted(own) - LOGS
    # Lambda itself writes the log.
    assert {statement["Sid"] for statement in allowing(own)} - role.used == {"Logs"}


@pytest.fixture
def here(here: Account) -> Iterator[Account]:
    """An account in which the app is the API handler."""
    enforce(CALLER, policy(policy_files(STAGE)["api_handler"]))
    yield here
    release(CALLER)


def test_a_secret_that_the_functions_may_not_read_is_a_fault_until_it_is_tagged(here: Account) -> None:
    here.settings = replace(here.settings, owner=OWNER)
    keep_secret(bundle(60), "team/mqtt")
    body = {
        "subnets": here.subnets[:2],
        "hostname": "mqtt.example.com",
        "certificate": {"secret_id": "team/mqtt"},
    }
    with pytest.raises(InvalidRequest) as caught:
        here.put(body)
    (fault,) = caught.value.faults
    assert fault.field == "certificate.secret_id"
    assert "emq-elb:owner" in fault.message
    boto3.client("secretsmanager").tag_resource(
        SecretId="team/mqtt", Tags=[{"Key": "emq-elb:owner", "Value": OWNER}]
    )
    assert here.put(body).created


REGISTER = do.RegisterInstances(reason="", instances=("i-00000000",))
DELETE = do.DeleteLoadBalancer(reason="")
CALLS: dict[str, Callable[[str], object]] = {
    "register": lambda name: elb_calls.perform_classic(clients().elb, name, REGISTER),
    "delete load balancer": lambda name: elb_calls.perform_classic(clients().elb, name, DELETE),
    "delete group": lambda group: vpcs.delete_group(clients().ec2, group),
    "delete certificate": lambda name: iam.delete_certificate(clients().iam, name),
}


@pytest.mark.parametrize(
    ("call", "name"),
    [("register", "gone"), ("delete group", "sg-00000000")],
)
def test_what_is_gone_is_absent_though_aws_denies_it(here: Account, call: str, name: str) -> None:
    with here.counted() as calls, pytest.raises(Absent):
        CALLS[call](name)
    assert len(calls.made) == 2, "the call, and a look"


@pytest.mark.parametrize("call", ["delete load balancer", "delete certificate"])
def test_what_is_gone_need_not_be_deleted_though_aws_denies_it(here: Account, call: str) -> None:
    with here.counted() as calls:
        assert not CALLS[call]("gone")
    assert len(calls.made) == 2, "the call, and a look"


@pytest.mark.parametrize("call", sorted(CALLS))
def test_what_is_there_and_not_ours_stays_denied(here: Account, call: str) -> None:
    here.world.create("theirs")
    here.world.upload("theirs")
    with pytest.raises(Denied):
        CALLS[call](here.group("theirs") if "group" in call else "theirs")
