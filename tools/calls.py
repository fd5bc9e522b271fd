"""Which AWS operations each entry point can reach, read from the source: who refers to whom, to a client.

A function that refers to another may call it; that is more than it ever does, and never less.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from botocore import xform_name
from botocore.session import get_session

ROOT = Path(__file__).parents[1]

# The service of each client, by the type that an adapter's parameter is annotated with.
SERVICES = {
    "ACMClient": "acm",
    "AutoScalingClient": "autoscaling",
    "CloudWatchClient": "cloudwatch",
    "EC2Client": "ec2",
    "ElasticLoadBalancingClient": "elb",
    "ElasticLoadBalancingv2Client": "elbv2",
    "EventBridgeClient": "events",
    "IAMClient": "iam",
    "LambdaClient": "lambda",
    "Route53Client": "route53",
    "S3Client": "s3",
    "STSClient": "sts",
    "SecretsManagerClient": "secretsmanager",
}

Name = tuple[str, str]
"""A module and what it defines at its top level."""

Operation = tuple[str, str]
"""A service as botocore names it, and an operation as AWS does."""


@dataclass(frozen=True)
class Definition:
    """What one top-level name of a module refers to, and the operations that it calls itself."""

    refers: frozenset[Name]
    calls: frozenset[Operation]


@dataclass
class Scope:
    """What the names in a piece of source stand for."""

    names: dict[str, Name] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)


def reachable(entry: Name) -> frozenset[Operation]:
    """Return every operation that an entry point can reach."""
    graph, seen, waiting = definitions(), set[Name](), [entry]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in graph:
            continue
        seen.add(name)
        waiting.extend(graph[name].refers)
    return frozenset(call for name in seen for call in graph[name].calls)


@cache
def definitions() -> Mapping[Name, Definition]:
    """Read the app and everything that ships with it."""
    sources = {"app": ROOT / "app.py"} | {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / "chalicelib").rglob("*.py")
    }
    found: dict[Name, Definition] = {}
    for module, path in sources.items():
        tree = ast.parse(path.read_text())
        tops = dict(top_level(tree))
        scope = imports(tree, sources)
        scope.names |= {name: (module, name) for name in tops}
        for name, node in tops.items():
            found[module, name] = Definition(frozenset(refers(node, scope, sources)), frozenset(calls(node)))
    return found


def top_level(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield what a module defines, name by name."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node


def imports(tree: ast.AST, sources: Mapping[str, Path]) -> Scope:
    """Read every import in a piece of source, wherever it stands."""
    scope = Scope()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                local, whole = alias.asname or alias.name, f"{node.module}.{alias.name}"
                if whole in sources:
                    scope.modules[local] = whole
                else:
                    scope.names[local] = (node.module, alias.name)
    return scope


def refers(node: ast.AST, scope: Scope, sources: Mapping[str, Path]) -> Iterator[Name]:
    """Yield the top-level names that a definition mentions."""
    inner = imports(node, sources)
    names, modules = scope.names | inner.names, scope.modules | inner.modules
    for part in ast.walk(node):
        match part:
            case ast.Attribute(value=ast.Name(id=module), attr=attr) if module in modules:
                yield modules[module], attr
            case ast.Name(id=name) if name in names and name not in inner.modules:
                yield names[name]


def calls(node: ast.AST) -> Iterator[Operation]:
    """Yield the operations that a definition calls on clients that it is given."""
    services = {
        argument.arg: SERVICES[argument.annotation.id]
        for argument in ast.walk(node)
        if isinstance(argument, ast.arg)
        and isinstance(argument.annotation, ast.Name)
        and argument.annotation.id in SERVICES
    }
    for part in ast.walk(node):
        match part:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=client), attr="get_paginator" | "get_waiter"),
                args=[ast.Constant(value=str(method)), *_],
            ) if client in services:
                yield operation(services[client], method)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=client), attr=method)) if client in services:
                if method not in {"get_paginator", "get_waiter"}:
                    yield operation(services[client], method)


def operation(service: str, method: str) -> Operation:
    """The operation behind a client's method; KeyError when the service has none of that name."""
    return service, methods(service)[method]


@cache
def methods(service: str) -> Mapping[str, str]:
    """A service's operations by the names that botocore gives their methods."""
    model = get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}
