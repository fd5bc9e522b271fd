"""A network load balancer's PUT or DELETE, killed after any call and asked again, ends in the same state."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.world.network import elbv2, full_network_body, network_snapshot
from tests.world.provisioning import Account, Killed, account, issued, pem

Body = dict[str, Any]


def nothing_there(here: Account) -> Body:
    return {**full_network_body(here), "certificate": {"pem": pem(issued())}}


def everything_else(here: Account) -> Body:
    """One load balancer is there; the body returned differs from it in every field that can change."""
    here.put(full_network_body(here))
    other = here.subnet_beside(here.subnets[1])
    (more,) = here.launch("node-3")
    return {
        "type": "network",
        "subnets": [other, here.subnets[0], here.subnets[2]],
        "listeners": [
            {"protocol": "TLS", "port": 8883, "instance_protocol": "TLS", "instance_port": 8883},
            {"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883},
            {"protocol": "TLS", "port": 18083, "instance_protocol": "TCP", "instance_port": 1884},
        ],
        "certificate": {"pem": pem(issued("other.example.com", key="other"))},
        "ssl_policy": "ELBSecurityPolicy-TLS13-1-3-2021-06",
        "allow": {"mqtt": ["10.0.0.0/8"], "dashboard": ["192.168.0.0/16"]},
        "health_check": {"target": "HTTP:18083/status", "interval": 10},
        "keepalive": 60,
        "connection_draining": 0,
        "instances": [more],
        "hostname": "other.example.com",
    }


def made_by_hand(here: Account) -> Body:
    """A load balancer that nobody owns, with groups of other names and AWS's own attributes."""
    network_by_hand(here)
    return {**here.get(adopt=True), "connection_draining": 60}


def network_by_hand(here: Account) -> None:
    """Make one as the console does, with two instances registered."""
    api, vpc = elbv2(), here.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = api.create_load_balancer(
        Name="demo", Type="network", Subnets=here.subnets[:2], SecurityGroups=[here.group()]
    )
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    certificate = {"CertificateArn": here.world.upload("by-hand")}
    ids = here.launch("node-1", "node-2")
    for port, behind, more in (
        (8883, 1883, {"Certificates": [certificate], "Protocol": "TLS"}),
        (18083, 18083, {"Protocol": "TCP"}),
    ):
        group = api.create_target_group(
            Name=f"console-{behind}",
            Protocol="TCP",
            Port=behind,
            VpcId=vpc,
            HealthCheckPort="1883",
            HealthCheckProtocol="TCP",
        )["TargetGroups"][0]["TargetGroupArn"]
        api.register_targets(TargetGroupArn=group, Targets=[{"Id": id_} for id_ in ids])
        api.create_listener(
            LoadBalancerArn=arn,
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
            **more,
        )


def put(here: Account, body: Body) -> object:
    return here.put(body)


def adopt(here: Account, body: Body) -> object:
    return here.put(body, adopt=True)


def delete(here: Account, _: Body) -> object:
    return here.delete(force=True)


def one_to_delete(here: Account) -> Body:
    body = nothing_there(here)
    here.put(body)
    return body


Scenario = tuple[Callable[[Account], Body], Callable[[Account, Body], object], int]

SCENARIOS: dict[str, Scenario] = {
    "create": (nothing_there, put, 15),
    "change everything": (everything_else, put, 20),
    "adopt": (made_by_hand, adopt, 8),
    "delete": (one_to_delete, delete, 5),
}
SHARES = 4


@cache
def undisturbed(name: str) -> tuple[list[str], dict[str, Any]]:
    """The writes of a scenario that nobody kills, and the state in which it ends."""
    prepare, act, least = SCENARIOS[name]
    with account() as here:
        body = prepare(here)
        act(here, body)
        writes, state = here.calls.writes, network_snapshot(here)
        if act is not delete:
            act(here, body)
            assert here.calls.writes == []
    assert len(writes) >= least, writes
    return writes, state


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_after_any_call_the_same_request_ends_in_the_same_state(name: str, share: int) -> None:
    prepare, act, _ = SCENARIOS[name]
    writes, state = undisturbed(name)
    for killed_after in range(1 + share, len(writes) + (act is not delete), SHARES):
        with account() as here:
            body = prepare(here)
            here.calls.kill_after = killed_after
            with pytest.raises(Killed):
                act(here, body)
            here.calls.kill_after = None
            act(here, body)
            assert network_snapshot(here) == state, f"killed after {writes[:killed_after]}"
            if act is not delete:
                act(here, body)
                assert here.calls.writes == [], f"killed after {writes[:killed_after]}"


def test_a_network_body_of_get_changes_nothing_of_one_made_by_hand_but_tags_and_what_mqtt_needs(
    here: Account,
) -> None:
    network_by_hand(here)
    here.put(here.get(adopt=True), adopt=True)
    assert here.calls.writes == [
        "CreateTags",
        *["AddTags"] * 5,
        *["ModifyTargetGroupAttributes"] * 2,
        "RemoveTags",
    ]
    here.put(here.get())
    assert here.calls.writes == []
