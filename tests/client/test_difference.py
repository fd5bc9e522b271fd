"""What differs between a load balancer as it is and as it would be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emq_elb.difference import changes

SSL = {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883}


def lines(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    return [f"{one.sign} {one.field} {one.before} {one.after}" for one in changes(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"keepalive": 300}, {"keepalive": 600}, ["~ keepalive 300 600"]),
        ({}, {"hostname": "a"}, ["+ hostname None a"]),
        ({"tags": {"team": "a", "x": "1"}}, {"tags": {"x": "1"}}, ["- tags.team a None"]),
        ({"cross_zone": True}, {"cross_zone": False}, ["~ cross_zone True False"]),
        (
            {"subnets": ["a", "b"]},
            {"subnets": ["b", "c"]},
            ["- subnets a None", "+ subnets None c"],
        ),
        ({"subnets": ["a", "b"]}, {"subnets": ["b", "a"]}, []),
        (
            {"listeners": [SSL]},
            {"listeners": [{**SSL, "instance_port": 1884}]},
            ["~ listeners SSL 8883 → TCP 1883 SSL 8883 → TCP 1884"],
        ),
        (
            {"instances": [{"id": "i-1", "state": "InService"}]},
            {"instances": [{"id": "i-1", "state": "OutOfService"}, {"id": "i-2", "state": "OutOfService"}]},
            ["+ instances None i-2"],
        ),
        ({"certificate": {"arn": "x", "days_left": 3}}, {"certificate": {"arn": "x", "days_left": 2}}, []),
        ({"state": "ready", "dns_name": "a", "unmanaged": ["x"]}, {"state": "pending", "dns_name": "b"}, []),
        (None, {"allow": {"mqtt": ["0.0.0.0/0"]}}, ["+ allow.mqtt None 0.0.0.0/0"]),
        ({"allow": {"mqtt": ["0.0.0.0/0"]}}, None, ["- allow.mqtt 0.0.0.0/0 None"]),
        (
            {"ssl_policy": "P"},
            {"ssl_policy": {"ciphers": ["C"]}},
            ["- ssl_policy P None", "+ ssl_policy.ciphers None C"],
        ),
    ],
)
def test_what_differs_is_shown(before: dict[str, Any] | None, after: dict[str, Any], said: list[str]) -> None:
    assert lines(before, after) == said


VIEWS = st.dictionaries(
    st.sampled_from("abc"),
    st.integers()
    | st.lists(st.sampled_from("xyz"), unique=True)
    | st.dictionaries(st.sampled_from("de"), st.booleans()),
)


@given(VIEWS, VIEWS)
def test_what_is_alike_does_not_differ_and_both_ways_differ_in_the_same_fields(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert changes(one, one) == []
    there = {(change.field, str(change.before), str(change.after)) for change in changes(one, other)}
    back = {(change.field, str(change.after), str(change.before)) for change in changes(other, one)}
    assert there == back
