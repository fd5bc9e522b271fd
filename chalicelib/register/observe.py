"""Read the clusters behind our load balancers, decide who belongs, and change who is registered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

from chalicelib import telemetry
from chalicelib.aws import autoscaling, ec2, elb
from chalicelib.aws.autoscaling import with_lifecycles
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent, AwsError
from chalicelib.model.load_balancer import Instance, LoadBalancer, LoadBalancerType
from chalicelib.model.target_groups import members_of
from chalicelib.observe import list_all, list_networks, list_one, list_one_network
from chalicelib.register.plan import Membership, decide_membership, going_away, may_be_interrupted, why_not
from chalicelib.register.targets import HealthByPort, read_targets
from chalicelib.register.turns import to_read


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """What one look read.

    `load_balancers` are ours, `others` those that are not, by name; `instances` carry the tag of some
    cluster. `same_name` are names of ours that a classic and a network one have: the latter is left out.
    Of the load balancers it knows what a listing and tags show, of network ones also the targets,
    with their `health`. `unread` are network ones of ours whose targets are not known: why, None where it is
    not their turn; both by ARN. `unlisted` is why those of one kind are not known at all, `no_lifecycles` why
    the lifecycle states of instances in Auto Scaling groups are not.
    """

    load_balancers: Mapping[str, LoadBalancer] = field(default_factory=dict)
    others: Mapping[str, LoadBalancer] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    health: Mapping[str, HealthByPort] = field(default_factory=dict)
    unread: Mapping[str, AwsError | None] = field(default_factory=dict)
    unlisted: AwsError | None = None
    no_lifecycles: AwsError | None = None
    same_name: frozenset[str] = frozenset()

    def undecided(self, load_balancer: LoadBalancer) -> AwsError | None:
        """Why nobody can say who belongs behind a load balancer: some of its cluster are in a group."""
        grouped = any(one.group_name for one in self.tagged.get(load_balancer.cluster, {}).values())
        return self.no_lifecycles if grouped else None

    @property
    def failures(self) -> list[tuple[str, AwsError]]:
        """What could not be read, with its place."""
        of_one = [
            (name, error)
            for name, one in sorted(self.load_balancers.items())
            if (error := self.unread.get(one.arn or ""))
        ]
        return [*([("the load balancers of one kind", self.unlisted)] if self.unlisted else []), *of_one]

    def serving(self, cluster: str | None) -> tuple[LoadBalancer, ...]:
        """Our load balancers that serve the cluster, by name."""
        return self._ours.get(cluster or "", ())

    def around(self, instance: Instance) -> tuple[LoadBalancer, ...]:
        """Our load balancers that serve the instance's cluster, and those where it is still registered."""
        behind = (one for _, one in sorted(self.load_balancers.items()) if instance.id in one.instances)
        return tuple({one.name: one for one in (*self.serving(instance.cluster), *behind)}.values())

    def beside(self, cluster: str | None) -> tuple[LoadBalancer, ...]:
        """Load balancers of others that serve the cluster."""
        return tuple(one for one in self.others.values() if one.cluster == cluster)

    def foreign(self, cluster: str | None) -> bool:
        """Whether only load balancers of others serve the cluster."""
        return not self.serving(cluster) and bool(self.beside(cluster))

    @cached_property
    def _ours(self) -> Mapping[str, tuple[LoadBalancer, ...]]:
        found: dict[str, tuple[LoadBalancer, ...]] = {}
        for _, one in sorted(self.load_balancers.items()):
            found[one.cluster] = (*found.get(one.cluster, ()), one)
        return found

    @cached_property
    def tagged(self) -> Mapping[str, Mapping[str, Instance]]:
        """The instances by cluster, sorted once and not again for each load balancer."""
        found: dict[str, dict[str, Instance]] = {}
        for id_, one in self.instances.items():
            if one.cluster is not None:
                found.setdefault(one.cluster, {})[id_] = one
        return found


def read_clusters(invocation: Invocation, about: str | None = None) -> Clusters:
    """Everything: one call for each 400 load balancers of the region of each kind, each 20, and each 1,000
    instances.

    And one for each 50 instances that are in an Auto Scaling group: where Auto Scaling does not answer, the
    clusters without such an instance are served. Of network load balancers those that `turns.py` and
    `targets.py` name. `about` is the instance that an event named.
    """
    clients = invocation.clients
    with ThreadPoolExecutor(2) as pool:
        balancers = pool.submit(_listed, invocation)
        tagged = pool.submit(ec2.instances_in_clusters, clients.ec2)
    instances, unknown = tagged.result(), None
    try:
        instances = with_lifecycles(instances, clients)
    except AwsError as error:
        unknown = error
    found = replace(balancers.result(), instances=instances, no_lifecycles=unknown)
    return _with_targets(found, about, invocation)


def read_one(load_balancer: LoadBalancer, invocation: Invocation) -> Clusters:
    """One load balancer of ours again, and its cluster: of a classic one in three calls, and those for
    instances in a group.

    Raises Absent where it is no longer ours.
    """
    clients, found = invocation.clients, read_again(load_balancer, invocation)
    (there,) = found.load_balancers.values()
    tagged = ec2.instances_tagged(clients.ec2, there.cluster)
    return replace(found, instances=with_lifecycles(tagged, clients))


def read_again(load_balancer: LoadBalancer, invocation: Invocation) -> Clusters:
    """One load balancer of ours without its cluster: a classic one in two calls, a network one in four and
    one for each target group.

    Raises Absent where it is no longer ours.
    """
    name = load_balancer.name
    there = _LIST_ONE[load_balancer.type](name, invocation).ours.get(name)
    if there is None or there.arn != load_balancer.arn:
        raise Absent("DescribeLoadBalancers", "LoadBalancerNotFound", f"{name} is no longer ours")
    found = _with_targets(Clusters(load_balancers={name: there}), None, invocation)
    for _, error in found.failures:
        raise error
    return found


_LIST_ONE: Mapping[LoadBalancerType, Callable[[str, Invocation], elb.Listed]] = {
    "classic": list_one,
    "network": list_one_network,
}


def read_load_balancers(instance: Instance, invocation: Invocation) -> Clusters:
    """Every load balancer, and of the instances this one alone: one call for each 400 of the region of each
    kind, for each 20, and those for the targets of network ones."""
    found = replace(_listed(invocation), instances={instance.id: instance})
    return _with_targets(found, instance.id, invocation)


def _listed(invocation: Invocation) -> Clusters:
    """Both kinds, also where one of AWS's two APIs does not answer; of two of a name the classic one.

    A log record says of which names there are two.
    """
    with ThreadPoolExecutor(2) as pool:
        listings = [pool.submit(list_networks, invocation), pool.submit(list_all, invocation)]
    errors = [error for one in listings if isinstance(error := one.exception(), AwsError)]
    if len(errors) == len(listings):
        raise errors[-1]
    listed = [one.result() for one in listings if not isinstance(one.exception(), AwsError)]
    ours: dict[str, LoadBalancer] = {}
    both: frozenset[str] = frozenset()
    for one in listed:
        both |= ours.keys() & one.ours.keys()
        ours |= one.ours
    if both:
        telemetry.same_name(both)
    return Clusters(
        load_balancers=ours,
        others={name: one for each in listed for name, one in each.others.items()},
        unlisted=next(iter(errors), None),
        same_name=both,
    )


def _with_targets(found: Clusters, about: str | None, invocation: Invocation) -> Clusters:
    """The same, with the targets of the network load balancers that are to be read."""
    networks = [one for one in found.load_balancers.values() if one.arn is not None]
    asked = to_read(networks, found.instances.values(), invocation.now(), about)
    read = read_targets([one for one in networks if one.name in asked], invocation)
    known = {arn: one for arn, one in read.items() if not isinstance(one, AwsError)}
    return replace(
        found,
        load_balancers={
            name: known[one.arn].load_balancer if one.arn in known else one
            for name, one in found.load_balancers.items()
        },
        health={arn: one.health for arn, one in known.items()},
        unread={
            arn: error if isinstance(error := read.get(arn), AwsError) else None
            for one in networks
            if (arn := one.arn or "") not in known
        },
    )


def read_health(load_balancer: LoadBalancer, clusters: Clusters, invocation: Invocation) -> HealthByPort:
    """Who is registered, with their health: as the look has read it, else one call of a classic one."""
    arn = load_balancer.arn or ""
    if error := clusters.unread.get(arn):
        raise error
    read = clusters.health.get(arn)
    return _HEALTH[load_balancer.type](load_balancer, invocation) if read is None else read


def _classic_health(load_balancer: LoadBalancer, invocation: Invocation) -> HealthByPort:
    found = elb.members(invocation.clients.elb, load_balancer.name)
    return {0: {member.id: member for member in found}}


def _network_health(load_balancer: LoadBalancer, invocation: Invocation) -> HealthByPort:
    (found,) = read_targets([load_balancer], invocation).values()
    if isinstance(found, AwsError):
        raise found
    return found.health


_HEALTH: Mapping[LoadBalancerType, Callable[[LoadBalancer, Invocation], HealthByPort]] = {
    "classic": _classic_health,
    "network": _network_health,
}


def membership(name: str, clusters: Clusters, invocation: Invocation) -> Membership:
    """Decide which instances belong behind the load balancer.

    A registered instance that the listing does not show is asked for by id. Health is read when an instance
    has to leave that would not end by itself. These two calls are made only then, and one for each 100 Auto
    Scaling groups of such instances. One more asks EC2 whether it takes back the Spot instances that would be
    registered, unless they have just started.
    """
    load_balancer, now = clusters.load_balancers[name], invocation.now()
    tagged = clusters.tagged.get(load_balancer.cluster, {})
    missing = load_balancer.instances - tagged.keys()
    confirmed = ec2.instances_by_id(invocation.clients.ec2, missing)
    instances = {**tagged, **with_lifecycles(confirmed, invocation.clients)}
    strangers = [
        one
        for id_, one in instances.items()
        if id_ in load_balancer.instances and why_not(one, load_balancer, now) and not going_away(one, now)
    ]
    health = read_health(load_balancer, clusters, invocation) if strangers else {}
    members = members_of(health)
    attaching = _attaching(load_balancer, strangers, invocation)
    decided = decide_membership(load_balancer, members, instances, now, attaching)
    doubtful = [id_ for id_ in decided.register if may_be_interrupted(instances[id_], now)]
    if not doubtful or not (taken := _interrupted(name, doubtful, invocation)):
        return decided
    marked = {id_: replace(one, interrupted=id_ in taken) for id_, one in instances.items()}
    return decide_membership(load_balancer, members, marked, now, attaching)


def _attaching(
    load_balancer: LoadBalancer, strangers: Iterable[Instance], invocation: Invocation
) -> frozenset[str]:
    """Those of their groups that attach the load balancer; all of them where Auto Scaling cannot be asked."""
    groups = frozenset(one.group_name for one in strangers if one.group_name)
    if not groups:
        return groups
    try:
        return autoscaling.attaching(invocation.clients.autoscaling, load_balancer, groups)
    except AwsError as error:
        telemetry.groups_unknown(load_balancer.name, groups, str(error))
        return groups


def _interrupted(name: str, ids: Collection[str], invocation: Invocation) -> frozenset[str]:
    """The Spot instances that EC2 takes back; none where EC2 does not answer: they serve until they end."""
    try:
        return ec2.interrupted(invocation.clients.ec2, ids)
    except AwsError as error:
        telemetry.spot_unknown(name, ids, str(error))
        return frozenset()
