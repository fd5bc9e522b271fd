"""What Route 53 answers to a DNS question, as a function of a zone's records and of who can take traffic.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-weighted.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from moto.route53.models import RecordSet

from lab.fidelity.route53_changes import alias_of, normal, under

ALIAS_TTL = 60
"""Seconds: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-alias-common.html"""

MOST_LINKS = 8


@dataclass(frozen=True)
class Target:
    """A load balancer as an alias sees it: its IPv4 addresses, and whether it can take traffic."""

    addresses: tuple[str, ...]
    healthy: bool


@dataclass(frozen=True)
class Record:
    """One line of an answer; the value as Route 53 keeps it, the time to live in seconds."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True)
class Answer:
    """NXDOMAIN: there is no such name. NOERROR without a record: the name has none of that type."""

    code: Literal["NOERROR", "NXDOMAIN"]
    records: tuple[Record, ...] = ()


@dataclass(frozen=True)
class View:
    """A zone as its name servers know it.

    `target` returns the load balancer of a DNS name, or None where there is none.
    """

    records: Sequence[RecordSet]
    target: Callable[[str], Target | None]
    random: Random


def answer(view: View, name: str, type_: str) -> Answer:
    """Answer for a name, following the zone's CNAME and alias records inside it."""
    found: list[Record] = []
    at = normal(name)
    for _ in range(MOST_LINKS):
        sets = _sets(view.records, at)
        if not sets:
            return Answer("NOERROR" if found or _parent(view.records, at) else "NXDOMAIN", tuple(found))
        cname = _chosen(view, [one for one in sets if one.type == "CNAME"])
        if cname is None or type_ == "CNAME":
            chosen = _chosen(view, [one for one in sets if one.type == type_])
            return Answer("NOERROR", (*found, *_values(view, chosen, at, type_)))
        found.extend(_values(view, cname, at, "CNAME"))
        at = normal(found[-1].value)
    return Answer("NOERROR", tuple(found))


def healthy(view: View, record: RecordSet) -> bool:
    """Return whether a record set may be answered: one that evaluates its target only if it is healthy."""
    alias = alias_of(record)
    if alias is None:
        return True
    _, name, evaluated = alias
    found = view.target(name)
    if found is not None:
        return found.healthy or not evaluated
    return not evaluated or bool(_sets(view.records, name))


def _chosen(view: View, sets: Sequence[RecordSet]) -> RecordSet | None:
    """Choose among weighted record sets.

    Zero-weighted ones are asked only when all others are unhealthy; when nobody is healthy, everybody
    counts as healthy; when all weights are zero, they are equal.
    """
    able = [one for one in sets if healthy(view, one)] or list(sets)
    weighted = [one for one in able if int(one.weight or 0) > 0]
    if weighted:
        return view.random.choices(weighted, [int(one.weight or 0) for one in weighted])[0]
    return view.random.choice(able) if able else None


def _values(view: View, record: RecordSet | None, name: str, type_: str) -> Sequence[Record]:
    if record is None:
        return ()
    alias = alias_of(record)
    if alias is None:
        return [Record(name, type_, int(record.ttl or 0), value) for value in record.records]
    found = view.target(alias[1])
    if found is not None:
        addresses = found.addresses if type_ == "A" else ()
        return [Record(name, type_, ALIAS_TTL, address) for address in addresses]
    led_to = _chosen(view, [one for one in _sets(view.records, alias[1]) if one.type == type_])
    if led_to is None or (alias_of(led_to) is not None and normal(led_to.name) == normal(name)):
        return ()
    return _values(view, led_to, name, type_)


def _sets(records: Sequence[RecordSet], name: str) -> Sequence[RecordSet]:
    """Return the record sets of a name, or those of the closest wildcard above it.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html#domain-name-format-asterisk
    """
    exact = [one for one in records if normal(one.name) == name]
    if exact or _parent(records, name):
        return exact
    labels = name.split(".")
    for cut in range(1, len(labels) - 1):
        above = ".".join(labels[cut:])
        wild = [one for one in records if _plain(one.name) == f"*.{above}"]
        if wild:
            return wild
        if any(normal(one.name) == above for one in records):
            return []
    return []


def _parent(records: Sequence[RecordSet], name: str) -> bool:
    """Return whether there are names below this one: then it exists, without records of its own."""
    return any(normal(one.name) != name and under(one.name, name) for one in records)


def _plain(name: str) -> str:
    return normal(name).replace("\\052", "*")
