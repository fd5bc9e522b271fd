"""The difference between the wanted and the actual state, as AWS calls in an order that does no harm.

    desired  actual   plan
    -------  ------   ----------------------------------------------------------------------------------
    -        -        what an earlier, killed delete left: target groups, certificates, then the group
    -        there    the record of its hostname, DeleteLoadBalancer, then the same
    there    -        the group and the certificate, CreateLoadBalancer, then the row below against what
                      AWS makes of that one call (`as_created`)
    there    there    field by field, in this order; a field that is equal costs nothing

    tags of instances (before the owner's: an untagged instance may be taken out) · tags · what is the
    type's own (`plan_classic.py`, `plan_network.py`) · rules and group no longer wanted · what
    only tidies up · access logs (what their bucket refuses keeps nothing else from being done) · the record
    of the hostname (where a name loses its record, right after the certificate and the group) · tags no
    longer wanted (the very last: `pending`)

So a listener keeps its certificate and its policy until the new one is there, no instance is deregistered
before others are registered, and after a crash, at any call, a new plan holds the rest.

Where AWS has no room for new rules, instances or tags beside the old ones, an exchange goes in turns: some
old ones are removed, then new ones take their room, and never all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

from chalicelib.model import actions as do
from chalicelib.model.actions import tidies_up
from chalicelib.model.dns_options import read_dns_tag
from chalicelib.model.load_balancer import LOAD_BALANCER_TAGS_MAX, LoadBalancer, LoadBalancerType, State
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    CLUSTER_TAG,
    DNS_TAG,
    OWNER_TAG,
    PENDING_TAG,
    authority_certificate_secret,
)
from chalicelib.model.pending import PROVISIONING, Pending
from chalicelib.model.vpc import RULES_MAX, Rule, SecurityGroup, in_order
from chalicelib.provision.plan_classic import classic_as_created, plan_classic
from chalicelib.provision.plan_network import network_as_created, plan_network, target_groups_gone

_AS_CREATED: Mapping[LoadBalancerType, Callable[[LoadBalancer], LoadBalancer]] = {
    "classic": classic_as_created,
    "network": network_as_created,
}
_CHANGES: Mapping[
    LoadBalancerType, Callable[[State, State, LoadBalancer, LoadBalancer], Iterator[do.Action]]
] = {"classic": plan_classic, "network": plan_network}


def plan(desired: State, actual: State) -> tuple[do.Action, ...]:
    """The calls that turn `actual` into `desired`; none when they are equal."""
    wanted, there = desired.load_balancer, actual.load_balancer
    if wanted is None:
        gone = () if there is None else (do.DeleteLoadBalancer(reason="it is to go", arn=there.arn),)
        return (*_records(desired, "it is to go"), *gone, *_leftovers(desired, actual))
    # The certificate first: from then on the background can end it without a key.
    prepare = (*_uploads(desired, actual), *_group_made(desired.group, actual.group))
    if there is None:
        born = as_created(wanted)
        create = do.CreateLoadBalancer(reason=f"there is no load balancer {wanted.name}", load_balancer=born)
        return (*prepare, create, *_changes(desired, actual, wanted, born))
    if _loses_a_name(wanted, there):
        # While the tags still say which: a run that is killed later finds them as they were, or gone.
        prepare = (*prepare, *_records(desired))
    return (*prepare, *_changes(desired, actual, wanted, there))


def marked(steps: Sequence[do.Action], there: LoadBalancer | None, since: datetime) -> Sequence[do.Action]:
    """Keep the load balancer `pending` from before something is taken away until the last step.

    Its tag then says that it is half changed, when AWS refuses the rest or the function is killed. The same
    for a load balancer that is being adopted, since IAM may see late that it is ours, and for one whose
    hostname's record changes, since the background does that.
    """
    if (
        there is None
        or PENDING_TAG in there.tags
        or not (_takes_away(steps) or _goes_on_as_ours(steps) or in_the_background(steps))
    ):
        return steps
    mark = Pending(since, PROVISIONING).tag
    found: list[do.Action] = []
    begun, end = False, do.RemoveTags(reason="all is done", keys=(PENDING_TAG,), arn=there.arn)
    for step in steps:
        match step:
            case do.AddTags(tags=tags, part=None):
                begun = True
                found.append(replace(step, tags=(*tags, mark)))
            case do.RemoveTags(keys=keys):
                end = replace(step, keys=(*keys, PENDING_TAG))
            case _ if isinstance(step, (*_TAKING_AWAY, do.ChangeResourceRecordSets)) and not begun:
                begun = True
                records = isinstance(step, do.ChangeResourceRecordSets)
                reason = _RECORDS if records else "something is taken away for a moment"
                found += [do.AddTags(reason=reason, tags=(mark,), arn=there.arn), step]
            case _:
                found.append(step)
    return (*found, end)


_RECORDS = "its hostname's record is changed in the background"
_TAKING_AWAY = (
    do.DetachLoadBalancerFromSubnets,
    do.DeleteLoadBalancerListeners,
    do.SetSubnets,
    do.DeleteTargetGroup,
)
_BRINGING_BACK = (
    do.AttachLoadBalancerToSubnets,
    do.CreateLoadBalancerListeners,
    do.SetSubnets,
    do.CreateTargetGroup,
)


def _takes_away(steps: Sequence[do.Action]) -> bool:
    """Whether a resource goes that comes again in another form: a zone's subnet, a port's listener."""
    gone = False
    for step in steps:
        if gone and isinstance(step, _BRINGING_BACK):
            return True
        gone = gone or isinstance(step, _TAKING_AWAY)
    return False


def _goes_on_as_ours(steps: Sequence[do.Action]) -> bool:
    """Whether an earlier step makes a load balancer ours that a later step changes."""
    kinds = [step for step in steps if not isinstance(step, do.RemoveTags)]
    becoming = [
        isinstance(step, do.AddTags) and step.part is None and OWNER_TAG in dict(step.tags) for step in kinds
    ]
    return any(becoming[:-1])


def in_the_background(steps: Sequence[do.Action]) -> Sequence[do.Action]:
    """Return what is left to the background: the first change of record sets, and all that follows."""
    first = (place for place, step in enumerate(steps) if isinstance(step, do.ChangeResourceRecordSets))
    return steps[next(first, len(steps)) :]


def as_created(wanted: LoadBalancer) -> LoadBalancer:
    """Return what CreateLoadBalancer alone makes of it: the rest has AWS's defaults.

    Its `pending` tag marks it as half made until the last call of the plan removes the tag.
    """
    marked = dict([Pending(wanted.created, PROVISIONING).tag]) if wanted.created else {}
    return replace(_AS_CREATED[wanted.type](wanted), tags={**wanted.tags, **marked})


def _changes(desired: State, actual: State, wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    yield from _cluster(desired, actual, wanted.cluster)
    yield from _tags_removed(_in_the_way(wanted, there), there)
    yield from _tags_added(wanted, there)
    of_type = tuple(_CHANGES[wanted.type](desired, actual, wanted, there))
    yield from (step for step in of_type if not tidies_up(step))
    yield from _group_trimmed(desired, actual)
    yield from (step for step in of_type if tidies_up(step))
    yield from _access_logs(wanted, there)
    if not _loses_a_name(wanted, there):
        yield from _records(desired)
    yield from _tags_removed(there.tags.keys() - wanted.tags.keys() - _in_the_way(wanted, there), there)


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
    yield from target_groups_gone(actual)
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
            reason="it becomes ours" if adopted else "tags differ",
            tags=tuple(sorted(differing.items())),
            arn=there.arn,
        )


def _records(desired: State, reason: str = "the hostname leads to it") -> Iterator[do.Action]:
    for zone, changes in sorted(desired.record_changes.items()):
        yield do.ChangeResourceRecordSets(reason=reason, zone=zone, changes=changes)


def _loses_a_name(wanted: LoadBalancer, there: LoadBalancer) -> bool:
    """Whether a name has its record no longer, at all or in one of the hosted zones."""
    before, after = (read_dns_tag(one.tags.get(DNS_TAG)) for one in (there, wanted))
    if before is None:
        return False
    names = [(one.hostname or "").lower() for one in (there, wanted)]
    return after is None or names[0] != names[1] or not {*before.zone_ids} <= {*after.zone_ids}


def _in_the_way(wanted: LoadBalancer, there: LoadBalancer) -> Set[str]:
    """The tags that have to go before others can come; `pending` stays to the end."""
    if len(there.tags.keys() | wanted.tags.keys()) <= LOAD_BALANCER_TAGS_MAX:
        return set()
    return there.tags.keys() - wanted.tags.keys() - {PENDING_TAG}


def _tags_removed(surplus: Set[str], there: LoadBalancer) -> Iterator[do.Action]:
    if surplus:
        done = surplus == {PENDING_TAG}
        yield do.RemoveTags(
            reason="all is done" if done else "they no longer hold",
            keys=tuple(sorted(surplus)),
            arn=there.arn,
        )


def _access_logs(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    if wanted.access_logs != there.access_logs:
        yield do.ModifyLoadBalancerAttributes(
            reason="access logs differ", arn=there.arn, access_logs=wanted.access_logs or False
        )
