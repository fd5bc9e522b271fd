"""The API's own description, OpenAPI 3.1: one entry in `ROUTES` per route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.api.problems import CONTENT_TYPE, KINDS
from chalicelib.api.schemas import Schema, ref, schemas
from chalicelib.model.load_balancer import DEFAULT_SSL_POLICY
from chalicelib.model.syntax import NAME_PATTERN

VERSION = "1"
"""Of the API, not of the package."""

FLAGS = {
    "dry_run": "Only plan: `actions` says what would be done, and nothing is.",
    "adopt": "Also one that was made by hand and has no owner: PUT takes it over, GET shows it.",
    "new_ca": "Devices trust the present private CA, although another one signed the served certificate.",
    "force": "Also while members are in service.",
    "deep": "Run the checks that take minutes, in the background: the log and the metrics have the result.",
}
_PROBLEMS = {kind.status: kind.title for kind in reversed(KINDS)}
# What everything that reads AWS can run into.
_ANY = (400, 429, 500, 502, 503)


@dataclass(frozen=True)
class Answer:
    """A good answer: what it means, and the schema of its JSON (or the media type of what is no JSON)."""

    description: str
    schema: str | None = None
    media: str = "application/json"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One route as the description has it. `flags` are names in `FLAGS`, `problems` are HTTP statuses."""

    method: str
    path: str
    operation: str
    summary: str
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()
    body: str | None = None
    examples: Mapping[str, object] = field(default_factory=dict)


EXAMPLES = {
    "the article's": {
        "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "certificate": {"arn": "arn:aws:iam::123456789012:server-certificate/mqtt"},
        "instances": ["i-0123456789abcdef0", "i-0123456789abcdef1"],
    },
    "a certificate of our own": {
        "subnets": ["subnet-0123456789abcdef0"],
        "certificate": {"issuer": "private-ca", "domains": ["mqtt.example.com"]},
        "hostname": "mqtt.example.com",
        "allow": {"mqtt": ["0.0.0.0/0"], "dashboard": ["192.0.2.0/24"]},
        "ssl_policy": DEFAULT_SSL_POLICY,
    },
    "an internal one for the same cluster": {
        "cluster": "demo",
        "scheme": "internal",
        "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "certificate": {"issuer": "private-ca", "domains": ["mqtt.internal.example.com"]},
    },
    "a network one beside it, with TLS 1.3 and fixed addresses": {
        "type": "network",
        "cluster": "demo",
        "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "addresses": {
            "subnet-0123456789abcdef0": "eipalloc-0123456789abcdef0",
            "subnet-0123456789abcdef1": "eipalloc-0123456789abcdef1",
        },
        "listeners": [{"protocol": "TLS", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883}],
        "certificate": {"issuer": "private-ca", "domains": ["mqtt.example.com"]},
        "hostname": "mqtt.example.com",
        "health_check": {"target": "HTTP:18083/status", "interval": 10, "timeout": 5},
    },
}

ROUTES = (
    Route(
        method="put",
        path="/load-balancers/{name}",
        operation="putLoadBalancer",
        summary="Create a load balancer, or converge an existing one of ours",
        flags=("dry_run", "adopt"),
        body="PutBody",
        examples=EXAMPLES,
        answers={
            200: Answer("The load balancer is, or with dry_run would be, as declared.", "Report"),
            201: Answer("It was created.", "Report"),
            202: Answer(
                "AWS needs more time, or a record of `dns` changes; it is carried on in the background.",
                "Report",
            ),
        },
        problems=(*_ANY, 409),
    ),
    Route(
        method="get",
        path="/load-balancers/{name}",
        operation="getLoadBalancer",
        summary="Show one load balancer; what is shown can be sent back as PUT's body",
        flags=("adopt",),
        answers={200: Answer("As it is now.", "LoadBalancer")},
        problems=(*_ANY, 404, 409),
    ),
    Route(
        method="delete",
        path="/load-balancers/{name}",
        operation="deleteLoadBalancer",
        summary="Delete a load balancer and everything that was made for it",
        flags=("dry_run", "force"),
        answers={
            200: Answer("The load balancer is, or with dry_run would be, deleted.", "Report"),
            202: Answer(
                "The record of `dns` goes first, or AWS still holds on to something; it is finished in the"
                " background.",
                "Report",
            ),
        },
        problems=(*_ANY, 404, 409),
    ),
    Route(
        method="get",
        path="/load-balancers",
        operation="listLoadBalancers",
        summary="Show all load balancers of ours, in short",
        answers={200: Answer("By name.", "LoadBalancers")},
        problems=_ANY,
    ),
    Route(
        method="post",
        path="/load-balancers/{name}/probe",
        operation="probeLoadBalancer",
        summary="Use the load balancer as a device would, at each of its addresses",
        flags=("deep",),
        answers={
            200: Answer("The outcomes, good or bad.", "Verdict"),
            202: Answer("With deep: it goes on in the background.", "Pending"),
        },
        problems=(*_ANY, 404, 409),
    ),
    Route(
        method="post",
        path="/load-balancers/{name}/rotate",
        operation="rotateCertificate",
        summary="Replace the certificate now, and prove it in TLS handshakes",
        flags=("dry_run", "new_ca"),
        answers={
            200: Answer("The rotation, or with dry_run the planned one.", "Rotation"),
            202: Answer("AWS needs more time; it is carried on in the background.", "Rotation"),
        },
        problems=(*_ANY, 404, 409),
    ),
    Route(
        method="get",
        path="/private-ca.pem",
        operation="getPrivateCa",
        summary="The private CA's certificate, for clients to trust",
        answers={200: Answer("PEM: certificates alone.", media="application/x-pem-file")},
        problems=(*_ANY, 404, 409),
    ),
    Route(
        method="get",
        path="/openapi.json",
        operation="getOpenapi",
        summary="This description",
        answers={200: Answer("OpenAPI 3.1.", "Description")},
        problems=(400, 500),
    ),
)


def document() -> Schema:
    """Return the description, an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0)."""
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "emq-elb",
            "version": VERSION,
            "description": "Classic and network load balancers in front of MQTT brokers.",
        },
        "paths": paths,
        "components": {"schemas": schemas(), "securitySchemes": {"sigv4": _SIGNED}},
        "security": [{"sigv4": []}],
    }


# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html
_SIGNED = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "AWS Signature Version 4, service execute-api.",
    "x-amazon-apigateway-authtype": "awsSigv4",
}


def _operation(route: Route) -> Schema:
    operation: Schema = {"operationId": route.operation, "summary": route.summary}
    parameters = [_flag(name) for name in route.flags]
    if "{name}" in route.path:
        parameters.insert(0, _NAME)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        examples = {name: {"value": value} for name, value in route.examples.items()}
        content = {"schema": ref(route.body), "examples": examples}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    operation["responses"] = {
        **{str(status): _answer(answer) for status, answer in route.answers.items()},
        **{str(status): _problem(status) for status in sorted(route.problems)},
        "403": {"description": "API Gateway's own: the request is not signed, or its signer may not."},
    }
    if route.method in {"put", "post"}:
        operation["responses"]["415"] = {"description": "Chalice's own: the body is not application/json."}
    return operation


_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The load balancer's name.",
    "schema": {"type": "string", "pattern": NAME_PATTERN, "minLength": 1, "maxLength": 32},
    "example": "demo",
}


def _flag(name: str) -> Schema:
    schema = {"type": "boolean", "default": False}
    return {"name": name, "in": "query", "required": False, "description": FLAGS[name], "schema": schema}


def _answer(answer: Answer) -> Schema:
    schema = {"type": "string"} if answer.schema is None else ref(answer.schema)
    return {"description": answer.description, "content": {answer.media: {"schema": schema}}}


def _problem(status: int) -> Schema:
    answer = {"description": _PROBLEMS[status], "content": {CONTENT_TYPE: {"schema": ref("Problem")}}}
    if status == 503:
        header = {"description": "Seconds to wait.", "required": True, "schema": {"type": "string"}}
        answer["headers"] = {"Retry-After": header}
    return answer
