"""Show a CA, by TXT records in Route 53, that names are ours; take them away again, whatever happens.

What a killed function left is recognised by its mark (`core/challenges.py`): the next order for the name
takes it away, and so does a daily look through all zones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter

from chalicelib import telemetry
from chalicelib.adapters import route53
from chalicelib.apply import Progress
from chalicelib.core.challenges import (
    Challenge,
    Change,
    RecordSet,
    cleaned,
    objections,
    presented,
    record_name,
    withdrawn,
    zones_of,
)
from chalicelib.core.errors import AwsError, InvalidRequest, IssuerSilent, Refused, Throttled
from chalicelib.core.outcome import Step
from chalicelib.invocation import Invocation

Make = Callable[[RecordSet | None], RecordSet | None]
"""From a record set as it is to what it is to be."""

# What Route 53 says when a record set is not (any more) as it was read, and while it is at work on the zone.
_AGAIN = frozenset({"InvalidChangeBatch", "PriorRequestNotComplete"})
_TRIES = 4
_UP = "the CA looks for them"
_DOWN = "the CA has looked"
_SWEPT = "a function was killed before it took them away"


Places = Mapping[str, str]
"""The id of the hosted zone of each record set, by the record set's name."""


def places(domains: Sequence[str], invocation: Invocation) -> Places:
    """Find where challenges for these domains would be shown.

    InvalidRequest with everything that would keep a CA from issuing for them.
    """
    zones = route53.public_zones(invocation.clients.route53)
    contact = invocation.settings.acme_contact is not None
    if faults := tuple(objections(domains, zones, contact=contact)):
        raise InvalidRequest(faults)
    return {record_name(domain): zones_of(domain, zones)[0].id for domain in domains}


@dataclass(frozen=True)
class Work:
    """For which load balancer it is, and where what was done is noted."""

    name: str
    progress: Progress
    invocation: Invocation


def done(step: Step, work: Work) -> None:
    """Note and tell what was done."""
    work.progress.steps.append(step)
    work.invocation.told(work.name, step)


@contextmanager
def shown(challenges: Sequence[Challenge], where: Places, work: Work) -> Iterator[None]:
    """Have the records up and spread to every name server within the block, and gone after it.

    IssuerSilent when they do not spread in time. What cannot be taken away again is told, and left to a later
    look: the certificate is worth more.
    """
    owner, now = work.invocation.settings.owner, work.invocation.now()
    batches = tuple(_by_zone(challenges, where))
    try:
        changes = [
            _change(
                zone,
                {name: partial(presented, name, ours, owner, now) for name, ours in values.items()},
                _UP,
                work,
            )
            for zone, values in batches
        ]
        _wait_until_spread(changes, work.invocation)
        yield
    finally:
        for zone, values in batches:
            gone = {name: partial(withdrawn, ours, owner) for name, ours in values.items()}
            try:
                _change(zone, gone, _DOWN, work)
            except AwsError as error:
                telemetry.left_behind(work.name, sorted(values), str(error))


def sweep(invocation: Invocation) -> None:
    """Take away what killed functions of this deployment left, in every public zone."""
    client, owner, now = invocation.clients.route53, invocation.settings.owner, invocation.now()
    for zone in route53.public_zones(client):
        there = route53.challenge_records(client, zone.id)
        orphaned = {
            one.name: partial(cleaned, owner, now) for one in there if cleaned(owner, now, one) != one
        }
        _change(zone.id, orphaned, _SWEPT, Work(zone.name, Progress(), invocation))


def _by_zone(
    challenges: Sequence[Challenge], where: Places
) -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    """The values of each record set, zone by zone: one call changes a whole zone."""
    placed = sorted((where[one.record], one.record, one.value) for one in challenges)
    for zone, group in groupby(placed, itemgetter(0)):
        values: dict[str, list[str]] = {}
        for _, record, value in group:
            values.setdefault(record, []).append(value)
        yield zone, values


def _change(zone: str, makes: Mapping[str, Make], reason: str, work: Work) -> str | None:
    """Make of each record set what it is to be; again, when somebody else changed one in between.

    Return by which id to ask how far it has spread; None when nothing had to be changed.
    """
    client, waits = work.invocation.clients.route53, work.invocation.waits()
    tries = _TRIES
    while True:
        found = {name: route53.text_record(client, zone, name) for name in makes}
        wanted = {name: make(found[name]) for name, make in makes.items()}
        changes = [Change(found[name], wanted[name]) for name in makes if found[name] != wanted[name]]
        if not changes:
            return None
        try:
            change = route53.change(client, zone, changes)
        except (Refused, Throttled) as error:
            tries -= 1
            if error.code not in _AGAIN or not tries or next(waits, None) is None:
                raise
        else:
            step = Step(
                action="ChangeResourceRecordSets",
                reason=reason,
                fields={"zone": zone, "records": sorted(makes)},
            )
            done(step, work)
            return change


def _wait_until_spread(changes: Iterable[str | None], invocation: Invocation) -> None:
    waits = invocation.waits()
    for change in filter(None, changes):
        while not route53.spread(invocation.clients.route53, change):
            if next(waits, None) is None:
                raise IssuerSilent(
                    "Route 53 did not spread the records in time, so the CA was not asked to look"
                )
