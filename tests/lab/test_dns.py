"""The lab's DNS server answers on the wire, over UDP and TCP, what it is given to resolve."""

from __future__ import annotations

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.dns.server import by_name, look_up, open_dns, reply
from lab.fidelity.route53_answers import Answer, Record
from lab.machine.addresses import Network

NAME = "mqtt.example.com."


def resolve(name: str, type_: str) -> Answer | None:
    """Know one name with two addresses, one with 100 texts, and one zone."""
    if not name.endswith("example.com."):
        return None
    if name == NAME:
        found = [Record(name, "A", 60, f"192.0.2.{last}") for last in (1, 2)] if type_ == "A" else []
        return Answer("NOERROR", tuple(found))
    if name == f"many.{NAME}":
        return Answer("NOERROR", tuple(Record(name, "TXT", 60, f'"{number:0>100}"') for number in range(100)))
    return Answer("NXDOMAIN")


@pytest.mark.parametrize(
    ("name", "type_", "code", "values"),
    [
        (NAME, "A", "NOERROR", ["192.0.2.1", "192.0.2.2"]),
        (NAME.upper(), "A", "NOERROR", ["192.0.2.1", "192.0.2.2"]),
        (NAME, "AAAA", "NOERROR", []),
        (f"no.{NAME}", "A", "NXDOMAIN", []),
        ("example.org.", "A", "REFUSED", []),
    ],
)
def test_it_answers_over_udp_and_tcp(
    name: str, type_: str, code: str, values: list[str], network: Network
) -> None:
    query = dns.message.make_query(name, type_)
    with open_dns(network.dns, resolve) as server:
        by_udp = dns.query.udp(query, server.address, port=server.port, timeout=10)
        by_tcp = dns.query.tcp(query, server.address, port=server.port, timeout=10)
    for said in (by_udp, by_tcp):
        assert dns.rcode.to_text(said.rcode()) == code
        assert sorted(item.to_text() for found in said.answer for item in found) == values


def test_what_is_too_long_for_a_datagram_is_asked_for_again_over_tcp(network: Network) -> None:
    query = dns.message.make_query(f"many.{NAME}", "TXT")
    with open_dns(network.dns, resolve) as server:
        said, by_tcp = dns.query.udp_with_fallback(query, server.address, port=server.port, timeout=10)
    assert by_tcp
    assert sum(len(found) for found in said.answer) == 100


def test_a_load_balancers_own_name_is_its_addresses(network: Network) -> None:
    hosts = {"demo-1.eu-central-1.elb.amazonaws.com": ["127.0.0.1"]}
    both = by_name(lambda name: hosts.get(name, []), resolve)
    with open_dns(network.dns, both) as server:
        assert look_up(server, "demo-1.eu-central-1.elb.amazonaws.com") == ["127.0.0.1"]
        assert look_up(server, "demo-1.eu-central-1.elb.amazonaws.com", "TXT") == []
        assert sorted(look_up(server, NAME)) == ["192.0.2.1", "192.0.2.2"]
        with pytest.raises(OSError, match="REFUSED"):
            look_up(server, "example.org")


@given(st.binary(max_size=600))
def test_bytes_that_are_no_query_are_not_answered(asked: bytes) -> None:
    answered = reply(asked, resolve, 512)
    assert answered is None or len(answered) <= 512
