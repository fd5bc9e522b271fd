"""What functions print for CloudWatch: lines of its embedded metric format."""

from __future__ import annotations

import json
from typing import Any


def emitted(text: str) -> list[dict[str, Any]]:
    """Return the records among the lines, each metric as the one value that it has."""
    records = [json.loads(line) for line in text.splitlines() if '"_aws"' in line]
    return [{key: _only(value) for key, value in record.items()} for record in records]


def _only(value: Any) -> Any:
    if isinstance(value, list):
        (value,) = value
    return value
