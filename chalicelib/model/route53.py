"""The TXT records by which a certificate authority sees that a name is ours (RFC 8555, section 8.4)."""

from __future__ import annotations

from dataclasses import dataclass

_TTL = 60


@dataclass(frozen=True)
class Zone:
    """A public hosted zone; `name` without the trailing dot."""

    id: str
    name: str


@dataclass(frozen=True)
class RecordSet:
    """A TXT record set: `values` as Route 53 has them, in quotation marks; `ttl` in seconds."""

    name: str
    values: tuple[str, ...]
    ttl: int = _TTL


@dataclass(frozen=True)
class Change:
    """One record set as it was found, and as it is to be; None where there is none."""

    before: RecordSet | None
    after: RecordSet | None
