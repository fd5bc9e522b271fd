"""ACM's event that a certificate of its own ends soon: which certificates, and in how many days.

https://docs.aws.amazon.com/acm/latest/userguide/supported-events.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAYS_MAX = 400
"""No public certificate lives longer, and ACM announces the end 45 days before, or as many as are set."""
CERTIFICATES_MAX = 10
"""ACM sends an event for each certificate."""


@dataclass(frozen=True, kw_only=True)
class Expiring:
    """Certificates of ACM by their ARNs, and the days that are left of them."""

    arns: frozenset[str]
    days: float


def read_expiring(resources: object, detail: object) -> Expiring | str:
    """Return the event as a value, or why it cannot be read: others can put such events too."""
    days = detail.get("DaysToExpiry") if isinstance(detail, Mapping) else None
    # To Python true is a number, and so is NaN, which JSON does not know and Python reads all the same.
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= DAYS_MAX:
        return f"its DaysToExpiry is no number from 0 to {DAYS_MAX}"
    if not isinstance(resources, list) or not 1 <= len(resources) <= CERTIFICATES_MAX:
        return f"its resources are not 1 to {CERTIFICATES_MAX} certificates"
    return Expiring(arns=frozenset(one for one in resources if isinstance(one, str)), days=days)
