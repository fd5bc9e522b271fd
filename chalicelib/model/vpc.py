"""What a load balancer needs of its VPC: security groups and subnets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Rule:
    """One ingress rule: `source` is a CIDR, another group's id or a prefix list's."""

    protocol: str
    from_port: int
    to_port: int
    source: str


@dataclass(frozen=True)
class SecurityGroup:
    """A security group with what it lets in. `id` is None until it is made; `pending` is our tag's text.

    `reaches` are the ids of the groups that its outgoing rules name.
    """

    name: str
    vpc: str
    rules: frozenset[Rule]
    id: str | None = None
    owner: str | None = None
    pending: str | None = None
    reaches: frozenset[str] = frozenset()

    def names(self, group: str) -> bool:
        """Whether a rule of its names that group, which AWS then does not delete."""
        return group in self.reaches or any(rule.source == group for rule in self.rules)


@dataclass(frozen=True)
class Subnet:
    """`public` is None where nobody looked; `prefix` is the length of its network's prefix."""

    id: str
    vpc: str
    zone: str
    free_addresses: int
    public: bool | None = None
    prefix: int = 0
