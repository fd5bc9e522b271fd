"""What a deleted or half-made load balancer of ours left behind, when it is over an hour old.

A certificate says when it was uploaded. A security group does not say when it was made: the first look that
finds it alone writes the time on it, as its `emq-elb:pending` tag.
"""

from __future__ import annotations

from collections.abc import Iterable
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
)
from chalicelib.model.pending import TO_BE_SWEPT, Pending, parse_pending
from chalicelib.model.step import Step
from chalicelib.model.vpc import SecurityGroup
from chalicelib.provision.delete import Leftover, settled, unused

Sweeping = Leftover | do.CreateTags | do.DeleteTags

_AGE = timedelta(hours=1)
# Two reads that a look does not need, for what is an hour old: every quarter of an hour is soon enough.
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
    if not certificates and not groups:
        return ()
    here = Described(elb.describe_all(clients.elb), elbv2.describe_second_kind(clients.elbv2))
    alive = {one.get("LoadBalancerName", "") for one in (*here.classic, *here.second)}
    attached = {group for one in (*here.classic, *here.second) for group in one.get("SecurityGroups", [])}
    progress, failures = Progress(), list[tuple[str, Exception]]()
    plan = _groups(groups, alive, attached, invocation)
    with gathering("certificates", failures):
        gone = unused(_certificates(certificates, alive, invocation), invocation, here)
        plan = [*gone, *plan]
    for name, action in plan:
        try:
            if isinstance(action, do.CreateTags | do.DeleteTags):
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


def _groups(
    groups: Iterable[SecurityGroup], alive: set[str], attached: set[str], invocation: Invocation
) -> list[tuple[str, Sweeping]]:
    found: list[tuple[str, Sweeping]] = []
    for group in groups:
        name = load_balancer_of_group(group.name)
        pending = parse_pending(group.pending)
        since = pending.since if pending else None
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
