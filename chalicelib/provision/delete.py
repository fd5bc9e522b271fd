"""The end of provisioning: a load balancer and whatever was made for it go away.

The load balancer goes at once. AWS holds on to its target groups, its certificate and its security group for
up to minutes: they are waited for until the deadline, then finished in the background, by the next DELETE, or
by `sweep`.

Where its hostname has a record that we keep, that goes first, and the load balancer when no resolver can have
it any more. The background does both, and writes on the load balancer how far it has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from chalicelib import telemetry
from chalicelib.apply import Progress, apply
from chalicelib.certificates.users import Described, find_users
from chalicelib.dns.change import wait_until_spread
from chalicelib.dns.plan import TTL_SECONDS
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.actions import to_step
from chalicelib.model.errors import Conflict, NotFound, NotOurs
from chalicelib.model.load_balancer import LoadBalancer, State
from chalicelib.model.moments import rfc3339
from chalicelib.model.names import PENDING_TAG, certificate_name_of
from chalicelib.model.pending import DELETING, Pending, parse_pending
from chalicelib.model.report import Report
from chalicelib.model.same_name import two_of_one_name
from chalicelib.model.syntax import name_fault, quoted
from chalicelib.observe import find_load_balancer, view
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
    standing = _observe(name, invocation)
    steps = plan(State(name=name, record_changes=standing.record_changes), standing.actual)
    if not steps:
        raise NotFound(f"there is no load balancer {name}")
    _refuse(standing, invocation.settings.owner, force=force)
    if dry_run:
        foreseen = tuple(to_step(action) for action in steps)
        return Report(name=name, state="ready", steps=foreseen, warnings=standing.warnings)
    progress = Progress()
    there = standing.actual.load_balancer
    if there and (standing.record_changes or _deleting(there)):
        mark = _marked(there, invocation.now())
        apply(name, [_said(there, mark, "its hostname's record goes first")], progress, invocation)
        return Report(
            name=name,
            state="pending",
            steps=progress.steps,
            warnings=standing.warnings,
            view=view(name, invocation),
            carry_on={
                **_payload([one for one in steps if isinstance(one, Leftover)]),
                "since": rfc3339(mark.since or invocation.now()),
            },
        )
    with suppress(errors.Absent):  # somebody was quicker, and the rest is to go all the same
        apply(name, [one for one in steps if isinstance(one, do.DeleteLoadBalancer)], progress, invocation)
    left = delete_leftovers(name, [one for one in steps if isinstance(one, Leftover)], progress, invocation)
    return Report(
        name=name,
        state="pending" if left else "ready",
        steps=progress.steps,
        warnings=standing.warnings,
        carry_on=_payload(left) if left else {},
    )


def _observe(name: str, invocation: Invocation) -> survey.Standing:
    """Read AWS; where something vanished between two reads, look again."""
    waits = invocation.waits()
    while True:
        try:
            return survey.for_delete(name, invocation)
        except errors.Absent:
            if next(waits, None) is None:
                raise


def _refuse(standing: survey.Standing, owner: str, *, force: bool) -> None:
    there = standing.actual.load_balancer
    if there is not None and there.owner != owner:
        raise NotOurs(f"the load balancer {there.name} is not ours, so it is not ours to delete")
    if standing.same_name:
        raise Conflict(two_of_one_name(standing.actual.name))
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


def _deleting(there: LoadBalancer) -> Pending | None:
    """What the load balancer says of a DELETE that is at work."""
    mark = parse_pending(there.tags.get(PENDING_TAG))
    return mark if mark and mark.what == DELETING else None


def _marked(there: LoadBalancer, now: datetime) -> Pending:
    """What it says from now on: this request counts, and goes on where an earlier one has come to."""
    earlier = _deleting(there)
    return Pending(now, DELETING, earlier.not_before if earlier else None)


def _said(there: LoadBalancer, mark: Pending, reason: str) -> do.AddTags:
    return do.AddTags(reason=reason, tags=(mark.tag,), arn=there.arn)


def finish(name: str, leftovers: Mapping[str, object], invocation: Invocation) -> bool:
    """Finish a DELETE in the background; `leftovers` is what `delete` left in `carry_on`.

    A certificate that another load balancer has got meanwhile stays; once that one is gone, it is swept.
    False when a later request counts. Raises NotYet when AWS still holds on to something at the deadline, so
    that Lambda tries again.
    """
    progress = Progress()
    since = leftovers.get("since")
    if since and not _without_its_name(name, datetime.fromisoformat(str(since)), progress, invocation):
        return False
    still = [leftover for _, leftover in unused([(name, one) for one in _read(leftovers)], invocation)]
    left = delete_leftovers(name, still, progress, invocation)
    if left:
        raise errors.NotYet(type(left[0]).__name__, "StillInUse", "AWS has not let go of it yet")
    return True


def _without_its_name(name: str, since: datetime, progress: Progress, invocation: Invocation) -> bool:
    """Withdraw the record, wait until no resolver can have it, delete the load balancer.

    AWS is read again before each step. False when another request is at work by then.
    """
    waits = invocation.waits()
    while there := _still_there(name, invocation):
        mark = _deleting(there)
        if there.owner != invocation.settings.owner or mark is None or not mark.began_at(since):
            return False
        step = _next_step(there, mark, invocation)
        if isinstance(step, timedelta):
            if invocation.now() + step > invocation.deadline:
                raise errors.NotYet("provision", "StillPending", "resolvers may still have the record")
            invocation.sleep(step.total_seconds())
            continue
        try:
            apply(name, [step], progress, invocation)
        except (errors.NotYet, errors.Absent):
            if next(waits, None) is None:
                raise
            continue
        if isinstance(step, do.ChangeResourceRecordSets):
            wait_until_spread([progress.bound[step.zone]], invocation)
    return True


def _still_there(name: str, invocation: Invocation) -> LoadBalancer | None:
    found = find_load_balancer(name, invocation)
    return found.load_balancer if found else None


def _next_step(there: LoadBalancer, mark: Pending, invocation: Invocation) -> do.Action | timedelta:
    """The call that comes next, or how long to wait first."""
    desired = State(name=there.name, record_changes=survey.withdrawn(there, invocation).changes)
    step = plan(desired, State(name=there.name, load_balancer=there))[0]
    if isinstance(step, do.ChangeResourceRecordSets):
        return step
    # The tag has whole seconds.
    now, held = invocation.now(), timedelta(seconds=TTL_SECONDS + 1)
    if mark.not_before is None or mark.not_before > now + held:
        until = replace(mark, not_before=now + held)
        return _said(there, until, "resolvers may have its hostname's record until then")
    return mark.not_before - now if mark.not_before > now else step


def delete_leftovers(
    name: str, leftovers: Iterable[Leftover], progress: Progress, invocation: Invocation
) -> list[Leftover]:
    """Delete each as soon as AWS lets go of it; return what it held on to until the deadline.

    One that AWS refuses keeps no other one; its error is raised at the end.
    """
    left, refused = list(leftovers), list[errors.AwsError]()
    waits = invocation.waits()

    def done_with(leftover: Leftover) -> bool:
        try:
            return settled(name, leftover, progress, invocation)
        except errors.AwsError as error:
            refused.append(error)
            return True

    while left := [leftover for leftover in left if not done_with(leftover)]:
        if next(waits, None) is None:
            break
    if refused:
        raise refused[0]
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
