"""One look at everything without drift: `story` is ours, `floor` reads as few pages as AWS allows.

The floor knows the tag and the lists, and compares who carries the one with who is in the other.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any


def story() -> None:
    """What `reconcile` does every minute; hooks, sweeping and alarms have nothing to do here."""
    from chalicelib import container
    from chalicelib.register import story as register

    look = register.reconcile(container.invocation(timedelta(seconds=50)))
    look.complain()
    if look.steps:
        raise SystemExit(f"found {len(look.steps)} things to do")


def floor() -> None:
    """Read load balancers, their tags, and the tagged instances."""
    import boto3

    elb, ec2 = boto3.client("elb"), boto3.client("ec2")
    registered = {
        one["LoadBalancerName"]: {instance["InstanceId"] for instance in one["Instances"]}
        for page in elb.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 400})
        for one in page["LoadBalancerDescriptions"]
    }
    names = [*registered]
    owners = {
        one["LoadBalancerName"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]}.get("emq-elb:owner")
        for start in range(0, len(names), 20)
        for one in elb.describe_tags(LoadBalancerNames=names[start : start + 20])["TagDescriptions"]
    }
    tagged: dict[str, set[str]] = {}
    filters: Any = [{"Name": "tag-key", "Values": ["emq-elb:cluster"]}]
    for page in ec2.get_paginator("describe_instances").paginate(
        Filters=filters, PaginationConfig={"PageSize": 1000}
    ):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
                tagged.setdefault(tags["emq-elb:cluster"], set()).add(instance["InstanceId"])
    drifted = [
        name
        for name, owner in owners.items()
        if owner is not None and registered[name] != tagged.get(name, set())
    ]
    if drifted:
        raise SystemExit(f"{len(drifted)} have drifted")


def main() -> None:
    """Look."""
    {"story": story, "floor": floor}[sys.argv[1]]()


if __name__ == "__main__":
    main()
