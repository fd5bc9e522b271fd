"""API Gateway in the rehearsal: which function is asked, with which event, and what becomes of its answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from lab.client import signature
from lab.rehearsal.front import front
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
)
from lab.runtimeapi import Outcome

SAMPLE = json.loads((Path(__file__).parents[2] / "events" / "apigateway-put-dry-run.json").read_text())
URL = "http://127.0.0.1:1"


def route(method: str, resource: str, *, signed: bool = True) -> Route:
    return Route(method, resource, "the-api", signed)


API = Api(
    "a1b2c3",
    "api",
    (
        route("GET", "/things"),
        route("GET", "/things/{name}"),
        route("PUT", "/things/{name}"),
        route("GET", "/things/all"),
        route("POST", "/things/{name}/probe"),
        route("GET", "/open", signed=False),
    ),
)


def asked(method: str, path: str, query: str = "", body: bytes = b"", *, signed: bool = True) -> Asked:
    """A request, signed as the rehearsal signs."""
    given = {"Content-Type": "application/json"}
    headers = signature(method, f"{URL}{path}", body, given) if signed else given
    return Asked(method, path, query, tuple(headers.items()), body)


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
    found = event(API, asked(method, path))
    assert not isinstance(found, Answered)
    assert (found[0].method, found[0].resource, found[1]["pathParameters"]) == (method, resource, parameters)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (asked("GET", "/api/things", signed=False), UNSIGNED),
        (asked("GET", "/api/nowhere"), UNSIGNED),
        (asked("DELETE", "/api/things/demo"), UNSIGNED),
        (asked("GET", "/api/things/"), UNSIGNED),
        (asked("GET", "/api/things/demo/more/still"), UNSIGNED),
        (asked("GET", "/dev/things"), FORBIDDEN),
        (asked("GET", "/"), FORBIDDEN),
    ],
)
def test_what_may_not_in_or_leads_nowhere_is_refused_before_any_function(
    request_: Asked, refusal: Answered
) -> None:
    assert event(API, request_) == refusal
    assert refusal.status == 403


def test_a_route_without_authorization_takes_anybody() -> None:
    found = event(API, asked("GET", "/api/open", signed=False))
    assert not isinstance(found, Answered)
    assert found[1]["requestContext"]["identity"]["accessKey"] is None


def test_the_event_has_the_form_that_api_gateway_sends() -> None:
    found = event(API, asked("PUT", "/api/things/demo", "dry_run=true&tag=a&tag=b&empty=", b'{"a": 1}'))
    assert not isinstance(found, Answered)
    told = found[1]
    assert told.keys() == SAMPLE.keys()
    assert told["path"] == "/things/demo"
    assert told["requestContext"]["path"] == "/api/things/demo"
    assert told["requestContext"].keys() <= SAMPLE["requestContext"].keys()
    assert told["requestContext"]["identity"].keys() <= SAMPLE["requestContext"]["identity"].keys()
    assert told["requestContext"]["identity"]["accessKey"] == "you"
    assert told["queryStringParameters"] == {"dry_run": "true", "tag": "b", "empty": ""}
    assert told["multiValueQueryStringParameters"] == {"dry_run": ["true"], "tag": ["a", "b"], "empty": [""]}
    assert told["multiValueHeaders"]["Content-Type"] == ["application/json"]
    assert (told["body"], told["isBase64Encoded"]) == ('{"a": 1}', False)


def test_what_a_request_does_not_have_is_null_in_the_event() -> None:
    found = event(API, asked("GET", "/api/things"))
    assert not isinstance(found, Answered)
    absent = ("body", "pathParameters", "queryStringParameters", "multiValueQueryStringParameters")
    assert [found[1][name] for name in absent] == [None] * 4


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


def test_the_front_passes_requests_on_and_answers_with_what_comes_back(address: str) -> None:
    seen: list[tuple[str, Any]] = []

    def invoke(function: str, told: Any) -> Outcome:
        seen.append((function, told["body"]))
        return Outcome({"statusCode": 202, "headers": {"Retry-After": "3"}, "body": "later"})

    with front(address, lambda: API, invoke) as url:
        where, body = f"{url}/api/things/demo", b'{"a": 1}'
        headers = signature("PUT", where, body, {"Content-Type": "application/json"})
        with urlopen(Request(where, body, headers, method="PUT"), timeout=10) as answer:  # noqa: S310 - loopback
            said = (answer.status, answer.headers["Retry-After"], answer.read())
    assert said == (202, "3", b"later")
    assert seen == [("the-api", '{"a": 1}')]
