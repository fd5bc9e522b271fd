"""One certificate or one key, read from its DER bytes with `cryptography`.

The bytes are a stranger's: whatever they hold, nothing here raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from chalicelib.model.load_balancer import Leaf
from chalicelib.x509 import pem
from chalicelib.x509.domains import address_of
from chalicelib.x509.facts import CertificateFacts, KeyFacts, PublicKey
from chalicelib.x509.pem import serial_text
from chalicelib.x509.pem_faults import LONGEST_PEM

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    ExtensionType = TypeVar("ExtensionType", bound=x509.ExtensionType)

T = TypeVar("T")

# Server authentication of old, Microsoft's and Netscape's, which OpenSSL still takes for it.
_SERVER_GATED = ("1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1")


@dataclass(frozen=True)
class ReadCertificate:
    """A certificate that could be read: its facts, and itself for checking signatures."""

    facts: CertificateFacts
    parsed: x509.Certificate
    der: bytes


@dataclass(frozen=True)
class ReadKey:
    """A key: its facts, and its PEM text as PKCS #1 or SEC 1 when a bundle can be made with it."""

    facts: KeyFacts
    text: str | None = field(default=None, repr=False)


def parse_certificate(der: bytes) -> ReadCertificate | None:
    """Read one certificate; None when it is none."""
    from cryptography import x509

    def reading() -> ReadCertificate:
        parsed = x509.load_der_x509_certificate(der)
        return ReadCertificate(_certificate_facts(parsed, der), parsed, der)

    return _attempt(reading)


def read_private_key(block: pem.Block) -> ReadKey:
    """Read one key. One that is too long for IAM is not read: checking its numbers may take minutes."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    der = block.der
    characters = 0 if der is None else len(pem.encode(block.label, der))
    if der is None or block.encrypted or characters > LONGEST_PEM:
        return ReadKey(KeyFacts(encrypted=block.encrypted, characters=characters))

    def reading() -> ReadKey:
        key = load_der_private_key(der, password=None)
        public = _public_key(key.public_key())
        if public.kind == "other":
            return ReadKey(KeyFacts(public=public, characters=characters))
        text = key_text(key)
        return ReadKey(KeyFacts(public=public, characters=len(text)), text)

    return _attempt(reading) or ReadKey(KeyFacts(characters=characters))


def signed(issued: ReadCertificate, issuer: ReadCertificate) -> bool:
    """Whether `issuer` is who `issued` names as its issuer, and its key made the signature."""
    return issued is not issuer and _verified(issued.parsed, issuer.parsed)


def describe_leaf(found: ReadCertificate, digest: str) -> Leaf:
    """What a certificate says of itself; `digest` is that of the certificate and its chain."""
    return Leaf(
        not_before=found.facts.not_before,
        not_after=found.facts.not_after,
        domains=found.facts.domains,
        serial=serial_text(found.parsed.serial_number),
        digest=digest,
        issuer_key=_issuer_key(found.parsed),
    )


def _issuer_key(parsed: x509.Certificate) -> str | None:
    """Return the identifier of the key that signed a certificate, as hex; None where it does not say.

    https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.1
    """
    from cryptography import x509

    found = _attempt(lambda: _extension(parsed.extensions, x509.AuthorityKeyIdentifier))
    return found.key_identifier.hex() if found and found.key_identifier else None


def own_key(parsed: x509.Certificate) -> str:
    """Return the identifier of a certificate's own key, as hex: what those that it signed name as theirs."""
    from cryptography import x509

    found = _attempt(lambda: _extension(parsed.extensions, x509.SubjectKeyIdentifier))
    if found is None:
        found = _attempt(lambda: x509.SubjectKeyIdentifier.from_public_key(parsed.public_key()))
    return found.digest.hex() if found else ""


def _certificate_facts(parsed: x509.Certificate, der: bytes) -> CertificateFacts:
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

    extensions = parsed.extensions
    alternatives = _extension(extensions, x509.SubjectAlternativeName)
    constraints = _extension(extensions, x509.BasicConstraints)
    usage = _extension(extensions, x509.ExtendedKeyUsage)
    access = _extension(extensions, x509.AuthorityInformationAccess)
    names = [] if alternatives is None else alternatives.get_values_for_type(x509.DNSName)
    addresses = [] if alternatives is None else alternatives.get_values_for_type(x509.IPAddress)
    common_names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    servers = {ExtendedKeyUsageOID.SERVER_AUTH, *map(x509.ObjectIdentifier, _SERVER_GATED)}
    any_purpose = usage is not None and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage
    named = usage is None or not servers.isdisjoint(usage)
    return CertificateFacts(
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        digest=sha256(der).hexdigest(),
        key=_public_key(parsed.public_key()),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        # An IP address as a DNS name certifies nothing: clients look for it among the addresses only.
        names=tuple(name for name in names if address_of(name) is None),
        addresses=tuple(str(address) for address in addresses),
        common_name=str(common_names[0].value) if common_names else None,
        authority=constraints is not None and constraints.ca,
        self_signed=_verified(parsed, parsed),
        for_servers=named or any_purpose,
        any_purpose=any_purpose and not named,
        issuer_published=access is not None
        and any(one.access_method == AuthorityInformationAccessOID.CA_ISSUERS for one in access),
        characters=len(pem.encode(pem.CERTIFICATE_LABEL, der)),
    )


def _extension(extensions: x509.Extensions, kind: type[ExtensionType]) -> ExtensionType | None:
    from cryptography.x509 import ExtensionNotFound

    try:
        return extensions.get_extension_for_class(kind).value
    except ExtensionNotFound:
        return None


def _public_key(key: PublicKeyTypes) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    digest = sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    match key:
        case RSAPublicKey():
            return PublicKey(kind="rsa", bits=key.key_size, digest=digest)
        case EllipticCurvePublicKey():
            return PublicKey(kind="ec", bits=key.key_size, curve=key.curve.name, digest=digest)
        case _:
            return PublicKey(kind="other", bits=0, digest=digest)


def key_text(key: PrivateKeyTypes) -> str:
    """Return the key as PEM: PKCS #1 or SEC 1, unencrypted. ValueError for a kind that has no such form."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _verified(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    def verifying() -> bool:
        issued.verify_directly_issued_by(issuer)
        return True

    return issued.issuer == issuer.subject and _attempt(verifying) is True


def _attempt(reading: Callable[[], T]) -> T | None:
    """Return what `reading` returns, None when it raises.

    Nothing of the exception is kept: its message may hold what was to be read.
    """
    try:
        return reading()
    except Exception:  # noqa: BLE001 - cryptography names no closed list of what its parsers raise
        return None
