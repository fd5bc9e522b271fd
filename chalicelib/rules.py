"""The event patterns of our EventBridge rules: what wakes which function.

A pattern that filters `changed-tag-keys` rejects every other kind, hence `$or`; our own tags do not wake us.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

REGISTER_WHEN = {
    "$or": [
        {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": ["running", "stopping", "stopped", "shutting-down", "terminated"]},
        },
        {
            "source": ["aws.tag"],
            "detail-type": ["Tag Change on Resource"],
            "detail": {
                "service": ["ec2"],
                "resource-type": ["instance"],
                "changed-tag-keys": ["emq-elb:cluster"],
            },
        },
    ]
}

DRAIN_WHEN = {
    "$or": [
        {
            "source": ["aws.ec2"],
            "detail-type": [
                "EC2 Spot Instance Interruption Warning",
                "EC2 Instance Rebalance Recommendation",
            ],
        },
        {
            "source": ["aws.autoscaling"],
            "detail-type": [
                "EC2 Instance-launch Lifecycle Action",
                "EC2 Instance-terminate Lifecycle Action",
            ],
            "detail": {"LifecycleHookName": ["emq-elb-ready", "emq-elb-drain"]},
        },
    ]
}

EXPIRING_WHEN = {"source": ["aws.acm"], "detail-type": ["ACM Certificate Approaching Expiration"]}
