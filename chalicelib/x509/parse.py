"""One certificate or one key, read from its DER bytes with `cryptography`.

The bytes come from strangers: nothing here raises, whatever they hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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

# The parts of a certificate, as `cryptography` calls them.
_PARTS = {
    "serial": "serial number",
    "signature_alg": "signature algorithm",
    "issuer": "issuer",
    "validity": "validity",
    "subject": "subject",
    "spki": "public key",
    "raw_extensions": "extensions",
}
_PSS = bytes.fromhex("06092a864886f70d01010a")
"""The object identifier id-RSASSA-PSS in DER (https://www.rfc-editor.org/rfc/rfc8017#appendix-A.2.3)."""
_ALGORITHM_WITHIN = 32
"""PKCS #8 begins with a length, a version and the algorithm; PKCS #1 has no algorithm."""
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
    """Read one certificate; None when it cannot be read."""
    from cryptography import x509

    def reading() -> ReadCertificate:
        parsed = x509.load_der_x509_certificate(der)
        return ReadCertificate(_certificate_facts(parsed, der), parsed, der)

    return _attempt(reading)


def unreadable_part(der: bytes) -> str | None:
    """Which part keeps a certificate from being read; None where these bytes are no certificate at all.

    OpenSSL reads some that `cryptography` does not: it takes encodings that DER does not have
    (https://www.rfc-editor.org/rfc/rfc5280#section-4.1).
    """
    from cryptography import x509

    try:
        parsed = x509.load_der_x509_certificate(der)
    except Exception as error:  # noqa: BLE001 - as in `_attempt`; only the name of the part is taken from it
        field = re.search(r"TbsCertificate::(\w+)", str(error))
        return _PARTS.get(field[1], "content") if field else None
    parts: Mapping[str, Callable[[], object]] = {
        "subject": lambda: parsed.subject,
        "issuer": lambda: parsed.issuer,
        "public key": parsed.public_key,
        "validity": lambda: (parsed.not_valid_before_utc, parsed.not_valid_after_utc),
        "extensions": lambda: parsed.extensions,
    }
    return next((part for part, read in parts.items() if _attempt(read) is None), "names")


def read_private_key(block: pem.Block) -> ReadKey:
    """Read one key. One that is too long for IAM is not read: checking its numbers may take minutes."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    der = block.der
    characters = 0 if der is None else len(pem.encode(block.label, der))
    if der is None or block.encrypted or characters > LONGEST_PEM:
        return ReadKey(KeyFacts(encrypted=block.encrypted, characters=characters))

    def reading() -> ReadKey:
        key = load_der_private_key(der, password=None)
        public = _public_key(key.public_key(), pss=_PSS in der[:_ALGORITHM_WITHIN])
        if public.kind in {"other", "rsa-pss"}:
            return ReadKey(KeyFacts(public=public, characters=characters))
        text = key_text(key)
        return ReadKey(KeyFacts(public=public, characters=len(text)), text)

    return _attempt(reading) or ReadKey(KeyFacts(characters=characters))


def signed(issued: ReadCertificate, issuer: ReadCertificate) -> bool:
    """Whether `issued` names `issuer` as its issuer, and the key of `issuer` signed it."""
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
    from cryptography.x509.oid import (
        AuthorityInformationAccessOID,
        ExtendedKeyUsageOID,
        NameOID,
        PublicKeyAlgorithmOID,
    )

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
        key=_public_key(
            parsed.public_key(), pss=parsed.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS
        ),
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


def _public_key(key: PublicKeyTypes, *, pss: bool) -> PublicKey:
    """Facts of a key. `pss`: its algorithm allows RSA-PSS alone, which PKCS #1 cannot say."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    digest = sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    match key:
        case RSAPublicKey():
            return PublicKey(kind="rsa-pss" if pss else "rsa", bits=key.key_size, digest=digest)
        case EllipticCurvePublicKey():
            return PublicKey(kind="ec", bits=key.key_size, curve=key.curve.name, digest=digest)
        case _:
            return PublicKey(kind="other", bits=0, digest=digest)


def key_text(key: PrivateKeyTypes) -> str:
    """Return the key as PEM: PKCS #1 or SEC 1, unencrypted. ValueError for a kind that has no such form."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _verified(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    if _canonical(issued.issuer) != _canonical(issuer.subject):
        return False
    return _attempt(lambda: _verify_signature(issued, issuer)) is True


def _canonical(name: x509.Name) -> list[frozenset[tuple[str, str | bytes]]]:
    """A name as clients compare it: neither the kind of string nor capitals nor spaces make a difference.

    As OpenSSL does: capitals of ASCII only (https://www.rfc-editor.org/rfc/rfc5280#section-7.1).
    """
    return [
        frozenset((one.oid.dotted_string, _canonical_text(one.value)) for one in part) for part in name.rdns
    ]


def _canonical_text(value: str | bytes) -> str | bytes:
    if isinstance(value, bytes):
        return value
    return "".join(one.lower() if one.isascii() else one for one in " ".join(value.split()))


def _verify_signature(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Verify the signature alone. `verify_directly_issued_by` wants names that are encoded alike."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PSS, PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    signature, body = issued.signature, issued.tbs_certificate_bytes
    how, digest = issued.signature_algorithm_parameters, issued.signature_hash_algorithm
    match issuer.public_key():
        case RSAPublicKey() as key if isinstance(how, PKCS1v15 | PSS) and digest:
            key.verify(signature, body, how, digest)
        case EllipticCurvePublicKey() as key if isinstance(how, ECDSA):
            key.verify(signature, body, how)
        case Ed25519PublicKey() | Ed448PublicKey() as key:
            key.verify(signature, body)
        case _:
            return False
    return True


def _attempt(reading: Callable[[], T]) -> T | None:
    """Return what `reading` returns, None when it raises.

    Nothing of the exception is kept: its message may hold what was to be read.
    """
    try:
        return reading()
    except Exception:  # noqa: BLE001 - cryptography names no closed list of what its parsers raise
        return None
