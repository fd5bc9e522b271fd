"""What is shown to a CA, where, and how it is told from what others keep in the same place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.challenges import (
    ORPHANED,
    Challenge,
    RecordSet,
    Zone,
    cleaned,
    objections,
    presented,
    withdrawn,
    zones_of,
)

NOW = datetime(2026, 11, 22, 12, 30, 5, tzinfo=UTC)
OWNER = "emq-elb-prod"
NAME = "_acme-challenge.example.com"
ONE, TWO = "A" * 43, "B" * 43
FOREIGN = '"somebody else"', f'"emq-elb other 20200101T000000Z {"C" * 12}"', f'"{"C" * 43}"'
ZONES = (
    Zone("Z1", "example.com"),
    Zone("Z2", "mqtt.example.com"),
    Zone("Z3", "example.org"),
    Zone("Z4", "twice.net"),
    Zone("Z5", "twice.net"),
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
    ],
)
def test_a_domain_is_in_the_zone_of_the_longest_name(domain: str, ids: list[str]) -> None:
    assert [zone.id for zone in zones_of(domain, ZONES)] == ids


@pytest.mark.parametrize(
    ("domains", "contact", "told"),
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
def test_everything_that_would_keep_a_ca_from_issuing_is_told_at_once(
    domains: list[str], contact: bool, told: list[tuple[str, str]]
) -> None:
    found = [*objections(domains, ZONES, contact=contact)]
    assert [fault.field for fault in found] == [field for field, _ in told]
    assert all(words in fault.message for fault, (_, words) in zip(found, told, strict=True))


def test_a_wildcard_and_its_parent_are_shown_in_one_record_set() -> None:
    assert Challenge("*.example.com", ONE).record == Challenge("Example.com", TWO).record == NAME


@pytest.mark.parametrize("there", [None, RecordSet(NAME, FOREIGN, 300)])
def test_what_is_shown_comes_beside_what_is_there_and_goes_without_it(there: RecordSet | None) -> None:
    shown = presented(NAME, [ONE, TWO], OWNER, NOW, there)
    assert {f'"{ONE}"', f'"{TWO}"'} < {*shown.values}
    assert shown.ttl == (there.ttl if there else 60)
    assert withdrawn([ONE, TWO], OWNER, shown) == there


def test_what_somebody_else_of_us_shows_at_the_same_time_stays() -> None:
    theirs = presented(NAME, [TWO], OWNER, NOW, None)
    both = presented(NAME, [ONE], OWNER, NOW, theirs)
    assert withdrawn([ONE], OWNER, both) == theirs
    assert withdrawn([TWO], OWNER, withdrawn([ONE], OWNER, both)) is None


@pytest.mark.parametrize("there", [None, RecordSet(NAME, FOREIGN, 300)])
def test_what_a_crash_left_goes_when_it_is_old_and_not_before(there: RecordSet | None) -> None:
    left = presented(NAME, [ONE, TWO], OWNER, NOW, there)
    assert cleaned(OWNER, NOW + ORPHANED, left) == left
    assert cleaned(OWNER, NOW + ORPHANED + timedelta(seconds=1), left) == there
    later, new = NOW + timedelta(days=1), ["D" * 43]
    assert presented(NAME, new, OWNER, later, left) == presented(NAME, new, OWNER, later, there)


def test_what_another_deployment_left_is_not_ours_to_take_away() -> None:
    left = presented(NAME, [ONE], "emq-elb-dev", NOW, None)
    assert cleaned(OWNER, NOW + timedelta(days=9), left) == left


def test_two_names_fit_into_a_datagram_of_512_bytes() -> None:
    name = "_acme-challenge.mqtt.example.com"
    shown = presented(name, [ONE, TWO], OWNER, NOW, None)
    # A header, the question, and for each value the name again, type, class, lifetime, two lengths.
    assert 12 + len(name) + 6 + sum(len(name) + 2 + 11 + len(value) - 2 for value in shown.values) <= 512


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters='"\\'), max_size=60), unique=True))
def test_values_of_others_are_never_touched_whatever_they_are(texts: list[str]) -> None:
    quoted = tuple(f'"{text}"' for text in texts if not text.startswith(f"emq-elb {OWNER} "))
    there = RecordSet(NAME, quoted, 300) if quoted else None
    assert cleaned(OWNER, NOW, there) == there
    assert withdrawn([ONE], OWNER, presented(NAME, [ONE], OWNER, NOW, there)) == there


@pytest.mark.parametrize(
    "text",
    [
        f"emq-elb {OWNER} yesterday {'C' * 12}",
        f"emq-elb {OWNER} 20200101T000000 {'C' * 12}",
        f"emq-elb {OWNER} 20200101T000000Z",
        f"emq-elb {OWNER} 20200101T000000Z C",
    ],
)
def test_what_only_looks_like_a_mark_is_none(text: str) -> None:
    there = RecordSet(NAME, (f'"{text}"', f'"{"C" * 43}"'))
    assert cleaned(OWNER, NOW, there) == there
