"""Certificates as tooling beside the app brings them: signed by the lab's private CA, kept in a secret."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from lab.aws import Aws

LIFE = timedelta(days=90)
# https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.3: what a CA must have, and strict clients look for.
_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Bundle:
    """A certificate and its key, PEM; the key is in no repr."""

    certificate: str
    private_key: str = field(repr=False)


def authority(aws: Aws, owner: str) -> Bundle:
    """Return the private CA that the deployment of that owner keeps in its secret."""
    answer = aws.secretsmanager().get_secret_value(SecretId=f"{owner}/private-ca")
    kept = json.loads(answer["SecretString"])
    return Bundle(kept["certificate"], kept["private_key"])


def make_authority(name: str) -> Bundle:
    """Make a CA that signs what `bundle` issues; it is kept nowhere."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    now = datetime.now(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + 2 * LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, SHA256())
    )
    return _bundle(certificate, key)


def bundle(
    signer: Bundle, domains: Sequence[str], days_left: float, kind: Literal["rsa", "ec"] = "rsa"
) -> Bundle:
    """Issue a leaf of 90 days that has so many left; its key is RSA-2048 or EC P-256."""
    issuer = x509.load_pem_x509_certificate(signer.certificate.encode())
    signing = load_pem_private_key(signer.private_key.encode(), None)
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days_left)
    names = [_general_name(domain) for domain in domains]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - LIFE)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
        .sign(signing, SHA256())  # type: ignore[arg-type] # the CA's key is RSA
    )
    return _bundle(certificate, key)


def _bundle(certificate: x509.Certificate, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Bundle:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return Bundle(certificate.public_bytes(Encoding.PEM).decode(), text)


def _general_name(domain: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(domain))
    except ValueError:
        return x509.DNSName(domain)


def keep(aws: Aws, name: str, made: Bundle, key: str | None = None, *, owner: str = "") -> None:
    """Put it into a secret as a new version; `key` stands for the bundle's own.

    A deployment reads secrets that carry its name as their owner's.
    """
    client = aws.secretsmanager()
    text = json.dumps({"certificate": made.certificate, "private_key": key or made.private_key})
    try:
        client.put_secret_value(SecretId=name, SecretString=text)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(
            Name=name, SecretString=text, Tags=[{"Key": "emq-elb:owner", "Value": owner}] if owner else []
        )
