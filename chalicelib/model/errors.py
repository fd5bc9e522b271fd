"""Everything that can go wrong on purpose.

    EmqElbError
    ├── InvalidRequest        the request cannot be carried out: every reason, each under its field
    ├── NotFound              this deployment has no such load balancer
    ├── Unserved              one look failed at some load balancers: every failure, together
    ├── Conflict              the request conflicts with what exists at AWS
    │   └── NotOurs           it does not carry our owner tag
    ├── IssuerError           the certificate authority issued nothing
    │   ├── IssuerRefused     it refused, with an error type of RFC 8555
    │   ├── IssuerLimited     it takes no request before a time
    │   └── IssuerSilent      it could not be reached, made no sense, or took too long
    └── AwsError              AWS refused a call, with a code
        ├── NotYet            AWS does not see something yet, or something is still in use
        ├── Duplicate         AWS is in that state already: the name exists, for instance
        ├── Absent            what the call names does not exist (any more)
        │   └── InvalidInstance   AWS cannot register one of the instances, so it registered none
        ├── Theirs            it belongs to somebody else, or waits for somebody else
        ├── QuotaReached      the account's quota
        ├── Refused           AWS finds the request itself wrong
        ├── Denied            our role may not
        └── Throttled         AWS is busy or out of reach, even after the retries

`api/problems.py` alone turns them into HTTP statuses; `aws/refusals.py` alone decides the lower half by AWS's
codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong with a request: the field, as `listeners[0].port`, and what would be right."""

    field: str
    message: str


class EmqElbError(Exception):
    """The root; nothing raises it itself."""


class InvalidRequest(EmqElbError):
    """The request cannot be carried out; `faults` holds every reason, each under its field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in self.faults))


class NotFound(EmqElbError):
    """There is no such load balancer of ours."""


class Unserved(EmqElbError):
    """Some load balancers could not be served, the others were; carries each failure with its place."""

    def __init__(self, failures: Sequence[tuple[str, Exception]]) -> None:
        self.failures = tuple(failures)
        super().__init__("; ".join(f"{place}: {error}" for place, error in self.failures))


class Conflict(EmqElbError):
    """The request conflicts with what exists at AWS."""


class NotOurs(Conflict):
    """It exists, but does not carry our owner tag."""


class IssuerError(EmqElbError):
    """The certificate authority was asked, and nothing came of it."""


class IssuerRefused(IssuerError):
    """The CA refused; `kind` is the last part of the error type, as `caa` or `rejectedIdentifier`."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(f"the CA says {kind}: {detail}")


class IssuerLimited(IssuerError):
    """The CA takes no request before a time, because of its own rate limits."""

    def __init__(self, until: datetime, detail: str) -> None:
        self.until = until
        super().__init__(f"the CA takes no order before {until:%Y-%m-%d %H:%M:%S} UTC: {detail}")


class IssuerSilent(IssuerError):
    """The CA could not be reached, sent an answer that makes no sense, or took too long."""


class AwsError(EmqElbError):
    """AWS answered with an error code that `aws/refusals.py` does not know."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        self.operation = operation
        self.code = code
        self.message = message
        super().__init__(f"{operation}: {code}: {message}")


class NotYet(AwsError):
    """AWS does not see something yet, or something is still in use: it passes in seconds or minutes."""


class Duplicate(AwsError):
    """AWS is in that state already: a resource of that name exists, for instance."""


class Absent(AwsError):
    """What the call names does not exist (any more)."""


class InvalidInstance(Absent):
    """AWS cannot register one of the instances, so it registered none of them."""


class Theirs(AwsError):
    """It belongs to somebody else, or waits for an action of somebody else."""


class QuotaReached(AwsError):
    """The account's quota is used up."""


class Refused(AwsError):
    """AWS finds the request itself wrong."""


class Denied(AwsError):
    """The function's role may not make this call."""


class Throttled(AwsError):
    """AWS is busy or out of reach, even after botocore's own retries."""


def in_vain(error: AwsError) -> bool:
    """Whether AWS would refuse the same call again: no room, nothing there, or a request that is wrong.

    Denied is not among them: IAM may see a tag late, and a person has to know of a missing permission.
    """
    return isinstance(error, (QuotaReached, Absent, Refused))
