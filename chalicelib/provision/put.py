"""Provision: make AWS match the load balancer that was asked for.

observe → plan → apply → report. What AWS needs time for (a new certificate, a group that is let go) is met by
observing and planning again, until the invocation's deadline; what is left then is carried on by the
asynchronous function `provision`, whose payload names what is wanted and holds no key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib import observe
from chalicelib.acme.order import time_enough
from chalicelib.apply import Progress, apply
from chalicelib.aws.refusals import passes
from chalicelib.certificates.chosen import ToOrder, ToUpload
from chalicelib.dns.change import wait_until_spread
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.bounds import Bounds
from chalicelib.model.errors import Conflict, Fault, InvalidRequest, NotOurs
from chalicelib.model.load_balancer import LoadBalancer, State
from chalicelib.model.names import CERTIFICATE_TAG, PENDING_TAG, PRIVATE_CA
from chalicelib.model.pending import PROVISIONING, WAITING_FOR_AWS, WAITING_FOR_CA, Pending, parse_pending
from chalicelib.model.report import Report, ReviewWarning
from chalicelib.model.syntax import name_fault
from chalicelib.provision import observe as survey
from chalicelib.provision.bounds import faults_beyond, objections_beyond
from chalicelib.provision.declaration import Declaration, GivenArn
from chalicelib.provision.declaration_checks import faults_of_type
from chalicelib.provision.desired import desire, left_as_they_are
from chalicelib.provision.facts import Facts
from chalicelib.provision.give_up import given_up
from chalicelib.provision.hostname import plan_records
from chalicelib.provision.order_certificate import foreseen, obtained, refuse
from chalicelib.provision.plan import in_the_background, marked, plan
from chalicelib.provision.report import exists, pending, planned, ready
from chalicelib.provision.review import conflict, gone_instances, objections, refuse_beyond_quota
from chalicelib.provision.superseded import Background, TakenOver

_TAG_SEEN = timedelta(minutes=5)
"""So long after a request the background takes a denial for one that passes: IAM sees a new tag late."""
_NOBODYS_NAME = "-"
"""What AWS is asked about in the place of a name that no load balancer can have."""


def put(
    declaration: Declaration,
    faults: Sequence[Fault],
    invocation: Invocation,
    *,
    dry_run: bool = False,
    adopt: bool = False,
) -> Report:
    """Create the load balancer, or converge the one that is there; `dry_run` only plans.

    `faults` are those of the body, returned together with what AWS has against it. Raises InvalidRequest,
    NotOurs, Conflict or an AwsError, with nothing changed for the first three. A report that is `pending` has
    in `carry_on` what the background needs.
    """
    return _converge(declaration, faults, invocation, since=invocation.now(), dry_run=dry_run, adopt=adopt)


def carry_on_put(
    declaration: Declaration,
    faults: Sequence[Fault],
    since: datetime,
    invocation: Invocation,
    *,
    existed: bool = False,
    adopt: bool = False,
) -> Report | None:
    """Go on, in the background, with the PUT that began at `since`; None when somebody else has taken over.

    `existed` is whether the load balancer was there by then: without it, it has been deleted since. `adopt`
    is that of the request. AWS is read again before every single call, since others may be at work by now.
    """
    given = declaration.certificate
    if isinstance(given, GivenArn):
        declaration = replace(declaration, certificate=replace(given, settled=True))
    try:
        report = _converge(
            declaration, faults, invocation, since=since, adopt=adopt, background=Background(since, existed)
        )
    except TakenOver:
        return None
    if report.state == "pending":
        raise errors.NotYet("provision", "StillPending", "AWS needs even longer; to be tried again")
    return report


def _converge(
    declaration: Declaration,
    faults: Sequence[Fault],
    invocation: Invocation,
    *,
    since: datetime,
    dry_run: bool = False,
    adopt: bool = False,
    background: Background | None = None,
) -> Report:
    bounds = invocation.settings.bounds
    faults = (*faults, *_more(faults_beyond(declaration, bounds, adopt=adopt), faults))
    progress = Progress(looked=background is not None)
    waits = invocation.waits()
    while True:
        facts = _observe(declaration, faults, waits, invocation, reviewed=background is None)
        declaration = declaration.as_it_is(facts.actual.load_balancer)
        declaration = _without_gone_instances(declaration, facts, progress)
        there = facts.actual.load_balancer
        background = background and background.seen(declaration, facts)
        _refuse_faults(declaration, facts, faults, bounds)
        _refuse_strangers(there, invocation.settings.owner, adopt=adopt)
        not_taken = {one.instance for one in progress.not_taken}
        desired = _desire(declaration, facts, invocation, since, adopt=adopt)
        desired = left_as_they_are(desired, facts.actual, not_taken)
        refuse_beyond_quota(declaration, facts, desired, invocation.settings.owner)
        planned_steps = [one for one in plan(desired, facts.actual) if one not in progress.left_behind]
        steps = (*_taking_over(there, since), *marked(planned_steps, there, since))
        refuse(facts.chosen, there, invocation)
        if dry_run:
            foreseen_steps = planned((*foreseen(facts.chosen), *steps), facts.chosen)
            progress.done += [(declaration.name, step) for step in foreseen_steps]
            return ready(declaration, facts, desired, progress, created=there is None)
        if isinstance(facts.chosen, ToOrder):
            if not time_enough(invocation):
                return _left_to_the_background(declaration, facts, progress, invocation, since, adopt=adopt)
            declaration = obtained(declaration, facts.chosen, there, progress, invocation, since=since)
            continue
        now = steps[:1] if background else steps[: len(steps) - len(in_the_background(steps))]
        try:
            material = facts.chosen.material if isinstance(facts.chosen, ToUpload) else None
            registered = there.instances if there else frozenset[str]()
            apply(declaration.name, now, progress, invocation, material, registered=registered)
        except errors.AwsError as error:
            recent = background is not None and invocation.now() < since + _TAG_SEEN
            if _over(
                error,
                waits,
                declaration,
                facts,
                progress,
                invocation=invocation,
                in_background=background is not None,
                just_ours=progress.became_ours or recent,
            ):
                return _left_to_the_background(declaration, facts, progress, invocation, since, adopt=adopt)
        else:
            wait_until_spread(_record_changes(now, progress), invocation)
            if background is None and len(now) < len(steps):
                return pending(declaration, facts, progress, invocation, since, adopt=adopt, desired=desired)
            if len(now) == len(steps):
                not_taken = {one.instance for one in progress.not_taken}
                desired = left_as_they_are(desired, facts.actual, not_taken)
                return ready(declaration, facts, desired, progress, created=progress.dns_name is not None)


def _observe(
    declaration: Declaration,
    faults: Sequence[Fault],
    waits: Iterator[timedelta],
    invocation: Invocation,
    *,
    reviewed: bool,
) -> Facts:
    """Read AWS, again where something vanished between two reads.

    Where a fault of the body keeps it from being read, raise those of the body alone.
    """
    wrong = {fault.field.partition(".")[0] for fault in faults}
    # What is known to be wrong is neither looked up, nor issued for, nor quoted: a key may stand there.
    sound = replace(
        declaration.with_instances(
            (place, id_)
            for place, id_ in declaration.placed_instances
            if wrong.isdisjoint({"instances", f"instances[{place}]"})
        ),
        name=declaration.name if name_fault(declaration.name) is None else _NOBODYS_NAME,
        subnets=_sound("subnets", declaration.subnets, wrong),
        cluster=None if "cluster" in wrong else declaration.cluster,
        addresses={} if "addresses" in wrong else declaration.addresses,
        access_logs=None if "access_logs" in wrong else declaration.access_logs,
        certificate=None if "certificate" in wrong else declaration.certificate,
        hostname=None if "hostname" in wrong else declaration.hostname,
    )
    while True:
        try:
            return survey.for_put(sound, invocation, reviewed=reviewed)
        except errors.EmqElbError as error:
            if faults:
                raise InvalidRequest(faults) from None
            if not isinstance(error, errors.Absent) or next(waits, None) is None:
                raise


def _without_gone_instances(declaration: Declaration, facts: Facts, progress: Progress) -> Declaration:
    """Go on without instances that existed when the request came: what was begun is not left half made.

    Those that the first look does not find are faults of the request.
    """
    if not progress.looked:
        progress.looked = True
        return declaration
    gone = gone_instances(declaration, facts)
    progress.warnings += [
        ReviewWarning("instance-refused", f"{id_} no longer exists, so it does not become a member")
        for id_ in sorted(gone - {one.instance for one in progress.not_taken})
    ]
    return declaration.with_instances(one for one in declaration.placed_instances if one[1] not in gone)


def _sound(field: str, ids: Sequence[str], wrong: Collection[str]) -> tuple[str, ...]:
    """Those of a list's ids that have no fault; none where the list as a whole has one."""
    if field in wrong:
        return ()
    return tuple(id_ for place, id_ in enumerate(ids) if f"{field}[{place}]" not in wrong)


def _more(objections: Iterable[Fault], faults: Sequence[Fault]) -> Iterator[Fault]:
    """What AWS has against it beside `faults`; a value that has one of these was not looked up."""
    named = {fault.field for fault in faults}
    return (one for one in objections if one.field not in named)


def _refuse_faults(declaration: Declaration, facts: Facts, faults: Sequence[Fault], bounds: Bounds) -> None:
    """Raise InvalidRequest with the faults of the body and all that AWS has against it."""
    seen = (
        *faults_of_type(declaration),
        *objections(declaration, facts),
        *objections_beyond(declaration, facts, bounds),
    )
    if found := (*faults, *_more(seen, faults)):
        raise InvalidRequest(found)


def _refuse_strangers(there: LoadBalancer | None, owner: str, *, adopt: bool) -> None:
    """Refuse what is not ours: without our tag, unless it is to be adopted; with another's, always.

    A listener or target group of ours that carries another deployment's tag is that deployment's.
    """
    if there is None:
        return
    match there.owner:
        case None if adopt:
            pass
        case None:
            raise NotOurs(
                f"there is a load balancer {there.name} that is not ours; look at it with"
                f" GET /load-balancers/{there.name}?adopt=true and take it over with the same query on PUT"
            )
        case other if other != owner:
            raise NotOurs(f"the load balancer {there.name} belongs to the deployment {other}")
        case _:
            pass
    parts = (
        *((f"the listener on port {one.port}", one.owner) for one in there.listeners),
        *((f"the target group {one.name}", one.owner) for one in there.target_groups.values()),
    )
    for part, other in parts:
        if other not in {None, owner}:
            raise NotOurs(f"{part} of the load balancer {there.name} belongs to the deployment {other}")


def _desire(
    declaration: Declaration, facts: Facts, invocation: Invocation, since: datetime, *, adopt: bool
) -> State:
    owner = invocation.settings.owner
    desired = desire(declaration, facts, owner)
    if reason := conflict(declaration, facts, desired):
        raise Conflict(f"{declaration.name}: {reason}")
    records = plan_records(declaration, facts, owner, adopt=adopt)
    if records.conflict:
        raise Conflict(f"{declaration.name}: {records.conflict}")
    desired = replace(desired, record_changes=records.changes)
    if facts.actual.load_balancer is None and desired.load_balancer is not None:
        desired = replace(desired, load_balancer=replace(desired.load_balancer, created=since))
    if isinstance(facts.chosen, ToUpload) and facts.chosen.authority:
        _refuse_second_authority(invocation)
        desired = replace(desired, private_ca=invocation.settings.private_ca_secret)
    if isinstance(facts.chosen, ToUpload) and facts.chosen.unmarked:
        mark = private_ca.mark(facts.chosen.unmarked)
        desired = replace(desired, private_ca_mark=(invocation.settings.private_ca_secret, mark))
    return desired


def _refuse_second_authority(invocation: Invocation) -> None:
    """Refuse to make a second private CA: devices that trust the first one would be locked out."""
    secret = invocation.settings.private_ca_secret
    for other in observe.ours_of_either_kind(invocation):
        if other.tags.get(CERTIFICATE_TAG) == PRIVATE_CA:
            raise Conflict(
                f"the secret {secret} of the private CA is gone, and {other.name} uses that CA: restore it"
                " (docs/operations.md); no device would trust a new CA"
            )


def _taking_over(there: LoadBalancer | None, since: datetime) -> Iterator[do.Action]:
    """Stop the background work of an earlier request: this one counts from now on."""
    earlier = parse_pending(there.tags.get(PENDING_TAG)) if there else None
    if earlier and not earlier.began_at(since):
        mark = Pending(since, PROVISIONING)
        yield do.AddTags(
            reason="this request replaces the one that is pending",
            tags=(mark.tag,),
            arn=there.arn if there else None,
        )


def _record_changes(steps: Sequence[do.Action], progress: Progress) -> list[str]:
    """By which ids to ask how far changes of record sets have spread."""
    return [progress.bound[step.zone] for step in steps if isinstance(step, do.ChangeResourceRecordSets)]


def _over(
    error: errors.AwsError,
    waits: Iterator[timedelta],
    declaration: Declaration,
    facts: Facts,
    progress: Progress,
    *,
    invocation: Invocation,
    in_background: bool,
    just_ours: bool,
) -> bool:
    """False: retry now. True: hand over to the asynchronous function.

    Raises an error that no retry can fix.
    """
    late = passes(error, own_group=declaration.security_groups is None, just_ours=just_ours)
    if late or _to_be_looked_at(error):
        if next(waits, None) is not None:
            return False
        if late and _resumable(facts, progress, invocation.settings.owner):
            return True
    # The next try of the background goes on from here.
    raise error if in_background else given_up(error, declaration, facts, progress, invocation)


def _to_be_looked_at(error: errors.AwsError) -> bool:
    """Whether somebody else was at work, so that another look leads to another plan."""
    if isinstance(error, errors.QuotaReached):
        # Another look finds the instance that got its last tag since the one before.
        return error.operation == "CreateTags"
    return isinstance(error, errors.Duplicate | errors.Absent)


def _resumable(facts: Facts, progress: Progress, owner: str) -> bool:
    """Whether the background can go on.

    It has no key, so the certificate has to be uploaded by now; and it adopts nothing, so the load balancer
    has to say that it is ours.
    """
    chosen, there = facts.chosen, facts.actual.load_balancer
    if there is not None and there.owner != owner and not progress.became_ours:
        return False
    return not isinstance(chosen, ToUpload) or chosen.certificate.arn in progress.bound


def _left_to_the_background(
    declaration: Declaration,
    facts: Facts,
    progress: Progress,
    invocation: Invocation,
    since: datetime,
    *,
    adopt: bool,
) -> Report:
    """Write the pending tag on the load balancer; CreateLoadBalancer has written it on a new one already."""
    if exists(facts, progress) and progress.dns_name is None:
        what = WAITING_FOR_CA if isinstance(facts.chosen, ToOrder) else WAITING_FOR_AWS
        there = facts.actual.load_balancer
        mark = do.AddTags(
            reason=f"it is {what}", tags=(Pending(since, what).tag,), arn=there.arn if there else None
        )
        apply(declaration.name, [mark], progress, invocation)
    return pending(declaration, facts, progress, invocation, since, adopt=adopt)
