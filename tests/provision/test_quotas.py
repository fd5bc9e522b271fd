"""A quota that is met in the middle of an exchange: what goes makes room for what comes, in turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import actions as do
from chalicelib.model.errors import InvalidRequest, QuotaReached
from chalicelib.model.load_balancer import State
from chalicelib.model.vpc import RULES_MAX, Rule, SecurityGroup
from chalicelib.provision.desired import desire
from chalicelib.provision.plan import plan
from tests.world.facts import DECLARATION, OWNER, facts
from tests.world.kinds import CLASSIC, NETWORK, Kind, each_kind
from tests.world.network import balancer, elbv2
from tests.world.provisioning import Account
from tests.world.pure_aws import OWN_GROUP, performed
from tests.world.states import pairs


def networks(first: int, count: int) -> list[str]:
    return [f"10.{number}.0.0/16" for number in range(first, first + count)]


def body_of(here: Account, **allow: list[str]) -> dict[str, Any]:
    return {
        "subnets": here.subnets[:2],
        "certificate": {"arn": here.world.upload("by-hand")},
        "allow": allow,
    }


@pytest.mark.parametrize(
    ("kind", "count"),
    [*((CLASSIC, count) for count in (1, 20, 30, 31, 40, 59, 60)), (NETWORK, 31), (NETWORK, 60)],
)
def test_as_many_networks_as_a_group_takes_are_exchanged_for_others(
    here: Account, kind: Kind, count: int
) -> None:
    body = {**body_of(here, mqtt=networks(0, count)), "type": kind.type}
    here.put(body)
    changed = {**body, "allow": {"mqtt": networks(100, count)}}
    assert here.put(changed).state == "ready"
    assert here.get()["allow"]["mqtt"] == sorted(networks(100, count))
    turns = [name for name in here.calls.writes if name.endswith("SecurityGroupIngress")]
    assert len(turns) <= 6
    here.put(changed)
    assert here.calls.writes == []


@each_kind
def test_more_rules_than_a_group_takes_are_refused_before_anything_is_made(here: Account, kind: Kind) -> None:
    listeners = [
        {"protocol": "SSL", "port": port, "instance_protocol": "TCP", "instance_port": 1883}
        for port in (8883, 8884)
    ]
    body = {**body_of(here, mqtt=networks(0, 31)), "listeners": listeners, "type": kind.type}
    for dry_run in (True, False):
        with pytest.raises(QuotaReached, match="62 rules, and a security group takes 60"):
            here.put(body, dry_run=dry_run)
        assert here.calls.writes == []
    here.put({**body, "allow": {"mqtt": networks(0, 30)}})


rules = st.frozensets(
    st.builds(
        Rule,
        st.just("tcp"),
        st.just(8883),
        st.just(8883),
        st.integers(0, 99).map("10.{}.0.0/16".format) | st.integers(0, 3).map("pl-{}".format),
    ),
    min_size=1,
    max_size=RULES_MAX,
)


@given(pairs(), rules, rules)
def test_no_turn_asks_for_too_many_rules_nor_shuts_everybody_out(
    pair: tuple[State, State], before: frozenset[Rule], after: frozenset[Rule]
) -> None:
    _, actual = pair
    after = frozenset(rule for rule in after if not rule.source.startswith("pl-"))
    there = SecurityGroup("demo-elb", "vpc-1", before, OWN_GROUP, "us")
    balancer = actual.load_balancer
    state = replace(
        actual,
        group=there,
        load_balancer=balancer and replace(balancer, security_groups=frozenset({OWN_GROUP})),
    )
    wanted = replace(state, group=replace(there, rules=after), private_ca=None)
    for action in plan(wanted, state) if balancer else ():
        state = performed(state, action)
        assert state.group is not None
        assert len(state.group.rules) <= RULES_MAX
        lists_only = all(rule.source.startswith("pl-") for rule in before)
        assert state.group.rules or not after or lists_only
    if balancer:
        assert state.group is not None
        assert state.group.rules == after


def listeners(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {"protocol": "TCP", "port": port, "instance_protocol": "TCP", "instance_port": 1883}
        for port in range(first, first + count)
    ]


@pytest.mark.parametrize(("kind", "count"), [(CLASSIC, 60), (NETWORK, 30), (NETWORK, 50)])
def test_as_many_listeners_as_a_load_balancer_takes_are_exchanged_for_others(
    here: Account, kind: Kind, count: int
) -> None:
    body: dict[str, Any] = {
        "type": kind.type,
        "subnets": here.subnets[:2],
        "security_groups": [here.group()],
        "listeners": listeners(2000, count),
    }
    here.put(body)
    changed = {**body, "listeners": listeners(3000, count)}
    assert here.put(changed).state == "ready"
    assert {one["port"] for one in here.get()["listeners"]} == {*range(3000, 3000 + count)}
    here.put(changed)
    assert here.calls.writes == []


def test_more_listeners_than_a_network_one_takes_are_a_fault(here: Account) -> None:
    with pytest.raises(InvalidRequest, match="at most 50 listeners, not 51"):
        here.put({"type": "network", "subnets": here.subnets[:2], "listeners": listeners(2000, 51)})
    assert here.calls.writes == []


def test_as_many_instances_as_a_load_balancer_takes_make_room_before_others_come() -> None:
    def ids(first: int) -> frozenset[str]:
        return frozenset(f"i-{number}" for number in range(first, first + 600))

    def actions(leaving: frozenset[str], coming: frozenset[str]) -> list[type[do.Action]]:
        return [type(one) for one in plan(_with(coming), _with(leaving)) if "Instances" in type(one).__name__]

    assert actions(ids(0), ids(1000)) == [do.DeregisterInstances, do.RegisterInstances]
    assert actions(frozenset(sorted(ids(0))[:400]), ids(1000)) == [
        do.RegisterInstances,
        do.DeregisterInstances,
    ]


def _with(instances: frozenset[str]) -> State:
    made = desire(DECLARATION, facts(), OWNER)
    assert made.load_balancer is not None
    return replace(made, group=None, load_balancer=replace(made.load_balancer, instances=instances))


@each_kind
def test_tags_of_ours_that_go_make_room_for_those_that_come(here: Account, kind: Kind) -> None:
    many = {f"theirs-{number}": "x" for number in range(40)}
    body = {
        **body_of(here, mqtt=["10.0.0.0/8"]),
        "type": kind.type,
        "tags": many,
        "hostname": "mqtt.example.com",
        "probe": {"qos": 2},
    }
    here.put(body)
    more = [{"Key": f"more-{number}", "Value": "x"} for number in range(5)]
    if kind is CLASSIC:
        here.world.elb.add_tags(LoadBalancerNames=["demo"], Tags=more)
    else:
        elbv2().add_tags(ResourceArns=[balancer()["LoadBalancerArn"]], Tags=more)
    changed = {key: value for key, value in body.items() if key not in {"hostname", "probe"}}
    changed["tags"] = {**many, "one-more": "x"}
    here.put(changed)
    assert here.calls.writes == ["RemoveTags", "AddTags"]
    here.put(changed)
    assert here.calls.writes == []
    with pytest.raises(QuotaReached, match=r"would have 5[0-9] tags"):
        here.put({**changed, "tags": {**many, "b": "x"}, "hostname": "mqtt.example.com", "probe": {"qos": 2}})
    assert here.calls.writes == []
