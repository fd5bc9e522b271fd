"""API Gateway's event to the deployed handler, with bodies that nobody should send.

Whatever comes is answered below 500, by few calls, in bounded memory, and shows no key.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import app
from chalicelib.api.requests import BODY_MAX
from tests.world.chalice_client import app_client
from tests.world.provisioning import Account, account, clients, issued, pem

# Reads of a PUT that plans a whole load balancer, and some for what is looked up by id.
CALLS = 20
# Bytes. Python's own objects for a body of a megabyte of the smallest JSON values are some thirty times that.
MEMORY = 64_000_000
# Bytes: an asynchronous payload may have a megabyte, an answer six.
ANSWER = 500_000
ENOUGH = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck]
)


@dataclass
class Gateway:
    """Calls the handler as API Gateway does; `calls` is how many the last request made to AWS."""

    here: Account
    calls: int = 0
    peak: int = 0

    def put(self, body: bytes | str, query: str = "dry_run") -> Any:
        """PUT, as a plan only unless another query is given."""
        return self.call("PUT", "/load-balancers/{name}", "demo", body, query)

    def call(self, method: str, resource: str, name: str, body: bytes | str = "", query: str = "") -> Any:
        """A request to any route, with one query parameter or none."""
        event = {
            "resource": resource,
            "path": f"/load-balancers/{name}",
            "httpMethod": method,
            "headers": {"Content-Type": "application/json"},
            "multiValueHeaders": {"Content-Type": ["application/json"]},
            "queryStringParameters": {query: "true"} if query else None,
            "multiValueQueryStringParameters": {query: ["true"]} if query else None,
            "pathParameters": {"name": name},
            "stageVariables": None,
            "requestContext": {
                "resourcePath": resource,
                "httpMethod": method,
                "identity": {},
                "requestId": "fuzz",
            },
            "body": body if isinstance(body, str) else body.decode(errors="replace"),
            "isBase64Encoded": False,
        }
        context = SimpleNamespace(
            aws_request_id="fuzz",
            get_remaining_time_in_millis=lambda: 25_000,
            invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:emq-elb-dev",
        )
        with self.here.counted() as calls:
            tracemalloc.start()
            answer = app.app(event, context)
            self.peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        self.calls = len(calls.made)
        return answer


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with pytest.MonkeyPatch.context() as patched, account() as here, app_client():
        patched.setattr(app, "clients", clients)
        patched.setattr(app, "settings", lambda: here.settings)
        patched.setattr(app, "invocation", lambda _: here.invocation(20))
        made = Gateway(here)
        assert made.put(json.dumps(sound(here)))["statusCode"] == 200
        yield made


_SUBNETS: list[str] = []


def sound(here: Account) -> dict[str, Any]:
    """A body that is right."""
    if not _SUBNETS:
        _SUBNETS.extend(here.subnets[:2])
    return {
        "subnets": [*_SUBNETS],
        "listeners": [
            {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883},
        ],
        "certificate": {"pem": pem(issued())},
        "hostname": "mqtt.example.com",
        "allow": {"mqtt": ["10.0.0.0/8"]},
        "health_check": {"target": "TCP:1883"},
        "members": {"instance_profiles": ["emqx"]},
        "probe": {"qos": 1},
        "tags": {"team": "iot"},
    }


@cache
def secret_lines() -> frozenset[str]:
    return frozenset(line for line in issued().private_key_pem.splitlines() if len(line) > 40)


def judged(gateway: Gateway, answer: Any, said: str) -> None:
    """Hold what has to be so of every answer."""
    body = answer["body"]
    assert answer["statusCode"] < 500, body[:2000]
    assert len(body) <= ANSWER
    assert gateway.calls <= CALLS
    assert gateway.peak <= MEMORY
    assert not any(line in body or line in said for line in secret_lines())


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1e308,
    "",
    "x" * 5000,
    "\x00",
    "\ud800",
    "-----BEGIN PRIVATE KEY-----",
    issued().private_key_pem,
    [],
    [[]],
    [{}] * 3,
    {},
    {"": None},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if path:
        yield path
    match value:
        case dict():
            for key, inner in value.items():
                yield from places(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from places(inner, (*path, index))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """The value with another one in that place."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return copy


@ENOUGH
@given(data=st.data())
def test_no_value_in_any_place_of_a_body_makes_it_fail(
    gateway: Gateway, data: st.DataObject, capfd: pytest.CaptureFixture[str]
) -> None:
    body = sound(gateway.here)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(places(body), key=repr)))
        value = data.draw(st.sampled_from(ODD))
        body = changed(body, path, value)
    answer = gateway.put(json.dumps(body))
    said = capfd.readouterr()
    judged(gateway, answer, said.out + said.err)


@ENOUGH
@given(data=st.data())
def test_no_byte_of_a_body_makes_it_fail(
    gateway: Gateway, data: st.DataObject, capfd: pytest.CaptureFixture[str]
) -> None:
    body = bytearray(json.dumps(sound(gateway.here)).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(body) - 1))
        some = data.draw(st.binary(max_size=8))
        body[at : at + data.draw(st.integers(0, 20))] = some
        body = body or bytearray(b"{")
    answer = gateway.put(bytes(body))
    said = capfd.readouterr()
    judged(gateway, answer, said.out + said.err)


BIG: dict[str, Callable[[dict[str, Any]], str]] = {
    "empty listeners": lambda body: json.dumps({**body, "listeners": [{}] * 300_000}),
    "instances": lambda body: json.dumps(
        {**body, "instances": [f"i-{number:08x}" for number in range(70_000)]}
    ),
    "subnets": lambda body: json.dumps({**body, "subnets": [f"subnet-{n:08x}" for n in range(50_000)]}),
    "unknown fields": lambda body: json.dumps({**body, **{f"f{number}": 0 for number in range(70_000)}}),
    "tags": lambda body: json.dumps({**body, "tags": {f"t{number}": "" for number in range(60_000)}}),
    "members": lambda body: json.dumps({**body, "members": {"instance_profiles": ["a"] * 200_000}}),
    "a long name": lambda body: json.dumps({**body, "hostname": "a" * 900_000}),
    "a long certificate": lambda body: json.dumps(
        {**body, "certificate": {"pem": {**pem(issued()), "chain": "x" * 900_000}}}
    ),
    "many certificates": lambda body: json.dumps(
        {**body, "certificate": {"pem": {**pem(issued()), "chain": issued().chain_pem * 600}}}
    ),
    "many blocks": lambda body: json.dumps(
        {
            **body,
            "certificate": {
                "pem": {
                    **pem(issued()),
                    "chain": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" * 15_000,
                }
            },
        }
    ),
    "deep": lambda _: "[" * 400_000,
    "deep objects": lambda _: '{"a":' * 150_000,
    "a long number": lambda body: json.dumps(body)[:-1] + ', "keepalive": ' + "9" * 900_000 + "}",
    "the same key": lambda _: "{" + ",".join(['"subnets": []'] * 60_000) + "}",
    "domains": lambda body: json.dumps(
        {**body, "certificate": {"issuer": "private-ca", "domains": ["a.example.com"] * 50_000}}
    ),
    "blanks": lambda body: " " * 900_000 + json.dumps(body),
    "too long": lambda body: json.dumps({**body, "hostname": "a" * BODY_MAX}),
}


@pytest.mark.parametrize("kind", BIG)
def test_no_body_costs_more_than_its_size(
    gateway: Gateway, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = gateway.put(BIG[kind](sound(gateway.here)))
    said = capfd.readouterr()
    judged(gateway, answer, said.out + said.err)


@pytest.mark.parametrize("query", ["", "x" * 100_000, "dry_run\x00", "\ud800"])
def test_no_query_makes_it_fail(gateway: Gateway, query: str, capfd: pytest.CaptureFixture[str]) -> None:
    answer = gateway.put("{}", query)
    said = capfd.readouterr()
    judged(gateway, answer, said.out + said.err)


ROUTES = [
    ("GET", "/load-balancers/{name}"),
    ("DELETE", "/load-balancers/{name}"),
    ("POST", "/load-balancers/{name}/probe"),
    ("POST", "/load-balancers/{name}/rotate"),
    ("PUT", "/load-balancers/{name}"),
]
NAMES = ("..", "*", "prod*", "a" * 10_000, "\ud800", "\x00", "demo\n", issued().private_key_pem)


@pytest.mark.parametrize("route", ROUTES, ids=[" ".join(route) for route in ROUTES])
@pytest.mark.parametrize("place", range(len(NAMES)))
def test_no_name_in_a_path_makes_it_fail_or_is_repeated_at_length(
    gateway: Gateway, route: tuple[str, str], place: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for query in ("", NAMES[place]):
        answer = gateway.call(*route, NAMES[place], "{}", query)
        said = capfd.readouterr()
        judged(gateway, answer, said.out + said.err)
        assert answer["statusCode"] in {400, 404}
        assert len(answer["body"]) + len(said.out) < 5_000
