"""What is shown to a CA, where, and what distinguishes it from what others keep in the same place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.acme.records import (
    ORPHANED,
    Challenge,
    Entry,
    challenge_faults,
    challenge_record_name,
    changed_journal,
    changed_values,
    noted,
    orphans,
)
from chalicelib.dns.zones import zones_of
from chalicelib.model.route53 import RecordSet, Zone

NOW = datetime(2026, 11, 22, 12, 30, 5, tzinfo=UTC)
OWNER = "emq-elb-prod"
NAME = "_acme-challenge.example.com"
ONE, TWO = "A" * 43, "B" * 43
FOREIGN = '"somebody else"', f'"{"C" * 43}"'
ZONES = (
    Zone("Z1", "example.com"),
    Zone("Z2", "mqtt.example.com"),
    Zone("Z3", "example.org"),
    Zone("Z4", "twice.net"),
    Zone("Z5", "twice.net"),
    Zone("Z6", "_acme-challenge.own.example.com"),
)


@pytest.mark.parametrize(
    ("domain", "ids"),
    [
        ("example.com", ["Z1"]),
        ("*.example.com", ["Z1"]),
        ("a.example.com", ["Z1"]),
        ("mqtt.example.com", ["Z2"]),
        ("*.mqtt.example.com", ["Z2"]),
        ("a.b.MQTT.example.com", ["Z2"]),
        ("xmqtt.example.com", ["Z1"]),
        ("notexample.com", []),
        ("com", []),
        ("a.twice.net", ["Z4", "Z5"]),
        # The zone of the record's own name, where somebody delegates just that.
        ("own.example.com", ["Z6"]),
        ("*.OWN.example.com", ["Z6"]),
        ("a.own.example.com", ["Z1"]),
    ],
)
def test_a_record_is_shown_in_the_zone_of_the_longest_name(domain: str, ids: list[str]) -> None:
    assert [zone.id for zone in zones_of(challenge_record_name(domain), ZONES)] == ids


@pytest.mark.parametrize(
    ("domains", "contact", "expected"),
    [
        (["a.example.com", "*.example.org"], True, []),
        (["example.com", "*.example.com", "a.b.example.com"], True, []),
        (["a.example.com"], False, [("certificate.issuer", "ACME_CONTACT")]),
        (["10.0.0.1"], True, [("certificate.domains[0]", "is an address")]),
        (["x.example.net"], True, [("certificate.domains[0]", "no public hosted zone")]),
        (["a.twice.net"], True, [("certificate.domains[0]", "Z4 and Z5")]),
        (
            ["*.example.com", "A.example.com"],
            True,
            [("certificate.domains[1]", "covers A.example.com already")],
        ),
        (
            ["*.x.net", "y.x.net", "::1"],
            False,
            [
                ("certificate.issuer", "ACME_CONTACT"),
                ("certificate.domains[0]", "no public hosted zone"),
                ("certificate.domains[1]", "covers y.x.net already"),
                ("certificate.domains[1]", "no public hosted zone"),
                ("certificate.domains[2]", "is an address"),
            ],
        ),
    ],
)
def test_everything_that_would_keep_a_ca_from_issuing_is_a_fault_at_once(
    domains: list[str], contact: bool, expected: list[tuple[str, str]]
) -> None:
    found = [*challenge_faults(domains, ZONES, contact=contact)]
    assert [fault.field for fault in found] == [field for field, _ in expected]
    assert all(words in fault.message for fault, (_, words) in zip(found, expected, strict=True))


def test_a_wildcard_and_its_parent_are_shown_in_one_record_set() -> None:
    assert Challenge("*.example.com", ONE).record == Challenge("Example.com", TWO).record == NAME


JOURNAL = "_acme-challenge._emq-elb.example.com"
LATER = NOW + ORPHANED + timedelta(seconds=1)
Shown = tuple[RecordSet | None, RecordSet | None, tuple[Entry, ...]]


def shown(there: RecordSet | None, *values: str) -> Shown:
    """A record set and the journal with values of ours, and what was written down."""
    entries = noted({NAME: values}, NOW)
    journal = changed_journal(JOURNAL, None, entries, (), OWNER)
    return changed_values(NAME, there, values, ()), journal, entries


@pytest.mark.parametrize("there", [None, RecordSet(NAME, FOREIGN, 300)])
def test_what_is_shown_comes_beside_what_is_there_and_goes_without_it(there: RecordSet | None) -> None:
    record, journal, entries = shown(there, ONE, TWO)
    assert record is not None
    assert record.values == (*(there.values if there else ()), f'"{ONE}"', f'"{TWO}"')
    assert record.ttl == (there.ttl if there else 60)
    assert changed_values(NAME, record, (), entries) == there
    assert changed_journal(JOURNAL, journal, (), entries, OWNER) is None


def test_what_somebody_else_of_us_shows_at_the_same_time_stays() -> None:
    theirs, journal, _ = shown(None, TWO)
    entries = noted({NAME: [ONE]}, NOW + timedelta(seconds=1))
    both = changed_values(NAME, theirs, [ONE], ())
    written = changed_journal(JOURNAL, journal, entries, (), OWNER)
    assert changed_values(NAME, both, (), entries) == theirs
    assert changed_journal(JOURNAL, written, (), entries, OWNER) == journal


@pytest.mark.parametrize("there", [None, RecordSet(NAME, FOREIGN, 300)])
def test_what_a_crash_left_is_known_when_it_is_old_and_not_before(there: RecordSet | None) -> None:
    record, journal, _ = shown(there, ONE, TWO)
    assert orphans(journal, OWNER, NOW + ORPHANED) == ()
    left = orphans(journal, OWNER, LATER)
    assert changed_values(NAME, record, (), left) == there
    assert changed_journal(JOURNAL, journal, (), left, OWNER) is None


def test_what_another_deployment_left_is_not_ours_to_take_away() -> None:
    _, journal, _ = shown(None, ONE)
    assert orphans(journal, "emq-elb-dev", LATER) == ()


def test_showing_it_again_changes_nothing() -> None:
    record, journal, entries = shown(None, ONE)
    assert changed_values(NAME, record, [ONE], ()) == record
    assert changed_journal(JOURNAL, journal, entries, (), OWNER) == journal


def test_no_string_is_longer_than_dns_takes() -> None:
    longest = "_acme-challenge." + ".".join(["a" * 59] * 3 + ["b" * 57])
    journal = changed_journal(JOURNAL, None, noted({longest: [ONE, TWO]}, NOW), (), "o" * 64)
    assert journal is not None
    assert max(len(text) for value in journal.values for text in value.strip('"').split('" "')) <= 255
    assert [entry.record for entry in orphans(journal, "o" * 64, LATER)] == [longest]


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters='"\\'), max_size=60), unique=True))
def test_values_of_others_are_never_touched_whatever_they_are(texts: list[str]) -> None:
    quoted = tuple(f'"{text}"' for text in texts if not text.startswith(ONE[:12]))
    there = RecordSet(NAME, quoted, 300) if quoted else None
    record, _, entries = shown(there, ONE)
    assert changed_values(NAME, record, (), entries) == there


@pytest.mark.parametrize(
    "value",
    [
        f'"{OWNER} yesterday {"C" * 12}" "{NAME}"',
        f'"{OWNER} 20200101T000000 {"C" * 12}" "{NAME}"',
        f'"{OWNER} 20200101T000000Z C" "{NAME}"',
        f'"{OWNER} 20200101T000000Z {"C" * 12}"',
        f'"{OWNER}" "{NAME}"',
        '""',
    ],
)
def test_what_only_looks_like_an_entry_is_none(value: str) -> None:
    journal = RecordSet(JOURNAL, (value,))
    assert orphans(journal, OWNER, LATER) == ()
    assert changed_journal(JOURNAL, journal, (), (), OWNER) == journal
