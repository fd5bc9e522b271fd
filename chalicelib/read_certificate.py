"""One certificate by its ARN, wherever at AWS it is kept."""

from __future__ import annotations

from chalicelib.adapters import acm, iam
from chalicelib.core.errors import Absent
from chalicelib.core.model import Certificate
from chalicelib.core.names import certificate_home, certificate_name_of
from chalicelib.invocation import Invocation


def read_certificate(arn: str, invocation: Invocation, *, usable: bool = False) -> Certificate | None:
    """The certificate of that ARN, of IAM or ACM; None when there is none or it is no certificate's ARN.

    With `usable` one of ACM's that no listener can serve raises InvalidRequest.
    """
    match certificate_home(arn):
        case "iam":
            found = iam.find_certificate(invocation.clients.iam, certificate_name_of(arn))
            return found if found and found.arn == arn else None
        case "acm":
            try:
                read = acm.describe_certificate if usable else acm.find_certificate
                return read(invocation.clients.acm, arn)
            except Absent:
                return None
        case None:
            return None
