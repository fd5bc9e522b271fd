"""The private CA: its key and certificate in Secrets Manager, and the leaves that it signs.

Leaves carry no chain. The CA signs them itself, devices hold it as their root, and a root on the wire would
cost every handshake about a kilobyte for nothing (https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.aws.secrets import read_secret, secret_tags
from chalicelib.model.errors import Absent, Conflict, InvalidRequest
from chalicelib.model.names import CERTIFICATE_TAG, DIGITS_IN_NAME
from chalicelib.x509.domains import address_of
from chalicelib.x509.parse import key_text
from chalicelib.x509.pem import Authority, Bundle, NewSecret, certificate_digest
from chalicelib.x509.pem_faults import misplaced_key
from chalicelib.x509.read import certificates_alone, read_pem

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from mypy_boto3_secretsmanager import SecretsManagerClient

    AuthorityKey = RSAPrivateKey | EllipticCurvePrivateKey

# RSA like its leaves: a device then needs one kind of signature only, and verifying is what RSA is quick at.
# 3072 bits are good beyond 2030, as ten years are: https://doi.org/10.6028/NIST.SP.800-57pt1r5 (table 2).
AUTHORITY_KEY_BITS = 3072
AUTHORITY_LIFETIME = timedelta(days=3650)
# What everything takes: a classic load balancer, every MQTT client, and ACM's rules too.
LEAF_KEY_BITS = 2048
LEAF_LIFETIME = timedelta(days=90)
# Devices keep time badly, and IAM refuses what is not valid yet.
CLOCK_SKEW = timedelta(hours=1)
_LONGEST_COMMON_NAME = 64


def create_authority(owner: str, *, now: datetime) -> Authority:
    """Make a CA for a deployment: RSA-3072, ten years, for leaves only. It is kept nowhere yet."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.x509.oid import NameOID

    key = generate_private_key(65537, AUTHORITY_KEY_BITS)
    common_name = f"{owner} private CA"[:_LONGEST_COMMON_NAME]
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "emq-elb"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    begin = _whole_seconds(now) - CLOCK_SKEW
    builder = (
        _builder(name, name, key.public_key(), begin, begin + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
    )
    return Authority(_certificate_text(builder, key), key_text(key))


def issue_leaf(authority: Authority, domains: Sequence[str], *, now: datetime) -> Bundle:
    """Issue a leaf for DNS names and IP addresses, at least one: RSA-2048, 90 days, names in the SAN only.

    It is valid from an hour ago on, as far as the CA was, and never longer than the CA is. Conflict when the
    CA is not valid now, or is none.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID

    signer = _signer(authority)
    if signer is None:
        raise Conflict("what is kept as the private CA is no certificate of an authority with its key")
    certificate = signer.certificate
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Conflict(
            f"the private CA is valid from {certificate.not_valid_before_utc} to"
            f" {certificate.not_valid_after_utc}: no client would accept a certificate that it signs now"
        )
    begin = max(_whole_seconds(now) - CLOCK_SKEW, certificate.not_valid_before_utc)
    end = min(begin + LEAF_LIFETIME, certificate.not_valid_after_utc)
    key = generate_private_key(65537, LEAF_KEY_BITS)
    # With an empty subject the names are critical: https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.6
    builder = (
        _builder(x509.Name([]), certificate.subject, key.public_key(), begin, end)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in domains]), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_authority_key_identifier(certificate, signer.key.public_key()), critical=False)
    )
    return Bundle(_certificate_text(builder, signer.key), key_text(key))


def load_authority(client: SecretsManagerClient, secret_id: str) -> Authority | None:
    """Read the CA; None when there is no such secret. Conflict when it holds no CA that could sign.

    A user may have written the secret, and everyone is shown the certificate: of its text only the
    certificates are returned, and a private key among them is a Conflict.
    """
    try:
        keys = ("certificate", "private_key")
        value = read_secret(client, secret_id, field="certificate.issuer", keys=keys).value
    except Absent:
        return None
    except InvalidRequest as error:
        faults = "; ".join(fault.message for fault in error.faults)
        raise Conflict(f"the private CA cannot be read: {faults}") from None
    given, private_key = value.get("certificate", ""), value.get("private_key", "")
    facts, _ = read_pem(given, "", "")
    for fault in misplaced_key("certificate", facts.certificate):
        raise Conflict(f"the secret {secret_id} does not hold the private CA as it should: {fault}")
    authority = Authority(certificates_alone(given), private_key)
    if _signer(authority) is None:
        raise Conflict(
            f"the secret {secret_id} does not hold the private CA: it needs `certificate` and `private_key`"
        )
    return authority


def as_secret(authority: Authority) -> NewSecret:
    """Return the secret that keeps the CA, as `load_authority` reads it."""
    return NewSecret(
        {"certificate": authority.certificate, "private_key": authority.private_key},
        "Private CA of emq-elb: devices trust its certificate, its key signs the leaves",
    )


def certificate_as_secret(authority: Authority) -> NewSecret:
    """Return the secret with the CA's certificate alone, which the probing functions read."""
    return NewSecret(
        {"certificate": certificates_alone(authority.certificate)},
        "Certificate of emq-elb's private CA, for devices and probes to trust: no key",
    )


def stands_apart(client: SecretsManagerClient, secret_id: str, authority: Authority) -> bool:
    """Return whether the certificate of the CA in that secret stands apart from its key, by the key's tag."""
    return secret_tags(client, secret_id).get(CERTIFICATE_TAG) == mark(authority)


def mark(authority: Authority) -> str:
    """Return the tag `emq-elb:certificate` of the key's secret once that certificate stands apart from it."""
    return certificate_digest(certificates_alone(authority.certificate), "")[:DIGITS_IN_NAME]


@dataclass(frozen=True)
class _Signer:
    certificate: x509.Certificate
    key: AuthorityKey = field(repr=False)


def _signer(authority: Authority) -> _Signer | None:
    """Return the CA ready to sign; None when its texts are not an authority's certificate and its key.

    A user may have put an authority of another making in the secret: RSA and EC both sign.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    facts, bundle = read_pem(authority.certificate, authority.private_key, "")
    if bundle is None or not facts.pool[0].authority:
        return None
    certificate = x509.load_pem_x509_certificate(bundle.certificate.encode())
    key = load_pem_private_key(bundle.private_key.encode(), password=None)
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        return None
    return _Signer(certificate, key) if key.public_key() == certificate.public_key() else None


def _builder(
    subject: x509.Name, issuer: x509.Name, key: RSAPublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())  # 159 random bits
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        # The predefined SSL policies hold ciphers with RSA key exchange (AES128-GCM-SHA256).
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_identifier(
    authority: x509.Certificate, key: RSAPublicKey | EllipticCurvePublicKey
) -> x509.AuthorityKeyIdentifier:
    from cryptography import x509

    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    address = address_of(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _certificate_text(builder: x509.CertificateBuilder, key: AuthorityKey) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def _whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
