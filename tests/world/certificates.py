"""Certificates for tests: authorities, intermediates and leaves, made on the spot.

    root = authority()
    middle = authority("Intermediate", signed_by=root)
    device = leaf("mqtt.example.com", signed_by=middle, addresses=["127.0.0.1"])
    device.certificate_pem, device.private_key_pem, device.chain_pem, device.root_pem

Keys are made once per process, kind and label: two certificates with the same label share one key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Literal, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import (
    generate_private_key as generate_ec_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.world.quick import lasting_rsa_key

KeyKind = Literal["rsa-1024", "rsa-2048", "rsa-4096", "ec-p256", "ec-p384", "ed25519"]
KeyFormat = Literal["traditional", "pkcs8"]
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
"""Critical, it is one that every client has to refuse (https://www.rfc-editor.org/rfc/rfc5280#section-4.2)."""

OTHERS = "".join(
    f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n"
    for label in ("DH PARAMETERS", "CERTIFICATE REQUEST", "PUBLIC KEY", "X509 CRL", "PGP MESSAGE")
)
AROUND: Mapping[str, Callable[[str], str]] = {
    "a comment that is not ASCII": lambda text: f"# Müller & Søn, 株式会社\n{text}# Ende\n",
    "comments between": lambda text: text.replace("-----BEGIN", "subject=O = Müller\n-----BEGIN"),
    "a byte order mark": lambda text: f"\ufeff{text}",
    "Windows line ends": lambda text: f"# Müller\r\n{text}".replace("\n", "\r\n"),
    "other blocks": lambda text: f"{OTHERS}{text}{OTHERS}",
    "beyond the basic plane": lambda text: f"\U0001f512 {text} \U0001f513",
    "NUL": lambda text: f"\0\n{text}\0",
}
"""What may stand around PEM blocks and is nobody's business (https://www.rfc-editor.org/rfc/rfc7468#section-2)."""


_CA = x509.BasicConstraints(ca=True, path_length=None)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key and whoever signed it (None: it signed itself)."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    signed_by: Issued | None = None

    @property
    def certificate_pem(self) -> str:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def private_key_pem(self) -> str:
        """The key in the form that AWS takes most surely: PKCS#1 or SEC1, unencrypted."""
        return key_pem(self.key)

    @property
    def chain_pem(self) -> str:
        """The intermediates, issuer first, without the root; empty when the root signed it."""
        return "".join(one.certificate_pem for one in self.issuers if one.signed_by is not None)

    @property
    def full_chain_pem(self) -> str:
        """The intermediates, issuer first, and the root last."""
        return "".join(one.certificate_pem for one in self.issuers)

    @property
    def root_pem(self) -> str:
        """What a client has to trust."""
        return ([self, *self.issuers])[-1].certificate_pem

    @property
    def issuers(self) -> Iterator[Issued]:
        """Whoever signed it, whoever signed that one, up to the root."""
        issuer = self.signed_by
        while issuer is not None:
            yield issuer
            issuer = issuer.signed_by


@cache
def private_key(label: str, kind: KeyKind = "rsa-2048") -> PrivateKey:  # noqa: ARG001 - the cache goes by labels
    """Return this process's key of that label and kind."""
    match kind:
        case "rsa-1024" | "rsa-2048" | "rsa-4096":
            return lasting_rsa_key(int(kind.removeprefix("rsa-")))
        case "ec-p256":
            return generate_ec_key(SECP256R1())
        case "ec-p384":
            return generate_ec_key(SECP384R1())
        case "ed25519":
            return Ed25519PrivateKey.generate()
        case _:
            assert_never(kind)


def key_pem(key: PrivateKey, form: KeyFormat = "traditional", password: bytes | None = None) -> str:
    """Return the key as PEM: PKCS#1 or SEC1 ("traditional") or PKCS#8; encrypted when there is a password."""
    # Ed25519 has no traditional form.
    pkcs8 = form == "pkcs8" or isinstance(key, Ed25519PrivateKey)
    return key.private_bytes(
        Encoding.PEM,
        PrivateFormat.PKCS8 if pkcs8 else PrivateFormat.TraditionalOpenSSL,
        NoEncryption() if password is None else BestAvailableEncryption(password),
    ).decode()


def authority(
    name: str = "Test CA",
    *,
    signed_by: Issued | None = None,
    kind: KeyKind = "rsa-2048",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    constraints: x509.BasicConstraints | None = _CA,
    usage: x509.KeyUsage | None = None,
    more: Sequence[x509.ExtensionType] = (),
) -> Issued:
    """Return a certificate authority: a root, or an intermediate when another one signs it; ten years.

    `more` are further extensions, critical.
    """
    key = private_key(name, kind)
    builder = _builder(name, key, not_before, not_after, timedelta(days=3650))
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    builder = builder.add_extension(usage or key_usage(authority=True), critical=True)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    return _sign(builder, name, key, signed_by)


def leaf(
    *names: str,
    signed_by: Issued | None = None,
    addresses: Sequence[str] = (),
    common_name: str | None = None,
    kind: KeyKind = "rsa-2048",
    key: str = "leaf",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    more: Sequence[x509.ExtensionType] = (),
) -> Issued:
    """Return a server's certificate for these DNS names and IP addresses; 90 days from yesterday on.

    `key` is the label of its key. Without `signed_by` it signs itself and is no authority; without
    `common_name` its subject is empty but for the organisation, and names are in the SAN only. `purposes`
    are its extended key usage, none without any; `more` are further extensions, critical.
    """
    subject = common_name or ""
    own = private_key(key, kind)
    builder = _builder(subject, own, not_before, not_after, timedelta(days=90))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(key_usage(authority=False), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ip_address(address)) for address in addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return _sign(builder, subject, own, signed_by)


def self_signed(*names: str, authority: bool = True, kind: KeyKind = "rsa-2048") -> Issued:
    """Return what `openssl req -x509` makes: a leaf that signed itself, by default with the CA flag on."""
    key = private_key("self-signed", kind)
    subject = names[0] if names else "localhost"
    builder = _builder(subject, key, None, None, timedelta(days=365))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name) for name in names or ("localhost",)]), critical=False
    )
    return _sign(builder, subject, key, None)


def patched(one: Issued, before: bytes, after: bytes) -> bytes:
    """The certificate (DER) with some of its bytes exchanged for as many others, and signed again."""
    der, body = one.certificate.public_bytes(Encoding.DER), one.certificate.tbs_certificate_bytes
    assert len(before) == len(after)
    assert before in body
    changed = body.replace(before, after)
    key = (one.signed_by or one).key
    assert isinstance(key, RSAPrivateKey)
    signature = key.sign(changed, PKCS1v15(), SHA256())
    return der.replace(body, changed).replace(one.certificate.signature, signature)


def signed_as(one: Issued, issuer: x509.Name) -> x509.Certificate:
    """The same certificate, by the same key, but it writes its issuer's name in another way."""
    assert one.signed_by is not None
    old = one.certificate
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(issuer)
    builder = builder.public_key(old.public_key()).serial_number(old.serial_number)
    builder = builder.not_valid_before(old.not_valid_before_utc).not_valid_after(old.not_valid_after_utc)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    key = one.signed_by.key
    return builder.sign(key, None if isinstance(key, Ed25519PrivateKey) else SHA256())


def _name(common_name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "emq-elb tests")]
    if common_name:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return what an authority's key, or a server's, is for."""
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: str,
    key: PrivateKey,
    not_before: datetime | None,
    not_after: datetime | None,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    end = not_after or now + lifetime
    # A certificate that expired long ago still has to begin before it ends.
    begin = not_before or min(now, end) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _sign(
    builder: x509.CertificateBuilder, subject: str, key: PrivateKey, signed_by: Issued | None
) -> Issued:
    issuer = _name(subject) if signed_by is None else signed_by.certificate.subject
    signing_key = key if signed_by is None else signed_by.key
    # OpenSSL's strict check, Python 3.13's default, wants the authority's key identifier.
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = builder.issuer_name(issuer).add_extension(identifier, critical=False)
    algorithm = None if isinstance(signing_key, Ed25519PrivateKey) else SHA256()
    return Issued(builder.sign(signing_key, algorithm), key, signed_by)
