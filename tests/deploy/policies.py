"""The policy files as values, and the IAM action behind each operation."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.calls import ROOT, Name, Operation, reachable

PREFIXES = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
ACTIONS = {("lambda", "Invoke"): "lambda:InvokeFunction", ("s3", "ListBuckets"): "s3:ListAllMyBuckets"}

# What AWS asks for beside the operation's own action, when it is called as we call it: tags on what is
# created, and for the first load balancer of an account ELB's role and what ELB asks of EC2 without the role.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
BESIDE: Mapping[Operation, frozenset[str]] = {
    ("ec2", "CreateSecurityGroup"): frozenset({"ec2:CreateTags"}),
    ("elb", "CreateLoadBalancer"): frozenset(
        {
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "elasticloadbalancing:AddTags",
            "iam:CreateServiceLinkedRole",
        }
    ),
    ("iam", "UploadServerCertificate"): frozenset({"iam:TagServerCertificate"}),
    ("secretsmanager", "CreateSecret"): frozenset({"secretsmanager:TagResource"}),
}
# Lambda itself writes the log with the function's role.
LOGS = frozenset({"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"})


def configured() -> Mapping[str, Any]:
    """The app's configuration."""
    found: Mapping[str, Any] = json.loads((ROOT / ".chalice" / "config.json").read_text())
    return found


def policy_files(stage: str = "prod") -> Mapping[str, str]:
    """The policy file of each function of a stage, by the function's name."""
    functions = configured()["stages"][stage]["lambda_functions"]
    return {name: function["iam_policy_file"] for name, function in functions.items()}


def policy(file: str) -> Mapping[str, Any]:
    """A policy document."""
    found: Mapping[str, Any] = json.loads((ROOT / ".chalice" / file).read_text())
    return found


def granted(document: Mapping[str, Any]) -> frozenset[str]:
    """Every action that a policy allows."""
    return frozenset(action for statement in allowing(document) for action in actions(statement))


def allowing(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statements that allow something."""
    return [statement for statement in document["Statement"] if statement["Effect"] == "Allow"]


def actions(statement: Mapping[str, Any]) -> list[str]:
    """The actions of one statement."""
    named = statement["Action"]
    return [named] if isinstance(named, str) else list(named)


def resources(statement: Mapping[str, Any]) -> list[str]:
    """The resources that a statement names."""
    named = statement["Resource"]
    return [named] if isinstance(named, str) else list(named)


def action(operation: Operation) -> str:
    """The IAM action of an operation."""
    service, name = operation
    return ACTIONS.get(operation) or f"{PREFIXES.get(service, service)}:{name}"


def asked_for(operation: Operation) -> frozenset[str]:
    """Every action that AWS asks for when we call this."""
    return BESIDE.get(operation, frozenset()) | {action(operation)}


def entries() -> Mapping[str, tuple[Name, ...]]:
    """The entry points of each function in `app.py`: the API handler has a view for each route."""
    found: dict[str, tuple[Name, ...]] = {}
    for node in ast.parse((ROOT / "app.py").read_text()).body:
        if isinstance(node, ast.FunctionDef):
            for kind in decorations(node):
                name = "api_handler" if kind == "route" else node.name
                found[name] = (*found.get(name, ()), ("app", node.name))
    return found


def decorations(node: ast.FunctionDef) -> Iterator[str]:
    """The app's own decorators on a function."""
    for one in node.decorator_list:
        match one:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="app"), attr=kind)):
                yield kind


def could_ask_for(function: str) -> frozenset[str]:
    """Every action that a function's code could need."""
    reached = frozenset(call for entry in entries()[function] for call in reachable(entry))
    return LOGS.union(*(asked_for(call) for call in reached))
