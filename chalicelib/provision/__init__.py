"""The story `provision`: AWS matches the load balancer that was asked for, until it is deleted.

A request (PUT, DELETE) wakes it, and the function `provision` in the background; `reconcile` wakes `sweep`.
It may change the load balancer, its security group, its certificate, the cluster tag of instances, and the
record of its hostname. Pages: docs/api.md, docs/dns.md.
"""

PURE = (
    "bounds",
    "declaration",
    "declaration_checks",
    "desired",
    "facts",
    "hostname",
    "plan",
    "plan_classic",
    "plan_network",
    "plan_listeners",
    "review",
    "review_blind_spots",
    "review_network",
    "superseded",
)
