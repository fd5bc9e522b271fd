"""Provision: make AWS match the load balancer that was asked for.

observe → plan → apply → report. What AWS needs time for (a new certificate, a group that is let go) is met by
observing and planning again, until the invocation's deadline; what is left then is carried on by the
asynchronous function `provision`, whose payload names what is wanted and holds no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib import observe
from chalicelib.apply import Progress, apply
from chalicelib.certificates import PRIVATE_CA
from chalicelib.core import actions as do
from chalicelib.core import errors
from chalicelib.core.desired import desire
from chalicelib.core.errors import Conflict, Fault, InvalidRequest, NotOurs
from chalicelib.core.facts import Facts
from chalicelib.core.model import Declaration, LoadBalancer, Member, Report, SecurityGroup, State, View
from chalicelib.core.names import CERTIFICATE_TAG, OWNER_TAG, PENDING_TAG, pending_tag
from chalicelib.core.plan import plan
from chalicelib.core.review import conflict, objections, warnings
from chalicelib.invocation import Invocation

# What another look may mend: AWS's parts see a change at different times, and somebody else may be at work.
_PASSING = (errors.CertificateUnknown, errors.Duplicate, errors.Absent, errors.InUse)
# What is known to take AWS minutes, so that the background goes on with it.
_SLOW = (errors.CertificateUnknown, errors.InUse)
# What AWS says of a security group that it made a moment ago.
_GROUP_UNKNOWN = "InvalidSecurityGroup"


def put(
    declaration: Declaration,
    faults: Sequence[Fault],
    invocation: Invocation,
    *,
    dry_run: bool = False,
    adopt: bool = False,
) -> Report:
    """Create the load balancer, or converge the one that is there; `dry_run` only plans.

    `faults` are those of the body, told together with what AWS has against it. Raises InvalidRequest,
    NotOurs, Conflict or an AwsError, with nothing changed for the first three. A report that is `pending` has
    in `carry_on` what the background needs.
    """
    return _converge(
        declaration, faults, invocation, dry_run=dry_run, adopt=adopt, since=invocation.now(), carried=False
    )


def carry_on(
    declaration: Declaration, faults: Sequence[Fault], since: datetime, invocation: Invocation
) -> Report | None:
    """Go on, in the background, with the PUT that began at `since`; None when a later one has taken over.

    AWS is read again before every single call, since others may be at work by now.
    """
    described = observe.load_balancer(declaration.name, invocation)
    if described and not described.load_balancer.tags.get(PENDING_TAG, "").startswith(pending_tag(since)):
        return None
    report = _converge(declaration, faults, invocation, dry_run=False, adopt=False, since=since, carried=True)
    if report.state == "pending":
        raise errors.CertificateUnknown(
            "provision", "StillPending", "AWS needs even longer; to be tried again"
        )
    return report


def _converge(
    declaration: Declaration,
    faults: Sequence[Fault],
    invocation: Invocation,
    *,
    dry_run: bool,
    adopt: bool,
    since: datetime,
    carried: bool,
) -> Report:
    progress = Progress()
    created = False
    waits = invocation.waits()
    while True:
        facts = _observe(declaration, faults, invocation)
        there = facts.actual.load_balancer
        created = created or there is None
        if there is not None:
            _refuse_strangers(there, invocation.settings.owner, adopt=adopt)
        desired = _desire(declaration, facts, invocation, since)
        steps = plan(desired, facts.actual)
        if dry_run:
            progress.steps += [do.step(action) for action in steps]
            return _report(declaration, facts, desired, progress, created=created)
        now = steps[:1] if carried else steps
        try:
            apply(declaration.name, now, progress, invocation, facts.chosen)
        except errors.AwsError as error:
            if not _passing(error, progress):
                raise
            if next(waits, None) is None:
                if not isinstance(error, _SLOW):
                    raise
                _mark_pending(declaration.name, facts, progress, invocation, since)
                return _pending(declaration, facts, progress, invocation, since)
        else:
            if len(now) == len(steps):
                return _report(declaration, facts, desired, progress, created=created)


def _observe(declaration: Declaration, faults: Sequence[Fault], invocation: Invocation) -> Facts:
    """Read AWS; raise every fault at once, those of the body and those that only AWS can tell."""
    try:
        facts = observe.for_put(declaration, invocation)
        found = (*faults, *objections(declaration, facts))
    except errors.EmqElbError:
        if not faults:
            raise
        raise InvalidRequest(faults) from None
    if found:
        raise InvalidRequest(found)
    return facts


def _refuse_strangers(there: LoadBalancer, owner: str, *, adopt: bool) -> None:
    """Refuse what is not ours: without our tag, unless it is to be adopted; with another's, always."""
    match there.tags.get(OWNER_TAG):
        case None if adopt:
            return
        case None:
            raise NotOurs(
                f"there is a load balancer {there.name} that is not ours; look at it with"
                f" GET /load-balancers/{there.name}?adopt=true and take it over with the same query on PUT"
            )
        case other if other != owner:
            raise NotOurs(f"the load balancer {there.name} belongs to the deployment {other}")


def _desire(declaration: Declaration, facts: Facts, invocation: Invocation, since: datetime) -> State:
    desired = desire(declaration, facts, invocation.settings.owner)
    if reason := conflict(declaration, facts, desired):
        raise Conflict(f"{declaration.name}: {reason}")
    if facts.actual.load_balancer is None and desired.load_balancer is not None:
        desired = replace(desired, load_balancer=replace(desired.load_balancer, created=since))
    if facts.chosen and facts.chosen.authority:
        _refuse_second_authority(invocation)
        desired = replace(desired, private_ca=invocation.settings.private_ca_secret)
    return desired


def _refuse_second_authority(invocation: Invocation) -> None:
    """A private CA is made once: a new one behind devices that trust the old one would lock them all out."""
    secret = invocation.settings.private_ca_secret
    for other in observe.ours(invocation):
        if other.tags.get(CERTIFICATE_TAG) == PRIVATE_CA:
            raise Conflict(
                f"the secret {secret} of the private CA is gone, and {other.name} uses it: restore it"
                " (docs/operations.md); a new CA is one that no device trusts"
            )


def _passing(error: errors.AwsError, progress: Progress) -> bool:
    """Whether another look, a moment later, may find it mended."""
    if isinstance(error, errors.Refused):
        made = any(step.action == "CreateSecurityGroup" for step in progress.steps)
        return made and error.code == _GROUP_UNKNOWN
    return isinstance(error, _PASSING)


def _exists(facts: Facts, progress: Progress) -> bool:
    return facts.actual.load_balancer is not None or progress.dns_name is not None


def _mark_pending(
    name: str, facts: Facts, progress: Progress, invocation: Invocation, since: datetime
) -> None:
    """Say on the load balancer since when it waits; one that was just created says so already."""
    if _exists(facts, progress) and progress.dns_name is None:
        tag = (PENDING_TAG, pending_tag(since, "waiting for AWS"))
        apply(name, [do.AddTags(reason="AWS needs more time", tags=(tag,))], progress, invocation)


def _pending(
    declaration: Declaration, facts: Facts, progress: Progress, invocation: Invocation, since: datetime
) -> Report:
    """What was done by the deadline, and what the background needs to go on."""
    certificate = facts.chosen and {
        "arn": progress.bound.get(facts.chosen.reference, facts.chosen.reference),
        "source": facts.chosen.source,
    }
    return Report(
        name=declaration.name,
        state="pending",
        steps=tuple(progress.steps),
        warnings=tuple(progress.warnings),
        view=observe.view(declaration.name, invocation) if _exists(facts, progress) else None,
        carry_on={"since": since.isoformat(), "certificate": certificate},
    )


def _report(
    declaration: Declaration, facts: Facts, desired: State, progress: Progress, *, created: bool
) -> Report:
    return Report(
        name=declaration.name,
        state="ready",
        steps=tuple(progress.steps),
        warnings=(*warnings(declaration, facts, desired), *progress.warnings),
        view=_view(facts, desired, progress),
        created=created,
    )


def _view(facts: Facts, desired: State, progress: Progress) -> View | None:
    """The load balancer as GET will show it, without reading it again."""
    wanted, there = desired.load_balancer, facts.actual.load_balancer
    if wanted is None:
        return None
    health = {member.id: member for member in facts.members}
    certificate = facts.chosen.certificate if facts.chosen else None
    return View(
        load_balancer=replace(
            do.bind_load_balancer(wanted, progress.bound),
            dns_name=progress.dns_name or (there.dns_name if there else None),
        ),
        group=_bound_group(desired.group, progress.bound),
        certificate=certificate
        and replace(certificate, arn=progress.bound.get(certificate.arn, certificate.arn)),
        members=tuple(health.get(id_, _registering(id_)) for id_ in sorted(wanted.instances)),
        now=facts.now,
    )


def _bound_group(group: SecurityGroup | None, bound: Mapping[str, str]) -> SecurityGroup | None:
    return group and replace(group, id=group.id or bound.get(group.name))


def _registering(id_: str) -> Member:
    """A member as AWS tells it from its registration to its first health check."""
    return Member(id_, "OutOfService", "ELB", "Instance registration is still in progress.")
