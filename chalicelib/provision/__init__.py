"""The story `provision`: AWS matches the load balancer that was asked for, until it is deleted.

A request (PUT, DELETE) wakes it, and the function `provision` in the background; `reconcile` wakes `sweep`.
It may change the load balancer, its security group, its certificate, and the cluster tag of instances.
Page: docs/api.md.
"""

PURE = (
    "bounds",
    "declaration",
    "declaration_checks",
    "desired",
    "facts",
    "plan",
    "plan_classic",
    "plan_network",
    "plan_listeners",
    "review",
    "review_blind_spots",
    "review_network",
    "superseded",
)
