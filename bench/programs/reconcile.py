"""One look at everything without drift: `story` is ours, the floors read as few pages as AWS allows.

A floor knows the tag and the lists, and compares who carries the one with who is in the other; `floor` is
that of classic load balancers, `network_floor` that of network ones.
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
    tagged = members(ec2)
    drifted = [
        name
        for name, owner in owners.items()
        if owner is not None and registered[name] != tagged.get(name, set())
    ]
    if drifted:
        raise SystemExit(f"{len(drifted)} have drifted")


def network_floor() -> None:
    """Read load balancers, their tags, the tagged instances, and the targets of every target group."""
    import boto3

    elb = boto3.client("elbv2")
    names = {
        one["LoadBalancerArn"]: one["LoadBalancerName"]
        for page in elb.get_paginator("describe_load_balancers").paginate()
        for one in page["LoadBalancers"]
    }
    arns = [*names]
    owned = {
        one["ResourceArn"]
        for start in range(0, len(arns), 20)
        for one in elb.describe_tags(ResourceArns=arns[start : start + 20])["TagDescriptions"]
        if "emq-elb:owner" in {tag["Key"] for tag in one["Tags"]}
    }
    tagged = members(boto3.client("ec2"))
    groups = [
        one
        for page in elb.get_paginator("describe_target_groups").paginate()
        for one in page["TargetGroups"]
        if owned.issuperset(one["LoadBalancerArns"])
    ]
    drifted = [
        one["TargetGroupName"]
        for one in groups
        if {
            each["Target"]["Id"]
            for each in elb.describe_target_health(TargetGroupArn=one["TargetGroupArn"])[
                "TargetHealthDescriptions"
            ]
        }
        != tagged.get(names[one["LoadBalancerArns"][0]], set())
    ]
    if drifted:
        raise SystemExit(f"{len(drifted)} have drifted")


def members(ec2: Any) -> dict[str, set[str]]:
    """Read the tagged instances, and return their ids by cluster."""
    tagged: dict[str, set[str]] = {}
    filters: Any = [{"Name": "tag-key", "Values": ["emq-elb:cluster"]}]
    for page in ec2.get_paginator("describe_instances").paginate(
        Filters=filters, PaginationConfig={"PageSize": 1000}
    ):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
                tagged.setdefault(tags["emq-elb:cluster"], set()).add(instance["InstanceId"])
    return tagged


def main() -> None:
    """Look."""
    {"story": story, "floor": floor, "network_floor": network_floor}[sys.argv[1]]()


if __name__ == "__main__":
    main()
