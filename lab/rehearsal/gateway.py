"""API Gateway in front of a Lambda function, as values: who is asked, with which event, and what comes of it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from lab.aws import ACCOUNT, REGION
from lab.lambda_.runtimeapi import Outcome

TIMED_OUT = "Sandbox.Timedout"

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Route:
    """One method of one resource: the function behind it, and whether a request must be signed."""

    method: str
    resource: str
    function: str
    signed: bool


@dataclass(frozen=True)
class Api:
    """A deployed API."""

    id: str
    stage: str
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class Asked:
    """A request as it came; `path` is percent-encoded and without the query."""

    method: str
    path: str
    query: str = ""
    headers: Pairs = ()
    body: bytes = b""


@dataclass(frozen=True)
class Answered:
    """What API Gateway answers."""

    status: int
    headers: Pairs
    body: bytes


def refusal(status: int, message: str, kind: str) -> Answered:
    """Return an answer of API Gateway's own.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-responses.html
    """
    body = json.dumps({"message": message}).encode()
    return Answered(status, (("Content-Type", "application/json"), ("x-amzn-ErrorType", kind)), body)


FORBIDDEN = refusal(403, "Forbidden", "ForbiddenException")
# Said to a request without a signature, and just so to one for which there is no method.
# https://repost.aws/knowledge-center/api-gateway-authentication-token-errors
MISSING = "Missing Authentication Token"
UNSIGNED = refusal(403, MISSING, "MissingAuthenticationTokenException")
FAILED = refusal(502, "Internal server error", "InternalServerErrorException")
LATE = refusal(504, "Endpoint request timed out", "InternalServerErrorException")


def routed(api: Api, asked: Asked) -> tuple[Route, Mapping[str, str]] | Answered:
    """Return the route of a request and the parameters in its path, or the refusal."""
    stage, _, rest = asked.path.removeprefix("/").partition("/")
    if stage != api.stage:
        return FORBIDDEN
    found = next(iter(sorted(_matches(api.routes, asked.method, f"/{rest}"), key=_literal)), None)
    return UNSIGNED if found is None else found


def event(
    api: Api, route: Route, parameters: Mapping[str, str], asked: Asked, caller: str | None
) -> dict[str, Any]:
    """Return what the function gets of a request; `caller` is the access key id that signed it, if any."""
    query = parse_qsl(asked.query, keep_blank_values=True)
    path = unquote(asked.path.removeprefix(f"/{api.stage}"))
    return {
        "resource": route.resource,
        "path": path,
        "httpMethod": asked.method,
        "headers": dict(asked.headers) or None,
        "multiValueHeaders": _several(asked.headers) or None,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _several(query) or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": api.id,
            "domainName": f"{api.id}.execute-api.{REGION}.amazonaws.com",
            "domainPrefix": api.id,
            "httpMethod": asked.method,
            "identity": {
                "accessKey": caller,
                "accountId": ACCOUNT if caller else None,
                "sourceIp": "127.0.0.1",
            },
            "path": f"/{api.stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": int(time.time() * 1000),
            "resourcePath": route.resource,
            "stage": api.stage,
        },
        # API Gateway hands a body on as text: what is no UTF-8 arrives with U+FFFD in its place.
        "body": asked.body.decode(errors="replace") or None,
        "isBase64Encoded": False,
    }


def answered(outcome: Outcome) -> Answered:
    """Return what becomes of a function's answer: its own, or 502 and 504 where there is none."""
    if outcome.error is not None:
        return LATE if outcome.error == TIMED_OUT else FAILED
    said = outcome.payload
    if not isinstance(said, dict) or not isinstance(said.get("statusCode"), int):
        return FAILED  # "Malformed Lambda proxy response" in API Gateway's log
    text = str(said.get("body") or "")
    body = base64.b64decode(text) if said.get("isBase64Encoded") else text.encode()
    headers = [(name, str(value)) for name, value in (said.get("headers") or {}).items()]
    several = (said.get("multiValueHeaders") or {}).items()
    headers += [(name, str(value)) for name, values in several for value in values]
    return Answered(said["statusCode"], tuple(headers), body)


def _matches(routes: Iterable[Route], method: str, path: str) -> Iterable[tuple[Route, dict[str, str]]]:
    """Yield the routes that a path could mean, with what stands for their parameters."""
    parts = path.split("/")
    for route in routes:
        pattern = route.resource.split("/")
        if route.method not in {method, "ANY"} or len(pattern) != len(parts):
            continue
        pairs = list(zip(pattern, parts, strict=True))
        if all(said == meant or (_parameter(meant) and said) for meant, said in pairs):
            yield route, {meant[1:-1]: unquote(said) for meant, said in pairs if _parameter(meant)}


def _parameter(part: str) -> bool:
    return part.startswith("{") and part.endswith("}")


def _literal(found: tuple[Route, dict[str, str]]) -> int:
    """A resource that is written out goes before one with a parameter in its place."""
    return len(found[1])


def _several(pairs: Pairs) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
