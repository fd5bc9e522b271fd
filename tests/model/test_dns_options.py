"""The `emq-elb:dns` tag: in which hosted zones a name has its record, and with which weight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.dns_options import WEIGHT_MAX, DnsOptions, dns_tag, read_dns_tag
from chalicelib.model.syntax import tag_text_fault

_zones = st.lists(st.from_regex(r"[0-9A-Z]{1,32}", fullmatch=True), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (None, None),
        (DnsOptions(("Z1",)), "zone=Z1"),
        (DnsOptions(("Z2", "Z1")), "zone=Z2 zone=Z1"),
        (DnsOptions(("Z1",), 0), "zone=Z1 weight=0"),
        (DnsOptions(("Z1",), 255), "zone=Z1 weight=255"),
    ],
)
def test_the_tag_names_the_zones_and_the_weight(options: DnsOptions | None, text: str | None) -> None:
    assert dns_tag(options) == text
    assert read_dns_tag(text) == options


@given(_zones.map(tuple), st.none() | st.integers(0, WEIGHT_MAX))
def test_what_is_read_from_the_tag_is_what_was_written_into_it(
    zones: tuple[str, ...], weight: int | None
) -> None:
    text = dns_tag(DnsOptions(zones, weight))
    assert text is not None
    assert tag_text_fault(text) is None
    assert len(text) <= 255
    assert read_dns_tag(text) == DnsOptions(zones, weight)


@pytest.mark.parametrize("text", ["", "weight=10", "zone=", "zone=z1", "zone= Z1", "Z1", "nonsense"])
def test_a_tag_without_a_zone_keeps_no_record(text: str) -> None:
    assert read_dns_tag(text) is None


@pytest.mark.parametrize("weight", ["", "-1", "256", "1000", "many", "1.5"])
def test_a_weight_that_cannot_be_read_counts_as_none(weight: str) -> None:
    assert read_dns_tag(f"zone=Z1 weight={weight}") == DnsOptions(("Z1",))


@given(st.text())
def test_no_text_makes_reading_the_tag_fail(text: str) -> None:
    read_dns_tag(text)
