"""Read AWS before a change: what a PUT or a DELETE rests on.

Reads that do not wait for one another run side by side. The number of calls is part of the contract: tests
count them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from chalicelib.aws import autoscaling, ec2, elb, elbv2, iam, s3
from chalicelib.aws import vpc as vpcs
from chalicelib.aws.autoscaling import with_lifecycles
from chalicelib.certificates.chosen import Existing
from chalicelib.certificates.users import CertificateUser, CertificateUsers, Described, find_users
from chalicelib.dns.names import read_names, read_zones
from chalicelib.invocation import Invocation
from chalicelib.model.dns_options import read_dns_tag
from chalicelib.model.load_balancer import (
    LoadBalancer,
    LoadBalancerType,
    Member,
    State,
    TargetGroup,
)
from chalicelib.model.names import DNS_TAG, certificate_path, security_group_name
from chalicelib.model.report import ReviewWarning
from chalicelib.model.route53 import Change
from chalicelib.model.vpc import SecurityGroup, Subnet
from chalicelib.observe import (
    READS_AT_ONCE,
    FoundLoadBalancer,
    own_group,
    read_described,
    spare_groups,
)
from chalicelib.provision.certificate import choose
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.facts import Facts, Names
from chalicelib.provision.hostname import kept_names, names_to_read, unknown_zones, withdrawals

# A quota is never below AWS's default, 20 classic ones and 50 network ones, so that with few load balancers
# nobody needs to ask for it.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
_FEW: Mapping[LoadBalancerType, int] = {"classic": 15, "network": 40}


def for_put(declaration: Declaration, invocation: Invocation, *, reviewed: bool = True) -> Facts:
    """Everything that a PUT rests on: of a classic one at most eleven calls, of the article's network one 16.

    One more for each 50 instances in a group, for each 100 Auto Scaling groups of the region beyond the
    first, and one where a subnet that is new to an internet-facing load balancer seems private, and one
    for the bucket of new access logs; of a network one two for each target group more and one for each TCP
    listener more. With a record of the hostname one for each id in DNS_ZONES, and two for each name in a
    hosted zone. Where nobody reads a review, nothing is asked for it alone.
    """
    clients, name = invocation.clients, declaration.name
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        classic = pool.submit(elb.describe_all, clients.elb)
        others_too = pool.submit(elbv2.describe_second_kind, clients.elbv2)
        tagged = pool.submit(ec2.instances_tagged, clients.ec2, declaration.serves)
    described = {one.get("LoadBalancerName", ""): one for one in classic.result()}
    second = {one.get("LoadBalancerName", ""): one for one in others_too.result()}
    networks = {key: one for key, one in second.items() if elbv2.is_network(one)}
    found = read_described(
        described.get(name), networks.get(name), invocation, asked=declaration.type, every_group=True
    )
    there = found.load_balancer if found else None
    declaration = declaration.as_it_is(there)
    count = {"classic": len(described), "network": len(networks)}[declaration.type]

    known = there.subnets if there else frozenset()
    registered = there.instances if there else frozenset()
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        others = pool.submit(
            ec2.instances, clients.ec2, (registered | {*declaration.instances}) - tagged.result().keys()
        )
        subnets = pool.submit(vpcs.subnets, clients.ec2, known | {*declaration.subnets})
        quota = pool.submit(_quota, declaration.type, count, invocation)
        logs = pool.submit(_logs_are_ours, declaration, there, invocation) if reviewed else None
        spare = pool.submit(_spare_groups, declaration, found, invocation)
        allocations = pool.submit(vpcs.allocations, clients.ec2, _allocations(declaration, there))
        attaching = pool.submit(_attaching, found, invocation) if found else None
        chosen = pool.submit(choose, declaration, there, invocation)
        vpc = _vpc(declaration, subnets.result(), there)
        groups = pool.submit(vpcs.groups_in, clients.ec2, vpc) if vpc else None
        names = pool.submit(_names, declaration, there, vpc, invocation)
        instances = {**others.result(), **tagged.result()}
        lifecycles = pool.submit(with_lifecycles, instances, clients)
        zoned = pool.submit(_with_routes, declaration, subnets.result(), known, vpc, invocation)
        private = any(subnet.public is False for subnet in zoned.result().values())
        gateway = pool.submit(vpcs.has_internet_gateway, clients.ec2, vpc) if private and vpc else None
    own = own_group(name, groups.result() if groups else {}, invocation.settings.owner)
    certificate = chosen.result()
    uploaded = certificate.certificate if isinstance(certificate, Existing) else None
    return Facts(
        now=invocation.now(),
        actual=State(
            name=name,
            load_balancer=there,
            group=own,
            certificates=frozenset([uploaded.name] if uploaded and uploaded.name else []),
            cluster=frozenset(tagged.result()),
            spare_groups=_ours(spare.result(), invocation),
        ),
        members=found.members if found else (),
        subnets=zoned.result(),
        groups=groups.result() if groups else {},
        instances=lifecycles.result(),
        chosen=certificate,
        load_balancers=count,
        quota=quota.result(),
        foreign_groups=frozenset(
            (
                *(found.taken_groups if found else ()),
                *(one.name for one in spare.result() if one.owner != invocation.settings.owner),
            )
        ),
        taken=name in second.keys() - networks.keys(),
        allocations=allocations.result(),
        attaching=attaching.result() if attaching else frozenset(),
        gateway=gateway.result() if gateway else None,
        logs_are_ours=logs.result() if logs else None,
        names=names.result(),
        same_name=found.same_name if found else False,
    )


def _vpc(declaration: Declaration, subnets: Mapping[str, Subnet], there: LoadBalancer | None) -> str | None:
    vpcs = (subnets[id_].vpc for id_ in declaration.subnets if id_ in subnets)
    return next(vpcs, there.vpc if there else None)


def _quota(type_: LoadBalancerType, load_balancers: int, invocation: Invocation) -> int | None:
    if load_balancers < _FEW[type_]:
        return None
    clients = invocation.clients
    return {"classic": lambda: elb.quota(clients.elb), "network": lambda: elbv2.network_quota(clients.elbv2)}[
        type_
    ]()


def _spare_groups(
    declaration: Declaration, found: FoundLoadBalancer | None, invocation: Invocation
) -> tuple[TargetGroup, ...]:
    """Target groups that an earlier, killed request left; a classic load balancer has none."""
    if found:
        return found.spare_groups
    return spare_groups(declaration.name, invocation) if declaration.type == "network" else ()


def _ours(groups: Iterable[TargetGroup], invocation: Invocation) -> tuple[TargetGroup, ...]:
    return tuple(group for group in groups if group.owner == invocation.settings.owner)


def _allocations(declaration: Declaration, there: LoadBalancer | None) -> frozenset[str]:
    """The Elastic IPs that the load balancer does not have yet."""
    wanted = {one for one in declaration.addresses.values() if one.startswith("eipalloc-")}
    return frozenset(wanted.difference(there.addresses.values() if there else ()))


def _attaching(found: FoundLoadBalancer, invocation: Invocation) -> frozenset[str]:
    """The Auto Scaling groups that register their instances with it themselves."""
    return autoscaling.attaching(invocation.clients.autoscaling, found.load_balancer)


def _names(
    declaration: Declaration, there: LoadBalancer | None, vpc: str | None, invocation: Invocation
) -> Names | None:
    """Read where a record is to be, or was kept so far."""
    if declaration.dns is None and (there is None or DNS_TAG not in there.tags):
        return None
    client = invocation.clients.route53
    zones, missing = read_zones(client, invocation.settings.dns_zones)
    found = read_names(client, names_to_read(declaration, there, zones, vpc))
    return Names(zones=zones, missing=missing, found=found, vpc=vpc, region=invocation.clients.region)


def _logs_are_ours(
    declaration: Declaration, there: LoadBalancer | None, invocation: Invocation
) -> bool | None:
    """Ask only for a bucket that gets the load balancer's logs from now on."""
    logs, before = declaration.access_logs, there.access_logs if there else None
    if logs is None or (before and before.bucket == logs.bucket):
        return None
    return s3.is_ours(invocation.clients.s3, logs.bucket)


def _with_routes(
    declaration: Declaration,
    subnets: Mapping[str, Subnet],
    known: frozenset[str],
    vpc: str | None,
    invocation: Invocation,
) -> Mapping[str, Subnet]:
    """Say of the subnets that are new to an internet-facing load balancer whether they are public.

    Nothing where their route tables cannot be seen, as those of a shared VPC.
    """
    coming = {id_ for id_ in declaration.subnets if id_ in subnets} - known
    if declaration.scheme == "internal" or not coming or vpc is None:
        return subnets
    public = vpcs.public_subnets(invocation.clients.ec2, vpc, coming)
    return {
        id_: replace(subnet, public=id_ in public) if id_ in coming else subnet
        for id_, subnet in subnets.items()
    }


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a DELETE rests on: what exists, which members are in service, and what of others uses it.

    `attaching` are the Auto Scaling groups that attach it; `warnings` name regions that could not be asked.
    `same_name` is whether a classic and a network one of ours have the name.
    """

    actual: State
    members: tuple[Member, ...]
    holders: tuple[str, ...]
    attaching: frozenset[str] = frozenset()
    record_changes: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    warnings: tuple[ReviewWarning, ...] = ()
    same_name: bool = False


def for_delete(name: str, invocation: Invocation) -> Standing:
    """The load balancer and what was made for it, also where the load balancer itself is gone already.

    Where a certificate was made for it, every region is asked who else serves it.
    """
    clients, owner = invocation.clients, invocation.settings.owner
    path = certificate_path(owner, clients.region, name)
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        everything = pool.submit(elb.describe_all, clients.elb)
        others_too = pool.submit(elbv2.describe_second_kind, clients.elbv2)
        listed = pool.submit(iam.list_certificates, clients.iam, path)
        grouped = pool.submit(vpcs.groups_named, clients.ec2, security_group_name(name))
    here = Described(everything.result(), others_too.result())
    classic = next((one for one in here.classic if one.get("LoadBalancerName") == name), None)
    network = next(
        (one for one in here.second if one.get("LoadBalancerName") == name and elbv2.is_network(one)), None
    )
    found = read_described(classic, network, invocation, every_group=True)
    there = found.load_balancer if found else None
    attaching = _attaching(found, invocation) if found else frozenset()
    named = withdrawn(there, invocation) if there else Withdrawn()
    group = _group_of(found, [group for group in grouped.result() if group.owner == owner])
    ours = frozenset(certificate.arn for certificate in listed.result())
    users = find_users(invocation, here) if ours else CertificateUsers()
    return Standing(
        actual=State(
            name=name,
            load_balancer=there,
            group=group,
            certificates=frozenset(certificate.name or "" for certificate in listed.result()),
            spare_groups=_ours(found.spare_groups if found else spare_groups(name, invocation), invocation),
        ),
        members=found.members if found else (),
        holders=tuple(
            dict.fromkeys(
                (
                    *_certificate_holders(users.users, ours, there, clients.region),
                    *(_group_holders(group, there, here) if group else ()),
                    *(vpcs.referring_groups(clients.ec2, group.id) if group and group.id else ()),
                )
            )
        ),
        attaching=attaching,
        record_changes=named.changes,
        warnings=(*users.warnings, *named.warnings),
        same_name=found.same_name if found else False,
    )


@dataclass(frozen=True)
class Withdrawn:
    """What is to change in hosted zones before a load balancer goes, and where nothing can be changed."""

    changes: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    warnings: tuple[ReviewWarning, ...] = ()


def withdrawn(there: LoadBalancer, invocation: Invocation) -> Withdrawn:
    """Read the names of which the load balancer's tags keep the record: no call where they name none."""
    kept = read_dns_tag(there.tags.get(DNS_TAG))
    if kept is None:
        return Withdrawn()
    client, settings = invocation.clients.route53, invocation.settings
    zones, _ = read_zones(client, [id_ for id_ in settings.dns_zones if id_ in kept.zone_ids])
    found = read_names(client, kept_names(there, zones))
    return Withdrawn(withdrawals(there, found, settings.owner), tuple(unknown_zones(there, zones)))


def _group_of(found: FoundLoadBalancer | None, groups: Sequence[SecurityGroup]) -> SecurityGroup | None:
    """That of the load balancer's VPC; without one any, since each VPC may have kept its own."""
    here = (group for group in groups if found is None or group.vpc == found.load_balancer.vpc)
    return next(here, None)


def _certificate_holders(
    users: Iterable[CertificateUser], certificates: frozenset[str], it: LoadBalancer | None, region: str
) -> tuple[str, ...]:
    """Other load balancers, of any region, that serve a certificate which was made for this one."""
    itself = (region, it.type, it.name) if it else None
    return tuple(
        f"load balancer {one.name}" + (f" in {one.region}" if one.region != region else "")
        for one in users
        if certificates & one.certificates and (one.region, one.type, one.name) != itself
    )


def _group_holders(group: SecurityGroup, it: LoadBalancer | None, here: Described) -> tuple[str, ...]:
    """Other load balancers of the region that are in the security group which was made for this one."""
    itself = (it.type, it.name) if it else None
    attached = [
        *(
            ("classic", one.get("LoadBalancerName", ""), one.get("SecurityGroups", []))
            for one in here.classic
        ),
        *(
            (one.get("Type", ""), one.get("LoadBalancerName", ""), one.get("SecurityGroups", []))
            for one in here.second
        ),
    ]
    return tuple(
        f"load balancer {name}"
        for type_, name, groups in attached
        if group.id in groups and (type_, name) != itself
    )
