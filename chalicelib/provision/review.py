"""What speaks against a declaration once AWS has been read, and what a person should know before they go on.

`objections` are faults of the request (400), `conflict` is a conflict with what exists at AWS (409),
`warnings` is the console's review step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from ipaddress import ip_network

from chalicelib.certificates.chosen import Unusable
from chalicelib.model.ciphers import (
    NEWEST,
    OBSOLETE_PROTOCOLS,
    allowed_protocols,
    may_be_newer,
    near_policies,
    unknown_policy,
)
from chalicelib.model.errors import Fault, QuotaReached
from chalicelib.model.load_balancer import (
    LOAD_BALANCER_TAGS_MAX,
    Instance,
    LoadBalancer,
    LoadBalancerType,
    PredefinedPolicy,
    State,
)
from chalicelib.model.names import CLUSTER_TAG, OWNER_TAG, PENDING_TAG
from chalicelib.model.report import ReviewWarning
from chalicelib.model.same_name import two_of_one_name
from chalicelib.model.syntax import quoted
from chalicelib.model.vpc import RULES_MAX, Rule
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.facts import Facts
from chalicelib.provision.hostname import hostname_faults, hostname_warnings
from chalicelib.provision.review_blind_spots import blind_spots
from chalicelib.provision.review_network import (
    address_faults,
    admits_all,
    client_networks,
    network_conflict,
    network_warnings,
)
from chalicelib.register.plan import has_no_room, not_admitted

FREE_ADDRESSES = 8
LONGEST_PREFIX: Mapping[LoadBalancerType, int] = {"classic": 27, "network": 28}
_EVERYONE = {"0.0.0.0/0", "::/0"}
_NEARLY = 0.8


def objections(declaration: Declaration, facts: Facts) -> Iterator[Fault]:
    """Return the faults that only AWS can show: everything that the body names and that is not so there."""
    yield from _subnet_faults(declaration, facts)
    yield from _group_faults(declaration, facts)
    vpc, gone = _vpc(declaration, facts), gone_instances(declaration, facts)
    for index, id_ in declaration.placed_instances:
        if id_ in gone:
            yield Fault(f"instances[{index}]", f"there is no instance {id_} in this region")
        elif vpc and facts.instances[id_].vpc != vpc:
            where = facts.instances[id_].vpc or "no VPC"
            yield Fault(f"instances[{index}]", f"{id_} is in {where}, and the load balancer in {vpc}")
    if isinstance(facts.chosen, Unusable):
        yield from facts.chosen.faults
    yield from _policy_faults(declaration, facts)
    yield from address_faults(declaration, facts)
    yield from hostname_faults(declaration, facts)


def _policy_faults(declaration: Declaration, facts: Facts) -> Iterator[Fault]:
    """A policy that is not known here may be one that AWS has added since, or that a listener has already."""
    there = facts.actual.load_balancer
    match declaration.ssl_policy:
        case PredefinedPolicy(name) as policy if unknown_policy(name) and not may_be_newer(name):
            if there is None or all(listener.ssl_policy != policy for listener in there.listeners):
                near = ", ".join(near_policies(name, declaration.type))
                yield Fault(
                    "ssl_policy",
                    f"AWS has no {name}: the names most like it are {near} (or one of after {NEWEST})",
                )
        case _:
            pass


def gone_instances(declaration: Declaration, facts: Facts) -> frozenset[str]:
    """Return the instances that the body names and that do not exist (any more)."""
    states = {id_: instance.state for id_, instance in facts.instances.items()}
    return frozenset(id_ for id_ in declaration.instances if states.get(id_, "terminated") == "terminated")


def _vpc(declaration: Declaration, facts: Facts) -> str | None:
    """The one VPC of the named subnets; None when they are in several, or not known."""
    there = facts.actual.load_balancer
    vpcs = {facts.subnets[id_].vpc for id_ in declaration.subnets if id_ in facts.subnets}
    if there is not None and not facts.subnets:
        vpcs = {there.vpc}
    return min(vpcs) if len(vpcs) == 1 else None


def _subnet_faults(declaration: Declaration, facts: Facts) -> Iterator[Fault]:
    there = facts.actual.load_balancer
    known = there.subnets if there else frozenset()
    zones = Counter(subnet.zone for id_ in declaration.subnets if (subnet := facts.subnets.get(id_)))
    vpcs = {facts.subnets[id_].vpc for id_ in declaration.subnets if id_ in facts.subnets}
    for index, id_ in enumerate(declaration.subnets):
        field = f"subnets[{index}]"
        subnet = facts.subnets.get(id_)
        if subnet is None:
            if id_ not in known:
                yield Fault(field, f"there is no subnet {id_} in this region")
            continue
        if zones[subnet.zone] > 1:
            yield Fault(field, f"{zones[subnet.zone]} subnets are in {subnet.zone}: name one per zone")
        if len(vpcs) > 1:
            yield Fault(field, f"{id_} is in {subnet.vpc}, other subnets are not: all must be in one VPC")
        if id_ in known:
            continue
        # ELB asks for the gateway and not for the route.
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-create-internet-facing-lb.html
        if subnet.public is False and declaration.scheme == "internet-facing" and facts.gateway is False:
            yield Fault(
                field,
                f"{id_} is in {subnet.vpc}, which has no internet gateway: name subnets of another VPC, or"
                ' set `scheme` to "internal"',
            )
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-backend-instances.html
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html
        if subnet.prefix > (longest := LONGEST_PREFIX[declaration.type]):
            yield Fault(field, f"{id_} is a /{subnet.prefix}; a load balancer needs a /{longest} or larger")
        if subnet.free_addresses < FREE_ADDRESSES:
            yield Fault(
                field,
                f"{id_} has {subnet.free_addresses} free addresses; a load balancer needs {FREE_ADDRESSES}",
            )


def _group_faults(declaration: Declaration, facts: Facts) -> Iterator[Fault]:
    for index, id_ in enumerate(declaration.security_groups or ()):
        # Which VPC's groups to look among is not known where the subnets are not.
        if id_ not in facts.groups and _vpc(declaration, facts):
            yield Fault(f"security_groups[{index}]", f"there is no security group {id_} in the VPC")


def conflict(declaration: Declaration, facts: Facts, desired: State) -> str | None:  # noqa: C901 - one case a reason
    """Why the declaration conflicts with what exists at AWS; None when it does not."""
    if facts.same_name:
        return two_of_one_name(declaration.name)
    for instance in facts.instances.values():
        named = instance.id in declaration.instances or instance.id in desired.cluster
        if named and instance.cluster not in {None, declaration.serves}:
            return (
                f"instance {instance.id} is tagged {CLUSTER_TAG}={instance.cluster}, and {declaration.name}"
                f" is to serve {declaration.serves}; an instance is in one cluster: leave it out of"
                f' `instances`, take that tag off first, or declare `"cluster": {quoted(instance.cluster)}`'
            )
    group = desired.group
    if group and group.id is None and (taken := _taken(group.name, facts)):
        return (
            f"there is a security group {taken} in {group.vpc} that is not ours: rename or delete it, or name"
            " it in `security_groups`"
        )
    if group is None and (users := _referring(facts, desired)):
        return (
            f"a rule of {', '.join(users)} names the security group that we made, which this request would"
            " delete: remove the rule first, or leave `security_groups` out"
        )
    there, wanted = facts.actual.load_balancer, desired.load_balancer
    if wanted is None:
        return None
    if there is not None and there.type != wanted.type:
        return (
            f"it is a {there.type} load balancer, which AWS cannot change: make a {wanted.type} one beside"
            " it, under another name and for the same `cluster`"
        )
    if reason := _CONFLICTS[wanted.type](declaration, facts, wanted):
        return reason
    if there is None:
        return None
    if there.scheme != declaration.scheme:
        return (
            f"its scheme is {there.scheme}, which AWS cannot change: make a new one under another name, or"
            f' declare `"scheme": "{there.scheme}"`'
        )
    if there.vpc != wanted.vpc:
        return f"it is in {there.vpc}, and AWS cannot move it to {wanted.vpc}, the VPC of the subnets"
    if not there.subnets & wanted.subnets and len({*wanted.zone_of.values()}) == 1:
        return (
            "AWS cannot exchange the subnet of the only zone, since a load balancer keeps one at all times:"
            " add a subnet in another zone, then exchange this one, then remove the other, in three requests"
        )
    return None


def _none_of_classic(_declaration: Declaration, _facts: Facts, _wanted: LoadBalancer) -> None:
    return None


_CONFLICTS: Mapping[LoadBalancerType, Callable[[Declaration, Facts, LoadBalancer], str | None]] = {
    "classic": _none_of_classic,
    "network": network_conflict,
}


def _taken(name: str, facts: Facts) -> str | None:
    """The name of a group that is in the way of one of this name: to EC2 capitals make no difference.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    """
    names = (found.name for found in facts.groups.values())
    return next((found for found in names if found.lower() == name.lower()), None)


def _referring(facts: Facts, desired: State) -> list[str]:
    """Other groups whose rules name the group that we made, where it is to go."""
    own, wanted = facts.actual.group, desired.load_balancer
    if own is None or own.id is None or wanted is None or own.id in wanted.security_groups:
        return []
    return sorted(id_ for id_, other in facts.groups.items() if id_ != own.id and other.names(own.id))


def warnings(declaration: Declaration, facts: Facts, desired: State) -> Iterator[ReviewWarning]:
    """The review: nothing here stops the request."""
    if facts.chosen and not isinstance(facts.chosen, Unusable):
        yield from facts.chosen.warnings
    wanted = desired.load_balancer
    if wanted is None:
        return
    if len(wanted.zones) == 1:
        yield ReviewWarning(
            "single-zone", f"all subnets are in {min(wanted.zones)}: the load balancer fails with that zone"
        )
    yield from _foreign_groups(declaration, facts, wanted.tags[OWNER_TAG])
    if declaration.access_logs and facts.logs_are_ours is False:
        yield ReviewWarning(
            "foreign-bucket",
            f"the bucket {declaration.access_logs.bucket} belongs to another account, whose owner can read"
            " the addresses of all clients in the access logs",
        )
    yield from _exposed(declaration)
    yield from _unreachable(declaration, wanted, facts)
    yield from _tls(wanted)
    if facts.attaching:
        yield ReviewWarning(
            "attached-by-group",
            f"{attaching_groups(facts.attaching)} {wanted.name} and registers instances itself: tag them"
            f" {CLUSTER_TAG}={wanted.cluster} instead, and detach it, so that one alone decides",
        )
    if declaration.connection_draining == 0:
        yield ReviewWarning(
            "no-draining", "connection draining is off: a deregistered instance loses its sessions at once"
        )
    if declaration.members is None:
        yield ReviewWarning(
            "anyone-may-join",
            f"`members` is not set: any instance in the VPC with the tag {CLUSTER_TAG}={wanted.cluster} gets"
            " sessions of devices. Name the brokers' instance profiles or Auto Scaling groups",
        )
    yield from _changing_over(wanted, facts)
    yield from _members(wanted, desired, facts)
    if full := full_of_tags(declaration, facts):
        yield ReviewWarning("tags-full", full.message)
    yield from blind_spots(wanted, desired, facts)
    yield from hostname_warnings(declaration, facts, wanted.tags[OWNER_TAG])
    yield from _WARNINGS[wanted.type](declaration, wanted)
    yield from _quota(facts)


def _none(_declaration: Declaration, _wanted: LoadBalancer) -> Iterator[ReviewWarning]:
    yield from ()


_WARNINGS: Mapping[LoadBalancerType, Callable[[Declaration, LoadBalancer], Iterator[ReviewWarning]]] = {
    "classic": _none,
    "network": network_warnings,
}


def _foreign_groups(declaration: Declaration, facts: Facts, owner: str) -> Iterator[ReviewWarning]:
    for id_ in declaration.security_groups or ():
        group = facts.groups.get(id_)
        if group and group.owner not in {None, owner}:
            yield ReviewWarning(
                "foreign-group",
                f"security group {id_} ({group.name}) belongs to the deployment {group.owner}, which can"
                " change who reaches this load balancer",
            )


def attaching_groups(names: Collection[str]) -> str:
    """Return the groups that attach a load balancer, as the beginning of a sentence."""
    groups, attach = ("group", "attaches") if len(names) == 1 else ("groups", "attach")
    return f"the Auto Scaling {groups} {', '.join(sorted(names))} {attach}"


def _exposed(declaration: Declaration) -> Iterator[ReviewWarning]:
    if declaration.scheme == "internal":
        return
    if declaration.security_groups is None and _EVERYONE & {*declaration.allow.dashboard}:
        yield ReviewWarning("dashboard-open", "`allow.dashboard` lets the whole world reach the dashboard")
    for listener in declaration.listeners:
        if listener.protocol == "TCP":
            yield ReviewWarning(
                "plain-text", f"the listener on port {listener.port} is not encrypted: passwords can be read"
            )


def _unreachable(declaration: Declaration, wanted: LoadBalancer, facts: Facts) -> Iterator[ReviewWarning]:
    """Warn where clients cannot reach a listener."""
    for id_ in sorted(wanted.subnets):
        if (subnet := facts.subnets.get(id_)) and subnet.public is False:
            yield ReviewWarning(
                "private-subnet",
                f"{id_} seems private: none of its routes leads to an internet gateway. Clients reach the"
                " load balancer there only through something in between, such as a firewall's endpoint",
            )
    if declaration.security_groups is None:
        blocked = [one.port for one in declaration.listeners if one.secure and not declaration.allow.mqtt]
        why = "`allow.mqtt` is empty"
    else:
        groups = [facts.groups[id_] for id_ in declaration.security_groups if id_ in facts.groups]
        rules = [rule for group in groups for rule in group.rules]
        known = len(groups) == len(declaration.security_groups)
        blocked = [
            one.port
            for one in declaration.listeners
            if known and not any(rule.admits(one.port) for rule in rules)
        ]
        why = f"no rule of {', '.join(declaration.security_groups)} admits one"
    for port in sorted(blocked):
        yield ReviewWarning("frontend-blocked", f"no client can reach the listener on port {port}: {why}")


def _tls(wanted: LoadBalancer) -> Iterator[ReviewWarning]:
    policies = dict.fromkeys(one.ssl_policy for one in wanted.listeners if one.ssl_policy)
    allowed = {version for policy in policies for version in allowed_protocols(policy) or ()}
    if obsolete := sorted(allowed & OBSOLETE_PROTOCOLS):
        yield ReviewWarning(
            "obsolete-tls", f"`ssl_policy` lets clients speak {', '.join(obsolete)}, which RFC 8996 retired"
        )
    for policy in policies:
        if isinstance(policy, PredefinedPolicy) and unknown_policy(policy.name):
            promised = allowed_protocols(policy)
            versions = (
                f"by its name it allows {', '.join(sorted(promised))}"
                if promised
                else "its name does not say which TLS versions it allows"
            )
            yield ReviewWarning(
                "unknown-policy",
                f"this version does not know {policy.name}: AWS decides whether there is one, and {versions}",
            )


def _changing_over(wanted: LoadBalancer, facts: Facts) -> Iterator[ReviewWarning]:
    """Warn of members that a change of the cluster takes out, and say when they go."""
    there = facts.actual.load_balancer
    if there is None or there.cluster == wanted.cluster:
        return
    registered = (facts.instances[id_] for id_ in sorted(there.instances & facts.instances.keys()))
    if leaving := [one.id for one in registered if one.cluster not in {None, wanted.cluster}]:
        yield ReviewWarning(
            "cluster-changes",
            f"{wanted.name} moves from the cluster {there.cluster} to {wanted.cluster}, and"
            f" {', '.join(leaving)} {'belongs' if len(leaving) == 1 else 'belong'} to another cluster."
            " `register` deregisters at most half of the members at a time, and never the last"
            " one in service: until it is done, devices are spread over both clusters",
        )


def _members(wanted: LoadBalancer, desired: State, facts: Facts) -> Iterator[ReviewWarning]:
    for instance in (facts.instances[id_] for id_ in sorted(desired.cluster & facts.instances.keys())):
        if kept_out := not_admitted(instance, wanted):
            yield ReviewWarning("not-admitted", f"{instance.id} {kept_out}")
            continue
        if instance.vpc == wanted.vpc and instance.zone not in wanted.zones:
            yield ReviewWarning(
                "zone-not-enabled",
                f"{instance.id} gets no traffic: it is in {instance.zone}, and no named subnet is",
            )
        elif instance.id in wanted.instances and (ports := _blocked_ports(instance, wanted, facts, desired)):
            yield ReviewWarning(
                "backend-blocked",
                f"no security group of {instance.id} lets the load balancer reach port"
                f" {' and '.join(map(str, ports))}{_REMEDY[wanted.type]}",
            )
    if not wanted.instances:
        yield ReviewWarning(
            "no-members",
            f"no running instance carries the tag {CLUSTER_TAG}={wanted.cluster}: no broker would answer",
        )


def _blocked_ports(instance: Instance, wanted: LoadBalancer, facts: Facts, desired: State) -> list[int]:
    if not all(id_ in facts.groups for id_ in instance.security_groups):
        return []
    rules = [rule for id_ in instance.security_groups for rule in facts.groups[id_].rules]
    checked = {health_port(wanted)}
    clients = _CLIENTS[wanted.type](wanted, facts, desired)
    from_load_balancer = checked | {one.instance_port for one in wanted.listeners} - clients.keys()
    networks = _networks(instance, wanted, facts)
    return sorted(
        {
            port
            for port in from_load_balancer
            if not all(any(_admits(rule, port, network, wanted) for rule in rules) for network in networks)
        }
        | {
            port
            for port, sources in clients.items()
            if not all(any(admits_all(rule, port, source, wanted) for rule in rules) for source in sources)
        }
    )


_REMEDY: Mapping[LoadBalancerType, str] = {
    "classic": "",
    "network": ", or admits only some of the clients, whose own addresses an instance sees: add a rule with"
    " the load balancer's security group as its source",
}


def _none_of_them(_wanted: LoadBalancer, _facts: Facts, _desired: State) -> Mapping[int, Collection[str]]:
    return {}


_CLIENTS: Mapping[LoadBalancerType, Callable[[LoadBalancer, Facts, State], Mapping[int, Collection[str]]]] = {
    "classic": _none_of_them,
    "network": client_networks,
}
"""By instance port, the networks of the clients whose own addresses an instance sees."""


def _networks(instance: Instance, wanted: LoadBalancer, facts: Facts) -> set[str]:
    """The networks of the subnets from which the load balancer reaches the instance.

    Without balancing across zones those of the instance's own zone.
    """
    subnets = [facts.subnets[id_] for id_ in wanted.subnets if id_ in facts.subnets]
    return {
        subnet.network
        for subnet in subnets
        if subnet.network and (wanted.cross_zone or subnet.zone == instance.zone)
    }


def health_port(load_balancer: LoadBalancer) -> int:
    """The port in the health check's target, as 1883 in `TCP:1883` or 18083 in `HTTP:18083/status`."""
    return int(load_balancer.health_check.target.partition(":")[2].partition("/")[0])


def _admits(rule: Rule, port: int, network: str, wanted: LoadBalancer) -> bool:
    """Whether the rule lets the load balancer in from that network.

    Its addresses are not known before it exists. They are of its subnets, whose networks can be others than
    the VPC's first one (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html).
    """
    if not rule.admits(port):
        return False
    if rule.source.startswith("sg-"):
        return rule.source in wanted.security_groups
    if rule.source.startswith("pl-"):
        return True
    source, around = ip_network(rule.source, strict=False), ip_network(network)
    return source.version == around.version and source.overlaps(around)


def refuse_beyond_quota(declaration: Declaration, facts: Facts, desired: State, owner: str) -> None:
    """Raise QuotaReached, before anything is made, where AWS has no room for what is declared.

    For one more load balancer, for the rules of its security group, for its tags. Also where one is to be
    adopted, and an instance behind it has no room for the tag: the next look would take it out.
    """
    there = facts.actual.load_balancer
    if there is not None and there.owner != owner:
        registered = (facts.instances[id_] for id_ in there.instances & facts.instances.keys())
        if full := [one.id for one in registered if one.state != "terminated" and has_no_room(one)]:
            raise _without_room(full, declaration.serves, "nothing was changed")
    if desired.group is not None and len(desired.group.rules) > RULES_MAX:
        raise QuotaReached(
            "AuthorizeSecurityGroupIngress",
            "RulesPerSecurityGroupLimitExceeded",
            f"`allow` and the listeners make {len(desired.group.rules)} rules, and a security group takes"
            f" {RULES_MAX}; nothing was changed. Name fewer networks, or groups of your own in"
            " `security_groups`",
        )
    if there is not None and desired.load_balancer is not None:
        tags = desired.load_balancer.tags.keys() | (there.tags.keys() & {PENDING_TAG})
        if len(tags) > LOAD_BALANCER_TAGS_MAX:
            raise QuotaReached(
                "AddTags",
                "TooManyTags",
                f"{declaration.name} would have {len(tags)} tags, ours included, and a load balancer takes"
                f" {LOAD_BALANCER_TAGS_MAX}; nothing was changed. Remove some",
            )
    if facts.actual.load_balancer is None and facts.quota and facts.load_balancers >= facts.quota:
        message = f"the region has {facts.load_balancers} load balancers, and the quota is {facts.quota}"
        raise QuotaReached(
            "CreateLoadBalancer", "TooManyLoadBalancers", f"{message}: ask AWS for a higher quota"
        )


def full_of_tags(declaration: Declaration, facts: Facts) -> QuotaReached | None:
    """Return EC2's refusal of the cluster's tag on named instances without room; None where all have room."""
    full = [id_ for id_ in declaration.instances if (one := facts.instances.get(id_)) and has_no_room(one)]
    return _without_room(full, declaration.serves, "everything else is done without it") if full else None


def _without_room(ids: Collection[str], cluster: str, outcome: str) -> QuotaReached:
    carry, them = ("carries", "it") if len(ids) == 1 else ("carry", "each of them")
    return QuotaReached(
        "CreateTags",
        "TagLimitExceeded",
        f"{', '.join(sorted(ids))} {carry} as many tags as EC2 allows, so that {CLUSTER_TAG}={cluster} cannot"
        f" be added; {outcome}. Remove a tag from {them}, and send the request again",
    )


def _quota(facts: Facts) -> Iterator[ReviewWarning]:
    after = facts.load_balancers + (facts.actual.load_balancer is None)
    if facts.quota and after >= facts.quota * _NEARLY:
        yield ReviewWarning(
            "quota",
            f"the region would have {after} load balancers, and the quota is {facts.quota}: ask AWS for a"
            " higher quota in time",
        )
