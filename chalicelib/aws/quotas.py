"""The quotas of load balancers, which both of AWS's load balancing APIs answer in one form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_elb.type_defs import LimitTypeDef as ClassicLimit
    from mypy_boto3_elbv2.type_defs import LimitTypeDef as NetworkLimit


def parse_quota(limits: Iterable[ClassicLimit | NetworkLimit], name: str) -> int | None:
    """Return the quota of that name out of an answer of DescribeAccountLimits; None where it has none."""
    found = (limit.get("Max") for limit in limits if limit.get("Name") == name)
    return next((int(limit) for limit in found if limit), None)
