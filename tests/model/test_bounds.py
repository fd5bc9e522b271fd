"""The bounds of a deployment: what each setting lets pass."""

from __future__ import annotations

import pytest

from chalicelib.model.bounds import Bounds


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("example.com", True),
        ("mqtt.example.com", True),
        ("MQTT.Example.COM.", True),
        ("*.example.com", True),
        ("*.a.example.com", True),
        ("badexample.com", False),
        ("*.com", False),
        ("com", False),
        ("example.com.evil.org", False),
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_a_domain_stands_for_itself_and_all_below_it(name: str, within: bool) -> None:
    assert (Bounds(domains=frozenset({"example.com"})).beyond([name]) == ()) is within


def test_without_a_bound_everything_passes() -> None:
    unbounded = Bounds()
    assert unbounded.port(22)
    assert unbounded.vpc("vpc-1")
    assert unbounded.beyond(["any.name"]) == ()
    assert unbounded.adoption


def test_a_bound_lets_pass_what_it_names() -> None:
    bounds = Bounds(instance_ports=frozenset({1883}), vpcs=frozenset({"vpc-1"}))
    assert [bounds.port(port) for port in (1883, 22)] == [True, False]
    assert [bounds.vpc(vpc) for vpc in ("vpc-1", "vpc-2")] == [True, False]
