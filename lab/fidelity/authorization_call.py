"""One call of AWS's API as IAM sees it: its action, its resources' ARNs, the keys that conditions rest on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.utilities.utils import get_partition

from lab.fidelity import authorization_reference as reference
from lab.fidelity.authorization_policy import Question, Values

Tags = Mapping[str, str]

PREFIXES = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction", "s3:ListBuckets": "s3:ListAllMyBuckets"}


@dataclass(frozen=True)
class Call:
    """One call: `service` and `operation` as botocore names them, `parameters` as its models do."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    account: str
    region: str

    @property
    def prefix(self) -> str:
        """The service as actions and ARNs name it."""
        return PREFIXES.get(self.service, self.service)

    @property
    def partition(self) -> str:
        """The part of AWS that it is in: `aws`, `aws-cn` …"""
        return get_partition(self.region)

    @property
    def action(self) -> str:
        """The action of the operation."""
        action = f"{self.prefix}:{self.operation}"
        return ACTIONS.get(action, action)

    def arn(self, resource: str, *, service: str | None = None, region: str | None = None) -> str:
        """The ARN of a resource of this account; `region` is empty for what is global."""
        where = self.region if region is None else region
        return f"arn:{self.partition}:{service or self.prefix}:{where}:{self.account}:{resource}"

    def about(
        self,
        resource_type: str,
        arn: str,
        *,
        action: str | None = None,
        resource_tags: Tags | None = None,
        request_tags: Tags | None = None,
        tag_keys: Iterable[str] | None = None,
        more: Mapping[str, Values] | None = None,
    ) -> Question:
        """The question about one resource, with those of the keys that AWS supplies for it."""
        action = action or self.action
        prefix = action.partition(":")[0]
        keys: dict[str, Values] = {}
        for name, value in (resource_tags or {}).items():
            keys |= {f"aws:ResourceTag/{name}": (value,), f"{prefix}:ResourceTag/{name}": (value,)}
        for name, value in (request_tags or {}).items():
            keys[f"aws:RequestTag/{name}"] = (value,)
        keys["aws:TagKeys"] = tuple(tag_keys if tag_keys is not None else request_tags or ())
        keys |= more or {}
        known = {
            key.lower(): values for key, values in keys.items() if reference.knows(action, resource_type, key)
        }
        return Question(action, arn, known)


def tags_in(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags as most requests write them."""
    return {tag["Key"]: tag.get("Value", "") for tag in listed}
