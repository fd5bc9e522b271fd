"""The end of provisioning: a load balancer and whatever was made for it go away.

The load balancer goes at once. AWS holds on to its target groups, its certificate and its security group for
up to minutes: they are waited for until the deadline, then finished in the background, by the next DELETE, or
by `sweep`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from chalicelib import telemetry
from chalicelib.apply import Progress, apply
from chalicelib.certificates.users import Described, find_users
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.actions import to_step
from chalicelib.model.errors import Conflict, NotFound, NotOurs
from chalicelib.model.load_balancer import State
from chalicelib.model.names import certificate_name_of
from chalicelib.model.report import Report
from chalicelib.model.syntax import name_fault, quoted
from chalicelib.observe import find_load_balancer
from chalicelib.provision import observe as survey
from chalicelib.provision.plan import plan
from chalicelib.provision.review import attaching_groups

Leftover = do.DeleteServerCertificate | do.DeleteSecurityGroup | do.DeleteTargetGroup


def delete(name: str, invocation: Invocation, *, dry_run: bool = False, force: bool = False) -> Report:
    """Delete the load balancer, its target groups, certificates and security group; `dry_run` only plans.

    Raises NotFound when there is neither it nor anything left of it; NotOurs; Conflict while members are in
    service (unless `force`) or something that is not ours uses what would go. A report that is `pending` has
    in `carry_on` what `finish` needs.
    """
    if name_fault(name):
        # Where AWS takes patterns, as for names of groups, it could stand for other load balancers' things.
        raise NotFound(f"no load balancer can be named {quoted(name)}")
    standing = survey.for_delete(name, invocation)
    steps = plan(State(name=name), standing.actual)
    if not steps:
        raise NotFound(f"there is no load balancer {name}")
    _refuse(standing, invocation.settings.owner, force=force)
    if dry_run:
        foreseen = tuple(to_step(action) for action in steps)
        return Report(name=name, state="ready", steps=foreseen, warnings=standing.warnings)
    progress = Progress()
    apply(name, [one for one in steps if isinstance(one, do.DeleteLoadBalancer)], progress, invocation)
    left = delete_leftovers(name, [one for one in steps if isinstance(one, Leftover)], progress, invocation)
    return Report(
        name=name,
        state="pending" if left else "ready",
        steps=progress.steps,
        warnings=standing.warnings,
        carry_on=_payload(left) if left else {},
    )


def _refuse(standing: survey.Standing, owner: str, *, force: bool) -> None:
    there = standing.actual.load_balancer
    if there is not None and there.owner != owner:
        raise NotOurs(f"the load balancer {there.name} is not ours, so it is not ours to delete")
    if standing.holders:
        raise Conflict(
            f"{', '.join(standing.holders)} uses what we made for {standing.actual.name}: change that first"
        )
    if standing.attaching:
        raise Conflict(
            f"{attaching_groups(standing.attaching)} {standing.actual.name}, and cannot launch without it:"
            " detach it there first"
        )
    serving = sorted(member.id for member in standing.members if member.may_serve)
    if serving and not force:
        raise Conflict(
            f"{', '.join(serving)} {'is' if len(serving) == 1 else 'are'} in service behind"
            f" {standing.actual.name}: ?force=true deletes it all the same"
        )


def finish(name: str, leftovers: Mapping[str, object], invocation: Invocation) -> None:
    """Delete, in the background, what AWS still held on to; `leftovers` is what `delete` left in `carry_on`.

    A certificate that another load balancer has got meanwhile stays; once that one is gone, it is swept.
    Raises NotYet when it still does at the deadline, so that Lambda tries again.
    """
    still = [leftover for _, leftover in unused([(name, one) for one in _read(leftovers)], invocation)]
    left = delete_leftovers(name, still, Progress(), invocation)
    if left:
        raise errors.NotYet(type(left[0]).__name__, "StillInUse", "AWS has not let go of it yet")


def delete_leftovers(
    name: str, leftovers: Iterable[Leftover], progress: Progress, invocation: Invocation
) -> list[Leftover]:
    """Delete each as soon as AWS lets go of it; return what it held on to until the deadline."""
    left = list(leftovers)
    waits = invocation.waits()
    while left := [leftover for leftover in left if not settled(name, leftover, progress, invocation)]:
        if next(waits, None) is None:
            break
    return left


def unused(
    leftovers: Iterable[tuple[str, Leftover]], invocation: Invocation, here: Described | None = None
) -> list[tuple[str, Leftover]]:
    """Leave out the certificates that a listener serves, of any load balancer of any region.

    Each leftover comes with the name of the load balancer that left it. No call without certificates.
    """
    left = [*leftovers]
    if not any(isinstance(one, do.DeleteServerCertificate) for _, one in left):
        return left
    found = find_users(invocation, here)
    for warning in found.warnings:
        telemetry.regions_skipped(warning.message)
    used = found.names
    for name, one in left:
        if isinstance(one, do.DeleteServerCertificate) and one.certificate in used:
            telemetry.certificate_kept(name, one.certificate)
    return [
        (name, one)
        for name, one in left
        if not (isinstance(one, do.DeleteServerCertificate) and one.certificate in used)
    ]


def settled(name: str, leftover: Leftover, progress: Progress, invocation: Invocation) -> bool:
    """Delete it, once, unless a load balancer of that name has been made and uses it; False: AWS holds it."""
    if _used(name, leftover, invocation):
        return True
    try:
        apply(name, [leftover], progress, invocation)
    except errors.Absent:
        return True
    except errors.NotYet:
        return False
    return True


def _used(name: str, leftover: Leftover, invocation: Invocation) -> bool:
    """Whether a load balancer of that name was made since, and uses it."""
    found = find_load_balancer(name, invocation)
    if found is None:
        return False
    there = found.load_balancer
    match leftover:
        case do.DeleteServerCertificate(certificate=certificate):
            return certificate in {certificate_name_of(one.certificate or "") for one in there.listeners}
        case do.DeleteSecurityGroup(group=group):
            return group in there.security_groups
        case do.DeleteTargetGroup():
            return there.type == "network"
        case _:
            assert_never(leftover)


def _payload(left: Sequence[Leftover]) -> Mapping[str, object]:
    return {
        "certificates": [one.certificate for one in left if isinstance(one, do.DeleteServerCertificate)],
        "groups": [one.group for one in left if isinstance(one, do.DeleteSecurityGroup)],
        "target_groups": {one.target_group: one.arn for one in left if isinstance(one, do.DeleteTargetGroup)},
    }


def _read(leftovers: Mapping[str, object]) -> list[Leftover]:
    certificates, groups = leftovers.get("certificates"), leftovers.get("groups")
    target_groups = leftovers.get("target_groups")
    reason = "its load balancer was deleted"
    return [
        *(
            do.DeleteTargetGroup(reason=reason, target_group=str(group), arn=str(arn))
            for group, arn in (target_groups.items() if isinstance(target_groups, dict) else ())
        ),
        *(
            do.DeleteServerCertificate(reason=reason, certificate=str(one))
            for one in (certificates if isinstance(certificates, list) else [])
        ),
        *(
            do.DeleteSecurityGroup(reason=reason, group=str(one))
            for one in (groups if isinstance(groups, list) else [])
        ),
    ]
