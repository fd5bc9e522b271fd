"""The corrected AWS holds a caller to its policy: who is registered may do what the policy allows, no more.

register = enforce("AKIA…", policy)   # the caller is known by its access key id, in this process or over HTTP
register.denied, register.used        # what it was refused, and which statements let it do the rest

Whoever is not registered may do everything, as tests and the lab's own parts do. moto's own enforcement
compares no resources and takes every condition on a tag for true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import ActionResult, BaseResponse
from werkzeug.exceptions import HTTPException

from lab.fidelity.authorization_call import Call
from lab.fidelity.authorization_policy import Policy, Question, decide
from lab.fidelity.authorization_questions import questions

# How each service says no, where it is not AccessDenied with 403.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and the services' CommonErrors
REFUSALS = {
    "acm": ("AccessDeniedException", 400),
    "ec2": ("UnauthorizedOperation", 403),
    "events": ("AccessDeniedException", 400),
    "lambda": ("AccessDeniedException", 403),
    "logs": ("AccessDeniedException", 400),
    "secretsmanager": ("AccessDeniedException", 400),
}


@dataclass
class Role:
    """A caller with its policy; `used` are the statements that allowed something, `denied` what was not."""

    policy: Policy
    used: set[str] = field(default_factory=set)
    allowed: list[Question] = field(default_factory=list)
    denied: list[Question] = field(default_factory=list)

    def refused(self, call: Call) -> Question | None:
        """The first of a call's questions that the policy says no to, or None: then it may be answered."""
        for question in questions(call):
            decision = decide(self.policy, question)
            if not decision.allowed:
                self.denied.append(question)
                return question
            self.allowed.append(question)
            self.used.update(decision.statements)
        return None


ROLES: dict[str, Role] = {}

# Access key id and region, in a signature of version 4.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
SIGNED = re.compile(r"Credential=(?P<access_key>[^/]+)/\d{8}/(?P<region>[^/]+)/")

_setup_class = BaseResponse.setup_class


def install() -> None:
    """Ask before any service answers; calling it again changes nothing.

    A refusal is an error that every service has. moto warns of its code unless it knows it.
    """
    codes = {"AccessDenied", *(code for code, _ in REFUSALS.values())}
    COMMON_ERROR_CODES.extend(sorted(codes - {*COMMON_ERROR_CODES}))
    setattr(BaseResponse, "setup_class", _setup_and_authorize)  # noqa: B010 - mypy takes no other method in its place


def enforce(access_key: str, policy: Policy) -> Role:
    """Hold whoever signs with this access key id to the policy, from now on."""
    ROLES[access_key] = Role(policy)
    return ROLES[access_key]


def release(access_key: str) -> None:
    """Let the access key do everything again."""
    ROLES.pop(access_key, None)


def denial(access_key: str, call: Call) -> tuple[str, int, str] | None:
    """AWS's refusal of a call as code, HTTP status and message; None when it is allowed.

    For services that are answered elsewhere than by moto, such as Lambda's Invoke.
    """
    role = ROLES.get(access_key)
    question = role.refused(call) if role else None
    if question is None:
        return None
    code, status = REFUSALS.get(call.service, ("AccessDenied", 403))
    caller = f"arn:{call.partition}:sts::{call.account}:assumed-role/{access_key}/{access_key}"
    message = (
        f"User: {caller} is not authorized to perform: {question.action} on resource: {question.resource}"
        f" because no identity-based policy allows the {question.action} action"
    )
    return code, status, message


class Denied(ServiceException):
    """What moto serializes as the error; moto takes one of its own modules for a service's."""


class Refusal(HTTPException):
    """A refusal in the form of the service that refuses."""

    def __init__(self, code: int, headers: Mapping[str, str], body: str | bytes) -> None:
        super().__init__()
        self.code = code
        self.given = headers
        self.body = body

    def get_headers(self, *_: Any, **__: Any) -> list[tuple[str, str]]:
        """The headers, as moto makes them."""
        return [(name, str(value)) for name, value in self.given.items()]

    def get_body(self, *_: Any, **__: Any) -> Any:
        """The body, as moto makes it."""
        return self.body


def _setup_and_authorize(response: BaseResponse, request: Request, *rest: Any, **more: Any) -> None:
    _setup_class(response, request, *rest, **more)
    signed = SIGNED.search(request.headers.get("Authorization", ""))
    operation = response._get_action() if signed and signed["access_key"] in ROLES else None  # noqa: SLF001 - moto has no other way to ask
    if signed is None or not operation:
        return
    response.parse_parameters(request)
    call = Call(
        response.boto3_service_name, operation, response.params, response.current_account, signed["region"]
    )
    if refused := denial(signed["access_key"], call):
        code, status, message = refused
        _, headers, body = response.serialized(ActionResult(Denied(code, message)))
        raise Refusal(status, headers, body)
