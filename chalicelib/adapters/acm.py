"""ACM's certificates, which we use but never make or change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.adapters.faults import translated
from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.model import Certificate
from chalicelib.core.names import serial_text

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient

# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-server-cert.html
_TAKEN_KEYS = frozenset({"RSA_1024", "RSA_2048", "RSA_3072"})


def describe_certificate(client: ACMClient, arn: str, *, field: str = "certificate.arn") -> Certificate:
    """Read one certificate. Absent when there is none; InvalidRequest when a load balancer cannot use it."""
    with translated("DescribeCertificate"):
        detail = client.describe_certificate(CertificateArn=arn)["Certificate"]
    status = detail.get("Status", "unknown")
    if status != "ISSUED" or "NotAfter" not in detail:
        raise InvalidRequest([Fault(field, f"ACM says {status} of this certificate: use one that is ISSUED")])
    algorithm = detail.get("KeyAlgorithm", "unknown").replace("-", "_")
    if algorithm not in _TAKEN_KEYS:
        raise InvalidRequest(
            [
                Fault(
                    field,
                    f"its key is {algorithm}, which a classic load balancer does not take from ACM: use one"
                    " with RSA_2048, or upload it with `pem`",
                )
            ]
        )
    return Certificate(
        arn=detail.get("CertificateArn", arn),
        not_before=detail.get("NotBefore"),
        not_after=detail["NotAfter"],
        domains=tuple(detail.get("SubjectAlternativeNames") or [detail["DomainName"]]),
        serial=serial_text(int(detail["Serial"].replace(":", ""), 16)) if detail.get("Serial") else "",
        uploaded=detail.get("ImportedAt"),
    )
