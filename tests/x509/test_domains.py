from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.load_balancer import LoadBalancerType
from chalicelib.x509.domains import covers, default_domains, same_names

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("domain", "hostname"),
    [
        ("mqtt.example.com", "mqtt.example.com"),
        ("MQTT.Example.COM", "mqtt.example.com"),
        ("mqtt.example.com", "mqtt.example.com."),
        ("*.example.com", "mqtt.example.com"),
        ("*.eu-central-1.elb.amazonaws.com", "demo-1.eu-central-1.elb.amazonaws.com"),
        ("*.example.com", "xn--brger-kva.example.com"),
        ("*.example.com", "*.example.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "2001:0db8:0:0:0:0:0:1"),
        ("2001:db8::1", "[2001:db8::1]"),
    ],
)
def test_a_name_is_covered_by_itself_and_by_a_wildcard_for_its_first_label(
    domain: str, hostname: str
) -> None:
    assert covers([domain], hostname)


@pytest.mark.parametrize(
    ("domain", "hostname"),
    [
        ("*.example.com", "example.com"),
        ("*.example.com", "a.mqtt.example.com"),
        ("*.example.com", ".example.com"),
        ("*.example.com", "*.mqtt.example.com"),
        ("mqtt.example.com", "*.example.com"),
        ("m*.example.com", "mqtt.example.com"),
        ("mqtt.*.com", "mqtt.example.com"),
        ("*.*.com", "mqtt.example.com"),
        ("*.com", "example.com"),
        ("*", "localhost"),
        ("*.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.2"),
        ("mqtt.example.com", "mqtt.example.com.evil.com"),
        ("example.com", ""),
        ("", ""),
    ],
)
def test_nothing_else_covers_it(domain: str, hostname: str) -> None:
    assert not covers([domain], hostname)


def test_one_name_of_many_is_enough() -> None:
    assert covers(["a.example.com", "*.example.org"], "b.example.org")


@given(st.lists(LABEL, min_size=1, max_size=5))
def test_a_name_is_covered_by_the_wildcard_beside_it_exactly_when_two_labels_are_left(
    labels: list[str],
) -> None:
    hostname = ".".join(labels)
    parent = ".".join(labels[1:])
    assert covers([hostname], hostname.upper())
    is_address = labels[-1].isdigit() and all(label.isdigit() for label in labels)
    if not is_address:
        assert covers([f"*.{parent}"], hostname) == (len(labels) >= 3)


@given(st.lists(st.text(max_size=12)), st.text(max_size=12))
def test_any_text_gets_an_answer(domains: list[str], hostname: str) -> None:
    assert covers(domains, hostname) in {True, False}
    assert not covers([], hostname)


def test_a_leaf_of_ours_is_for_the_hostname_else_for_every_load_balancer_of_the_region() -> None:
    china = ("cn-north-1", "amazonaws.com.cn")
    assert default_domains("mqtt.example.com", "classic", *china) == ("mqtt.example.com",)
    assert default_domains(None, "classic", *china) == ("*.cn-north-1.elb.amazonaws.com.cn",)
    assert default_domains(None, "network", *china) == ("*.elb.cn-north-1.amazonaws.com.cn",)
    here = ("eu-central-1", "amazonaws.com")
    classic, network = (default_domains(None, type_, *here) for type_ in TYPES)
    assert covers(classic, "internal-demo-1.eu-central-1.elb.amazonaws.com")
    assert covers(network, "demo-0123456789abcdef.elb.eu-central-1.amazonaws.com")
    assert not covers(classic, "demo-0123456789abcdef.elb.eu-central-1.amazonaws.com")


TYPES: tuple[LoadBalancerType, ...] = ("classic", "network")


@pytest.mark.parametrize(
    ("some", "others", "same"),
    [
        (["a.example.com", "*.b.example.com"], ["*.B.example.com", "A.EXAMPLE.com."], True),
        (["2001:DB8::1", "192.0.2.1"], ["192.0.2.1", "2001:db8:0::1"], True),
        (["a.example.com"], ["a.example.com", "b.example.com"], False),
        (["*.example.com"], ["a.example.com"], False),
        ([], [], True),
    ],
)
def test_names_are_the_same_whatever_their_order_and_spelling(
    some: list[str], others: list[str], *, same: bool
) -> None:
    assert same_names(some, others) is same
