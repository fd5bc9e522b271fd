"""What one PUT found at AWS, beside the load balancer itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.certificates.chosen import Chosen
from chalicelib.dns.plan import NameInZone
from chalicelib.model.load_balancer import Instance, Member, State
from chalicelib.model.route53 import Zone
from chalicelib.model.vpc import SecurityGroup, Subnet


@dataclass(frozen=True, kw_only=True)
class Names:
    """What Route 53 has of the names that the load balancer has a record for, or is to have.

    `zones` are the hosted zones of the setting DNS_ZONES, `missing` the ids in it of which there is none.
    `vpc` is the load balancer's, where it is known.
    """

    zones: tuple[Zone, ...] = ()
    missing: tuple[str, ...] = ()
    found: tuple[NameInZone, ...] = ()
    vpc: str | None = None
    region: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the decisions of a PUT rest on.

    `subnets` are those that the body names and those of the load balancer; `gateway` is whether the VPC has
    an internet gateway, None where nobody had to ask; `instances` are the tagged, the named and the
    registered ones; `groups` the security groups of the VPC; `load_balancers` is how many of the type there
    are in the region and `quota` how many there may be, where somebody asked. `attaching` are the Auto
    Scaling groups that register their instances with the load balancer themselves. `logs_are_ours` is whether
    the bucket of new access logs is this account's, None where nobody had to ask or may. `names` is None
    where no record is kept, nor is to be. `same_name` is whether a classic and a network one of ours have it.
    Of network load balancers: `taken` is whether an application or gateway one has the name,
    `foreign_groups` are the names of target groups that are named as ours would be and are not ours, and
    `allocations` the Elastic IPs that the body names and the load balancer does not have, with whether
    something else has them.
    """

    now: datetime
    actual: State
    members: tuple[Member, ...] = ()
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    groups: Mapping[str, SecurityGroup] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    chosen: Chosen | None = None
    load_balancers: int = 0
    quota: int | None = None
    gateway: bool | None = None
    attaching: frozenset[str] = frozenset()
    logs_are_ours: bool | None = None
    names: Names | None = None
    same_name: bool = False
    taken: bool = False
    foreign_groups: frozenset[str] = frozenset()
    allocations: Mapping[str, bool] = field(default_factory=dict)
