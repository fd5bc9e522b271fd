"""The story `rotate`: no load balancer of ours serves an expired certificate, and no client notices.

A schedule (every 12 hours) or a request wakes it. It may upload a server certificate, set it on listeners,
delete superseded ones under its own path, and set the tags `emq-elb:pending` and `emq-elb:rejected`.
Page: docs/rotate.md.
"""

PURE = (
    "events",
    "model",
    "plan",
    "proof",
)
