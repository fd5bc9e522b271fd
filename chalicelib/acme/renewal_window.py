"""When the authority that issued a certificate would have it renewed (RFC 9773)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from chalicelib.model.load_balancer import Certificate
from chalicelib.model.moments import moment_of
from chalicelib.x509.preflight import LOOKED_AT_EVERY


@dataclass(frozen=True)
class Window:
    """From when to when the CA suggests to renew."""

    start: datetime
    end: datetime


def certificate_id(certificate: Certificate) -> str | None:
    """The name that the CA knows a certificate by: its issuer's key and its serial number.

    None where either is not known. https://www.rfc-editor.org/rfc/rfc9773#section-4.1
    """
    if not certificate.issuer_key or not certificate.serial:
        return None
    serial = bytes.fromhex(certificate.serial)
    # As DER has it: a positive integer's first bit is not set.
    signed = b"\0" + serial if serial[0] & 0x80 else serial
    return f"{_base64url(bytes.fromhex(certificate.issuer_key))}.{_base64url(signed)}"


def window_of(answer: object) -> Window | None:
    """The window in what a CA answered; None where there is none that makes sense.

    https://www.rfc-editor.org/rfc/rfc9773#section-4.2
    """
    match answer:
        case {"suggestedWindow": {"start": str(start), "end": str(end)}}:
            try:
                window = Window(_utc(start), _utc(end))
            except (ValueError, OverflowError):
                return None
        case _:
            return None
    return window if window.start < window.end else None


def renew_at(window: Window, certificate: str) -> datetime:
    """A time in the window, another one for each certificate (its name or ARN), the same at every look.

    https://www.rfc-editor.org/rfc/rfc9773#section-4.2 asks for one at random; who looks again without a
    memory must come to the same.
    """
    share = int.from_bytes(sha256(certificate.encode()).digest()[:8]) / 2**64
    return window.start + (window.end - window.start) * share


def suggested(window: Window, certificate: str, now: datetime) -> bool:
    """Whether that time is over, or will be over before the next look."""
    return renew_at(window, certificate) <= now + LOOKED_AT_EVERY


def _utc(text: str) -> datetime:
    """Return a time in UTC, whatever its offset; ValueError without an offset."""
    found = moment_of(text)
    if found is None:
        raise ValueError(text)
    return found


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
