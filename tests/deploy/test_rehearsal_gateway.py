"""API Gateway in the rehearsal: which function is asked, with which event, and what becomes of its answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.lambda_.runtimeapi import Outcome
from lab.rehearsal.gateway import (
    FAILED,
    FORBIDDEN,
    LATE,
    TIMED_OUT,
    UNSIGNED,
    Answered,
    Api,
    Asked,
    Route,
    answered,
    event,
    routed,
)

SAMPLE = json.loads((Path(__file__).parents[2] / "events" / "apigateway-put-dry-run.json").read_text())


def route(method: str, resource: str) -> Route:
    return Route(method, resource, "the-api", signed=True)


API = Api(
    "a1b2c3",
    "api",
    (
        route("GET", "/things"),
        route("GET", "/things/{name}"),
        route("PUT", "/things/{name}"),
        route("GET", "/things/all"),
        route("POST", "/things/{name}/probe"),
    ),
)


def asked(method: str, path: str, query: str = "", body: bytes = b"") -> Asked:
    """A request of JSON."""
    return Asked(method, path, query, (("Content-Type", "application/json"),), body)


def event_of(request_: Asked, caller: str | None = "you") -> dict[str, Any]:
    """The event of a request that has a route."""
    found = routed(API, request_)
    assert not isinstance(found, Answered)
    return event(API, *found, request_, caller)


@pytest.mark.parametrize(
    ("method", "path", "resource", "parameters"),
    [
        ("GET", "/api/things", "/things", None),
        ("GET", "/api/things/demo", "/things/{name}", {"name": "demo"}),
        ("PUT", "/api/things/demo", "/things/{name}", {"name": "demo"}),
        ("GET", "/api/things/all", "/things/all", None),
        ("PUT", "/api/things/all", "/things/{name}", {"name": "all"}),
        ("GET", "/api/things/a%20b%2Fc", "/things/{name}", {"name": "a b/c"}),
        ("POST", "/api/things/demo/probe", "/things/{name}/probe", {"name": "demo"}),
    ],
)
def test_a_request_finds_its_route_the_one_that_is_written_out_first(
    method: str, path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    found = routed(API, asked(method, path))
    assert not isinstance(found, Answered)
    assert (found[0].method, found[0].resource) == (method, resource)
    assert event_of(asked(method, path))["pathParameters"] == parameters


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (asked("GET", "/api/nowhere"), UNSIGNED),
        (asked("DELETE", "/api/things/demo"), UNSIGNED),
        (asked("GET", "/api/things/"), UNSIGNED),
        (asked("GET", "/api/things/demo/more/still"), UNSIGNED),
        (asked("GET", "/dev/things"), FORBIDDEN),
        (asked("GET", "/"), FORBIDDEN),
    ],
)
def test_what_leads_nowhere_is_refused_before_any_function(request_: Asked, refusal: Answered) -> None:
    assert routed(API, request_) == refusal
    assert refusal.status == 403


def test_the_event_has_the_form_that_api_gateway_sends() -> None:
    found = event_of(asked("PUT", "/api/things/demo", "dry_run=true&tag=a&tag=b&empty=", b'{"a": 1}'))
    assert found.keys() == SAMPLE.keys()
    assert found["path"] == "/things/demo"
    assert found["requestContext"]["path"] == "/api/things/demo"
    assert found["requestContext"].keys() <= SAMPLE["requestContext"].keys()
    assert found["requestContext"]["identity"].keys() <= SAMPLE["requestContext"]["identity"].keys()
    assert found["requestContext"]["identity"]["accessKey"] == "you"
    assert found["queryStringParameters"] == {"dry_run": "true", "tag": "b", "empty": ""}
    assert found["multiValueQueryStringParameters"] == {"dry_run": ["true"], "tag": ["a", "b"], "empty": [""]}
    assert found["multiValueHeaders"] == {"Content-Type": ["application/json"]}
    assert (found["body"], found["isBase64Encoded"]) == ('{"a": 1}', False)


@pytest.mark.parametrize("body", [b"\xff", b'{"name": "M\xfcller"}', b"\x00\x80" * 100])
def test_a_body_that_is_no_utf_8_reaches_the_function_as_text(body: bytes) -> None:
    found = event_of(asked("PUT", "/api/things/demo", body=body))["body"]
    assert found == body.decode(errors="replace")
    assert "\N{REPLACEMENT CHARACTER}" in found


def test_what_a_request_does_not_have_is_null_in_the_event() -> None:
    found = event_of(asked("GET", "/api/things"), caller=None)
    absent = ("body", "pathParameters", "queryStringParameters", "multiValueQueryStringParameters")
    assert [found[name] for name in absent] == [None] * 4
    assert found["requestContext"]["identity"] == {
        "accessKey": None,
        "accountId": None,
        "sourceIp": "127.0.0.1",
    }


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome({"statusCode": 201, "body": "made"}), Answered(201, (), b"made")),
        (Outcome({"statusCode": 204, "body": None, "headers": None}), Answered(204, (), b"")),
        (
            Outcome(
                {"statusCode": 200, "headers": {"A": "1"}, "multiValueHeaders": {"B": ["2", "3"]}, "body": ""}
            ),
            Answered(200, (("A", "1"), ("B", "2"), ("B", "3")), b""),
        ),
        (
            Outcome({"statusCode": 200, "isBase64Encoded": True, "body": "AP8="}),
            Answered(200, (), b"\x00\xff"),
        ),
        (Outcome({"errorType": "KeyError"}, "KeyError"), FAILED),
        (Outcome({"statusCode": 200, "body": ""}, "KeyError"), FAILED),
        (Outcome({"errorType": TIMED_OUT}, TIMED_OUT), LATE),
        (Outcome({"statusCode": "200"}), FAILED),
        (Outcome("200"), FAILED),
        (Outcome(None), FAILED),
    ],
)
def test_what_becomes_of_a_functions_answer(outcome: Outcome, said: Answered) -> None:
    assert answered(outcome) == said
