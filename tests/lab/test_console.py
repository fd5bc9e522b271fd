"""The lab's page: it takes its own requests, and no other page's."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab.cloudwatch.console import console

ADDRESS = "127.83.4.3"
ASKED = {"function": "widget", "event": {"action": "rotate"}}


@pytest.fixture
def invoked() -> list[dict[str, Any]]:
    """What the page let through."""
    return []


@pytest.fixture
def host(invoked: list[dict[str, Any]]) -> Iterator[str]:
    """The host and port where the page is served."""

    def invoke(_function: str, event: dict[str, Any]) -> str:
        invoked.append(event)
        return "<p>done</p>"

    with console(ADDRESS, "widget", invoke) as url:
        yield urlsplit(url).netloc


def post(host: str, body: str, **headers: str) -> int:
    """Send a POST and return its status."""
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("POST", "/invoke", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_pages_own_request_is_answered(host: str, invoked: list[dict[str, Any]]) -> None:
    assert post(host, json.dumps(ASKED), Origin=f"http://{host}") == 200
    assert post(host, json.dumps(ASKED)) == 200, "a command line sends no Origin"
    assert invoked == [{"action": "rotate"}] * 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": f"http://{ADDRESS}"},
        {"Host": "rebound.example.com"},
        {"Host": "rebound.example.com", "Origin": "http://rebound.example.com"},
    ],
)
def test_another_pages_request_is_refused(
    host: str, invoked: list[dict[str, Any]], headers: dict[str, str]
) -> None:
    assert post(host, json.dumps(ASKED), **headers) == 403
    assert invoked == []


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "{}", '{"function": "widget", "event": 5}', "\xff"])
def test_a_request_of_no_sense_is_refused_and_the_page_lives_on(
    host: str, invoked: list[dict[str, Any]], body: str
) -> None:
    assert post(host, body, Origin=f"http://{host}") == 400
    assert post(host, json.dumps(ASKED), Origin=f"http://{host}") == 200
    assert invoked == [{"action": "rotate"}]
