"""The one place where errors become HTTP: a problem document (RFC 9457) for every class of error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from chalicelib.aws.refusals import field_of
from chalicelib.model.errors import (
    Absent,
    AwsError,
    Conflict,
    Denied,
    Duplicate,
    EmqElbError,
    Fault,
    InvalidRequest,
    IssuerError,
    IssuerLimited,
    NotFound,
    NotOurs,
    NotYet,
    QuotaReached,
    Refused,
    Theirs,
    Throttled,
    Unserved,
)

FAULTS_MAX = 100
"""What an answer holds: a request can have more faults than an answer of Lambda's, 6 MB, has room for."""
CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
"""botocore has waited up to 20 s by then; another few let the account's bucket fill again."""


@dataclass(frozen=True)
class Problem:
    """An answer that says what is wrong: HTTP status, JSON body, headers."""

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": CONTENT_TYPE})


@dataclass(frozen=True)
class Kind:
    """What all problems of one type share; `slug` is the end of its `type`, explained in `docs/api.md`."""

    slug: str
    title: str
    status: int


INVALID_REQUEST = Kind("invalid-request", "The request cannot be carried out", 400)
NOT_FOUND = Kind("not-found", "This deployment has no such load balancer", 404)
NOT_OURS = Kind("not-ours", "It exists, but does not carry our owner tag", 409)
CONFLICT = Kind("conflict", "The request conflicts with what exists at AWS", 409)
QUOTA_REACHED = Kind("quota-reached", "A quota of the AWS account is used up", 429)
ISSUER_LIMITED = Kind("issuer-limited", "The certificate authority takes no order for now", 429)
ISSUER_FAILED = Kind("issuer-failed", "The certificate authority issued nothing", 502)
THROTTLED = Kind("throttled", "AWS is busy, or could not be reached", 503)
REFUSED = Kind("refused", "AWS refused the request", 400)
DENIED = Kind("denied", "The function's role lacks a permission", 502)
AWS_ERROR = Kind("aws-error", "AWS could not carry out the request", 502)
INTERNAL = Kind("internal-error", "Something went wrong on our side", 500)

KINDS = (
    INVALID_REQUEST,
    NOT_FOUND,
    NOT_OURS,
    CONFLICT,
    QUOTA_REACHED,
    ISSUER_LIMITED,
    ISSUER_FAILED,
    THROTTLED,
    REFUSED,
    DENIED,
    AWS_ERROR,
    INTERNAL,
)


# The first row that fits counts: what is more particular stands before what it is a kind of.
_KIND_OF: tuple[tuple[tuple[type[EmqElbError], ...], Kind], ...] = (
    ((InvalidRequest,), INVALID_REQUEST),
    ((NotFound,), NOT_FOUND),
    ((NotOurs,), NOT_OURS),
    ((Conflict, Absent, Duplicate, NotYet, Theirs), CONFLICT),
    ((QuotaReached,), QUOTA_REACHED),
    ((IssuerLimited,), ISSUER_LIMITED),
    ((IssuerError,), ISSUER_FAILED),
    ((Throttled,), THROTTLED),
    ((Refused,), REFUSED),
    ((Denied,), DENIED),
    ((AwsError, Unserved), AWS_ERROR),
)


def problem(error: EmqElbError) -> Problem:
    """Return the problem for an error."""
    kind = _kind(error)
    match error:
        case InvalidRequest():
            return _invalid(kind, error.faults)
        case Throttled():
            made = _problem(kind, error.message, code=error.code, operation=error.operation)
            return Problem(made.status, made.body, {**made.headers, "Retry-After": str(RETRY_AFTER_SECONDS)})
        case IssuerLimited():
            made = _problem(kind, str(error))
            return Problem(made.status, made.body, {**made.headers, "Retry-After": http_date(error.until)})
        case Refused() if field := field_of(error):
            errors = [{"field": field, "message": error.message}]
            return _problem(kind, error.message, code=error.code, operation=error.operation, errors=errors)
        case AwsError():
            return _problem(kind, error.message, code=error.code, operation=error.operation)
        case _:
            return _problem(kind, str(error))


def _invalid(kind: Kind, faults: Sequence[Fault]) -> Problem:
    shown, more = faults[:FAULTS_MAX], len(faults[FAULTS_MAX:])
    if more:
        shown = (*shown, Fault("body", f"and {more} more faults"))
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    return _problem(
        kind,
        f"The request has {count}; nothing was changed at AWS.",
        errors=[{"field": fault.field, "message": fault.message} for fault in shown],
    )


def http_date(moment: datetime) -> str:
    """Return a time as HTTP writes it (RFC 9110, section 5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def unexpected(request_id: str) -> Problem:
    """Return the problem for an error that no code expects; it says only where in the log to look."""
    detail = f"Look in the log for the request id {request_id}."
    return _problem(INTERNAL, detail, request_id=request_id)


def _kind(error: EmqElbError) -> Kind:
    return next((kind for classes, kind in _KIND_OF if isinstance(error, classes)), INTERNAL)


def _problem(kind: Kind, detail: str, **more: object) -> Problem:
    body = {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status, "detail": detail}
    return Problem(kind.status, {**body, **more})
