"""What one PUT found at AWS, beside the load balancer itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import Certificate, Instance, Member, State
from chalicelib.model.report import ReviewWarning
from chalicelib.model.vpc import SecurityGroup, Subnet
from chalicelib.x509.pem import Authority, Bundle


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The certificate that a declaration leads to.

    `reference` is its ARN, or its name while it is not uploaded; `source` the text of the tag
    `emq-elb:certificate`. `bundle` is what to upload, `authority` the new private CA to keep first, both only
    where needed. `order` are the domains of a certificate that is still to be ordered: its source stands for
    its ARN until then.
    """

    reference: str
    source: str
    certificate: Certificate | None = None
    bundle: Bundle | None = None
    authority: Authority | None = None
    order: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[ReviewWarning, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the decisions of a PUT rest on.

    `subnets` are those that the body names, none where they are the load balancer's own already; `instances`
    the tagged, the named and the registered ones; `groups` the security groups of the VPC; `load_balancers`
    how many there are in the region and `quota` how many there may be, where somebody asked.
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
