"""PEM texts taken apart and put together: labels and bytes, not what the bytes mean.

https://www.rfc-editor.org/rfc/rfc7468
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from chalicelib.model.names import DIGITS_IN_NAME

CERTIFICATE_LABEL = "CERTIFICATE"
_CERTIFICATE_LABELS = frozenset({CERTIFICATE_LABEL, "X509 CERTIFICATE"})
_MARKER = re.compile(r"-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]{0,40})-----")
_ENCRYPTED = "ENCRYPTED PRIVATE KEY"
_COLUMNS = 64


@dataclass(frozen=True)
class Block:
    """What stood between one BEGIN and its END.

    `der` is None when that was no base64. The label or the block's own headers say that it is `encrypted`.
    """

    label: str
    der: bytes | None = field(repr=False)
    encrypted: bool = False

    @property
    def is_certificate(self) -> bool:
        """Whether it says that it is a certificate."""
        return self.label in _CERTIFICATE_LABELS

    @property
    def is_private_key(self) -> bool:
        """Whether it says that it is a private key, of any form."""
        return self.label.endswith("PRIVATE KEY")


@dataclass(frozen=True)
class Text:
    """The blocks of a text in their order; `torn` when a BEGIN had no END of its own."""

    blocks: tuple[Block, ...]
    torn: bool = False


@dataclass(frozen=True)
class Bundle:
    """PEM texts ready for IAM: leaf, key, chain (issuer first, without the leaf; may be empty).

    The key is in no repr.
    """

    certificate: str
    private_key: str = field(repr=False)
    chain: str = ""


@dataclass(frozen=True)
class Authority:
    """A private certificate authority: PEM texts. The key is in no repr."""

    certificate: str
    private_key: str = field(repr=False)


@dataclass(frozen=True)
class NewSecret:
    """The value of a secret that is to be made, and its description."""

    value: Mapping[str, str] = field(repr=False)
    description: str


@dataclass(frozen=True, kw_only=True)
class KeyMaterial:
    """What a plan's actions name and do not hold, because of the keys.

    `bundle` is the certificate to upload and `source` the text of its tag `emq-elb:certificate`; `authority`
    is the private CA to keep, `secret` another secret to keep.
    """

    bundle: Bundle | None = None
    source: str = ""
    authority: Authority | None = None
    secret: NewSecret | None = None


def parse(text: str) -> Text:
    """Take the blocks out of a text, whatever stands around them. Time grows with the text's length only."""
    found: list[Block] = []
    torn = False
    begun: re.Match[str] | None = None
    for marker in _MARKER.finditer(text):
        if marker[1] == "BEGIN":
            torn = torn or begun is not None
            begun = marker
        elif begun is not None and begun[2] == marker[2]:
            found.append(_block(marker[2], text[begun.end() : marker.start()]))
            begun = None
        else:
            torn = True
            begun = None
    return Text(tuple(found), torn or begun is not None)


def certificates(text: str) -> tuple[bytes, ...]:
    """Return the DER of every certificate block, in order; those that are no base64 are left out."""
    return tuple(block.der for block in parse(text).blocks if block.is_certificate and block.der is not None)


def encode(label: str, der: bytes) -> str:
    """Return the PEM text: lines of 64 characters, each ended by a line feed."""
    body = b64encode(der).decode()
    lines = [body[start : start + _COLUMNS] for start in range(0, len(body), _COLUMNS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _block(label: str, body: str) -> Block:
    # Headers as of RFC 1421 stand before the first empty line; OpenSSL writes them for encrypted keys only.
    lines = [line.strip() for line in body.strip().splitlines()]
    headers = [line for line in lines if ":" in line]
    encrypted = label == _ENCRYPTED or any("ENCRYPTED" in header for header in headers)
    digits = "".join("".join(lines[len(headers) :]).split())
    try:
        return Block(label, binascii.a2b_base64(digits, strict_mode=True) or None, encrypted)
    except ValueError:
        return Block(label, None, encrypted)


@dataclass(frozen=True)
class GivenPem:
    """PEM texts as they came in the request, not looked at yet: none is in a repr, any may be a key."""

    certificate: str = field(repr=False)
    private_key: str = field(repr=False)
    chain: str = field(default="", repr=False)


def certificate_digest(certificate: str, chain: str) -> str:
    """Return the SHA-256, in hex, over the certificates of leaf and chain in their order.

    Over their DER, not over the PEM text: IAM need not keep a text's line ends when it is read back. DER
    says where it ends, so that no two different chains make the same bytes. The key is not part of it: the
    leaf names its public half.
    """

    return sha256(b"".join((*certificates(certificate), *certificates(chain)))).hexdigest()


def certificate_name(region: str, load_balancer: str, bundle: Bundle) -> str:
    """Return the name of the server certificate in IAM: same content, same name, at most 128 characters."""
    digest = certificate_digest(bundle.certificate, bundle.chain)
    return f"{region}-{load_balancer}-{digest[:DIGITS_IN_NAME]}"


def serial_text(serial: int) -> str:
    """Return a certificate's serial number as OpenSSL and Python's `ssl` write it: hex, whole bytes."""
    digits = f"{serial:X}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"
