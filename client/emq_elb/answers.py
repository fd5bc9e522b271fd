"""Answers of the API, and what a person should read of one that is an error.

The app's own errors are problem documents (RFC 9457); what API Gateway refuses by itself has a `message`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from emq_elb.faults import Failed

PROBLEM = "application/problem+json"
# API Gateway's words, and what to do about each.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-responses.html
_FORBIDDEN: tuple[tuple[str, str], ...] = (
    ("token included in the request is expired", "the credentials have expired: sign in again"),
    ("token included in the request is invalid", "AWS does not know these credentials: check --profile"),
    ("Signature expired", "the clock of this machine is slow: set it"),
    ("Signature not yet current", "the clock of this machine is fast: set it"),
    (
        "signature we calculated",
        "the secret access key is another access key id's: check --profile",
    ),
    ("scoped to a valid region", "the API is in another region: name it with --region"),
    (
        "not authorized to perform: execute-api:Invoke",
        "the policy of this user or role must allow execute-api:Invoke on the API",
    ),
    (
        "Missing Authentication Token",
        "this is not the API's URL: what `chalice deploy` printed ends in /api, a custom domain does not",
    ),
    ("Forbidden", "the host does not serve this path: what `chalice deploy` printed ends in /api"),
)
_UNSIGNED = "the request was not signed: give credentials as for the AWS CLI, and a region"


@dataclass(frozen=True)
class Answer:
    """An answer of the API: the names of its headers are in small letters.

    `sent_again`: an earlier answer to the same request was lost, so that the request may have been done by
    then. `signed` is whether the request carried a signature.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    sent_again: bool = False
    signed: bool = True

    @cached_property
    def value(self) -> Any:
        """The JSON value of the body; None when it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON object of the body; empty when it is none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(errors="replace")

    @property
    def problem(self) -> Mapping[str, Any] | None:
        """The problem document of the app's; None when somebody else answered."""
        return self.body if self.headers.get("content-type", "").startswith(PROBLEM) else None


def good(answer: Answer, *statuses: int) -> Mapping[str, Any]:
    """Return the body of an answer with one of these statuses; raise Failed for any other."""
    if answer.status in statuses and isinstance(answer.value, dict):
        return answer.body
    if answer.status in statuses:
        raise Failed(f"the answer is no JSON object: {beginning(answer.text)}", "is the URL that of the API?")
    raise failed(answer)


def failed(answer: Answer) -> Failed:
    """Return what a person should read of an error."""
    problem = answer.problem
    if problem is None:
        return _of_gateway(answer)
    title, detail = str(problem.get("title", "")), str(problem.get("detail", ""))
    message = f"{title}: {detail}" if title and detail else title or detail or f"status {answer.status}"
    faults = [f"{one['field']}: {one['message']}" for one in faults_of(problem)]
    return Failed("\n  ".join([message, *faults]), _remedy(problem, answer.headers), problem)


def faults_of(problem: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the faults of a bad request: `field` and `message` of each."""
    errors = problem.get("errors")
    return [
        {"field": str(one.get("field", "")), "message": str(one.get("message", ""))}
        for one in (errors if isinstance(errors, list) else [])
        if isinstance(one, dict)
    ]


def _remedy(problem: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    detail = str(problem.get("detail", ""))
    match str(problem.get("type", "")).rpartition("/")[2]:
        case "not-found":
            return "`emq-elb list` names them; `emq-elb get --adopt NAME` shows one that was made by hand"
        case "not-ours" if "adopt=true" in detail:
            return "look at it with `emq-elb get --adopt NAME`, and take it over with `emq-elb apply --adopt`"
        case "conflict" if "force=true" in detail:
            return "`emq-elb delete --force NAME` deletes it all the same"
        case "issuer-limited" if when := headers.get("retry-after"):
            return f"come back after {when}"
        case "throttled":
            return "come back in a minute"
        case "denied":
            return "compare the policy of the function's role with .chalice/policy-<function>.json"
        case "internal-error":
            return "look into the log of the API's function"
        case _:
            return ""


def _of_gateway(answer: Answer) -> Failed:
    # A wrong signature is answered with the whole canonical request, a session token in it: show one line.
    said = str(answer.body.get("message") or answer.body.get("Message") or beginning(answer.text))
    said = said.strip().partition("\n")[0]
    if answer.status == 403 and not answer.signed and "Missing Authentication Token" in said:
        return Failed(f"API Gateway refuses: {said}", _UNSIGNED)
    remedy = next((then for words, then in _FORBIDDEN if words in said), "") if answer.status == 403 else ""
    if answer.status == 404:
        remedy = "is the URL that of the API?"
    if answer.status == 429:
        remedy = "API Gateway lets in no more requests for now: come back later"
    return Failed(f"the answer is {answer.status}: {said or 'without a word'}", remedy)


def beginning(text: str) -> str:
    """Return the first words of a text that should not be there, in one line."""
    words = " ".join(text.split())
    return words if len(words) <= 200 else f"{words[:200]} …"
