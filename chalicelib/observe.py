"""Read AWS: one load balancer with all that is about it, and all of ours.

Reads that do not wait for one another run side by side. The number of calls is part of the contract: tests
count them.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws import elb
from chalicelib.aws import vpc as vpcs
from chalicelib.aws.certificate import read_certificate
from chalicelib.invocation import Invocation
from chalicelib.model.errors import NotFound
from chalicelib.model.load_balancer import LoadBalancer, Member
from chalicelib.model.names import security_group_name
from chalicelib.model.report import View
from chalicelib.model.syntax import name_fault
from chalicelib.model.vpc import SecurityGroup

if TYPE_CHECKING:
    from mypy_boto3_elb.type_defs import LoadBalancerDescriptionTypeDef

READS_AT_ONCE = 8


@dataclass(frozen=True)
class FoundLoadBalancer:
    """One load balancer and the health of its members."""

    load_balancer: LoadBalancer
    members: tuple[Member, ...]


def find_load_balancer(
    name: str, invocation: Invocation, described: LoadBalancerDescriptionTypeDef | None = None
) -> FoundLoadBalancer | None:
    """Read one load balancer in five calls, four where it is described already; None when there is none."""
    client = invocation.clients.elb
    described = described or elb.describe_load_balancer(client, name)
    if described is None:
        return None
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        tags = pool.submit(elb.load_balancer_tags, client, [name])
        attributes = pool.submit(elb.attributes, client, name)
        policies = pool.submit(elb.policies, client, name)
        members = pool.submit(elb.members, client, name)
    found = elb.parse_load_balancer(
        described, attributes.result(), policies.result(), tags.result().get(name, {})
    )
    return FoundLoadBalancer(found, members.result())


def view(name: str, invocation: Invocation) -> View | None:
    """What GET shows, in at most seven calls; None when there is no such load balancer."""
    found = find_load_balancer(name, invocation)
    if found is None:
        return None
    there = found.load_balancer
    arn = next((listener.certificate for listener in there.listeners if listener.certificate), None)
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        groups = pool.submit(vpcs.groups, invocation.clients.ec2, there.security_groups)
        certificate = pool.submit(read_certificate, arn, invocation.clients) if arn else None
    return View(
        load_balancer=there,
        group=own_group(name, groups.result(), invocation.settings.owner),
        certificate=certificate.result() if certificate else None,
        members=found.members,
        now=invocation.now(),
    )


def show(name: str, invocation: Invocation, *, adopt: bool = False) -> View:
    """One load balancer of ours, or with `adopt` one that nobody owns yet; raises NotFound."""
    found = None if name_fault(name) else view(name, invocation)
    owner = found.load_balancer.owner if found else None
    if found is None or not (owner == invocation.settings.owner or (adopt and owner is None)):
        raise NotFound(f"there is no load balancer {name} of ours")
    return found


def one_of_ours(name: str, invocation: Invocation) -> LoadBalancer:
    """One load balancer of ours, as far as a listing and tags show it, in two calls; raises NotFound."""
    found = list_one(name, invocation).ours.get(name)
    if found is None:
        raise NotFound(f"there is no load balancer {name} of ours")
    return found


def list_one(name: str, invocation: Invocation) -> elb.Listed:
    """One load balancer, ours or not, as far as a listing and tags show it, in two calls."""
    client = invocation.clients.elb
    # ELB refuses to look for what can be no name; a tag can be any text.
    described = None if name_fault(name) else elb.describe_load_balancer(client, name)
    return elb.listed(client, [described] if described else [], invocation.settings.owner)


def own_group(name: str, groups: Mapping[str, SecurityGroup], owner: str) -> SecurityGroup | None:
    """Return the group that we made for the load balancer, if it is among these."""
    own = (
        group for group in groups.values() if group.name == security_group_name(name) and group.owner == owner
    )
    return next(own, None)


def ours(invocation: Invocation) -> tuple[LoadBalancer, ...]:
    """Every load balancer of ours, as far as a listing and tags show it: without attributes and policies.

    One call for each 400 load balancers of the region, and one for each 20.
    """
    return tuple(list_all(invocation).ours.values())


def list_all(invocation: Invocation) -> elb.Listed:
    """Every load balancer of the region, as far as a listing and tags show it, in as many calls as `ours`."""
    client = invocation.clients.elb
    return elb.listed(client, elb.describe_all(client), invocation.settings.owner)
