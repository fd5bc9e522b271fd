"""The story `register`: the registered instances are those of the cluster.

EventBridge wakes `register` and `drain`; every minute wakes `reconcile`. It may register and deregister
instances, tag an instance `emq-elb:draining`, and complete lifecycle actions of its two hooks.
Page: docs/register.md.
"""

PURE = (
    "changes",
    "events",
    "lifecycle",
    "plan",
    "settle",
    "turns",
)
