"""The story `probe`: use every load balancer as a device would, and measure it.

A schedule (every minute; every hour for `deep`) or a request wakes it. It changes nothing at AWS; it writes
metrics. Page: docs/probe.md.
"""

PURE = (
    "deep_plan",
    "metrics",
    "plan",
)
