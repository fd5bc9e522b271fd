"""Everything that can go wrong on purpose.

    EmqElbError
    ├── InvalidRequest        what was asked for cannot be: every fault of it, each under its field
    ├── NotFound              there is no such load balancer of ours
    ├── Unserved              some of what had to be done was not: every failure of one look, together
    ├── Conflict              what there is stands against it
    │   └── NotOurs           it does not carry our owner tag
    ├── IssuerError           the certificate authority was asked, and nothing came of it
    │   ├── IssuerRefused     it said no, with a type of RFC 8555
    │   ├── IssuerLimited     it wants to be left alone until some time
    │   └── IssuerSilent      it could not be reached, made no sense, or took too long
    └── AwsError              AWS said no, with a code
        ├── NotYet            AWS sees something late, or something still uses it
        ├── Duplicate         it is so already: there is one of that name, for instance
        ├── Absent            what the call names is not there (any more)
        │   └── InvalidInstance   one of the instances cannot be registered, so none was
        ├── Theirs            it belongs to somebody else, or waits for somebody else
        ├── QuotaReached      the account's quota
        ├── Refused           AWS finds the request itself wrong
        ├── Denied            our role may not
        └── Throttled         AWS is busy or out of reach, even after the retries

`api/problems.py` is the one place that turns them into HTTP statuses; `aws/refusals.py` the one that decides
the lower half by AWS's codes.
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
    """What was asked for cannot be; carries every fault found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in self.faults))


class NotFound(EmqElbError):
    """There is no such load balancer of ours."""


class Unserved(EmqElbError):
    """Some load balancers could not be served, while the others were; carries each failure with its place."""

    def __init__(self, failures: Sequence[tuple[str, Exception]]) -> None:
        self.failures = tuple(failures)
        super().__init__("; ".join(f"{place}: {error}" for place, error in self.failures))


class Conflict(EmqElbError):
    """What there is at AWS stands against what was asked for."""


class NotOurs(Conflict):
    """It exists, and does not carry our owner tag."""


class IssuerError(EmqElbError):
    """The certificate authority was asked, and nothing came of it."""


class IssuerRefused(IssuerError):
    """It said no; `kind` is the last part of the type, as `caa` or `rejectedIdentifier`."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(f"the CA says {kind}: {detail}")


class IssuerLimited(IssuerError):
    """It asks not to be asked again before a time, by its own rate limits."""

    def __init__(self, until: datetime, detail: str) -> None:
        self.until = until
        super().__init__(f"the CA takes no order before {until:%Y-%m-%d %H:%M:%S} UTC: {detail}")


class IssuerSilent(IssuerError):
    """It could not be reached, answered what makes no sense, or was not done in time."""


class AwsError(EmqElbError):
    """AWS answered with an error code that `aws/refusals.py` does not know."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        self.operation = operation
        self.code = code
        self.message = message
        super().__init__(f"{operation}: {code}: {message}")


class NotYet(AwsError):
    """AWS sees something late, or something still uses it: a moment, at times minutes, mends it."""


class Duplicate(AwsError):
    """It is so already: there is one of that name, for instance."""


class Absent(AwsError):
    """What the call names is not there (any more)."""


class InvalidInstance(Absent):
    """One of the instances named cannot be registered, so none of them was."""


class Theirs(AwsError):
    """It belongs to somebody else, or waits for somebody else."""


class QuotaReached(AwsError):
    """The account's quota is used up."""


class Refused(AwsError):
    """AWS finds the request itself wrong."""


class Denied(AwsError):
    """The function's role may not make this call."""


class Throttled(AwsError):
    """AWS is busy or out of reach, even after botocore's own retries."""


def in_vain(error: AwsError) -> bool:
    """Whether the same call, made again, would be refused again: no room, nothing there, or never allowed so.

    What the role may not do is not among them: IAM may see late what it hangs on, and a person has to know.
    """
    return isinstance(error, (QuotaReached, Absent, Refused))
