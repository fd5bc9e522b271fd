"""One thing that was done at AWS, as answers and logs show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Step:
    """One AWS call of a plan: its name, its reason, the service, and what it was about (JSON values)."""

    action: str
    reason: str
    fields: Mapping[str, object] = field(default_factory=dict)
    service: str = "elb"
