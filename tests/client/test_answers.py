"""What a person reads of an error: the app's problem documents, and what API Gateway says by itself."""

from __future__ import annotations

import json

import pytest

from chalicelib.api.problems import KINDS
from emq_elb.answers import Answer, failed, good
from emq_elb.faults import Failed

TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided.\n\nThe Canonical"
    f" String for this request should have been\n'GET\n/\n\nx-amz-security-token:{TOKEN}'"
)


def gateway(status: int, message: str, *, signed: bool = True) -> Answer:
    """An answer of API Gateway's own."""
    return Answer(
        status, {"content-type": "application/json"}, json.dumps({"message": message}).encode(), signed=signed
    )


def problem(slug: str, status: int, **more: object) -> Answer:
    """An answer of the app's."""
    body = {
        "type": f"/problems/{slug}",
        "title": "The title",
        "status": status,
        "detail": "the detail",
        **more,
    }
    return Answer(status, {"content-type": "application/problem+json"}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("The security token included in the request is expired", "sign in again"),
        ("The security token included in the request is invalid.", "check --profile"),
        ("Signature expired: 20261128T000000Z is now earlier than", "slow"),
        ("Signature not yet current: 20261128T000000Z is still later", "fast"),
        (MISMATCH, "another access key id's"),
        ("Credential should be scoped to a valid region.", "--region"),
        (
            "User: arn:aws:iam::123456789012:user/u is not authorized to perform: execute-api:Invoke on",
            "must allow execute-api:Invoke",
        ),
        ("Missing Authentication Token", "ends in /api"),
        ("Forbidden", "ends in /api"),
    ],
)
def test_a_refusal_of_api_gateway_comes_with_what_to_do(message: str, remedy: str) -> None:
    fault = failed(gateway(403, message))
    assert remedy in fault.remedy
    assert message.partition("\n")[0] in fault.message
    assert TOKEN not in f"{fault.message}{fault.remedy}{fault.problem}"


def test_a_request_that_was_not_signed_says_so() -> None:
    assert "not signed" in failed(gateway(403, "Missing Authentication Token", signed=False)).remedy


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_every_problem_of_the_app_is_shown_by_its_title_and_detail(kind: object) -> None:
    slug, status = str(getattr(kind, "slug", "")), int(getattr(kind, "status", 0))
    fault = failed(problem(slug, status))
    assert fault.message == "The title: the detail"
    assert fault.problem is not None
    assert fault.problem["status"] == status


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (problem("not-ours", 409, detail="take it over: GET …?adopt=true"), "--adopt"),
        (problem("conflict", 409, detail="in service: ?force=true"), "--force"),
        (problem("denied", 502), "policy"),
        (problem("internal-error", 500), "log"),
    ],
)
def test_a_problem_comes_with_the_option_that_answers_it(answer: Answer, remedy: str) -> None:
    assert remedy in failed(answer).remedy


def test_all_faults_of_a_bad_request_are_shown() -> None:
    faults = [{"field": "subnets[0]", "message": "no such id"}, {"field": "", "message": "x"}, "no fault"]
    assert failed(problem("invalid-request", 400, errors=faults)).message.splitlines()[1:] == [
        "  subnets[0]: no such id",
        "  : x",
    ]


@pytest.mark.parametrize("content", [b"<html>proxy</html>", b"[1]", b"", b"\xff"])
def test_a_good_status_with_another_body_is_no_answer_of_the_apps(content: bytes) -> None:
    with pytest.raises(Failed, match="no JSON object"):
        good(Answer(200, {}, content), 200)


@pytest.mark.parametrize("content", [b"<html>proxy</html>", b"[1]", b"", b"\xff", b'{"message": null}'])
def test_an_error_with_any_body_is_shown(content: bytes) -> None:
    assert "418" in failed(Answer(418, {}, content)).message
