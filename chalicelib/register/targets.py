"""Read who is registered with network load balancers: their target groups, and the health of each target."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from chalicelib.aws import elbv2
from chalicelib.invocation import Invocation
from chalicelib.model.errors import AwsError
from chalicelib.model.load_balancer import LoadBalancer, Member, TargetGroup
from chalicelib.observe import READS_AT_ONCE

HealthByPort = Mapping[int, Mapping[str, Member]]
"""The registered instances and those that drain, by instance port and id; of a classic one by port 0."""


@dataclass(frozen=True)
class Registered:
    """A load balancer with its target groups and registered instances, and their health."""

    load_balancer: LoadBalancer
    health: HealthByPort


def read_targets(
    load_balancers: Collection[LoadBalancer], invocation: Invocation
) -> Mapping[str, Registered | AwsError]:
    """Read the targets of each load balancer by its ARN, or the reason why they are not known.

    One call for each target group, and one for each 20 of these; one for each 400 of the region, or of one
    load balancer. A target group that does not carry the owner tag of its load balancer is left alone.
    """
    client = invocation.clients.elbv2
    by_arn = {one.arn or "": one for one in load_balancers}
    if not by_arn:
        return {}
    try:
        listed = elbv2.target_groups(client, next(iter(by_arn)) if len(by_arn) == 1 else None)
        groups = {
            one.get("TargetGroupArn", ""): one
            for one in listed
            if by_arn.keys() & {*one.get("LoadBalancerArns", [])} and elbv2.holds_instances(one)
        }
        tags = elbv2.resource_tags(client, [*groups])
    except AwsError as error:
        return dict.fromkeys(by_arn, error)
    parsed = {arn: elbv2.parse_target_group(one, {}, tags.get(arn, {})) for arn, one in groups.items()}
    behind = {
        arn: {
            each: group
            for each, group in parsed.items()
            if arn in groups[each].get("LoadBalancerArns", []) and group.owner == one.owner
        }
        for arn, one in by_arn.items()
    }
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        asked = {
            arn: pool.submit(elbv2.target_health, client, arn, group.port)
            for own in behind.values()
            for arn, group in own.items()
        }
    found: dict[str, Registered | AwsError] = {}
    for arn, one in by_arn.items():
        try:
            targets = {each: asked[each].result() for each in behind[arn]}
        except AwsError as error:
            found[arn] = error
        else:
            found[arn] = _registered(one, behind[arn], targets)
    return found


def _registered(
    load_balancer: LoadBalancer, groups: Mapping[str, TargetGroup], targets: Mapping[str, elbv2.Targets]
) -> Registered:
    by_port = {
        group.port: replace(group, registered=elbv2.registered(targets[arn])) for arn, group in groups.items()
    }
    there = replace(
        load_balancer,
        target_groups=by_port,
        instances=frozenset(id_ for group in by_port.values() for id_ in group.registered),
    )
    return Registered(there, {group.port: targets[arn].members for arn, group in groups.items()})
