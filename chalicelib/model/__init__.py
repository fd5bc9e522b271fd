"""Plain values that every folder shares: load balancers, actions, errors, names and tags.

Nothing wakes it and it changes nothing. It imports the standard library and itself.
Page: docs/architecture.md.
"""

PURE = (
    "actions",
    "batches",
    "bounds",
    "ciphers",
    "dns_options",
    "errors",
    "load_balancer",
    "members",
    "metrics",
    "moments",
    "names",
    "pending",
    "probe_options",
    "report",
    "route53",
    "same_name",
    "step",
    "syntax",
    "target_groups",
    "unmanaged",
    "user_tags",
    "vpc",
)
