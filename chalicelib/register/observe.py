"""Read the clusters behind our load balancers, decide who belongs, and change who is registered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

from chalicelib import telemetry
from chalicelib.aws import autoscaling, ec2, elb
from chalicelib.aws.autoscaling import with_lifecycles
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent, AwsError
from chalicelib.model.load_balancer import Instance, LoadBalancer
from chalicelib.observe import list_all, list_one
from chalicelib.register.plan import Membership, decide_membership, going_away, may_be_interrupted, why_not


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """What one look read.

    `load_balancers` are ours, `others` those that are not, by name; `instances` carry the tag of some
    cluster. Of the load balancers it knows what a listing and tags show.
    """

    load_balancers: Mapping[str, LoadBalancer] = field(default_factory=dict)
    others: Mapping[str, LoadBalancer] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)

    def serving(self, cluster: str | None) -> tuple[LoadBalancer, ...]:
        """Ours that serve the cluster, in the order of their names."""
        return self._ours.get(cluster or "", ())

    def around(self, instance: Instance) -> tuple[LoadBalancer, ...]:
        """Ours that serve the instance's cluster, and those where it is still registered."""
        behind = (one for _, one in sorted(self.load_balancers.items()) if instance.id in one.instances)
        return tuple({one.name: one for one in (*self.serving(instance.cluster), *behind)}.values())

    def beside(self, cluster: str | None) -> tuple[LoadBalancer, ...]:
        """Those of others that serve the cluster."""
        return tuple(one for one in self.others.values() if one.cluster == cluster)

    def foreign(self, cluster: str | None) -> bool:
        """Whether load balancers serve the cluster, and none of them is ours."""
        return not self.serving(cluster) and bool(self.beside(cluster))

    @cached_property
    def _ours(self) -> Mapping[str, tuple[LoadBalancer, ...]]:
        found: dict[str, tuple[LoadBalancer, ...]] = {}
        for _, one in sorted(self.load_balancers.items()):
            found[one.cluster] = (*found.get(one.cluster, ()), one)
        return found

    @cached_property
    def tagged(self) -> Mapping[str, Mapping[str, Instance]]:
        """The instances by cluster: gone through once, not once for each of a thousand load balancers."""
        found: dict[str, dict[str, Instance]] = {}
        for id_, one in self.instances.items():
            if one.cluster is not None:
                found.setdefault(one.cluster, {})[id_] = one
        return found


def read_clusters(invocation: Invocation) -> Clusters:
    """Everything: one call for each 400 load balancers of the region, each 20, and each 1,000 instances.

    And one for each 50 instances that are in an Auto Scaling group.
    """
    clients = invocation.clients
    with ThreadPoolExecutor(2) as pool:
        balancers = pool.submit(list_all, invocation)
        tagged = pool.submit(ec2.instances_in_clusters, clients.ec2)
    return _clusters(balancers.result(), with_lifecycles(tagged.result(), clients))


def read_one(name: str, invocation: Invocation) -> Clusters:
    """One load balancer of ours and its cluster, in three calls, and those for instances in a group.

    Raises Absent where it is no longer ours.
    """
    clients, load_balancer = invocation.clients, read_load_balancer(name, invocation)
    if load_balancer is None:
        raise Absent("DescribeLoadBalancers", "LoadBalancerNotFound", f"{name} is no longer ours")
    tagged = ec2.instances_tagged(clients.ec2, load_balancer.cluster)
    return Clusters(load_balancers={name: load_balancer}, instances=with_lifecycles(tagged, clients))


def read_load_balancer(name: str, invocation: Invocation) -> LoadBalancer | None:
    """One load balancer of ours without its cluster, in two calls; None where it is no longer ours."""
    return list_one(name, invocation).ours.get(name)


def read_load_balancers(invocation: Invocation) -> Clusters:
    """Every load balancer without the instances: one call for each 400 of the region, and for each 20."""
    return _clusters(list_all(invocation), {})


def _clusters(listed: elb.Listed, instances: Mapping[str, Instance]) -> Clusters:
    return Clusters(load_balancers=listed.ours, others=listed.others, instances=instances)


def membership(name: str, clusters: Clusters, invocation: Invocation) -> Membership:
    """Who belongs behind the load balancer.

    A registered instance that the listing does not show is asked for by id; health is read when somebody has
    to leave who is not going away by itself: two calls that are made only for them, and where those are in
    Auto Scaling groups one for each 100 of these. One more asks EC2 whether it takes back the Spot instances
    that would be registered, unless they have just started.
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
    members = elb.members(invocation.clients.elb, name) if strangers else ()
    attaching = _attaching(name, strangers, invocation)
    decided = decide_membership(load_balancer, members, instances, now, attaching)
    doubtful = [id_ for id_ in decided.register if may_be_interrupted(instances[id_], now)]
    if not doubtful or not (taken := _interrupted(name, doubtful, invocation)):
        return decided
    marked = {id_: replace(one, interrupted=id_ in taken) for id_, one in instances.items()}
    return decide_membership(load_balancer, members, marked, now, attaching)


def _attaching(name: str, strangers: Iterable[Instance], invocation: Invocation) -> frozenset[str]:
    """Those of their groups that attach the load balancer; all of them where Auto Scaling cannot be asked."""
    groups = frozenset(one.group_name for one in strangers if one.group_name)
    if not groups:
        return groups
    try:
        return autoscaling.attaching(invocation.clients.autoscaling, name, groups)
    except AwsError as error:
        telemetry.groups_unknown(name, groups, str(error))
        return groups


def _interrupted(name: str, ids: Collection[str], invocation: Invocation) -> frozenset[str]:
    """Those that EC2 takes back; none where it cannot be asked, since they serve until they end."""
    try:
        return ec2.interrupted(invocation.clients.ec2, ids)
    except AwsError as error:
        telemetry.spot_unknown(name, ids, str(error))
        return frozenset()
