"""What a load balancer needs of its VPC: security groups and subnets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RULES_MAX = 60
"""Inbound rules a group: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"""


@dataclass(frozen=True)
class Rule:
    """One ingress rule: `source` is a CIDR, another group's id or a prefix list's.

    Everything that EC2 needs to find it again. The ports are EC2's: for ICMP its type and code, -1 for all,
    and None where EC2 shows none. `user_id` is the account of a group, `peering` the connection to its VPC.
    """

    protocol: str
    from_port: int | None
    to_port: int | None
    source: str
    user_id: str | None = None
    peering: str | None = None

    def admits(self, port: int) -> bool:
        """Whether it is for that TCP port, from any source."""
        if self.protocol == "tcp" and self.from_port is not None and self.to_port is not None:
            return self.from_port <= port <= self.to_port
        return self.protocol == "-1"


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Rules in the order of their protocols, ports and sources."""

    def key(rule: Rule) -> tuple[str, int, str, str]:
        return rule.protocol, -1 if rule.from_port is None else rule.from_port, rule.source, repr(rule)

    return tuple(sorted(rules, key=key))


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
    """`public` is whether its route table leads to an internet gateway, None where nobody looked.

    `prefix` is the length of its network's prefix, `network` the network itself, None where nobody looked.
    """

    id: str
    vpc: str
    zone: str
    free_addresses: int
    public: bool | None = None
    prefix: int = 0
    network: str | None = None
