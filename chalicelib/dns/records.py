"""TXT record sets as values: what is in one after a change."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.model.route53 import RecordSet

_TTL = 60


def text_value(text: str) -> str:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat"""
    return f'"{text}"'


def text_record_set(name: str, there: RecordSet | None, values: Sequence[str]) -> RecordSet | None:
    """Return the record set with these values, each once; None without values. `there` is what it was."""
    if not values:
        return None
    return RecordSet(name, tuple(dict.fromkeys(values)), there.ttl if there else _TTL)
