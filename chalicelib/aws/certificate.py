"""One certificate by its ARN, wherever at AWS it is kept."""

from __future__ import annotations

from chalicelib.aws import acm, iam
from chalicelib.aws.clients import Clients
from chalicelib.model.errors import Absent
from chalicelib.model.load_balancer import Certificate
from chalicelib.model.names import certificate_home, certificate_name_of


def read_certificate(arn: str, clients: Clients, *, usable: bool = False) -> Certificate | None:
    """The certificate of that ARN, of IAM or ACM; None when there is none or it is no certificate's ARN.

    With `usable` one of ACM's that no listener can serve raises InvalidRequest.
    """
    match certificate_home(arn):
        case "iam":
            found = iam.find_server_certificate(clients.iam, certificate_name_of(arn))
            return found if found and found.arn == arn else None
        case "acm":
            try:
                read = acm.describe_certificate if usable else acm.find_acm_certificate
                return read(clients.acm, arn)
            except Absent:
                return None
        case None:
            return None
