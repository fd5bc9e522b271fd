"""ACM's certificates, which we use but never make or change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.model.errors import Absent, Fault, InvalidRequest
from chalicelib.model.load_balancer import Certificate, Leaf, LoadBalancerType
from chalicelib.x509.pem import serial_text

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_acm.type_defs import CertificateDetailTypeDef

# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-server-cert.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/tls-listener-certificates.html
_RSA = frozenset({"RSA_1024", "RSA_2048", "RSA_3072"})
_TAKEN_KEYS: Mapping[LoadBalancerType, frozenset[str]] = {
    "classic": _RSA,
    "network": _RSA | {"EC_prime256v1", "EC_secp384r1", "EC_secp521r1"},
}


def find_acm_certificate(client: ACMClient, arn: str) -> Certificate | None:
    """Read one certificate, also an expired or revoked one, since a listener may serve it; None without one.

    None also for one that was never issued.
    """
    try:
        return _certificate(_described(client, arn), arn)
    except Absent:
        return None


def describe_certificate(
    client: ACMClient, arn: str, type_: LoadBalancerType, *, field: str = "certificate.arn"
) -> Certificate:
    """Read a certificate that a listener of a load balancer of that type is to serve.

    `field` is the request's field that named it. Absent when it does not exist, InvalidRequest when no such
    listener can serve it.
    """
    detail = _described(client, arn)
    certificate = _certificate(detail, arn)
    status = detail.get("Status", "unknown")
    if status != "ISSUED" or certificate is None:
        raise InvalidRequest([Fault(field, f"ACM says {status} of this certificate: use one that is ISSUED")])
    algorithm = detail.get("KeyAlgorithm", "unknown").replace("-", "_")
    if algorithm not in _TAKEN_KEYS[type_]:
        message = (
            f"its key is {algorithm}, which a {type_} load balancer does not take from ACM: use one with"
            " RSA_2048, or upload it with `pem`"
        )
        raise InvalidRequest([Fault(field, message)])
    return certificate


def _described(client: ACMClient, arn: str) -> CertificateDetailTypeDef:
    with translated("DescribeCertificate"):
        return client.describe_certificate(CertificateArn=arn)["Certificate"]


def _certificate(detail: CertificateDetailTypeDef, arn: str) -> Certificate | None:
    if "NotAfter" not in detail or "NotBefore" not in detail:
        return None
    leaf = Leaf(
        not_before=detail["NotBefore"],
        not_after=detail["NotAfter"],
        domains=tuple(detail.get("SubjectAlternativeNames") or [detail["DomainName"]]),
        serial=serial_text(int(detail["Serial"].replace(":", ""), 16)) if detail.get("Serial") else "",
    )
    return Certificate(
        arn=detail.get("CertificateArn", arn),
        not_after=leaf.not_after,
        leaf=leaf,
        uploaded=detail.get("ImportedAt"),
    )
