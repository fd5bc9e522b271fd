"""Which network load balancers a look reads the targets of, and the calls that a decision comes to."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import actions as do
from chalicelib.model.load_balancer import HealthCheck, LoadBalancer, Member, TargetGroup
from chalicelib.model.target_groups import members_of
from chalicelib.register.changes import ChangeName, membership_calls
from chalicelib.register.plan import SPOT_INTERRUPTION, decide_membership, draining_tag
from chalicelib.register.turns import AT_ONCE, to_read
from tests.register.test_plan import DEMO, MEMBER, NOW

IDS = [f"i-{number}" for number in range(6)]


def networks(count: int) -> list[LoadBalancer]:
    return [replace(DEMO, name=f"lb-{number:03}", type="network") for number in range(count)]


@given(st.integers(0, 60))
def test_each_has_its_turn_once_in_a_round_and_few_are_read_at_once(count: int) -> None:
    """Whatever the number, and from whichever minute on; up to `AT_ONCE` each look reads all."""
    rounds = max(1, math.ceil(count / AT_ONCE))
    read = [to_read(networks(count), [], NOW + timedelta(minutes=minute)) for minute in range(rounds)]
    assert all(len(names) <= AT_ONCE for names in read)
    turns = Counter(name for names in read for name in names)
    assert turns == {one.name: 1 for one in networks(count)}


CHANGING = {
    "has just been launched": replace(MEMBER, launched=NOW - timedelta(minutes=1)),
    "is interrupted": replace(
        MEMBER, spot=True, draining=draining_tag(NOW - timedelta(minutes=1), SPOT_INTERRUPTION)
    ),
    "was marked by a person": replace(MEMBER, draining="by hand"),
    "ends": replace(MEMBER, state="shutting-down"),
    "is held at its launch": replace(MEMBER, lifecycle="Pending:Wait"),
    "is held at its end": replace(MEMBER, lifecycle="Terminating:Wait"),
    "gets another root volume": replace(MEMBER, lifecycle="ReplacingRootVolume:Wait"),
}
STILL = {
    "serves": MEMBER,
    "has ended": replace(MEMBER, state="terminated"),
    "has stopped": replace(MEMBER, state="stopped", draining="by hand"),
    "is in its group": replace(MEMBER, lifecycle="InService"),
    "is in a warm pool": replace(MEMBER, state="stopped", lifecycle="Warmed:Stopped"),
}


@pytest.mark.parametrize("name", CHANGING)
def test_where_an_instance_changes_its_cluster_waits_for_no_turn(name: str) -> None:
    busy = {one.name for one in networks(40)[:2]}
    instance = replace(CHANGING[name], cluster="busy")
    found = [
        replace(one, tags={"emq-elb:cluster": "busy"}) if one.name in busy else one for one in networks(40)
    ]
    for minute in range(4):
        assert busy <= to_read(found, [instance], NOW + timedelta(minutes=minute))


@pytest.mark.parametrize("name", STILL)
def test_where_none_changes_it_waits_unless_an_event_names_one(name: str) -> None:
    instance = replace(STILL[name], cluster="lb-000")
    turns = [
        "lb-000" in to_read(networks(40), [instance], NOW + timedelta(minutes=minute)) for minute in range(4)
    ]
    assert turns.count(True) == 1
    assert "lb-000" in to_read(
        networks(40), [instance], NOW + timedelta(minutes=turns.index(False)), about=instance.id
    )


def target_group(port: int, *registered: str) -> TargetGroup:
    return TargetGroup(
        name=f"demo-{port}",
        port=port,
        protocol="TCP",
        vpc="vpc-1",
        health_check=HealthCheck(),
        attributes={},
        arn=f"arn:{port}",
        registered=frozenset(registered),
    )


def in_groups(*groups: TargetGroup) -> LoadBalancer:
    return replace(
        DEMO,
        type="network",
        arn="arn",
        target_groups={group.port: group for group in groups},
        instances=frozenset(id_ for group in groups for id_ in group.registered),
    )


registered = st.sets(st.sampled_from(IDS))


@given(st.lists(registered, min_size=1, max_size=3), st.sets(st.sampled_from(IDS)))
def test_what_is_decided_for_the_load_balancer_holds_in_each_group_afterwards(
    there: list[set[str]], tagged: set[str]
) -> None:
    """Each call names only who is concerned, and a second decision finds nobody to register."""
    groups = [target_group(number, *ids) for number, ids in enumerate(there)]
    balancer = in_groups(*groups)
    instances = {id_: replace(MEMBER, id=id_, cluster="demo" if id_ in tagged else None) for id_ in IDS}
    health = [Member(id_, "healthy") for ids in there for id_ in ids]
    decided = decide_membership(balancer, health, instances, NOW)
    after = {group.arn: {*group.registered} for group in groups}
    changes: tuple[tuple[ChangeName, tuple[str, ...]], ...] = (
        ("register", decided.register),
        ("deregister", decided.deregister),
    )
    for change, ids in changes:
        for call in membership_calls(balancer, change, ids, "why"):
            match call:
                case do.RegisterTargets(arn=arn, instances=some):
                    assert not after[arn] & {*some}
                    after[arn] |= {*some}
                case do.DeregisterTargets(arn=arn, instances=some):
                    assert after[arn] >= {*some}
                    after[arn] -= {*some}
    assert all(ids >= tagged and not ids & {*decided.deregister} for ids in after.values())
    again = in_groups(*(replace(group, registered=frozenset(after[group.arn])) for group in groups))
    assert decide_membership(again, health, instances, NOW).register == ()


def test_a_classic_one_takes_one_call_and_none_for_nobody() -> None:
    assert membership_calls(DEMO, "register", ("i-1", "i-2"), "why") == (
        do.RegisterInstances(reason="why", instances=("i-1", "i-2")),
    )
    assert membership_calls(DEMO, "deregister", (), "why") == ()


def test_a_group_takes_two_hundred_targets_in_a_call() -> None:
    ids = tuple(f"i-{number:03}" for number in range(450))
    calls = membership_calls(in_groups(target_group(1883)), "register", ids, "why")
    assert [len(call.instances) for call in calls] == [200, 200, 50]
    assert tuple(id_ for call in calls for id_ in call.instances) == ids


HEALTHY = Member("i-1", "healthy")
DRAINING = Member(
    "i-1", "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
INITIAL = Member("i-1", "initial", "Elb.RegistrationInProgress", "Target registration is in progress")


@pytest.mark.parametrize(
    ("first", "second", "state", "in_service", "may_serve", "draining"),
    [
        (HEALTHY, HEALTHY, "healthy", True, True, False),
        (HEALTHY, INITIAL, "initial", False, True, False),
        (INITIAL, INITIAL, "initial", False, False, False),
        (HEALTHY, None, "unused", False, True, False),
        (HEALTHY, DRAINING, "unused", False, True, False),
        (DRAINING, DRAINING, "draining", False, False, True),
        (DRAINING, None, "draining", False, False, True),
    ],
)
def test_an_instance_is_in_service_in_every_group_may_serve_by_one_and_drains_when_registered_in_none(
    first: Member, second: Member | None, state: str, *, in_service: bool, may_serve: bool, draining: bool
) -> None:
    health = {1883: {"i-1": first}, 18083: {"i-1": second} if second else {}}
    (member,) = members_of(health)
    assert (member.state, member.in_service) == (state, in_service)
    assert (member.may_serve, member.draining) == (may_serve, draining)


def test_one_of_which_elb_says_that_it_does_not_know_may_serve() -> None:
    assert Member("i-1", "Unknown").may_serve
    assert not Member("i-1", "OutOfService").may_serve
