"""Signatures in front of the rehearsal's API: whose are let in, and how API Gateway refuses the others."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from lab.aws import REGION, SECRET
from lab.demo.client import USER, Reply, request, signature
from lab.lambda_.api import OPENER
from lab.lambda_.runtimeapi import Outcome
from lab.rehearsal.front import front
from lab.rehearsal.gateway import UNSIGNED, Answered, Api, Asked, Route
from lab.rehearsal.signatures import MISMATCH, UNKNOWN, authenticated

SECRETS = {USER: SECRET}
HOST = "127.0.0.1:1"
BODY = b'{"a": 1}'
JSON = {"Content-Type": "application/json"}
DOCS = Path(__file__).parents[2] / "docs" / "api.md"

CURL = [
    "--request",
    "PUT",
    "--header",
    "Content-Type: application/json",
    "--data",
    BODY.decode(),
    "--write-out",
    "\n%{http_code}\n",
]


def signed(path: str = "/api/things/demo", query: str = "", secret: str = SECRET, **given: str) -> Asked:
    """A PUT as the rehearsal signs it; `given` are headers more, `_` for `-`."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    more = {name.replace("_", "-"): value for name, value in given.items()}
    headers = {**signature("PUT", url, BODY, JSON | more, secret), "Host": HOST, "User-Agent": "any"}
    return Asked("PUT", path, query, tuple(headers.items()), BODY)


# All are signed while the tests are collected, so that it is now whenever they run.
ARTICLE, NOW = signed(), datetime.now(UTC)


def changed(**headers: str | None) -> Asked:
    """The PUT with headers changed after it was signed, or taken away."""
    old = dict(ARTICLE.headers)
    new = old | {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(ARTICLE, headers=tuple((name, value) for name, value in new.items() if value is not None))


def reworded(old: str, new: str) -> Asked:
    """The PUT with a word of its `Authorization` replaced."""
    text = dict(ARTICLE.headers)["Authorization"]
    assert old in text
    return changed(Authorization=text.replace(old, new))


def refusal(request_: Asked, now: datetime = NOW) -> tuple[int, str, str]:
    """How a request is refused: status, kind and message."""
    said = authenticated(request_, SECRETS, now)
    assert isinstance(said, Answered)
    return said.status, dict(said.headers)["x-amzn-ErrorType"], json.loads(said.body)["message"]


@pytest.mark.parametrize(
    "request_",
    [
        ARTICLE,
        signed(query="b=2&a=1&empty=&a=0"),
        signed(path="/api/things/a%20b%2Fc"),
        signed(X_Amz_Content_Sha256=sha256(BODY).hexdigest()),
        changed(User_Agent="another", X_Forwarded_For="192.0.2.1"),
    ],
)
def test_who_signs_with_the_right_secret_is_known(request_: Asked) -> None:
    assert authenticated(request_, SECRETS, NOW) == USER


@pytest.mark.parametrize(
    "request_",
    [
        signed(secret="another"),
        replace(ARTICLE, method="DELETE"),
        replace(ARTICLE, path="/api/things/other"),
        replace(ARTICLE, query="force=true"),
        replace(ARTICLE, body=b'{"a": 2}'),
        replace(ARTICLE, body=b""),
        changed(Content_Type="text/plain"),
        changed(Content_Type=None),
        changed(Host="127.0.0.1:2"),
        reworded("SignedHeaders=content-type;host;", "SignedHeaders=content-type;"),
        reworded("SignedHeaders=content-type;", "SignedHeaders=absent;content-type;"),
        reworded("SignedHeaders=content-type;host;", "SignedHeaders=content-type;host;user-agent;"),
        reworded("Signature=", "Signature=0"),
        signed(X_Amz_Content_Sha256="0" * 64),
        reworded("Signature=", "Signature=\xe4"),
    ],
)
def test_what_was_not_signed_so_does_not_match(request_: Asked) -> None:
    status, kind, message = refusal(request_)
    assert (status, kind) == (403, "InvalidSignatureException")
    assert message.startswith(f"{MISMATCH}\n\nThe Canonical String for this request should have been\n'")


def test_one_without_a_signature_is_refused_as_unsigned() -> None:
    assert authenticated(changed(Authorization=None), SECRETS, NOW) == UNSIGNED


def test_an_access_key_that_aws_does_not_know_is_refused() -> None:
    assert authenticated(ARTICLE, {"another": SECRET}, NOW) == UNKNOWN


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            changed(Authorization="Bearer abc", X_Amz_Date=None),
            (
                "Authorization header requires 'Credential' parameter. "
                "Authorization header requires 'Signature' parameter. "
                "Authorization header requires 'SignedHeaders' parameter. "
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
            ),
        ),
        (reworded("Signature=", "Sign="), "Authorization header requires 'Signature' parameter."),
        (
            reworded(f"/{REGION}/", "/"),
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term",
        ),
        (changed(X_Amz_Date="Sun, 22 Nov 2026 22:00:00 GMT"), "Date must be in ISO-8601 'basic format'."),
    ],
)
def test_the_refusal_of_what_is_no_whole_signature_names_what_it_lacks(request_: Asked, message: str) -> None:
    assert refusal(request_) == (403, "IncompleteSignatureException", message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((f"/{REGION}/", "/us-east-1/"), "Credential should be scoped to a valid region."),
        (("/execute-api/", "/lambda/"), "Credential should be scoped to correct service: 'execute-api'."),
    ],
)
def test_a_signature_for_somewhere_else_is_refused(change: tuple[str, str], message: str) -> None:
    assert refusal(reworded(*change)) == (403, "InvalidSignatureException", message)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (
            301,
            (
                "Signature expired: 20261122T100000Z is now earlier than 20261122T100001Z"
                " (20261122T100501Z - 5 min.)"
            ),
        ),
        (
            -301,
            (
                "Signature not yet current: 20261122T100000Z is still later than 20261122T095959Z"
                " (20261122T095459Z + 5 min.)"
            ),
        ),
    ],
)
def test_a_signature_is_good_for_five_minutes(seconds: int, message: str) -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    request_ = changed(X_Amz_Date="20261122T100000Z")
    assert refusal(request_, at + timedelta(seconds=seconds)) == (403, "InvalidSignatureException", message)
    within = at + timedelta(seconds=seconds - seconds // abs(seconds))
    assert refusal(request_, within)[2].startswith(MISMATCH)  # in time; what is signed is another time


@pytest.fixture
def url(address: str, seen: list[tuple[str | None, str | None]]) -> Iterator[str]:
    """The front of an API with two routes, of which one must be signed."""

    def invoke(_: str, event: Any) -> Outcome:
        seen.append((event["requestContext"]["identity"]["accessKey"], event["body"]))
        return Outcome({"statusCode": 202, "headers": {"Retry-After": "3"}, "body": "later"})

    routes = (
        Route("PUT", "/load-balancers/{name}", "the-api", signed=True),
        Route("GET", "/open", "the-api", signed=False),
    )
    with front(address, lambda: Api("a1b2c3", "api", routes), SECRETS, invoke) as where:
        yield f"{where}/api"


@pytest.fixture
def seen() -> list[tuple[str | None, str | None]]:
    """Who asked the function, by access key id, and with which body."""
    return []


def test_the_front_passes_on_what_is_signed_and_answers_with_what_comes_back(
    url: str, seen: list[tuple[str | None, str | None]]
) -> None:
    where = f"{url}/load-balancers/demo"
    headers = signature("PUT", where, BODY, JSON)
    with OPENER.open(Request(where, BODY, headers, method="PUT"), timeout=10) as answer:  # noqa: S310 - loopback
        said = (answer.status, answer.headers["Retry-After"], answer.read())
    assert said == (202, "3", b"later")
    assert seen == [(USER, '{"a": 1}')]


def test_the_front_asks_no_function_for_what_is_not_signed_well(
    url: str, seen: list[tuple[str | None, str | None]]
) -> None:
    where = f"{url}/load-balancers/demo"
    assert request("PUT", where, secret=None) == Reply(403, {"message": "Missing Authentication Token"})
    assert request("PUT", where, secret="another").status == 403
    assert seen == []


def test_a_route_without_authorization_takes_anybody(
    url: str, seen: list[tuple[str | None, str | None]]
) -> None:
    assert request("GET", f"{url}/open", secret=None).status == 202
    assert seen == [(None, None)]


@pytest.mark.parametrize(("secret", "status"), [(SECRET, "202"), ("another", "403")])
def test_curl_signs_as_the_documentation_says(url: str, secret: str, status: str) -> None:
    """Another signer than botocore's, so that the check is not held against itself."""
    text = DOCS.read_text()
    sign = text[text.index("sign() {") : text.index("\n}\n")] + "\n}"
    typed = f"{sign}\nsign {shlex.join(CURL)} {url}/load-balancers/demo?dry_run=true"
    done = subprocess.run(  # noqa: S603 - the documentation's own words
        ["bash", "-euc", typed],  # noqa: S607 - the one on the PATH
        env={
            "PATH": os.environ["PATH"],
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": secret,
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout.splitlines()[-1] == status
