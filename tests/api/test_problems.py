"""Every class of error has its answer."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chalicelib.api.problems import KINDS, problem, unexpected
from chalicelib.model import errors
from chalicelib.model.errors import (
    Absent,
    AwsError,
    Conflict,
    Denied,
    Duplicate,
    EmqElbError,
    Fault,
    InvalidInstance,
    InvalidRequest,
    IssuerError,
    IssuerLimited,
    IssuerRefused,
    IssuerSilent,
    NotFound,
    NotOurs,
    NotYet,
    QuotaReached,
    Refused,
    Theirs,
    Throttled,
    Unserved,
)

UNTIL = datetime(2026, 11, 25, 4, 30, tzinfo=UTC)
ROWS: list[tuple[EmqElbError, int, str]] = [
    (InvalidRequest([Fault("name", "it is wrong")]), 400, "invalid-request"),
    (NotFound("there is no load balancer demo of ours"), 404, "not-found"),
    (Conflict("its scheme is internal"), 409, "conflict"),
    (NotOurs("demo is not ours: ?adopt=true takes it over"), 409, "not-ours"),
    (AwsError("CreateLoadBalancer", "InternalFailure", "try again"), 502, "aws-error"),
    (Absent("DeleteLoadBalancerPolicy", "PolicyNotFound", "gone"), 409, "conflict"),
    (Duplicate("CreateLoadBalancer", "DuplicateLoadBalancerName", "there"), 409, "conflict"),
    (NotYet("DeleteServerCertificate", "DeleteConflict", "used"), 409, "conflict"),
    (Theirs("CreateSecret", "InvalidRequestException", "scheduled"), 409, "conflict"),
    (NotYet("CreateLoadBalancer", "CertificateNotFound", "where?"), 409, "conflict"),
    (InvalidInstance("RegisterInstances", "InvalidInstance", "gone"), 409, "conflict"),
    (QuotaReached("CreateLoadBalancer", "TooManyLoadBalancers", "20 is all"), 429, "quota-reached"),
    (IssuerError("nothing came of it"), 502, "issuer-failed"),
    (IssuerLimited(UNTIL, "too many certificates"), 429, "issuer-limited"),
    (IssuerRefused("caa", "CAA record forbids it"), 502, "issuer-failed"),
    (IssuerSilent("the CA did not answer"), 502, "issuer-failed"),
    (Throttled("DescribeTags", "Throttling", "Rate exceeded"), 503, "throttled"),
    (Denied("CreateTags", "UnauthorizedOperation", "no"), 502, "denied"),
    (Refused("CreateLoadBalancer", "ValidationError", "no"), 400, "refused"),
    (Unserved([("demo", Throttled("DescribeTags", "Throttling", "no"))]), 502, "aws-error"),
]


@pytest.mark.parametrize(("error", "status", "slug"), ROWS)
def test_an_error_is_answered_as_a_problem_document(error: EmqElbError, status: int, slug: str) -> None:
    answer = problem(error)
    assert answer.status == answer.body["status"] == status
    assert answer.body["type"] == f"/problems/{slug}"
    assert answer.body["title"]
    assert answer.body["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    json.dumps(answer.body)


def test_every_class_of_error_stands_in_the_table() -> None:
    classes = {
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, EmqElbError)
    } - {EmqElbError}
    assert {type(error) for error, _, _ in ROWS} == classes


def test_a_bad_request_lists_every_fault() -> None:
    faults = [Fault("listeners[0].port", "0 is no port"), Fault("name", "no name")]
    assert problem(InvalidRequest(faults)).body["errors"] == [
        {"field": "listeners[0].port", "message": "0 is no port"},
        {"field": "name", "message": "no name"},
    ]


def test_what_aws_said_is_answered_with_its_code_and_the_call() -> None:
    body = problem(QuotaReached("CreateLoadBalancer", "TooManyLoadBalancers", "20 is all")).body
    assert (body["code"], body["operation"], body["detail"]) == (
        "TooManyLoadBalancers",
        "CreateLoadBalancer",
        "20 is all",
    )


def test_throttled_and_limited_requests_are_answered_with_when_to_come_back() -> None:
    waits = {type(error) for error, _, _ in ROWS if "Retry-After" in problem(error).headers}
    assert waits == {Throttled, IssuerLimited}
    assert problem(IssuerLimited(UNTIL, "")).headers["Retry-After"] == "Wed, 25 Nov 2026 04:30:00 GMT"
    assert int(problem(Throttled("DescribeTags", "Throttling", "")).headers["Retry-After"]) > 0


def test_what_nobody_foresaw_says_where_to_look_and_no_more() -> None:
    answer = unexpected("1-2-3")
    assert answer.status == 500
    assert answer.body["request_id"] == "1-2-3"
    assert set(answer.body) == {"type", "title", "status", "detail", "request_id"}


def test_every_type_of_problem_is_explained_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert re.findall(r"^\| `/problems/([a-z-]+)` \| (\d+)", text, re.MULTILINE) == [
        (kind.slug, str(kind.status)) for kind in KINDS
    ]


def test_every_warning_is_explained_in_the_docs() -> None:
    root = Path(__file__).parents[2]
    sources = [path.read_text() for path in (root / "chalicelib").rglob("*.py")]
    codes = {code for text in sources for code in re.findall(r'ReviewWarning\(\s*"([a-z-]+)"', text)}
    table = (root / "docs" / "api.md").read_text().partition("### Warnings")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == codes
