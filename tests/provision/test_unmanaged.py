"""Whatever a stranger makes of a load balancer: what GET shows can be sent back, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.api.requests import read_put
from chalicelib.model.ciphers import CIPHERS, PROTOCOLS
from lab.fidelity import elb_ssl
from tests.lab.load_balancing import ssl
from tests.world.by_hand import (
    NAME,
    REFERENCE,
    cookies,
    negotiating,
    proxying,
    register,
    serving_another,
)
from tests.world.provisioning import Account, account

HTTP = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 8080}
TLS_BEHIND = {"Protocol": "TCP", "LoadBalancerPort": 1884, "InstanceProtocol": "SSL", "InstancePort": 8443}


def ssl_policy(name: str, *on: str) -> Callable[[Account], object]:
    return lambda here: negotiating(here, name, dict.fromkeys(on, "true"), 443, 8883)


def authentication(here: Account) -> None:
    for name, kind, attribute, value in (
        ("key", "PublicKeyPolicyType", "PublicKey", "MIIB"),
        ("auth", "BackendServerAuthenticationPolicyType", "PublicKeyPolicyName", "key"),
    ):
        here.world.elb.create_load_balancer_policy(
            **NAME,
            PolicyName=name,
            PolicyTypeName=kind,
            PolicyAttributes=[{"AttributeName": attribute, "AttributeValue": value}],
        )
    here.world.elb.set_load_balancer_policies_for_backend_server(
        **NAME, InstancePort=8443, PolicyNames=["auth"]
    )


def attributes(**value: Any) -> Callable[[Account], object]:
    return lambda here: here.world.elb.modify_load_balancer_attributes(**NAME, LoadBalancerAttributes=value)


BY_HAND: dict[str, tuple[Callable[[Account], object], str | None]] = {
    "SSLv3": (ssl_policy("old", "Protocol-SSLv3", "Protocol-TLSv1", "RC4-MD5"), None),
    "no order of its own": (ssl_policy("client-order", "Protocol-TLSv1.2", "AES128-SHA256"), None),
    "another policy on another listener": (
        lambda here: negotiating(here, "strict", {REFERENCE: "ELBSecurityPolicy-TLS-1-2-2017-01"}, 8883),
        "port 8883 negotiates by another policy, strict",
    ),
    "another certificate on another listener": (
        serving_another,
        "port 8883 serves another certificate, arn",
    ),
    "stickiness": (
        lambda here: cookies(here, 80),
        "port 80 has the policy sticky (LBCookieStickinessPolicyType)",
    ),
    "PROXY protocol on one port": (proxying, None),
    "authentication of instances": (authentication, "instance port 8443 has the policy auth (BackendServer"),
    "access logs": (
        attributes(
            AccessLog={"Enabled": True, "S3BucketName": "logs", "S3BucketPrefix": "a/b_c", "EmitInterval": 5}
        ),
        None,
    ),
    "draining, idle time, zones": (
        attributes(
            ConnectionDraining={"Enabled": True, "Timeout": 1},
            ConnectionSettings={"IdleTimeout": 3600},
            CrossZoneLoadBalancing={"Enabled": True},
        ),
        None,
    ),
    "against desync attacks": (
        attributes(AdditionalAttributes=[{"Key": "elb.http.desyncmitigationmode", "Value": "strictest"}]),
        "elb.http.desyncmitigationmode is strictest",
    ),
    "tags": (
        lambda here: here.world.elb.add_tags(
            LoadBalancerNames=["demo"],
            Tags=[{"Key": "emq-elb:note", "Value": "x"}, {"Key": "Ä b", "Value": ""}],
        ),
        None,
    ),
    "health check": (
        lambda here: here.world.elb.configure_health_check(
            **NAME,
            HealthCheck={
                "Target": "HTTPS:8443/a?b=c",
                "Interval": 300,
                "Timeout": 60,
                "UnhealthyThreshold": 10,
                "HealthyThreshold": 10,
            },
        ),
        None,
    ),
}


def by_hand(here: Account, *names: str) -> None:
    """Make a load balancer as a stranger would, with these peculiarities."""
    arn = here.world.upload("by-hand")
    here.world.create("demo", ssl(arn), ssl(arn, 443, 1885), HTTP, TLS_BEHIND, Subnets=here.subnets[:2])
    register(here, here.launch("node-1", "node-2"))
    for name in names:
        BY_HAND[name][0](here)


def assert_sent_back_changes_nothing(here: Account) -> None:
    before = here.snapshot()["load balancers"]["demo"]
    shown = here.get(adopt=True)
    assert read_put("demo", json.loads(json.dumps(shown)))[1] == ()
    here.put(shown, adopt=True)
    assert here.calls.writes == ["CreateTags", "AddTags"]
    after = here.snapshot()["load balancers"]["demo"]
    assert {**after, "tags": {}} == {**before, "tags": {}}
    assert before["tags"].items() <= after["tags"].items()
    here.put(here.get())
    assert here.calls.writes == []


@pytest.mark.parametrize("name", BY_HAND)
def test_what_get_shows_of_it_changes_nothing_and_the_rest_is_said(here: Account, name: str) -> None:
    by_hand(here, name)
    sentences = here.get(adopt=True).get("unmanaged", [])
    says = BY_HAND[name][1]
    assert len(sentences) == (says is not None)
    assert says is None or says in sentences[0]
    assert_sent_back_changes_nothing(here)


@settings(max_examples=10)
@given(st.permutations(sorted(BY_HAND)), st.integers(2, len(BY_HAND)))
def test_whatever_comes_together_changes_nothing(names: list[str], count: int) -> None:
    with account() as here:
        by_hand(here, *names[:count])
        assert_sent_back_changes_nothing(here)


def test_what_is_declared_otherwise_is_so_on_every_listener(here: Account) -> None:
    by_hand(here, "another policy on another listener", "another certificate on another listener")
    here.put(here.get(adopt=True), adopt=True)
    arn = here.world.upload("a-third")
    changed = {**here.get(), "certificate": {"arn": arn}, "ssl_policy": "ELBSecurityPolicy-TLS-1-1-2017-01"}
    here.put(changed)
    assert "unmanaged" not in here.get()
    assert here.get()["certificate"]["arn"] == arn
    here.put(changed)
    assert here.calls.writes == []


def test_what_is_on_an_instance_port_stays_when_its_listener_becomes_another(here: Account) -> None:
    by_hand(here, "authentication of instances")
    here.put(here.get(adopt=True), adopt=True)
    shown = here.get()
    moved = [{**one, "port": 1999 if one["port"] == 1884 else one["port"]} for one in shown["listeners"]]
    here.put({**shown, "listeners": moved})
    assert here.get()["unmanaged"] == shown["unmanaged"]
    secure = [{**one, "protocol": "SSL" if one["port"] == 1999 else one["protocol"]} for one in moved]
    here.put({**here.get(), "listeners": secure})
    assert here.get()["unmanaged"] == shown["unmanaged"]


def test_the_ports_that_get_the_proxy_protocol_can_be_named(here: Account) -> None:
    body = here.article
    here.put({**body, "proxy_protocol": [1883]})
    assert here.get()["proxy_protocol"] is True, "18083 is behind HTTP"
    here.put({**body, "proxy_protocol": [18083]})
    assert here.get()["proxy_protocol"] == [18083]
    here.put({**body, "proxy_protocol": []})
    assert here.get()["proxy_protocol"] is False


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([1883, 1883], "proxy_protocol[1]"),
        ([0], "proxy_protocol[0]"),
        (["1883"], "proxy_protocol[0]"),
        ([9999], "proxy_protocol[0]"),
        (1, "proxy_protocol"),
        ("yes", "proxy_protocol"),
    ],
)
def test_a_port_that_cannot_get_it_is_a_fault(value: object, field: str) -> None:
    body = {"subnets": ["subnet-01234567"], "certificate": {"issuer": "private-ca"}, "proxy_protocol": value}
    _, faults = read_put("demo", body)
    assert [fault.field for fault in faults] == [field]


def test_a_body_may_name_whatever_policy_aws_takes() -> None:
    assert {f"Protocol-{name}" for name in PROTOCOLS} == {*elb_ssl.PROTOCOLS}
    assert {*CIPHERS} == {*elb_ssl.CIPHERS}
