"""What the doctor reports of credentials, permissions and an earlier deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from tools.findings_account import account_findings, account_notes, upgrade_notes

DEPLOYMENT = "emq-elb-prod"
USER = "arn:aws:iam::123456789012:user/ops/ann"
SESSION = "arn:aws:sts::123456789012:assumed-role/Admin/ann"
ROLE = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/Admin"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:emq-elb-prod"

Said = Mapping[str, Any]
Answers = Mapping[str, Said | str]
"""By operation: what AWS says, or the code with which it refuses."""
PAGE = "<html>"
"""A proxy's answer in AWS's place."""

NOTHING_DEPLOYED: Answers = {
    "GetCallerIdentity": {"Arn": USER, "Account": "123456789012"},
    "GetRestApis": {},
    "ListRules": {},
    "ListRoles": {},
    "ListFunctions": {},
    "GetRole": {"Role": {"Arn": ROLE}},
    "SimulatePrincipalPolicy": {"EvaluationResults": []},
    "GetFunctionConfiguration": "ResourceNotFoundException",
    "DescribeSecret": "ResourceNotFoundException",
    "DescribeLoadBalancers": {"LoadBalancerDescriptions": []},
}


class Aws(boto3.session.Session):
    """A session to which AWS answers what a table says."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.asked: list[tuple[str, Said]] = []
        self.answers = answers
        # botocore takes what this returns for the answer; its stubs do not say so.
        self.events.register("before-call.*.*", self.answer)  # type: ignore[arg-type]
        self.events.register("before-parameter-build.*.*", self.ask)

    def ask(self, params: Said, model: OperationModel, **_: object) -> None:
        """Keep what is asked."""
        self.asked.append((model.name, dict(params)))

    def answer(self, model: OperationModel, **_: object) -> tuple[SimpleNamespace, Said]:
        """Answer in AWS's place."""
        said = self.answers[model.name]
        if said == PAGE:
            raise ResponseParserError("invalid XML received")
        if isinstance(said, str):
            return SimpleNamespace(status_code=400), {"Error": {"Code": said, "Message": "so it is"}}
        return SimpleNamespace(status_code=200), said


def reported(answers: Answers, record: str | None = None) -> list[str]:
    """Every finding, when AWS says this beside what it says while nothing is deployed."""
    return list(account_findings(lambda: Aws({**NOTHING_DEPLOYED, **answers}), DEPLOYMENT, record))


def simulated(decision: str, **more: object) -> Said:
    """What IAM thinks of one action."""
    return {
        "EvaluationResults": [{"EvalActionName": "iam:CreateRole", "EvalDecision": decision, **more}],
    }


def recorded(arn: str) -> str:
    """What Chalice writes down of a deployment."""
    api = {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "abc"}
    function = {"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": arn}
    return json.dumps({"resources": [api, function], "schema_version": "2.0", "backend": "api"})


@pytest.mark.parametrize(
    ("answers", "record"),
    [
        ({}, None),
        ({"SimulatePrincipalPolicy": simulated("allowed")}, None),
        ({"SimulatePrincipalPolicy": "AccessDenied"}, None),
        ({"SimulatePrincipalPolicy": PAGE}, None),
        ({"GetCallerIdentity": {"Arn": SESSION, "Account": "123456789012"}, "GetRole": "AccessDenied"}, None),
        ({"GetFunctionConfiguration": {"FunctionName": DEPLOYMENT}}, recorded(FUNCTION)),
        ({}, json.dumps({"resources": []})),
    ],
)
def test_who_may_deploy_has_no_finding(answers: Answers, record: str | None) -> None:
    assert reported(answers, record) == []


@pytest.mark.parametrize(
    ("answers", "record", "words"),
    [
        (
            {"GetCallerIdentity": "ExpiredToken"},
            None,
            "ExpiredToken to GetCallerIdentity (so it is): take other credentials, or sign in again",
        ),
        (
            {"GetCallerIdentity": PAGE},
            None,
            "sts could not be asked (invalid XML received): look at the region",
        ),
        (
            {"ListFunctions": "AccessDenied"},
            None,
            "lambda says AccessDenied to ListFunctions (so it is): deploy as somebody who may",
        ),
        (
            {"SimulatePrincipalPolicy": simulated("implicitDeny")},
            None,
            f"{USER} may not iam:CreateRole, iam:CreateRole, iam:CreateRole, iam:CreateRole, as IAM says",
        ),
        (
            {"GetFunctionConfiguration": {"FunctionName": DEPLOYMENT}},
            None,
            "emq-elb-prod is there already, and .chalice/deployed/ has no record of it",
        ),
        (
            {},
            recorded(FUNCTION.replace("eu-central-1", "us-east-1")),
            "in us-east-1 of account 123456789012, and this is eu-central-1 of 123456789012",
        ),
        ({}, recorded(FUNCTION.replace("1234", "9999")), "of account 999956789012, and this is"),
        ({}, "{", "cannot be read"),
        ({}, "[]", "cannot be read"),
    ],
)
def test_what_is_in_the_way_is_reported_once_with_what_to_do(
    answers: Answers, record: str | None, words: str
) -> None:
    (found,) = reported(answers, record)
    assert words in found


@pytest.mark.parametrize(
    "evaluated",
    [
        {"MissingContextValues": ["aws:RequestTag/team"]},
        {
            "ResourceSpecificResults": [
                {
                    "EvalResourceName": FUNCTION,
                    "EvalResourceDecision": "implicitDeny",
                    "MissingContextValues": ["aws:SourceIp"],
                }
            ]
        },
    ],
)
def test_what_a_condition_leaves_open_is_not_reported(evaluated: Said) -> None:
    assert reported({"SimulatePrincipalPolicy": simulated("implicitDeny", **evaluated)}) == []


@pytest.mark.parametrize(("caller", "source"), [(USER, USER), (SESSION, ROLE)])
def test_iam_is_asked_of_the_one_who_has_the_policies_and_of_what_will_be_made(
    caller: str, source: str
) -> None:
    aws = Aws({**NOTHING_DEPLOYED, "GetCallerIdentity": {"Arn": caller, "Account": "123456789012"}})
    assert list(account_findings(lambda: aws, DEPLOYMENT, None)) == []
    questions = [params for name, params in aws.asked if name == "SimulatePrincipalPolicy"]
    assert {one["PolicySourceArn"] for one in questions} == {source}
    assert [one["ResourceArns"] for one in questions] == [
        ["arn:aws:iam::123456789012:role/emq-elb-prod-api_handler"],
        [FUNCTION],
        ["arn:aws:events:eu-central-1:123456789012:rule/emq-elb-prod-register-event"],
        ["arn:aws:apigateway:eu-central-1::/restapis"],
    ]


def test_of_root_iam_is_not_asked() -> None:
    root = {"Arn": "arn:aws:iam::123456789012:root", "Account": "123456789012"}
    assert reported({"GetCallerIdentity": root, "SimulatePrincipalPolicy": simulated("implicitDeny")}) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"Role": {"Arn": ROLE}}, []),
        ("NoSuchEntity", ["no role AWSServiceRoleForElasticLoadBalancing", "create-service-linked-role"]),
        ("AccessDenied", []),
        ("ExpiredToken", []),
        (PAGE, []),
    ],
)
def test_an_account_without_a_load_balancer_is_noted(answer: Said | str, words: list[str]) -> None:
    aws = Aws({"GetRole": answer})
    notes = list(account_notes(lambda: aws))
    assert aws.asked == [("GetRole", {"RoleName": "AWSServiceRoleForElasticLoadBalancing"})]
    assert len(notes) == bool(words)
    assert all(word in notes[0] for word in words)


@pytest.mark.parametrize(
    ("without", "given", "words"),
    [
        (("AWS_DEFAULT_REGION",), {"AWS_REGION": "eu-central-1"}, "export AWS_DEFAULT_REGION"),
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), {}, "no AWS credentials"),
        (("AWS_SECRET_ACCESS_KEY",), {}, "or a whole pair of keys"),
        ((), {"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found: mend ~/.aws/config"),
        ((), {"AWS_DEFAULT_REGION": "no region"}, "look at the region"),
    ],
)
def test_what_keeps_aws_from_being_asked_at_all_is_all_that_is_reported(
    without: tuple[str, ...], given: Mapping[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in without:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "nowhere")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (found,) = account_findings(boto3.session.Session, DEPLOYMENT, None)
    assert words in found
    assert list(account_notes(boto3.session.Session)) == []


PROD = {"OWNER": DEPLOYMENT}
OURS = [{"Key": "emq-elb:owner", "Value": DEPLOYMENT}]
GONE = "ResourceNotFoundException"


class Secrets(Aws):
    """A session that knows these secrets, by name, each with its tags."""

    def __init__(self, answers: Answers, secrets: Mapping[str, list[dict[str, str]]]) -> None:
        super().__init__({"DescribeLoadBalancers": {"LoadBalancerDescriptions": []}, **answers})
        self.secrets = secrets

    def answer(self, model: OperationModel, **more: object) -> tuple[SimpleNamespace, Said]:
        """Answer by the secret that was asked for last."""
        if model.name != "DescribeSecret":
            return super().answer(model, **more)
        name = self.asked[-1][1]["SecretId"]
        self.answers = {
            **self.answers,
            model.name: {"Tags": self.secrets[name]} if name in self.secrets else GONE,
        }
        return super().answer(model, **more)


@pytest.mark.parametrize(
    ("secrets", "notes"),
    [
        ({}, 0),
        ({f"{DEPLOYMENT}/private-ca": OURS}, 0),
        ({f"{DEPLOYMENT}/private-ca": []}, 1),
        ({f"{DEPLOYMENT}/private-ca": [], f"{DEPLOYMENT}/private-ca-certificate": []}, 0),
    ],
)
def test_a_private_ca_that_probes_could_not_read_any_more_is_noted(
    secrets: Mapping[str, list[dict[str, str]]], notes: int
) -> None:
    found = list(upgrade_notes(lambda: Secrets({}, secrets), PROD))
    assert len(found) == notes
    assert all(f"Key=emq-elb:owner,Value={DEPLOYMENT}" in note for note in found)


@pytest.mark.parametrize(
    ("owner", "probe", "notes"),
    [
        (DEPLOYMENT, f"ca_secret_id={DEPLOYMENT}/private-ca", 1),
        (DEPLOYMENT, f"credentials_secret_id={DEPLOYMENT}/acme-account", 1),
        (DEPLOYMENT, f"ca_secret_id={DEPLOYMENT}/roots", 0),
        ("emq-elb-dev", f"ca_secret_id={DEPLOYMENT}/private-ca", 0),
    ],
)
def test_a_probe_that_names_what_it_may_not_read_is_noted(owner: str, probe: str, notes: int) -> None:
    tags = [{"Key": "emq-elb:owner", "Value": owner}, {"Key": "emq-elb:probe", "Value": probe}]
    answers: Answers = {
        "DescribeLoadBalancers": {"LoadBalancerDescriptions": [{"LoadBalancerName": "demo"}]},
        "DescribeTags": {"TagDescriptions": [{"LoadBalancerName": "demo", "Tags": tags}]},
    }
    found = list(upgrade_notes(lambda: Secrets(answers, {}), PROD))
    assert len(found) == notes
    assert all("The probe of demo" in note for note in found)


@pytest.mark.parametrize("refused", ["AccessDenied", "ExpiredToken", PAGE])
def test_where_aws_does_not_answer_nothing_is_noted_of_an_upgrade(refused: str) -> None:
    answers: Answers = {"DescribeSecret": refused, "DescribeLoadBalancers": refused}
    assert list(upgrade_notes(lambda: Aws(answers), PROD)) == []
    assert list(upgrade_notes(lambda: Aws(answers), {})) == []
