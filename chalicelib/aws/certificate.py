"""One certificate by its ARN, wherever at AWS it is kept."""

from __future__ import annotations

from chalicelib.aws import acm, iam
from chalicelib.aws.clients import Clients
from chalicelib.model.errors import Absent
from chalicelib.model.load_balancer import Certificate, LoadBalancerType
from chalicelib.model.names import certificate_home, certificate_name_of


def read_certificate(
    arn: str, clients: Clients, *, usable_for: LoadBalancerType | None = None
) -> Certificate | None:
    """The certificate of that ARN, of IAM or ACM; None when there is none or it is no certificate's ARN.

    With `usable_for` one of ACM's that no listener of such a load balancer can serve raises InvalidRequest.
    """
    match certificate_home(arn):
        case "iam":
            found = iam.find_server_certificate(clients.iam, certificate_name_of(arn))
            return found if found and found.arn == arn else None
        case "acm":
            try:
                if usable_for is None:
                    return acm.find_acm_certificate(clients.acm, arn)
                return acm.describe_certificate(clients.acm, arn, usable_for)
            except Absent:
                return None
        case None:
            return None
