"""Read AWS: one load balancer of either kind with all that is about it, and all of ours.

A name is asked of both of AWS's load balancing APIs, each of which may have one of that name: ours counts,
then the one of the type that was asked for. Reads that do not wait for one another run side by side. The
number of calls is part of the contract: tests count them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chalicelib import telemetry
from chalicelib.aws import elb, elbv2, route53
from chalicelib.aws import vpc as vpcs
from chalicelib.aws.certificate import read_certificate
from chalicelib.invocation import Invocation
from chalicelib.model.dns_options import read_dns_tag
from chalicelib.model.errors import Absent, AwsError, Denied, NotFound
from chalicelib.model.load_balancer import (
    ForeignListener,
    LoadBalancer,
    LoadBalancerType,
    Member,
    TargetGroup,
)
from chalicelib.model.names import DNS_TAG, port_of_target_group, security_group_name
from chalicelib.model.report import View
from chalicelib.model.route53 import RecordSet
from chalicelib.model.syntax import name_fault, shown_name
from chalicelib.model.target_groups import members_of
from chalicelib.model.vpc import SecurityGroup

if TYPE_CHECKING:
    from mypy_boto3_elb.type_defs import LoadBalancerDescriptionTypeDef
    from mypy_boto3_elbv2.type_defs import LoadBalancerTypeDef, TargetGroupTypeDef

READS_AT_ONCE = 8

Unread = Callable[[str, AwsError], None]
"""What gets the name of a load balancer that AWS does not show, or of a whole kind, and why."""


@dataclass(frozen=True)
class FoundLoadBalancer:
    """One load balancer and the health of its members.

    `spare_groups` are target groups of its names that no listener uses, `taken_groups` the names of those
    that another load balancer uses. `same_name` is whether one of the other kind has its name and both are
    ours.
    """

    load_balancer: LoadBalancer
    members: tuple[Member, ...]
    spare_groups: tuple[TargetGroup, ...] = ()
    taken_groups: tuple[str, ...] = ()
    same_name: bool = False


def find_load_balancer(name: str, invocation: Invocation) -> FoundLoadBalancer | None:
    """Read one load balancer, a classic one in six calls; None when there is none."""
    clients = invocation.clients
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        classic = pool.submit(elb.describe_load_balancer, clients.elb, name)
        network = pool.submit(elbv2.describe_network, clients.elbv2, name)
    return read_described(classic.result(), network.result(), invocation)


def read_described(
    classic: LoadBalancerDescriptionTypeDef | None,
    network: LoadBalancerTypeDef | None,
    invocation: Invocation,
    *,
    asked: LoadBalancerType = "classic",
    every_group: bool = False,
) -> FoundLoadBalancer | None:
    """Read the rest of the load balancer of one name: ours, else the one of the type that is `asked` for.

    With `every_group` all target groups of the region are read, to find spare ones. Raises Absent where it
    vanished since it was described.
    """
    found = [
        *([_read_classic(classic, invocation)] if classic else []),
        *([_read_network(network, invocation, every_group=every_group)] if network else []),
    ]
    if not found:
        return None
    owner = invocation.settings.owner
    counts = min(found, key=lambda one: (one.load_balancer.owner != owner, one.load_balancer.type != asked))
    ours = [one for one in found if one.load_balancer.owner == owner]
    return replace(counts, same_name=len(ours) > 1)


def _read_classic(described: LoadBalancerDescriptionTypeDef, invocation: Invocation) -> FoundLoadBalancer:
    """Four calls."""
    client, name = invocation.clients.elb, described.get("LoadBalancerName", "")
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        tags = pool.submit(elb.load_balancer_tags, client, [name])
        attributes = pool.submit(elb.attributes, client, name)
        policies = pool.submit(elb.policies, client, name)
        members = pool.submit(elb.members, client, name)
    found = elb.parse_load_balancer(
        described, attributes.result(), policies.result(), _there(name, tags.result())
    )
    return FoundLoadBalancer(found, members.result())


def _read_network(
    described: LoadBalancerTypeDef, invocation: Invocation, *, every_group: bool
) -> FoundLoadBalancer:
    """Four calls, two for each target group, and one for each TCP listener.

    Listeners alone show whose a target group is; one for which no listener was made yet is found by
    its name.
    """
    client, arn = invocation.clients.elbv2, described.get("LoadBalancerArn", "")
    name = described.get("LoadBalancerName", "")
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        listing = pool.submit(elbv2.listeners_of, client, arn)
        attributes = pool.submit(elbv2.network_attributes, client, arn)
        grouping = pool.submit(elbv2.target_groups, client, None if every_group else arn)
    listeners = listing.result()
    groups = {one.get("TargetGroupArn", ""): one for one in grouping.result()}
    used = {each for one in listeners for each in elbv2.forwarded(one) if each in groups}
    named = {each for each in groups.keys() - used if _named_for(groups[each], name)}
    spare = {each for each in named if not groups[each].get("LoadBalancerArns")}
    holding = [each for each in groups if each in used | spare and elbv2.holds_instances(groups[each])]
    arns = [one.get("ListenerArn", "") for one in listeners]
    plain = [one.get("ListenerArn", "") for one in listeners if one.get("Protocol") == "TCP"]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        tagging = pool.submit(elbv2.resource_tags, client, [arn, *arns, *holding])
        idle = {each: pool.submit(elbv2.idle_timeout_of, client, each) for each in plain}
        health = {
            each: pool.submit(elbv2.target_health, client, each, groups[each].get("Port", 0))
            for each in holding
        }
        settings = {each: pool.submit(elbv2.target_group_attributes, client, each) for each in holding}
    tags = tagging.result()
    parsed = {
        each: elbv2.parse_target_group(
            groups[each], settings[each].result(), tags.get(each, {}), health[each].result()
        )
        for each in holding
    }
    said = elbv2.parse_network_listeners(
        listeners, groups, tags, {each: one.result() for each, one in idle.items()}
    )
    by_port: dict[int, TargetGroup] = {}
    for listener in sorted(said, key=lambda one: not one.secure):
        if listener.target_group in parsed:
            by_port.setdefault(listener.instance_port, parsed[listener.target_group])
    foreign = [
        ForeignListener(one.get("Port", 0), why)
        for one in listeners
        if (why := elbv2.why_foreign(one, groups)) is not None
    ]
    found = elbv2.parse_network(
        described,
        _there(arn, tags),
        attributes=attributes.result(),
        listeners=said,
        groups=by_port,
        foreign=foreign,
    )
    in_groups = {port: health[group.arn or ""].result().members for port, group in by_port.items()}
    return FoundLoadBalancer(
        found,
        members_of(in_groups),
        spare_groups=tuple(parsed[each] for each in holding if each in spare),
        taken_groups=tuple(sorted(groups[each].get("TargetGroupName", "") for each in named - spare)),
    )


def _there(one: str, tags: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """The tags of a load balancer; raises Absent where it vanished since it was listed."""
    if one not in tags:
        raise Absent("DescribeTags", "LoadBalancerNotFound", f"{one} is gone")
    return tags[one]


def spare_groups(name: str, invocation: Invocation) -> tuple[TargetGroup, ...]:
    """The target groups of a load balancer's names, where the load balancer itself is gone.

    One call for each 400 of the region, and one for each 20 of these.
    """
    client = invocation.clients.elbv2
    named = [
        one
        for one in elbv2.target_groups(client)
        if _named_for(one, name) and not one.get("LoadBalancerArns")
    ]
    tags = elbv2.resource_tags(client, [one.get("TargetGroupArn", "") for one in named])
    return tuple(
        elbv2.parse_target_group(one, {}, tags[one.get("TargetGroupArn", "")])
        for one in named
        if one.get("TargetGroupArn") in tags
    )


def _named_for(group: TargetGroupTypeDef, load_balancer: str) -> bool:
    return port_of_target_group(group.get("TargetGroupName", ""), load_balancer) is not None


def view(name: str, invocation: Invocation) -> View | None:
    """Return what GET shows, at most eight calls for a classic one; None without such a load balancer.

    One call more for each hosted zone that holds its hostname.
    """
    found = find_load_balancer(name, invocation)
    if found is None:
        return None
    there = found.load_balancer
    arn = next((listener.certificate for listener in there.listeners if listener.certificate), None)
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        groups = pool.submit(vpcs.groups, invocation.clients.ec2, there.security_groups)
        certificate = pool.submit(read_certificate, arn, invocation.clients) if arn else None
        records = pool.submit(_records, there, invocation)
    return View(
        load_balancer=there,
        group=own_group(name, groups.result(), invocation.settings.owner),
        certificate=certificate.result() if certificate else None,
        members=found.members,
        now=invocation.now(),
        records=records.result(),
        same_name=found.same_name,
    )


def _records(there: LoadBalancer, invocation: Invocation) -> tuple[RecordSet, ...] | None:
    """Read its hostname in each hosted zone that its tag names, a call each; None where that is refused."""
    kept, hostname = read_dns_tag(there.tags.get(DNS_TAG)), there.hostname
    if kept is None or hostname is None:
        return None
    client = invocation.clients.route53
    try:
        zones = [route53.records_at(client, id_, hostname.lower()) for id_ in kept.zone_ids]
    except (Denied, Absent):
        return None
    return tuple(record for zone in zones for record in zone)


def show(name: str, invocation: Invocation, *, adopt: bool = False) -> View:
    """Return a load balancer of ours, or with `adopt` one without an owner; raises NotFound."""
    try:
        found = None if name_fault(name) else view(name, invocation)
    except Absent:  # it vanished while it was read
        found = None
    owner = found.load_balancer.owner if found else None
    if found is None or not (owner == invocation.settings.owner or (adopt and owner is None)):
        raise NotFound(f"there is no load balancer {shown_name(name)} of ours")
    return found


def one_of_ours(name: str, invocation: Invocation) -> LoadBalancer:
    """One load balancer of ours with its listeners, as listings and tags show it; raises NotFound.

    A classic one in two calls; where there is none of ours, a network one in four more.
    """
    if name_fault(name) is None:
        if found := list_one(name, invocation).ours.get(name):
            return found
        networks = list_one_network(name, invocation).ours.values()
        for there in _with_listeners(networks, invocation, raise_unread):
            return there
    raise NotFound(f"there is no load balancer {shown_name(name)} of ours")


def list_one(name: str, invocation: Invocation) -> elb.Listed:
    """Return one load balancer, ours or not, as a listing and tags show it, in two calls."""
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


def ours_of_either_kind(invocation: Invocation) -> tuple[LoadBalancer, ...]:
    """Every load balancer of ours as listings and tags show it: network ones without their listeners.

    One call for each 400 load balancers of the region of each kind, and one for each 20.
    """
    with ThreadPoolExecutor(2) as pool:
        classic = pool.submit(list_all, invocation)
        network = pool.submit(list_networks, invocation)
    return (*classic.result().ours.values(), *network.result().ours.values())


def raise_unread(_place: str, error: AwsError) -> None:
    """Raise what AWS refused."""
    raise error


def ours_with_listeners(invocation: Invocation, unread: Unread = raise_unread) -> tuple[LoadBalancer, ...]:
    """Every load balancer of ours with its listeners: the calls of `ours_of_either_kind`, and for network
    ones one each, and one for each 400 target groups of the region.

    Of two of a name the classic one, and a log record says so. Unless `unread` raises what it gets, the
    others are read all the same.
    """
    with ThreadPoolExecutor(2) as pool:
        network = pool.submit(list_networks, invocation)
        classic = pool.submit(list_all, invocation)
    found: dict[str, LoadBalancer] = {}
    for kind, listing in (("network load balancers", network), ("classic load balancers", classic)):
        try:
            ours = listing.result().ours
        except AwsError as error:
            unread(kind, error)
            continue
        if both := found.keys() & ours:
            telemetry.same_name(both)
        found |= ours
    plain = [one for one in found.values() if one.arn is None]
    networks = [one for one in found.values() if one.arn is not None]
    return (*plain, *_with_listeners(networks, invocation, unread))


def _with_listeners(
    networks: Collection[LoadBalancer], invocation: Invocation, unread: Unread
) -> tuple[LoadBalancer, ...]:
    """The same with their listeners, without one that vanished; what AWS refuses goes to `unread`."""
    client = invocation.clients.elbv2
    arns = [one.arn or "" for one in networks]
    if not arns:
        return ()
    try:
        listed = elbv2.target_groups(client, arns[0] if len(arns) == 1 else None)
    except AwsError as error:
        for one in networks:
            unread(one.name, error)
        return ()
    groups = {one.get("TargetGroupArn", ""): one for one in listed}
    found = []
    for one, listeners in zip(networks, elbv2.listeners_of_each(client, arns, invocation.sleep), strict=True):
        match listeners:
            case Absent():
                continue
            case AwsError():
                unread(one.name, listeners)
            case _:
                parsed = elbv2.parse_network_listeners(listeners, groups, {}, {})
                found.append(replace(one, listeners=parsed))
    return tuple(found)


def list_networks(invocation: Invocation) -> elb.Listed:
    """Every network load balancer of the region, as far as a listing and tags show it.

    One call for each 400 load balancers that are not classic, and one for each 20 network ones.
    """
    return _networks(elbv2.describe_second_kind(invocation.clients.elbv2), invocation)


def list_one_network(name: str, invocation: Invocation) -> elb.Listed:
    """One network load balancer, ours or not, as far as a listing and tags show it, in two calls."""
    described = None if name_fault(name) else elbv2.describe_network(invocation.clients.elbv2, name)
    return _networks([described] if described else [], invocation)


def _networks(described: Sequence[LoadBalancerTypeDef], invocation: Invocation) -> elb.Listed:
    listed = elbv2.listed_networks(invocation.clients.elbv2, described)
    return elb.by_owner(listed, invocation.settings.owner)


def list_all(invocation: Invocation) -> elb.Listed:
    """Every classic load balancer of the region, as far as a listing and tags show it.

    One call for each 400, and one for each 20.
    """
    client = invocation.clients.elb
    return elb.listed(client, elb.describe_all(client), invocation.settings.owner)
