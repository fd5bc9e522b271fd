"""The TXT records by which a certificate authority sees that a name is ours (RFC 8555, section 8.4).

A record set may hold values of others, which stay. What we add is written down in the same change, in a
record set of its own in the zone, and taken out with it. The run after a crash reads there what is left.

    _acme-challenge.mqtt.example.com.     TXT "<what the CA looks for>"
    _acme-challenge._emq-elb.example.com. TXT "<owner> <since> <its first characters> …" "<its record's name>"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.dns.records import text_record_set, text_value
from chalicelib.dns.zones import zones_of
from chalicelib.model.errors import Fault
from chalicelib.model.moments import moment_of
from chalicelib.model.route53 import RecordSet, Zone
from chalicelib.x509.domains import address_of

_LABEL = "_acme-challenge."
_JOURNAL = f"{_LABEL}_emq-elb."
_START = 12
"""So many characters distinguish a value from any other: it is a hash, in base64."""
ORPHANED = timedelta(hours=1)
"""No function works for so long: what is older belongs to one that was killed."""


@dataclass(frozen=True)
class Challenge:
    """The value that the CA looks for in the TXT record set of one name."""

    domain: str
    value: str

    @property
    def record(self) -> str:
        """The record set's name; a wildcard has that of its parent."""
        return challenge_record_name(self.domain)


def challenge_record_name(domain: str) -> str:
    """Return the name of the TXT record set that is looked up for a domain."""
    return _LABEL + domain.lower().removeprefix("*.")


def journal_name(zone: str) -> str:
    """Return the name of the record set that lists the values which we added to a zone of that name."""
    return _JOURNAL + zone


def challenge_faults(domains: Sequence[str], zones: Sequence[Zone], *, contact: bool) -> Iterator[Fault]:
    """Return every reason why a CA could not issue for these domains, before the CA is asked.

    `zones` are the account's public ones; `contact` is whether there is an address to give to the CA.
    """
    if not contact:
        yield Fault(
            "certificate.issuer",
            "the deployment has no ACME_CONTACT, an e-mail address for the CA: set it (docs/deploy.md)",
        )
    wildcards = {domain.lower() for domain in domains if domain.startswith("*.")}
    for index, domain in enumerate(domains):
        field = f"certificate.domains[{index}]"
        if address_of(domain):
            yield Fault(field, f"{domain} is an address: what a CA can be shown through DNS are names")
            continue
        # Public CAs refuse an order that holds both, as Let's Encrypt does.
        wildcard = f"*.{domain.lower().partition('.')[2]}"
        if not domain.startswith("*.") and wildcard in wildcards:
            yield Fault(field, f"{wildcard} covers {domain} already, and CAs refuse both in one certificate")
        # The record's own name may be a zone of its own (https://www.rfc-editor.org/rfc/rfc8555#section-8.4).
        found = zones_of(challenge_record_name(domain), zones)
        if not found:
            yield Fault(
                field,
                f"{domain} is in no public hosted zone of this account's Route 53, so that no CA can be shown"
                " that it is yours: make one and delegate the name to it, or use another issuer",
            )
        elif len(found) > 1:
            ids = " and ".join(zone.id for zone in found)
            yield Fault(field, f"{domain} is in two public hosted zones of one name, {ids}: delete one")


@dataclass(frozen=True)
class Entry:
    """One entry of the journal: since when a record set has values of ours, and how these begin."""

    record: str
    starts: tuple[str, ...]
    since: datetime


def noted(values: Mapping[str, Sequence[str]], now: datetime) -> tuple[Entry, ...]:
    """Return the journal entries for values, by the record set that gets them."""
    moment = now.replace(microsecond=0)
    return tuple(Entry(name, tuple(one[:_START] for one in ours), moment) for name, ours in values.items())


def orphans(journal: RecordSet | None, owner: str, now: datetime) -> tuple[Entry, ...]:
    """Return the entries of killed functions of this deployment."""
    return tuple(one for one in _entries(journal, owner) if one.since < now - ORPHANED)


def changed_values(
    name: str, there: RecordSet | None, shown: Sequence[str], gone: Iterable[Entry]
) -> RecordSet | None:
    """Return the record set with the values added and removed; None when none is left."""
    starts = tuple(f'"{start}' for one in gone if one.record == name for start in one.starts)
    kept = tuple(value for value in (there.values if there else ()) if not value.startswith(starts))
    return text_record_set(name, there, (*kept, *(text_value(value) for value in shown)))


def changed_journal(
    name: str, there: RecordSet | None, added: Iterable[Entry], gone: Iterable[Entry], owner: str
) -> RecordSet | None:
    """Return the journal with the entries added and removed; None when none is left."""
    out = {_written(one, owner) for one in gone}
    kept = tuple(value for value in (there.values if there else ()) if value not in out)
    return text_record_set(name, there, (*kept, *(_written(one, owner) for one in added)))


def _entries(journal: RecordSet | None, owner: str) -> Iterator[Entry]:
    for value in journal.values if journal else ():
        match value.strip('"').split('" "'):
            case [words, record]:
                of, *rest = words.split(" ")
                since = moment_of(rest[0]) if rest else None
                if of == owner and since and all(len(start) == _START for start in rest[1:]):
                    yield Entry(record, tuple(rest[1:]), since)


def _written(entry: Entry, owner: str) -> str:
    words = (owner, f"{entry.since.astimezone(UTC):%Y%m%dT%H%M%SZ}", *entry.starts)
    return f'"{" ".join(words)}" "{entry.record}"'
