"""One thing that was done at AWS, as it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Step:
    """One AWS call of a plan, as it is told: its name, why, and what it was about (JSON values)."""

    action: str
    reason: str
    fields: Mapping[str, object] = field(default_factory=dict)
