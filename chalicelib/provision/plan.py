"""The difference between what is to be and what there is, as AWS calls in an order that does no harm.

    desired  actual   plan
    -------  ------   ----------------------------------------------------------------------------------
    -        -        what an earlier, killed delete left: certificates, then the group
    -        there    DeleteLoadBalancer, then the same
    there    -        the group and the certificate, CreateLoadBalancer, then the row below against what
                      AWS makes of that one call (`as_created`)
    there    there    field by field, in this order; a field that is equal costs nothing

    tags of instances (before the owner's: whoever is not tagged may be taken out) · tags · subnets (attach
    before detach, a zone's exchange one after another) · security groups · policies made · certificates in
    place · listeners removed and added · policies set · health check · attributes · instances in, then out ·
    rules and group no longer wanted · unused policies of ours deleted · access logs (what their bucket
    refuses keeps nothing else from being done) · tags no longer wanted (the very last: `pending`)

So a listener keeps the certificate and the policy that it has until the new one is there, nobody is let out
before somebody is let in, and whatever call was the last one before a crash, the same plan made anew holds
the rest.

Where AWS takes no more of a kind beside what there is (rules, instances, tags), an exchange goes in turns:
something that goes makes room for something that comes, and never all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from chalicelib.model import actions as do
from chalicelib.model.actions import tidies_up
from chalicelib.model.load_balancer import LOAD_BALANCER_TAGS_MAX, HealthCheck, LoadBalancer, State
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    CLUSTER_TAG,
    OWNER_TAG,
    PENDING_TAG,
    authority_certificate_secret,
)
from chalicelib.model.pending import PROVISIONING, Pending
from chalicelib.model.unmanaged import keeps_idle_timeout
from chalicelib.model.vpc import RULES_MAX, Rule, SecurityGroup, in_order
from chalicelib.provision.plan_listeners import AWS_DEFAULT_POLICY, plan_listeners

T = TypeVar("T")

# What a load balancer has that CreateLoadBalancer alone made
# (https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html).
_BORN_HEALTH_CHECK = HealthCheck("TCP:80", 30, 5, 2, 10)
_BORN_IDLE_TIMEOUT = 60
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html
_MOST_INSTANCES = 1000


def plan(desired: State, actual: State) -> tuple[do.Action, ...]:
    """The calls that turn `actual` into `desired`; none when they are equal."""
    wanted, there = desired.load_balancer, actual.load_balancer
    if wanted is None:
        gone = () if there is None else (do.DeleteLoadBalancer(reason="it is to go"),)
        return (*gone, *_leftovers(desired, actual))
    # The certificate first: from then on the background can end it without a key.
    prepare = (*_uploads(desired, actual), *_group_made(desired.group, actual.group))
    if there is None:
        born = as_created(wanted)
        create = do.CreateLoadBalancer(reason=f"there is no load balancer {wanted.name}", load_balancer=born)
        return (*prepare, create, *_changes(desired, actual, wanted, born))
    return (*prepare, *_changes(desired, actual, wanted, there))


def marked(steps: Sequence[do.Action], there: LoadBalancer | None, since: datetime) -> Sequence[do.Action]:
    """Have the load balancer `pending` from before something is taken away until the last step.

    So it says of itself that it is half done when the rest is refused, or the function killed. One that is
    adopted as well: IAM may see late that it is ours.
    """
    if there is None or PENDING_TAG in there.tags or not (_takes_away(steps) or _goes_on_as_ours(steps)):
        return steps
    mark = Pending(since, PROVISIONING).tag
    found: list[do.Action] = []
    begun, end = False, do.RemoveTags(reason="all is done", keys=(PENDING_TAG,))
    for step in steps:
        match step:
            case do.AddTags(tags=tags):
                begun = True
                found.append(replace(step, tags=(*tags, mark)))
            case do.RemoveTags(keys=keys):
                end = replace(step, keys=(*keys, PENDING_TAG))
            case do.DetachLoadBalancerFromSubnets() | do.DeleteLoadBalancerListeners() if not begun:
                begun = True
                reason = "something is taken away for a moment"
                found += [do.AddTags(reason=reason, tags=(mark,)), step]
            case _:
                found.append(step)
    return (*found, end)


def _takes_away(steps: Sequence[do.Action]) -> bool:
    """Whether something that goes comes again in another form: a zone's subnet, a port's listener."""
    gone = False
    for step in steps:
        if gone and isinstance(step, do.AttachLoadBalancerToSubnets | do.CreateLoadBalancerListeners):
            return True
        gone = gone or isinstance(step, do.DetachLoadBalancerFromSubnets | do.DeleteLoadBalancerListeners)
    return False


def _goes_on_as_ours(steps: Sequence[do.Action]) -> bool:
    """Whether something is to be changed at a load balancer that becomes ours by an earlier step."""
    kinds = [step for step in steps if not isinstance(step, do.RemoveTags)]
    becoming = [isinstance(step, do.AddTags) and OWNER_TAG in dict(step.tags) for step in kinds]
    return any(becoming[:-1])


def as_created(wanted: LoadBalancer) -> LoadBalancer:
    """What CreateLoadBalancer makes of it: subnets, groups, listeners, tags; the rest as AWS defaults it.

    Its `pending` tag marks it as half made until the last call of the plan takes the tag off.
    """
    marked = dict([Pending(wanted.created, PROVISIONING).tag]) if wanted.created else {}
    return replace(
        wanted,
        listeners=tuple(
            replace(listener, ssl_policy=AWS_DEFAULT_POLICY if listener.secure else None)
            for listener in wanted.listeners
        ),
        health_check=_BORN_HEALTH_CHECK,
        idle_timeout=_BORN_IDLE_TIMEOUT,
        connection_draining=0,
        cross_zone=False,
        access_logs=None,
        proxy_protocol_ports=frozenset(),
        tags={**wanted.tags, **marked},
        instances=frozenset(),
        policies={},
        backend_policies={},
    )


def _changes(desired: State, actual: State, wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    yield from _cluster(desired, actual, wanted.cluster)
    yield from _tags_removed(_in_the_way(wanted, there))
    yield from _tags_added(wanted, there)
    yield from _subnets(wanted, there)
    yield from _groups(wanted, there)
    about_listeners = tuple(plan_listeners(wanted, there))
    yield from (step for step in about_listeners if not tidies_up(step))
    yield from _health_check(wanted, there)
    yield from _attributes(wanted, there)
    yield from _instances(wanted, there, desired)
    yield from _group_trimmed(desired, actual)
    yield from (step for step in about_listeners if tidies_up(step))
    yield from _access_logs(wanted, there)
    yield from _tags_removed(there.tags.keys() - wanted.tags.keys() - _in_the_way(wanted, there))


def _group_made(wanted: SecurityGroup | None, there: SecurityGroup | None) -> Iterator[do.Action]:
    if wanted is None:
        return
    if there is None:
        yield do.CreateSecurityGroup(
            reason="no security group was named, so one is made", group=wanted.name, vpc=wanted.vpc
        )
    turns, _ = _rules(wanted, there)
    yield from turns


def _rules(wanted: SecurityGroup, there: SecurityGroup | None) -> tuple[list[do.Action], tuple[Rule, ...]]:
    """The calls before anything else is changed, and the rules that go when everything else is done.

    A group takes `RULES_MAX` rules: what does not fit beside those that are there waits until some of these
    are gone. A prefix list counts for as many as it may have entries, so that one is gone before.
    """
    rules = there.rules if there else frozenset[Rule]()
    missing, count = in_order(wanted.rules - rules), len(rules)
    surplus = tuple(
        sorted(in_order(rules - wanted.rules), key=lambda rule: not rule.source.startswith("pl-"))
    )
    lists = sum(rule.source.startswith("pl-") for rule in surplus)
    turns: list[do.Action] = []
    while missing:
        if room := 0 if lists else RULES_MAX - count:
            turns.append(
                do.AuthorizeSecurityGroupIngress(
                    reason="`allow` lets them in", group=_reference(wanted), rules=missing[:room]
                )
            )
            count, missing = count + len(missing[:room]), missing[room:]
            continue
        gone = lists or min(len(missing), len(surplus) if len(surplus) < count else (count + 1) // 2)
        turns.append(_revoked(wanted, surplus[:gone], "they make room for those that `allow` names"))
        count, surplus, lists = count - gone, surplus[gone:], 0
    return turns, surplus


def _revoked(group: SecurityGroup, rules: tuple[Rule, ...], reason: str) -> do.RevokeSecurityGroupIngress:
    return do.RevokeSecurityGroupIngress(reason=reason, group=_reference(group), rules=rules)


def _group_trimmed(desired: State, actual: State) -> Iterator[do.Action]:
    wanted, there = desired.group, actual.group
    if there is None or there.id is None:
        return
    if wanted is not None:
        _, surplus = _rules(wanted, there)
        if surplus:
            yield _revoked(there, surplus, "`allow` does not name them")
    elif desired.load_balancer and there.id not in desired.load_balancer.security_groups:
        yield do.DeleteSecurityGroup(reason="other security groups were named", group=there.id)


def _uploads(desired: State, actual: State) -> Iterator[do.Action]:
    if desired.private_ca and not actual.private_ca:
        yield do.CreateSecret(reason="there is no private CA yet", secret=desired.private_ca)
    if desired.private_ca_mark:
        key, mark = desired.private_ca_mark
        reason = "the private CA's certificate stands apart from its key"
        yield do.CreateSecret(reason=reason, secret=authority_certificate_secret(key))
        yield do.TagResource(reason=reason, secret=key, tag=(CERTIFICATE_TAG, mark))
    for name in sorted(desired.certificates - actual.certificates):
        yield do.UploadServerCertificate(reason="IAM does not have it yet", certificate=name)


def _leftovers(desired: State, actual: State) -> Iterator[do.Action]:
    for name in sorted(actual.certificates - desired.certificates):
        yield do.DeleteServerCertificate(reason="it was made for this load balancer", certificate=name)
    if actual.group and actual.group.id and not desired.group:
        yield do.DeleteSecurityGroup(reason="it was made for this load balancer", group=actual.group.id)


def _reference(group: SecurityGroup) -> str:
    return group.id or group.name


def _cluster(desired: State, actual: State, cluster: str) -> Iterator[do.Action]:
    if missing := desired.cluster - actual.cluster:
        yield do.CreateTags(
            reason="the tag makes an instance a member",
            resources=tuple(sorted(missing)),
            tag=(CLUSTER_TAG, cluster),
        )


def _tags_added(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    differing = {key: value for key, value in wanted.tags.items() if there.tags.get(key) != value}
    if differing:
        adopted = OWNER_TAG in differing
        yield do.AddTags(
            reason="it becomes ours" if adopted else "tags differ", tags=tuple(sorted(differing.items()))
        )


def _in_the_way(wanted: LoadBalancer, there: LoadBalancer) -> Set[str]:
    """The tags that have to go before others can come; `pending` stays until all is done."""
    if len(there.tags.keys() | wanted.tags.keys()) <= LOAD_BALANCER_TAGS_MAX:
        return set()
    return there.tags.keys() - wanted.tags.keys() - {PENDING_TAG}


def _tags_removed(surplus: Set[str]) -> Iterator[do.Action]:
    if surplus:
        done = surplus == {PENDING_TAG}
        yield do.RemoveTags(
            reason="all is done" if done else "they no longer hold", keys=tuple(sorted(surplus))
        )


def _subnets(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    """Attach what is in a new zone, detach what goes, and exchange within a zone one after another.

    A zone takes one subnet at a time, and the last subnet cannot be detached
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html).
    """
    zone_of = wanted.zone_of
    leaving = {zone_of.get(subnet, subnet): subnet for subnet in sorted(there.subnets - wanted.subnets)}
    coming = sorted(wanted.subnets - there.subnets)
    exchanged = {zone_of[subnet]: subnet for subnet in coming if zone_of.get(subnet) in leaving}
    if new := tuple(subnet for subnet in coming if subnet not in exchanged.values()):
        yield do.AttachLoadBalancerToSubnets(reason="zones to be served", subnets=new)
    for zone, subnet in exchanged.items():
        reason = f"{zone} gets another subnet"
        yield do.DetachLoadBalancerFromSubnets(reason=reason, subnets=(leaving[zone],))
        yield do.AttachLoadBalancerToSubnets(reason=reason, subnets=(subnet,))
    if old := tuple(subnet for zone, subnet in leaving.items() if zone not in exchanged):
        yield do.DetachLoadBalancerFromSubnets(reason="zones no longer served", subnets=old)


def _groups(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    if wanted.security_groups != there.security_groups:
        yield do.ApplySecurityGroupsToLoadBalancer(
            reason="security groups differ", groups=tuple(sorted(wanted.security_groups))
        )


def _health_check(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    if wanted.health_check != there.health_check:
        yield do.ConfigureHealthCheck(reason="the health check differs", health_check=wanted.health_check)


def _attributes(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    change = do.ModifyLoadBalancerAttributes(
        reason="attributes differ",
        idle_timeout=None
        if keeps_idle_timeout(wanted.idle_timeout, there.idle_timeout)
        else _differing(wanted.idle_timeout, there.idle_timeout),
        connection_draining=_differing(wanted.connection_draining, there.connection_draining),
        cross_zone=_differing(wanted.cross_zone, there.cross_zone),
    )
    if change != do.ModifyLoadBalancerAttributes(reason=change.reason):
        yield change


def _access_logs(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    if wanted.access_logs != there.access_logs:
        yield do.ModifyLoadBalancerAttributes(
            reason="access logs differ", access_logs=wanted.access_logs or False
        )


def _differing(wanted: T, there: T) -> T | None:
    return wanted if wanted != there else None


def _instances(wanted: LoadBalancer, there: LoadBalancer, desired: State) -> Iterator[do.Action]:
    def because(ids: tuple[str, ...]) -> str:
        return "; ".join(f"{id_} {desired.reasons.get(id_, 'was named')}" for id_ in ids)

    calls: list[do.Action] = []
    if coming := tuple(sorted(wanted.instances - there.instances)):
        calls.append(do.RegisterInstances(reason=because(coming), instances=coming))
    if leaving := tuple(sorted(there.instances - wanted.instances)):
        calls.append(do.DeregisterInstances(reason=because(leaving), instances=leaving))
    # The guards leave half of the members and one in service, also where some have to make room.
    yield from calls if len(there.instances) + len(coming) <= _MOST_INSTANCES else reversed(calls)
