"""What the rehearsal reads back from AWS of a deployment, made here by hand as Chalice makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.aws import ACCOUNT, REGION, Aws
from lab.events import Rule
from lab.rehearsal import deployed
from lab.rehearsal.gateway import Api, Route
from tests.deploy.small import POLICY

PATTERN = {"source": ["aws.ec2"]}
URI = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
SCHEMES = {"sigv4": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"}}


@pytest.fixture
def rule(empty_account: Aws, arn: str) -> Iterator[Any]:
    """What makes the rule `wakes`, which leads to the function."""
    events = empty_account.client("events")

    def make(**parameters: str) -> None:
        events.put_rule(Name="wakes", **parameters)
        events.put_targets(Rule="wakes", Targets=[{"Id": "1", "Arn": arn}])

    yield make
    events.remove_targets(Rule="wakes", Ids=["1"])
    events.delete_rule(Name="wakes")


def admit(aws: Aws, service: str, source: str) -> None:
    """Let a service invoke the function."""
    aws.client("lambda").add_permission(
        FunctionName="small",
        StatementId="admits",
        Action="lambda:InvokeFunction",
        Principal=f"{service}.amazonaws.com",
        SourceArn=f"arn:aws:{source}",
    )


def test_a_function_is_read_with_its_roles_policy_and_its_code(
    empty_account: Aws, arn: str, tmp_path: Path
) -> None:
    found = deployed.functions(empty_account)
    assert found.keys() == {"small"}
    small = found["small"]
    assert (small.arn, small.role) == (arn, "small-role")
    assert (small.function.handler, small.function.timeout, small.function.memory) == ("app.small", 7, 512)
    assert small.function.environment == {"OWNER": "small"}
    assert small.function.policy == POLICY
    task = deployed.unpacked(found, tmp_path)[small.code]
    assert (task / "app.py").read_text() == "revision = 1"


@pytest.mark.parametrize(
    ("parameters", "rules"),
    [
        ({"EventPattern": json.dumps(PATTERN)}, (Rule("small", PATTERN),)),
        ({"ScheduleExpression": "rate(12 hours)"}, (Rule("small", None, 720),)),
        ({"EventPattern": json.dumps(PATTERN), "State": "DISABLED"}, ()),
    ],
)
def test_an_enabled_rule_leads_to_its_target(
    empty_account: Aws, rule: Any, parameters: dict[str, str], rules: tuple[Rule, ...]
) -> None:
    rule(**parameters)
    admit(empty_account, "events", f"events:{REGION}:{ACCOUNT}:rule/wakes")
    assert deployed.rules(empty_account, deployed.functions(empty_account)) == rules


@pytest.mark.parametrize("source", [None, f"events:{REGION}:{ACCOUNT}:rule/another"])
def test_a_rule_that_its_target_does_not_admit_wakes_nobody(
    empty_account: Aws, rule: Any, source: str | None
) -> None:
    rule(EventPattern=json.dumps(PATTERN))
    if source:
        admit(empty_account, "events", source)
    assert deployed.rules(empty_account, deployed.functions(empty_account)) == ()


@pytest.mark.parametrize("admitted", [True, False])
def test_the_apis_methods_lead_to_functions_that_admit_it(
    empty_account: Aws, arn: str, admitted: bool
) -> None:
    gateway = empty_account.client("apigateway")
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": f"{URI}{arn}/invocations"}
    method = {"responses": {}, "x-amazon-apigateway-integration": {**integration, "responses": {}}}
    definition = {
        "swagger": "2.0",
        "info": {"title": "small", "version": "1"},
        "securityDefinitions": SCHEMES,
        "paths": {"/things/{name}": {"get": {**method, "security": [{"sigv4": []}]}, "put": method}},
    }
    api = gateway.import_rest_api(body=json.dumps(definition).encode())["id"]
    try:
        gateway.create_deployment(restApiId=api, stageName="api")
        if admitted:
            admit(empty_account, "apigateway", f"execute-api:{REGION}:{ACCOUNT}:{api}/*")
        routes = (
            Route("GET", "/things/{name}", "small", signed=True),
            Route("PUT", "/things/{name}", "small", signed=False),
        )
        found = deployed.api(empty_account, deployed.functions(empty_account))
        assert found == Api(api, "api", routes if admitted else ())
    finally:
        gateway.delete_rest_api(restApiId=api)
