"""What Terraform's state would hold of the network load balancers of a region."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.programs.terraform_replay import Stack


def remember(elb: Any, path: Path) -> None:
    """Read them with a client of ELB's second API, and write the state, without security groups."""
    pages = elb.get_paginator("describe_load_balancers").paginate()
    stacks = [_stack(elb, one["LoadBalancerArn"]) for page in pages for one in page["LoadBalancers"]]
    path.write_text(json.dumps([asdict(one) for one in stacks]))


def _stack(elb: Any, arn: str) -> Stack:
    listeners = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    groups = [
        one["TargetGroupArn"] for one in elb.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    ]
    attachments = [
        (group, one["Target"]["Id"], one["Target"]["Port"])
        for group in groups
        for one in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    ]
    names = [
        one["CertificateArn"].rpartition("/")[2]
        for listener in listeners
        for one in listener.get("Certificates", [])
    ]
    return Stack(
        load_balancer=arn,
        target_groups=groups,
        listeners=[(one["ListenerArn"], one["Protocol"]) for one in listeners],
        attachments=attachments,
        certificate=names[0] if names else None,
    )
