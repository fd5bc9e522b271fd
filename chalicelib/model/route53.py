"""Hosted zones of Route 53, their record sets, and changes of them."""

from __future__ import annotations

from dataclasses import dataclass


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
    ttl: int = 60


@dataclass(frozen=True)
class Change:
    """One record set as it was found, and as it is to be; None where there is none."""

    before: RecordSet | None
    after: RecordSet | None
