"""Corrections to moto's security groups: whose groups a rule may name, and how many rules there are.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import RulesPerSecurityGroupLimitExceededError
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.responses.security_groups import SecurityGroups

QUOTA = 60
"""Inbound rules a group: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"""

Operation = Callable[[SecurityGroups], ActionResult]
_authorize: Operation = SecurityGroups.authorize_security_group_ingress
_add_source_group = SecurityGroupBackend._add_source_group  # noqa: SLF001 - what ours stands in front of


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    setattr(SecurityGroups, "authorize_security_group_ingress", authorize)  # noqa: B010 - mypy forbids the assignment
    setattr(EC2Backend, "_add_source_group", source_groups)  # noqa: B010 - mypy forbids the assignment


def authorize(response: SecurityGroups) -> ActionResult:
    """Refuse a request as a whole before anything is changed, when there are too many rules."""
    _refuse_too_many(response, list(response._process_rules_from_querystring()))  # noqa: SLF001 - moto's only reader
    return _authorize(response)


def _refuse_too_many(response: SecurityGroups, asked: list[dict[str, Any]]) -> None:
    group = response.ec2_backend.get_security_group_by_name_or_id(asked[0]["group_name_or_id"], None)
    new = sum(
        len(permission[kind] or [])
        for permission in asked
        for kind in ("ip_ranges", "source_groups", "prefix_list_ids")
    )
    if group is not None and len(group.ingress_rules) + new > QUOTA:
        raise RulesPerSecurityGroupLimitExceededError


def source_groups(
    backend: EC2Backend, source_groups: list[dict[str, Any]] | None, vpc_id: str | None
) -> list[dict[str, Any]]:
    """Take a peered account's group as it is named, with its `UserId`; moto knows its own account's only.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
    """
    pairs = source_groups or []
    peered = [{**pair} for pair in pairs if pair.get("UserId", backend.account_id) != backend.account_id]
    own = [pair for pair in pairs if pair.get("UserId", backend.account_id) == backend.account_id]
    return [*_add_source_group(backend, own, vpc_id), *peered]
