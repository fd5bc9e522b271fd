"""What a deleted or half-made load balancer of ours left behind, when it is over an hour old.

A certificate says when it was uploaded. No security group and no target group says when it was made: the
first look that finds it alone writes the time on it, as its `emq-elb:pending` tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from chalicelib.apply import Progress, apply
from chalicelib.aws import elb, elbv2, iam
from chalicelib.aws import vpc as vpcs
from chalicelib.certificates.users import Described
from chalicelib.invocation import Invocation, gathering
from chalicelib.model import actions as do
from chalicelib.model.errors import AwsError, Unserved
from chalicelib.model.load_balancer import Certificate
from chalicelib.model.names import (
    PENDING_TAG,
    certificates_path,
    load_balancer_of_group,
    load_balancer_of_path,
    load_balancer_of_target_group,
    port_of_target_group,
)
from chalicelib.model.pending import TO_BE_SWEPT, Pending, parse_pending
from chalicelib.model.step import Step
from chalicelib.model.vpc import SecurityGroup
from chalicelib.provision.delete import Leftover, settled, unused

Sweeping = Leftover | do.CreateTags | do.DeleteTags | do.AddTags

_AGE = timedelta(hours=1)
_MARK_HOLDS = timedelta(days=1)
# Three reads that a look does not need, for what is an hour old: every quarter of an hour is soon enough.
_EVERY_MINUTES = 15


def sweep_due(now: datetime) -> bool:
    """Whether the `reconcile` of this minute sweeps."""
    return now.minute % _EVERY_MINUTES == 0


def sweep(invocation: Invocation) -> tuple[Step, ...]:
    """Delete such certificates and groups, as far as AWS lets them go; return what was done.

    What another load balancer of any region uses stays: the regions are asked only when a certificate is to
    go. Raises Unserved with all that went wrong, when everything else is done.
    """
    clients, owner = invocation.clients, invocation.settings.owner
    certificates = iam.list_certificates(clients.iam, certificates_path(owner, clients.region))
    groups = vpcs.groups_owned(clients.ec2, owner)
    target_groups = _without_load_balancer(invocation)
    if not certificates and not groups and not target_groups:
        return ()
    here = Described(elb.describe_all(clients.elb), elbv2.describe_second_kind(clients.elbv2))
    alive = {one.get("LoadBalancerName", "") for one in (*here.classic, *here.second)}
    attached = {group for one in (*here.classic, *here.second) for group in one.get("SecurityGroups", [])}
    progress, failures = Progress(), list[tuple[str, Exception]]()
    plan = [
        *_target_groups(target_groups, alive, invocation),  # they refer to no security group
        *_groups(groups, alive, attached, invocation),
    ]
    with gathering("certificates", failures):
        gone = unused(_certificates(certificates, alive, invocation), invocation, here)
        plan = [*gone, *plan]
    for name, action in plan:
        try:
            if isinstance(action, do.CreateTags | do.DeleteTags | do.AddTags):
                apply(name, [action], progress, invocation)
            else:
                # Once, without waiting: what AWS holds on to now goes with a later look.
                settled(name, action, progress, invocation)
        except AwsError as error:
            failures.append((name, error))
    if failures:
        raise Unserved(failures)
    return progress.steps


def _certificates(
    certificates: Iterable[Certificate], alive: set[str], invocation: Invocation
) -> list[tuple[str, Leftover]]:
    before = invocation.now() - _AGE
    return [
        (name, do.DeleteServerCertificate(reason=f"{name} is gone", certificate=certificate.name or ""))
        for certificate in certificates
        if (name := load_balancer_of_path(certificate.path or "")) not in alive
        and certificate.uploaded
        and certificate.uploaded < before
    ]


def _without_load_balancer(invocation: Invocation) -> dict[str, tuple[str, str | None]]:
    """The name and the `emq-elb:pending` tag of target groups of ours that no load balancer uses, by ARN.

    One call, and one more for each 20 that have a name of ours. A group of another name was adopted.
    """
    client = invocation.clients.elbv2
    spare = {
        found.get("TargetGroupArn", ""): found.get("TargetGroupName", "")
        for found in elbv2.target_groups(client)
        if not found.get("LoadBalancerArns")
        and load_balancer_of_target_group(found.get("TargetGroupName", "")) is not None
    }
    tags = elbv2.resource_tags(client, list(spare)) if spare else {}
    ours = elbv2.owned_by(invocation.settings.owner, tags)
    return {arn: (spare[arn], tags[arn].get(PENDING_TAG)) for arn in ours}


def _target_groups(
    spare: Mapping[str, tuple[str, str | None]], alive: set[str], invocation: Invocation
) -> list[tuple[str, Sweeping]]:
    """What to do with each; one whose load balancer is there is the next PUT's to use or delete.

    A mark of more than a day ago is of an earlier time without a load balancer: the group is marked anew.
    """
    found: list[tuple[str, Sweeping]] = []
    now = invocation.now()
    for arn, (group, tag) in spare.items():
        name = load_balancer_of_target_group(group) or group
        since = _marked(tag)
        if any(port_of_target_group(group, one) for one in alive):
            continue
        if since is None or since < now - _MARK_HOLDS:
            mark = Pending(now, TO_BE_SWEPT)
            found.append((name, do.AddTags(reason=f"{name} is gone", tags=(mark.tag,), arn=arn, part=group)))
        elif since < now - _AGE:
            found.append((name, do.DeleteTargetGroup(reason=f"{name} is gone", arn=arn, target_group=group)))
    return found


def _groups(
    groups: Iterable[SecurityGroup], alive: set[str], attached: set[str], invocation: Invocation
) -> list[tuple[str, Sweeping]]:
    found: list[tuple[str, Sweeping]] = []
    for group in groups:
        name = load_balancer_of_group(group.name)
        since = _marked(group.pending)
        if name is None or group.id is None:
            continue
        if name in alive or group.id in attached:
            if group.pending is not None:
                forget = do.DeleteTags(
                    reason="a load balancer uses it", resources=(group.id,), key=PENDING_TAG
                )
                found.append((name, forget))
        elif since is None:
            mark = Pending(invocation.now(), TO_BE_SWEPT)
            found.append((name, do.CreateTags(reason=f"{name} is gone", resources=(group.id,), tag=mark.tag)))
        elif since < invocation.now() - _AGE:
            found.append((name, do.DeleteSecurityGroup(reason=f"{name} is gone", group=group.id)))
    return found


def _marked(tag: str | None) -> datetime | None:
    """When a look found a group alone, by its `emq-elb:pending` tag."""
    pending = parse_pending(tag)
    return pending.since if pending else None
