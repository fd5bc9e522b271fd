"""Certificates to upload: a root, an intermediate and leaves, made anew in each run and kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Kind = Literal["RSA-2048", "RSA-4096", "P-256", "P-384"]
NAME = "conformance.example"


@dataclass(frozen=True)
class Bundle:
    """A leaf with its key and its chain, the issuer first; no text shows the key."""

    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def body(self) -> str:
        """The leaf as PEM."""
        return pem(self.certificate)

    @property
    def chain_pem(self) -> str:
        """The chain as PEM."""
        return "".join(map(pem, self.chain))

    def key_pem(self, form: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> str:
        """Return the key as unencrypted PEM: PKCS#1 or SEC1 unless another form is asked for."""
        return self.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()

    def encrypted_key_pem(self) -> str:
        """Return the key as PEM that a password opens."""
        secret = BestAvailableEncryption(b"made up for one run")
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret).decode()

    def __repr__(self) -> str:
        return f"Bundle({self.certificate.serial_number:x})"


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def new_key(kind: Kind) -> Key:
    """Make a key."""
    match kind:
        case "RSA-2048":
            return rsa.generate_private_key(65537, 2048)
        case "RSA-4096":
            return rsa.generate_private_key(65537, 4096)
        case "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())


@cache
def authorities() -> tuple[Bundle, Bundle]:
    """Return root and intermediate, the same in all of a run."""
    root_key = new_key("P-256")
    root = issue("Conformance root", root_key, None, authority=True)
    key = new_key("P-256")
    issuer = Bundle(root, root_key)
    return issuer, Bundle(issue("Conformance intermediate", key, issuer, authority=True), key, (root,))


def leaf(
    kind: Kind = "RSA-2048",
    *,
    begins: timedelta = timedelta(hours=-1),
    ends: timedelta = timedelta(days=30),
    names: Sequence[str] = (NAME,),
) -> Bundle:
    """Make a leaf that is valid from and to times counted from now, under root and intermediate."""
    root, intermediate = authorities()
    key = new_key(kind)
    certificate = issue(names[0], key, intermediate, names=names, begins=begins, ends=ends)
    return Bundle(certificate, key, (intermediate.certificate, root.certificate))


def issue(
    name: str,
    key: Key,
    issuer: Bundle | None,
    *,
    authority: bool = False,
    names: Sequence[str] = (),
    begins: timedelta = timedelta(hours=-1),
    ends: timedelta = timedelta(days=30),
) -> x509.Certificate:
    """Issue one certificate; without an issuer it signs itself."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False
        )
    return builder.sign(issuer.key if issuer else key, hashes.SHA256())
