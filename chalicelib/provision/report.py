"""The report of a PUT: what was done, what a person should know of it, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never

from chalicelib import observe
from chalicelib.apply import Progress
from chalicelib.certificates.chosen import Chosen, Existing, ToOrder, ToUpload, Unusable
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.actions import to_step
from chalicelib.model.load_balancer import LoadBalancerType, Member, State
from chalicelib.model.names import certificate_home
from chalicelib.model.pending import PROVISIONING, Pending
from chalicelib.model.report import Report, ReviewWarning, View
from chalicelib.model.step import Step
from chalicelib.model.vpc import SecurityGroup
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.facts import Facts
from chalicelib.provision.hostname import changed_records
from chalicelib.provision.review import full_of_tags, warnings


def exists(facts: Facts, progress: Progress) -> bool:
    """Whether the load balancer is there by now."""
    return facts.actual.load_balancer is not None or progress.dns_name is not None


def pending(
    declaration: Declaration,
    facts: Facts,
    progress: Progress,
    invocation: Invocation,
    since: datetime,
    *,
    adopt: bool,
    desired: State | None = None,
) -> Report:
    """Report what was done by the deadline, and what the background needs to go on.

    With `desired` everything is done but the background's own part, and nothing is read again.
    """
    if desired:
        view = _view(facts, desired, progress, waiting=Pending(since, PROVISIONING))
    else:
        view = observe.view(declaration.name, invocation) if exists(facts, progress) else None
    said = warnings(declaration, facts, desired) if desired else _full_of_tags(declaration, facts)
    return Report(
        name=declaration.name,
        state="pending",
        steps=progress.steps,
        warnings=(*said, *progress.warnings),
        view=view,
        carry_on={
            "since": since.isoformat(),
            "certificate": facts.chosen and _carried(facts.chosen, progress),
            "existed": exists(facts, progress),
            "adopt": adopt,
        },
    )


def _full_of_tags(declaration: Declaration, facts: Facts) -> tuple[ReviewWarning, ...]:
    """Warn now: the background's own report has no reader."""
    full = full_of_tags(declaration, facts)
    return (ReviewWarning("tags-full", full.message),) if full else ()


def _carried(chosen: Chosen, progress: Progress) -> Mapping[str, object]:
    """The certificate that the background goes on with: it has an ARN by now, or is still to be ordered."""
    match chosen:
        case ToOrder(domains=domains, source=source):
            return {"issuer": source, "domains": [*domains]}
        case Existing(certificate=certificate, source=source):
            return {"arn": certificate.arn, "source": source}
        case ToUpload(certificate=certificate, source=source):
            return {"arn": progress.bound[certificate.arn], "source": source}
        case Unusable():
            raise ValueError("a certificate that cannot be used is a fault of the request")
        case _:
            assert_never(chosen)


def planned(actions: Iterable[do.Action | do.NewOrder], chosen: Chosen | None) -> Iterator[Step]:
    """The steps of a dry run. A certificate that is not at AWS yet has no ARN, so none is shown."""
    for action in actions:
        step = to_step(action)
        match action:
            case do.DeleteServerCertificate():
                yield step
            case do.UploadServerCertificate() if not isinstance(chosen, ToOrder):
                yield step
            case _:
                yield replace(step, fields=_with_arns(step.fields))


def _with_arns(value: Any) -> Any:
    """A value of a step without certificates that have no ARN."""
    match value:
        case Mapping():
            return {
                key: _with_arns(one)
                for key, one in value.items()
                if key != "certificate" or certificate_home(str(one))
            }
        case list():
            return [_with_arns(one) for one in value]
        case _:
            return value


def ready(
    declaration: Declaration, facts: Facts, desired: State, progress: Progress, *, created: bool
) -> Report:
    """Report that everything is done, or with `dry_run` planned."""
    return Report(
        name=declaration.name,
        state="ready",
        steps=progress.steps,
        warnings=(*warnings(declaration, facts, desired), *progress.warnings),
        view=_view(facts, desired, progress),
        created=created,
        unfinished=full_of_tags(declaration, facts),
    )


def _view(facts: Facts, desired: State, progress: Progress, waiting: Pending | None = None) -> View | None:
    """The load balancer as GET will show it, without reading it again.

    `waiting` is its `pending` tag, where that is to stay.
    """
    wanted, there = desired.load_balancer, facts.actual.load_balancer
    if wanted is None:
        return None
    health = {member.id: member for member in facts.members}
    certificate = facts.chosen.certificate if isinstance(facts.chosen, Existing | ToUpload) else None
    return View(
        load_balancer=replace(
            do.bind_load_balancer(wanted, progress.bound),
            dns_name=progress.dns_name or (there.dns_name if there else None),
            tags={**wanted.tags, **dict([waiting.tag] if waiting else [])},
        ),
        group=_bound_group(desired.group, progress.bound),
        certificate=certificate
        and replace(certificate, arn=progress.bound.get(certificate.arn, certificate.arn)),
        members=tuple(
            health.get(id_, Member(id_, *_REGISTERING[wanted.type])) for id_ in sorted(wanted.instances)
        ),
        now=facts.now,
        records=changed_records(facts, {} if waiting or there is None else desired.record_changes),
    )


def _bound_group(group: SecurityGroup | None, bound: Mapping[str, str]) -> SecurityGroup | None:
    return group and replace(group, id=group.id or bound.get(group.name))


# A member as AWS shows it from its registration to its first health check.
_REGISTERING: Mapping[LoadBalancerType, tuple[str, str, str]] = {
    "classic": ("OutOfService", "ELB", "Instance registration is still in progress."),
    "network": ("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
}
