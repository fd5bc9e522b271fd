"""Alarms, the dashboard, and the status table with its buttons: they follow the load balancers.

`provision` and `reconcile` wake `apply`; the dashboard wakes `widget`. It may change alarms and dashboards
with our name prefix. Page: docs/operations.md.
"""

PURE = (
    "dashboard",
    "in_service",
    "page",
    "plan",
)
