"""What the doctor finds, and what it says to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tools.doctor import account_findings, configuration_findings, findings, python_findings

GOOD: Mapping[str, Any] = {
    "app_name": "emq-elb",
    "lambda_functions": {"probe": {"lambda_timeout": 55}},
    "stages": {
        "prod": {
            "environment_variables": {"OWNER": "emq-elb-prod"},
            "lambda_functions": {
                "api_handler": {"iam_policy_file": "prod/policy-api.json"},
                "probe": {"iam_policy_file": "prod/policy-probe.json"},
            },
        }
    },
}
POLICY = '{"Version": "2012-10-17", "Statement": []}'
OF_SOMEBODY_ELSE = POLICY.replace("[]", '[{"Resource": "emq-elb-dev"}]')


def everything(_: str) -> str | None:
    """Every file is there, and a policy."""
    return POLICY


def changed(**environment: str) -> str:
    """The good configuration with these settings of its stage."""
    return staged(environment_variables=environment)


def naming(**files: str) -> str:
    """The good configuration with these policies of its stage."""
    return staged(lambda_functions={name: {"iam_policy_file": file} for name, file in files.items()})


def staged(**changes: object) -> str:
    """The good configuration with these changes of its stage."""
    return json.dumps({**GOOD, "stages": {"prod": {**GOOD["stages"]["prod"], **changes}}})


def test_a_configuration_that_is_right_has_no_finding() -> None:
    assert list(configuration_findings(json.dumps(GOOD), "prod", everything)) == []


@pytest.mark.parametrize(
    ("text", "there", "words"),
    [
        ("{", everything, "no JSON"),
        (json.dumps({**GOOD, "stages": {"dev": {}}}), everything, "has no stage prod"),
        (changed(), everything, "OWNER is ''"),
        (changed(OWNER="mine"), everything, "set OWNER to emq-elb-prod"),
        (changed(OWNER="emq-elb-prod", SETTLE_SECONDS="soon"), everything, "SETTLE_SECONDS is 'soon'"),
        (changed(OWNER="emq-elb-prod", PRIVATE_CA_SECRET="ca"), everything, "PRIVATE_CA_SECRET is ca"),
        (changed(OWNER="emq-elb-prod", ACME_ACCOUNT_SECRET="a"), everything, "ACME_ACCOUNT_SECRET is a"),
        (
            changed(OWNER="emq-elb-prod", ACME_ACCOUNT_SECRET="emq-elb-prod/letsencrypt"),
            everything,
            "grant only emq-elb-prod/acme-account*",
        ),
        (naming(api_handler="prod/policy-api.json"), everything, "no iam_policy_file for probe"),
        (naming(probe="prod/policy-probe.json"), everything, "no iam_policy_file for api_handler"),
        (staged(iam_policy_file="policy-api.json"), everything, "take it out"),
        (json.dumps(GOOD), lambda name: POLICY if "api" in name else None, "policy-probe.json"),
        (json.dumps(GOOD), lambda name: "[]" if "probe" in name else POLICY, "is no policy document"),
        (
            json.dumps(GOOD),
            lambda name: OF_SOMEBODY_ELSE if name == "prod/policy-probe.json" else POLICY,
            "is not that of emq-elb-prod",
        ),
    ],
)
def test_each_fault_of_a_configuration_is_told_with_what_to_do(
    text: str, there: Callable[[str], str | None], words: str
) -> None:
    (found,) = configuration_findings(text, "prod", there)
    assert words in found


@pytest.mark.parametrize(("version", "count"), [((3, 10), 1), ((3, 11), 0), ((3, 14), 0), ((3, 16), 1)])
def test_a_python_that_lambda_or_the_app_does_not_take_is_told(version: tuple[int, int], count: int) -> None:
    assert len(list(python_findings(version))) == count


def test_without_a_region_that_is_all_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "nowhere")
    (found,) = account_findings(boto3.session.Session())
    assert "AWS_DEFAULT_REGION" in found


def test_without_credentials_that_is_all_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "nowhere")
    (found,) = account_findings(boto3.session.Session())
    assert "no AWS credentials" in found


def test_a_permission_that_lacks_is_named() -> None:
    (found,) = account_findings(Denying("lambda", "list_functions"))
    assert "AccessDenied" in found
    assert "ListFunctions" in found


def test_credentials_that_are_not_valid_end_it() -> None:
    (found,) = account_findings(Denying("sts", "get_caller_identity"))
    assert "sts says AccessDenied" in found


def test_this_project_is_well_but_for_the_account() -> None:
    assert list(findings("prod", Denying("", ""))) == []


class Denying:
    """A session whose clients answer everything with nothing, but for one method that is denied."""

    def __init__(self, service: str, method: str) -> None:
        self.region_name = "eu-central-1"
        self.denied = (service, method)

    def get_credentials(self) -> object:
        """Some."""
        return object()

    def client(self, service: str) -> Any:
        """A stubbed client that takes any number of calls of the one method that is asked."""
        client = boto3.client(service)  # type: ignore[call-overload]
        stub = Stubber(client)
        for method in ("get_caller_identity", "get_rest_apis", "list_rules", "list_roles", "list_functions"):
            if hasattr(client, method):
                if (service, method) == self.denied:
                    stub.add_client_error(method, "AccessDenied", "not you")
                else:
                    stub.add_response(method, {"Roles": []} if service == "iam" else {})
        stub.activate()
        return client
