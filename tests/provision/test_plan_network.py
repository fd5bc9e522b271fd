"""The plan of a network load balancer: from any declaration's state, whole or half made, to any other's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.certificates.chosen import Existing
from chalicelib.model import actions as do
from chalicelib.model.load_balancer import (
    NETWORK_LISTENERS_MAX,
    AccessLogs,
    HealthCheck,
    Listener,
    LoadBalancer,
    PredefinedPolicy,
    Protocol,
    State,
)
from chalicelib.model.names import OWNER_TAG, PENDING_TAG
from chalicelib.model.vpc import Subnet
from chalicelib.provision.declaration import Allow, Declaration, GivenArn
from chalicelib.provision.desired import desire
from chalicelib.provision.facts import Facts
from chalicelib.provision.plan import plan
from chalicelib.provision.review import conflict
from tests.world.facts import BY_HAND, EXTERNAL, NODES, facts, instance
from tests.world.pure_aws import performed, run
from tests.world.pure_network import ZONE_OF

OWNER = "us"
PORTS = (443, 1883, 8883, 8884, 18083)
BEHIND: dict[int, Protocol] = {1883: "TCP", 8883: "TLS", 18083: "TCP"}
"""Of each instance port the one protocol: a target group in use cannot change it, and the review refuses."""
IDS = ("i-1", "i-2", "i-3")
CERTIFICATES = tuple(f"arn:aws:iam::123456789012:server-certificate/{name}" for name in ("one", "two"))
POLICIES = tuple(
    PredefinedPolicy(f"ELBSecurityPolicy-TLS13-1-{name}-2021-06") for name in ("2-Res", "3", "2")
)
NOTHING = State(name="demo")


@st.composite
def declarations(draw: st.DrawFn) -> Declaration:
    """What a body can say of a network one, from small sets: two often share what they have."""
    ports = draw(st.sets(st.sampled_from(PORTS), min_size=1, max_size=4))
    listeners = []
    for port in sorted(ports):
        back = draw(st.sampled_from(sorted(BEHIND)))
        protocol: Protocol = "TLS" if BEHIND[back] == "TLS" or draw(st.booleans()) else "TCP"
        listeners.append(Listener(port, protocol, back, BEHIND[back]))
    zones = {"a"} | draw(st.sets(st.sampled_from("bc")))
    own = draw(st.booleans())
    groups = None if own else tuple(sorted(draw(st.sets(st.sampled_from(("sg-1", "sg-nodes")), min_size=1))))
    secure = any(one.protocol == "TLS" for one in listeners)
    return Declaration(
        name="demo",
        type="network",
        subnets=tuple(f"subnet-{zone}{draw(st.sampled_from((1, 2)))}" for zone in sorted(zones)),
        listeners=tuple(listeners),
        certificate=GivenArn(draw(st.sampled_from(CERTIFICATES))) if secure else None,
        ssl_policy=draw(st.sampled_from(POLICIES)),
        security_groups=groups,
        allow=Allow(mqtt=("0.0.0.0/0",), dashboard=draw(st.sampled_from(((), ("10.0.0.0/8",))))),
        health_check=draw(st.sampled_from((HealthCheck(), HealthCheck("HTTP:18083/status", 10, 5, 2, 3)))),
        keepalive=draw(st.sampled_from((60, 230))),
        connection_draining=draw(st.sampled_from((0, 300))),
        cross_zone=draw(st.booleans()),
        proxy_protocol=draw(st.booleans()),
        access_logs=draw(st.sampled_from((None, AccessLogs("logs", "", None)))) if secure else None,
        instances=tuple(draw(st.sets(st.sampled_from(IDS)))),
        tags=draw(st.dictionaries(st.sampled_from(("team", "stage")), st.sampled_from("xy"))),
    )


def running(declaration: Declaration) -> set[str]:
    """The instances that serve while that is declared: no guard holds one that has stopped."""
    return {*IDS} - ({"i-3"} if declaration.cross_zone else set())


def read(declaration: Declaration, actual: State) -> Facts:
    """What a look finds."""
    given = declaration.certificate
    arn = given.arn if isinstance(given, GivenArn) else CERTIFICATES[0]
    chosen = Existing(source="external", certificate=replace(EXTERNAL.certificate, arn=arn))
    own = {actual.group.id: actual.group} if actual.group and actual.group.id else {}
    known = {*declaration.subnets, *(actual.load_balancer.subnets if actual.load_balancer else ())}
    subnets = {
        id_: Subnet(id=id_, vpc="vpc-1", zone=ZONE_OF[id_], free_addresses=100, public=True, prefix=20)
        for id_ in known
    }
    return facts(
        actual=actual,
        subnets=subnets,
        groups={"sg-nodes": NODES, "sg-1": BY_HAND, **own},
        instances={
            id_: instance(
                id_,
                zone="zone-a",
                state="running" if id_ in running(declaration) else "stopped",
                cluster="demo" if id_ in actual.cluster else None,
            )
            for id_ in IDS
        },
        chosen=chosen,
    )


def next_plan(declaration: Declaration, actual: State) -> tuple[do.Action, ...]:
    """What a look decides on."""
    return plan(desire(declaration, read(declaration, actual), OWNER), actual)


def converged(declaration: Declaration, actual: State) -> State:
    """All of one plan."""
    return run(actual, next_plan(declaration, actual))


def stages(declaration: Declaration, actual: State) -> list[LoadBalancer]:
    """The load balancer before the first call, and after each."""
    states = [actual]
    for action in next_plan(declaration, actual):
        states.append(performed(states[-1], action))
    return [one.load_balancer for one in states if one.load_balancer]


def assert_reached(declaration: Declaration, reached: State) -> None:
    """It is as declared, nothing is left over, and another look finds nothing to do."""
    assert next_plan(declaration, reached) == ()
    there = reached.load_balancer
    assert there is not None
    certificate = declaration.certificate.arn if isinstance(declaration.certificate, GivenArn) else None
    assert {(one.port, one.protocol, one.instance_port) for one in there.listeners} == {
        (one.port, one.protocol, one.instance_port) for one in declaration.listeners
    }
    for one in there.listeners:
        assert one.owner == OWNER
        if one.secure:
            assert (one.certificate, one.ssl_policy) == (certificate, declaration.ssl_policy)
    assert reached.spare_groups == ()
    assert {*there.target_groups} == {one.instance_port for one in declaration.listeners}
    for group in there.target_groups.values():
        assert (group.owner, group.registered) == (OWNER, there.instances)
        assert group.health_check == declaration.health_check
    assert {*declaration.instances} & running(declaration) <= there.instances <= running(declaration)
    assert there.subnets == {*declaration.subnets}
    assert (there.cross_zone, there.access_logs) == (declaration.cross_zone, declaration.access_logs)
    assert there.tags.items() >= {**declaration.tags, OWNER_TAG: OWNER}.items()
    assert PENDING_TAG not in there.tags


@st.composite
def states(draw: st.DrawFn) -> State:
    """What there may be: nothing, or what a plan makes of nothing, whole or up to any call."""
    before = draw(st.none() | declarations())
    if before is None:
        return NOTHING
    made = next_plan(before, NOTHING)
    return run(NOTHING, made[: draw(st.integers(0, len(made)))] if draw(st.booleans()) else made)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Declaration, State]:
    """What is declared and what there is, without what the review refuses."""
    declaration, actual = draw(declarations()), draw(states())
    found = read(declaration, actual)
    assume(conflict(declaration, found, desire(declaration, found, OWNER)) is None)
    return declaration, actual


@given(pairs())
def test_the_plan_leads_from_any_state_to_any_declaration(pair: tuple[Declaration, State]) -> None:
    declaration, actual = pair
    assert_reached(declaration, converged(declaration, actual))


@given(pairs(), st.data())
def test_whatever_call_was_the_last_before_a_crash_the_next_plan_leads_there_too(
    pair: tuple[Declaration, State], data: st.DataObject
) -> None:
    declaration, actual = pair
    actions = next_plan(declaration, actual)
    crashed = run(actual, actions[: data.draw(st.integers(0, len(actions)))])
    assert_reached(declaration, converged(declaration, crashed))


@given(pairs())
def test_carried_out_one_call_at_a_time_with_a_look_between_it_leads_there_too(
    pair: tuple[Declaration, State],
) -> None:
    declaration, state = pair
    for _ in range(80):
        actions = next_plan(declaration, state)
        if not actions:
            break
        state = performed(state, actions[0])
    assert_reached(declaration, state)


@given(pairs())
def test_a_listener_that_stays_always_leads_to_members_and_has_its_certificate_or_the_new_one(
    pair: tuple[Declaration, State],
) -> None:
    declaration, actual = pair
    assume(actual.load_balancer is not None)
    assert actual.load_balancer is not None
    before = {one.port: one for one in actual.load_balancer.listeners}
    whole = all(group.registered for group in actual.load_balancer.target_groups.values())
    found = stages(declaration, actual)
    last = found[-1]
    after = {one.port: one for one in last.listeners}
    for stage in found:
        now = {one.port: one for one in stage.listeners}
        for port in before.keys() & after.keys():
            assert now[port].certificate in {before[port].certificate, after[port].certificate}
            assert now[port].ssl_policy in {before[port].ssl_policy, after[port].ssl_policy}
            if whole and last.instances:
                assert stage.target_groups[now[port].instance_port].registered


@given(pairs())
def test_every_zone_that_stays_is_served_but_for_the_moment_of_its_own_exchange(
    pair: tuple[Declaration, State],
) -> None:
    declaration, actual = pair
    assume(actual.load_balancer is not None)
    assert actual.load_balancer is not None
    stay = {ZONE_OF[one] for one in declaration.subnets} & {
        ZONE_OF[one] for one in actual.load_balancer.subnets
    }
    for stage in stages(declaration, actual):
        assert len(stay - {ZONE_OF[one] for one in stage.subnets}) <= 1


@given(pairs())
def test_somebody_is_let_in_before_somebody_is_let_out(pair: tuple[Declaration, State]) -> None:
    kinds = [type(one) for one in next_plan(*pair)]
    if do.RegisterTargets in kinds and do.DeregisterTargets in kinds:
        last_in = len(kinds) - 1 - kinds[::-1].index(do.RegisterTargets)
        assert last_in < kinds.index(do.DeregisterTargets)


@given(states())
def test_nothing_wanted_leaves_nothing(actual: State) -> None:
    gone = State(name="demo", cluster=actual.cluster)
    reached = run(actual, plan(gone, actual))
    assert (reached.load_balancer, reached.group, reached.spare_groups) == (None, None, ())
    assert plan(gone, reached) == ()


def full(first: int) -> Declaration:
    """As many listeners as AWS allows."""
    listeners: Any = tuple(
        Listener(port, "TCP", 1883, "TCP") for port in range(first, first + NETWORK_LISTENERS_MAX)
    )
    return Declaration(
        name="demo", type="network", subnets=("subnet-a1",), security_groups=("sg-1",), listeners=listeners
    )


def test_a_full_set_of_listeners_is_exchanged_one_by_one() -> None:
    actual = converged(full(2000), NOTHING)
    found = stages(full(2020), actual)
    assert {len(one.listeners) for one in found} == {NETWORK_LISTENERS_MAX, NETWORK_LISTENERS_MAX - 1}
    for one in found:
        assert {listener.port for listener in one.listeners} >= {*range(2020, 2050)}
