"""What was deployed, read back from AWS: functions with their code and role's policy, rules, the API."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from lab.aws import ACCOUNT, REGION, Aws
from lab.events import Rule, minutes
from lab.fidelity.authorization_policy import arn_like
from lab.lambda_.package import Function, unpack
from lab.rehearsal.gateway import Api, Route


@dataclass(frozen=True)
class Deployed:
    """One function as Lambda has it: `function.resource` is its name, `code` the SHA-256 of its zip."""

    arn: str
    role: str
    code: str
    function: Function
    invoked_by: Mapping[str, Any] = field(default_factory=dict)
    """The function's own policy: which services may invoke it, for which of their resources."""

    def admits(self, service: str, source: str) -> bool:
        """Return whether a service may invoke it on behalf of one of its resources, by ARN.

        https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
        """
        return any(
            statement["Principal"] == {"Service": service}
            and arn_like(statement["Condition"]["ArnLike"]["AWS:SourceArn"], source)
            for statement in self.invoked_by.get("Statement", [])
        )


def functions(aws: Aws) -> Mapping[str, Deployed]:
    """Return every function, by name."""
    listed = aws.client("lambda").get_paginator("list_functions").paginate()
    return {one["FunctionName"]: _function(aws, one) for page in listed for one in page["Functions"]}


def _function(aws: Aws, listed: Mapping[str, Any]) -> Deployed:
    client, name, role = aws.client("lambda"), listed["FunctionName"], listed["Role"].rpartition("/")[2]
    try:
        invoked_by = json.loads(client.get_policy(FunctionName=name)["Policy"])
    except client.exceptions.ResourceNotFoundException:
        invoked_by = {}
    function = Function(
        resource=name,
        handler=listed["Handler"],
        timeout=listed["Timeout"],
        memory=listed["MemorySize"],
        architecture=listed["Architectures"][0],
        environment=listed.get("Environment", {}).get("Variables", {}),
        policy=_policy(aws, role),
        events=(),
    )
    return Deployed(listed["FunctionArn"], role, listed["CodeSha256"], function, invoked_by)


def _policy(aws: Aws, role: str) -> Mapping[str, Any]:
    """Return what a role's own policies allow together; no managed ones are attached by Chalice."""
    iam = aws.iam()
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents: list[Any] = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names
    ]
    return {"Version": "2012-10-17", "Statement": [one for each in documents for one in each["Statement"]]}


def code(function: str) -> bytes:
    """Return a function's zip, from moto's memory: where `GetFunction` says that it is, nothing is."""
    from moto.awslambda.models import lambda_backends

    found: bytes = lambda_backends[ACCOUNT][REGION].get_function(function).code_bytes
    return found


def unpacked(deployed: Mapping[str, Deployed], directory: Path) -> Mapping[str, Path]:
    """Unpack each package once below the directory; return where, by the code's SHA-256."""
    found: dict[str, Path] = {}
    for name, one in deployed.items():
        if one.code not in found:
            found[one.code] = unpack(BytesIO(code(name)), directory / b64decode(one.code).hex()[:16])
    return found


def rules(aws: Aws, deployed: Mapping[str, Deployed]) -> tuple[Rule, ...]:
    """Return the enabled rules of the default bus, one for each target that lets EventBridge invoke it."""
    return tuple(_rules(aws, deployed))


def _rules(aws: Aws, deployed: Mapping[str, Deployed]) -> Iterator[Rule]:
    events = aws.client("events")
    for rule in events.list_rules()["Rules"]:
        if rule["State"] != "ENABLED":
            continue
        pattern = json.loads(rule["EventPattern"]) if "EventPattern" in rule else None
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            name = name_in(target["Arn"])
            if name in deployed and deployed[name].admits("events.amazonaws.com", rule["Arn"]):
                yield Rule(name, pattern, minutes(rule.get("ScheduleExpression")))


def api(aws: Aws, deployed: Mapping[str, Deployed]) -> Api:
    """Return the one API that is deployed; a method whose function does not admit it leads nowhere."""
    client = aws.client("apigateway")
    (found,) = client.get_rest_apis()["items"]
    (stage,) = client.get_stages(restApiId=found["id"])["item"]
    source = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{found['id']}/{stage['stageName']}"
    routes = [
        Route(method, resource["path"], name, signed=described["authorizationType"] == "AWS_IAM")
        for resource in client.get_resources(restApiId=found["id"], embed=["methods"], limit=500)["items"]
        for method, described in resource.get("resourceMethods", {}).items()
        if (name := name_in(described["methodIntegration"]["uri"])) in deployed
        and deployed[name].admits("apigateway.amazonaws.com", f"{source}/{method}{resource['path']}")
    ]
    return Api(found["id"], stage["stageName"], tuple(routes))


def name_in(arn: str) -> str:
    """Return the function's name in its ARN, or in the URI by which an integration invokes it."""
    return arn.partition(":function:")[2].partition("/")[0]
