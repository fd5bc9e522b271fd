"""Prove to a CA, by TXT records in Route 53, that names are ours, and delete the records in every case.

Each record is written down in the zone (`acme/records.py`). After a function was killed, the next order that
changes the zone deletes its records, and so does every run of `rotate`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from chalicelib import telemetry
from chalicelib.acme.records import (
    Challenge,
    Entry,
    challenge_faults,
    challenge_record_name,
    changed_journal,
    changed_values,
    journal_name,
    noted,
    orphans,
)
from chalicelib.apply import Progress
from chalicelib.aws import route53
from chalicelib.dns.change import change_zone, wait_until_spread
from chalicelib.dns.zones import zones_of
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent, AwsError, InvalidRequest, IssuerSilent
from chalicelib.model.route53 import Change, Zone

_UP = "the CA looks for them"
_DOWN = "the CA has looked"
_SWEPT = "a function was killed before it took them away"


Places = Mapping[str, Zone]
"""The hosted zone of each record set, by the record set's name."""
Values = Mapping[str, Sequence[str]]
"""Values of ours, by the record set's name."""


def places(domains: Sequence[str], invocation: Invocation) -> Places:
    """Find the hosted zones in which challenges for these domains would be shown.

    InvalidRequest with every reason why a CA could not issue for them.
    """
    zones = route53.public_zones(invocation.clients.route53)
    contact = invocation.settings.acme_contact is not None
    if faults := tuple(challenge_faults(domains, zones, contact=contact)):
        raise InvalidRequest(faults)
    records = [challenge_record_name(domain) for domain in domains]
    return {record: zones_of(record, zones)[0] for record in records}


@dataclass(frozen=True)
class Edit:
    """The changes in one zone, and why: values to show, and journal entries to add and to remove."""

    reason: str
    shown: Values = field(default_factory=dict)
    added: Sequence[Entry] = ()
    gone: Sequence[Entry] = ()


@contextmanager
def records_shown(
    name: str,
    challenges: Sequence[Challenge],
    where: Places,
    progress: Progress,
    invocation: Invocation,
    *,
    until: datetime,
) -> Iterator[None]:
    """Show the records while the block runs, once every name server has them, and delete them after it.

    IssuerSilent when they have not spread by `until`. Records that cannot be deleted are logged, and a later
    run deletes them: the certificate matters more.
    """
    batches = tuple(_by_zone(challenges, where))
    entries = {zone: noted(values, invocation.now()) for zone, values in batches}
    hurried = replace(invocation, deadline=until)
    try:
        changes = [
            _change(zone, Edit(_UP, values, entries[zone]), name, progress, hurried)
            for zone, values in batches
        ]
        if not wait_until_spread(changes, hurried):
            raise IssuerSilent("Route 53 did not spread the records in time, so the CA was not asked to look")
        yield
    finally:
        for zone, values in batches:
            try:
                _change(zone, Edit(_DOWN, gone=entries[zone]), name, progress, invocation)
            except AwsError as error:
                telemetry.left_behind(name, sorted(values), str(error))


def sweep_challenges(domains: Collection[str] | None, invocation: Invocation) -> list[tuple[str, AwsError]]:
    """Delete the records of this deployment's killed functions; return where that failed, and why.

    Only in the zones of these domains; without domains in every public zone of the account.
    """
    zones = route53.public_zones(invocation.clients.route53)
    if domains is not None:
        zones = tuple(
            dict.fromkeys(
                zone for domain in domains for zone in zones_of(challenge_record_name(domain), zones)
            )
        )
    failures = []
    for zone in zones:
        try:
            _change(zone, Edit(_SWEPT), zone.name, Progress(), invocation)
        except Absent:
            continue
        except AwsError as error:
            failures.append((zone.name, error))
    return failures


def _by_zone(challenges: Sequence[Challenge], where: Places) -> Iterator[tuple[Zone, Values]]:
    """The values of each record set, zone by zone: one call changes a whole zone."""
    for zone in sorted({where[one.record] for one in challenges}, key=lambda zone: zone.id):
        values: dict[str, list[str]] = {}
        for one in challenges:
            if where[one.record] == zone:
                values.setdefault(one.record, []).append(one.value)
        yield zone, values


def _change(zone: Zone, edit: Edit, name: str, progress: Progress, invocation: Invocation) -> str | None:
    """Show values and take others away, with what a crash left, and write down which; all or nothing.

    Return by which id to ask how far it has spread; None when there was nothing to show, and nothing to take
    away.
    """
    planned = partial(_planned, zone, edit, invocation)
    return change_zone(name, zone, planned, progress, invocation, reason=edit.reason)


def _planned(zone: Zone, edit: Edit, invocation: Invocation) -> list[Change]:
    """Read what the change is about, and what is to become of it.

    What is shown is written even where it is there already: who did that, and lost the answer, has no other
    way to learn whether it has spread.
    """
    client, owner = invocation.clients.route53, invocation.settings.owner
    name = journal_name(zone.name)
    journal = route53.text_record(client, zone.id, name)
    gone = (*edit.gone, *orphans(journal, owner, invocation.now()))
    records = sorted({*edit.shown, *(one.record for one in gone)})
    found = {record: route53.text_record(client, zone.id, record) for record in records}
    changes = [
        Change(found[record], changed_values(record, found[record], edit.shown.get(record, ()), gone))
        for record in records
    ]
    changes.append(Change(journal, changed_journal(name, journal, edit.added, gone, owner)))
    return [one for one in changes if one.before != one.after or (one.after and one.after.name in edit.shown)]
