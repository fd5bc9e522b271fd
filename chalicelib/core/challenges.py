"""The TXT records by which a certificate authority sees that a name is ours (RFC 8555, section 8.4).

A record set may hold values of others, which stay. Beside the values of ours stands a mark, in the record set
itself, so that whoever comes after a crash can tell ours from the others' and how old they are:

    _acme-challenge.example.com. TXT "<what the CA looks for>"
                                     "emq-elb <owner> <since> <its first characters> …"

The CA takes any one value that is right, whatever else is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.core.domains import address_of
from chalicelib.core.errors import Fault

_LABEL = "_acme-challenge."
_MARK = "emq-elb"
_MARKED = 12
"""So many characters of a value tell it from any other: it is a hash, in base64."""
_TTL = 60
ORPHANED = timedelta(hours=1)
"""No function works for so long: what is older belongs to one that was killed."""


@dataclass(frozen=True)
class Zone:
    """A public hosted zone; `name` without the trailing dot."""

    id: str
    name: str


@dataclass(frozen=True)
class RecordSet:
    """A TXT record set: `values` as Route 53 has them, in quotation marks; `ttl` in seconds."""

    name: str
    values: tuple[str, ...]
    ttl: int = _TTL


@dataclass(frozen=True)
class Challenge:
    """What the CA wants to see for one domain: a value in the TXT record set of that name."""

    domain: str
    value: str

    @property
    def record(self) -> str:
        """The record set's name; a wildcard has that of its parent."""
        return record_name(self.domain)


@dataclass(frozen=True)
class Change:
    """One record set as it was found, and as it is to be; None where there is none."""

    before: RecordSet | None
    after: RecordSet | None


def record_name(domain: str) -> str:
    """Return the name of the TXT record set that is looked up for a domain."""
    return _LABEL + domain.lower().removeprefix("*.")


def is_challenge(name: str) -> bool:
    """Whether a record set of that name is one that CAs look at."""
    return name.startswith(_LABEL)


def zones_of(domain: str, zones: Iterable[Zone]) -> tuple[Zone, ...]:
    """Return the zones of the longest name that the domain is in: none, one, or several of one name."""
    name = domain.lower().removeprefix("*.")
    fitting = [zone for zone in zones if name == zone.name or name.endswith(f".{zone.name}")]
    longest = max((len(zone.name) for zone in fitting), default=0)
    return tuple(zone for zone in fitting if len(zone.name) == longest)


def objections(domains: Sequence[str], zones: Sequence[Zone], *, contact: bool) -> Iterator[Fault]:
    """Everything that would keep a CA from issuing for these domains, before it is asked.

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
        found = zones_of(domain, zones)
        if not found:
            yield Fault(
                field,
                f"{domain} is in no public hosted zone of this account's Route 53, so that no CA can be shown"
                " that it is yours: make one and delegate the name to it, or use another issuer",
            )
        elif len(found) > 1:
            ids = " and ".join(zone.id for zone in found)
            yield Fault(field, f"{domain} is in two public hosted zones of one name, {ids}: delete one")


def presented(
    name: str, values: Iterable[str], owner: str, now: datetime, there: RecordSet | None
) -> RecordSet:
    """The record set with our values and their marks in it, and without those of ours that a crash left."""
    values = tuple(values)
    kept = cleaned(owner, now, there)
    existing = kept.values if kept else ()
    ours = (_quoted(text) for text in (*values, _mark(owner, now, values)))
    return RecordSet(
        name,
        (*existing, *(value for value in ours if value not in existing)),
        kept.ttl if kept else _TTL,
    )


def withdrawn(values: Iterable[str], owner: str, there: RecordSet | None) -> RecordSet | None:
    """The record set without these values of ours and their mark; None when nothing is left of it."""
    gone = tuple(values)
    starts = tuple(value[:_MARKED] for value in gone)
    return _left(there, gone, [mark for mark in _marks(there, owner) if {*mark.starts} <= {*starts}])


def cleaned(owner: str, now: datetime, there: RecordSet | None) -> RecordSet | None:
    """The record set without what a crash of ours left in it; None when nothing else is in it."""
    old = [mark for mark in _marks(there, owner) if mark.since < now - ORPHANED]
    texts = [value.strip('"') for value in there.values] if there else []
    return _left(there, [text for mark in old for text in texts if text.startswith(mark.starts)], old)


@dataclass(frozen=True)
class _Marked:
    text: str
    since: datetime
    starts: tuple[str, ...]


def _mark(owner: str, now: datetime, values: Iterable[str]) -> str:
    """Short, so that an answer with it fits into a datagram."""
    return " ".join(
        (_MARK, owner, f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}", *(value[:_MARKED] for value in values))
    )


def _marks(there: RecordSet | None, owner: str) -> Iterator[_Marked]:
    for value in there.values if there else ():
        text = value.strip('"')
        match text.split(" "):
            case [mark, of, when, first, *rest] if (mark, of) == (_MARK, owner):
                since, starts = _time(when), (first, *rest)
                if since and all(len(start) == _MARKED for start in starts):
                    yield _Marked(text, since, starts)


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _quoted(text: str) -> str:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat"""
    return f'"{text}"'


def _left(there: RecordSet | None, values: Iterable[str], marks: Iterable[_Marked]) -> RecordSet | None:
    if there is None:
        return None
    gone = {_quoted(text) for text in (*values, *(mark.text for mark in marks))}
    kept = tuple(value for value in there.values if value not in gone)
    return RecordSet(there.name, kept, there.ttl) if kept else None
