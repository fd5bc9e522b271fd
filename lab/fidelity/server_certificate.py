"""What IAM demands of a server certificate before it takes it, and what it knows about it afterwards.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from moto.iam.exceptions import IAMException
from moto.iam.models import Certificate

from lab.fidelity.knobs import KNOBS

CERTIFICATE_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*")

UNPARSABLE = "Unable to parse certificate. Please ensure the certificate is in PEM format."
UNPARSABLE_KEY = "Unable to parse private key. Please ensure that it is in PEM format and not encrypted."
NOT_YET_VALID = (
    "Certificate is not yet valid. The 'Not Before' date restriction on the certificate has not passed."
)
NO_LONGER_VALID = (
    "Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed."
)
BROKEN_CHAIN = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing"
    " certificate, followed by any intermediaries in order. The index within the chain of the invalid"
    " certificate is: {index}"
)


class ServerCertificate(Certificate):
    """A server certificate as IAM keeps it, where moto keeps its own.

    `uploaded_at` is a time of `KNOBS.now`: ELB's propagation delay counts from it. `private_key` is kept
    for the lab's data plane and is in no answer.
    """

    def __init__(
        self,
        *,
        account_id: str,
        region_name: str,
        name: str,
        path: str,
        body: str,
        private_key: str,
        chain: str | None,
        expiration: datetime,
        tags: dict[str, dict[str, str]],
    ) -> None:
        super().__init__(account_id, region_name, name, body, private_key, chain and chain.rstrip(), path)
        self.server_certificate_id = "ASCA" + "".join(
            secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(17)
        )
        self.expiration = expiration
        self.tags = tags
        self.upload_date = datetime.now(UTC).replace(microsecond=0)
        self.uploaded_at = KNOBS.now()

    @property
    def metadata(self) -> dict[str, Any]:
        """ServerCertificateMetadata: all that a listing shows, tags not among it.

        https://docs.aws.amazon.com/IAM/latest/APIReference/API_ServerCertificateMetadata.html
        """
        return {
            "ServerCertificateName": self.cert_name,
            "ServerCertificateId": self.server_certificate_id,
            "Path": self.path,
            "Arn": self.arn,
            "UploadDate": self.upload_date,
            "Expiration": self.expiration,
        }


def check(body: str, private_key: str, chain: str | None, now: datetime) -> x509.Certificate:
    """Return the certificate, or raise MalformedCertificate or KeyPairMismatch as IAM does.

    What the page lists under "To upload a server certificate" must hold: PEM, an unencrypted key of this
    certificate, valid now, and a chain in order without the certificate itself.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
    """
    blocks = _certificates(body, UNPARSABLE)
    if len(blocks) != 1:
        raise _malformed(UNPARSABLE)
    certificate = blocks[0]
    _check_key(certificate, private_key)
    # Seen at AWS for both ends: https://github.com/aws/aws-sdk-go/issues/2586 (not yet valid) and
    # https://github.com/hashicorp/terraform-provider-aws/pull/7049 (expired).
    if now < certificate.not_valid_before_utc:
        raise _malformed(NOT_YET_VALID)
    if now > certificate.not_valid_after_utc:
        raise _malformed(NO_LONGER_VALID)
    if chain is not None:
        _check_chain(certificate, chain)
    return certificate


def _check_key(certificate: x509.Certificate, private_key: str) -> None:
    try:
        # TypeError: it is encrypted.
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _malformed(UNPARSABLE_KEY) from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        # No page of AWS names another kind for a server certificate in IAM.
        raise _malformed(UNPARSABLE_KEY)
    if key.public_key() != certificate.public_key():
        raise IAMException("KeyPairMismatch", "The private key does not match the public key certificate.")


def _check_chain(certificate: x509.Certificate, chain: str) -> None:
    # Text before a BEGIN line gives the error about the order: https://github.com/aws/aws-cli/issues/715
    issuers = _certificates(chain, BROKEN_CHAIN.format(index=-1))
    for index, (issued, issuer) in enumerate(pairwise([certificate, *issuers])):
        if issuer == certificate:
            raise _malformed(BROKEN_CHAIN.format(index=index))
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise _malformed(BROKEN_CHAIN.format(index=index - 1)) from None


def _certificates(pem: str, fault: str) -> list[x509.Certificate]:
    blocks = CERTIFICATE_BLOCK.findall(pem)
    if not blocks or "".join(blocks) != pem.lstrip():
        raise _malformed(fault)
    try:
        return [x509.load_pem_x509_certificate(block.encode()) for block in blocks]
    except ValueError:
        raise _malformed(fault) from None


def _malformed(message: str) -> IAMException:
    return IAMException("MalformedCertificate", message)
