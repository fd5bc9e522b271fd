"""Killed after any single call, and asked again: the end is the same, and nothing is left lying about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.lab.load_balancing import ssl
from tests.world.provisioning import Account, Killed, account, issued, pem

Body = dict[str, Any]

PLAIN = [{"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883}]
PLAIN_HTTP = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 8080}


SHARES = 4
"""A scenario's kill points are shared out to so many tests, so that they spread over the workers."""


@dataclass(frozen=True)
class Scenario:
    """`prepare` makes what is there before, and returns what `act` is then asked to do, twice if need be."""

    prepare: Callable[[Account], Body]
    act: Callable[[Account, Body], object]
    least_writes: int


def put(here: Account, body: Body) -> object:
    return here.put(body)


def adopt(here: Account, body: Body) -> object:
    return here.put(body, adopt=True)


def nothing_there(here: Account) -> Body:
    return {
        "subnets": here.subnets[:2],
        "certificate": {"issuer": "private-ca", "domains": ["mqtt.example.com"]},
        "instances": here.launch("node-1", "node-2"),
        "allow": {"dashboard": ["10.0.0.0/8"]},
        "access_logs": {"bucket": "logs"},
        "proxy_protocol": True,
        "tags": {"team": "iot"},
    }


def a_certificate_as_pem(here: Account) -> Body:
    return {**here.article, "certificate": {"pem": pem(issued())}}


def everything_else(here: Account) -> Body:
    """One load balancer is there; the body returned differs from it in every field that can change."""
    first, second = here.launch("node-1", "node-2")
    here.put(
        {
            "subnets": here.subnets[:2],
            "certificate": {"pem": pem(issued())},
            "instances": [first],
            "tags": {"team": "iot"},
            "proxy_protocol": True,
            "hostname": "mqtt.example.com",
            "access_logs": {"bucket": "logs"},
        }
    )
    # The second zone's subnet is exchanged for another one there, the first zone's goes.
    other = here.subnet_beside(here.subnets[1])
    return {
        "subnets": [other, here.subnets[2]],
        "listeners": [
            {"protocol": "SSL", "port": 8883, "instance_protocol": "SSL", "instance_port": 8883},
            {"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883},
            {"protocol": "HTTPS", "port": 443, "instance_protocol": "HTTP", "instance_port": 18083},
        ],
        "certificate": {"pem": pem(issued("other.example.com", key="other"))},
        "ssl_policy": {"protocols": ["TLSv1.2"], "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"]},
        "allow": {"mqtt": ["10.0.0.0/8"], "dashboard": ["192.168.0.0/16"]},
        "health_check": {"target": "HTTP:18083/status", "interval": 10},
        "keepalive": 60,
        "connection_draining": 0,
        "cross_zone": False,
        "instances": [first, second],
        "hostname": "other.example.com",
        "probe": {"enabled": True, "qos": 2},
    }


def the_certificate_first(here: Account) -> Body:
    """Only what is on the listener changes: certificate and policy."""
    body = here.article
    here.put(body)
    return {
        **body,
        "certificate": {"pem": pem(issued("other.example.com", key="other"))},
        "ssl_policy": "ELBSecurityPolicy-2016-08",
    }


def made_by_hand(here: Account) -> Body:
    world = here.world
    world.create("demo", ssl(world.upload("by-hand")), PLAIN_HTTP, Subnets=here.subnets[:2])
    ids = here.launch("node-1", "node-2")
    world.elb.register_instances_with_load_balancer(
        LoadBalancerName="demo", Instances=[{"InstanceId": id_} for id_ in ids]
    )
    return {
        **here.get(adopt=True),
        "connection_draining": 60,
        "ssl_policy": "ELBSecurityPolicy-TLS-1-2-2017-01",
    }


def other_groups(here: Account) -> Body:
    body = {
        "subnets": here.subnets[:1],
        "certificate": {"issuer": "private-ca"},
        "instances": here.launch("node-1"),
    }
    here.put(body)
    return {**body, "security_groups": [here.group()]}


def a_group_of_ours_again(here: Account) -> Body:
    body = other_groups(here)
    here.put(body)
    return {key: value for key, value in body.items() if key != "security_groups"}


def a_plain_listener(here: Account) -> Body:
    """It becomes secure on its port, with a certificate that no listener has yet."""
    plain = {key: value for key, value in here.article.items() if key != "certificate"}
    secure = {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883}
    here.put({**plain, "listeners": [{**secure, "protocol": "TCP"}]})
    return {**plain, "listeners": [secure], "certificate": {"issuer": "private-ca"}}


def another_of_the_cluster(here: Account) -> Body:
    """Another load balancer serves the cluster already, and one node is in it."""
    (first,) = here.launch("node-1")
    plain = {"subnets": here.subnets[:2], "listeners": PLAIN, "security_groups": [here.group()]}
    here.put({**plain, "instances": [first]}, name="mqtt")
    return {**plain, "cluster": "mqtt", "scheme": "internal", "instances": here.launch("node-2")}


def another_cluster(here: Account) -> Body:
    """It is to serve another cluster, of which one node is tagged, and one is not; the old one has none."""
    plain = {"subnets": here.subnets[:2], "listeners": PLAIN, "security_groups": [here.group()]}
    here.put(plain)
    here.launch("node-3", **{"emq-elb_cluster": "blue"})
    return {**plain, "cluster": "blue", "instances": here.launch("node-4")}


SCENARIOS = {
    "another of the cluster": Scenario(another_of_the_cluster, put, least_writes=5),
    "another cluster": Scenario(another_cluster, put, least_writes=3),
    "create": Scenario(nothing_there, put, least_writes=14),
    "create with a PEM": Scenario(a_certificate_as_pem, put, least_writes=9),
    "change everything": Scenario(everything_else, put, least_writes=18),
    "change certificate and policy": Scenario(the_certificate_first, put, least_writes=5),
    "a plain listener becomes secure": Scenario(a_plain_listener, put, least_writes=8),
    "adopt": Scenario(made_by_hand, adopt, least_writes=5),
    "groups by hand": Scenario(other_groups, put, least_writes=2),
    "a group of ours": Scenario(a_group_of_ours_again, put, least_writes=3),
}


@cache
def undisturbed(name: str) -> tuple[list[str], dict[str, Any]]:
    """The writes of a scenario that nobody kills, and the state in which it ends."""
    scenario = SCENARIOS[name]
    with account() as here:
        body = scenario.prepare(here)
        scenario.act(here, body)
        writes, state = here.calls.writes, here.snapshot()
        scenario.act(here, body)
        assert here.calls.writes == []
    assert len(writes) >= scenario.least_writes
    return writes, state


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_after_any_call_the_same_request_ends_in_the_same_state(name: str, share: int) -> None:
    scenario = SCENARIOS[name]
    writes, state = undisturbed(name)
    for killed_after in range(1 + share, len(writes) + 1, SHARES):
        with account() as here:
            body = scenario.prepare(here)
            here.calls.kill_after = killed_after
            with pytest.raises(Killed):
                scenario.act(here, body)
            here.calls.kill_after = None
            scenario.act(here, body)
            assert here.snapshot() == state, f"killed after {writes[:killed_after]}"
            scenario.act(here, body)
            assert here.calls.writes == [], f"killed after {writes[:killed_after]}"


def test_what_is_killed_twice_ends_in_the_same_state_too() -> None:
    with account() as here:
        body = nothing_there(here)
        here.put(body)
        undisturbed = here.snapshot()
    with account() as here:
        body = nothing_there(here)
        for killed_after in (1, 2, 1, 3, 1, 1):
            here.calls.kill_after = killed_after
            with pytest.raises(Killed):
                here.put(body)
        here.calls.kill_after = None
        here.put(body)
        assert here.snapshot() == undisturbed


def test_a_killed_delete_is_finished_by_the_next_one() -> None:
    with account() as here:
        here.put(nothing_there(here))
        here.delete(force=True)
        writes = here.calls.writes
        undisturbed = here.snapshot()
    assert writes == ["DeleteLoadBalancer", "DeleteServerCertificate", "DeleteSecurityGroup"]
    for killed_after in range(1, len(writes)):
        with account() as here:
            here.put(nothing_there(here))
            here.calls.kill_after = killed_after
            with pytest.raises(Killed):
                here.delete(force=True)
            here.calls.kill_after = None
            here.delete(force=True)
            assert here.snapshot() == undisturbed
