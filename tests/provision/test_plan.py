"""The plan: for any desired and any actual state it leads there, and does no harm on its way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.model import actions as do
from chalicelib.model.actions import to_step
from chalicelib.model.load_balancer import Listener, LoadBalancer, State
from chalicelib.model.names import PENDING_TAG
from chalicelib.provision.plan import plan
from tests.world.pure_aws import ZONES, bound, performed, run
from tests.world.states import actual_states, pairs

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def essence(load_balancer: LoadBalancer | None) -> LoadBalancer | None:
    """What the plan is answerable for: the names of policies and the like are its own business."""
    return load_balancer and replace(
        load_balancer,
        listeners=tuple(replace(one, policy_names=frozenset()) for one in load_balancer.listeners),
        policies={},
        backend_policies={},
        zone_of={},
        zones=frozenset(),
        dns_name=None,
        created=None,
    )


def assert_reached(desired: State, reached: State) -> None:
    wanted = bound(desired, reached)
    assert essence(reached.load_balancer) == essence(wanted.load_balancer)
    assert reached.cluster == wanted.cluster
    assert {*wanted.certificates} <= {*reached.certificates}
    if wanted.group is not None:
        assert reached.group is not None
        assert reached.group.rules == wanted.group.rules
    elif wanted.load_balancer and reached.group:
        assert reached.group.id in wanted.load_balancer.security_groups
    assert plan(wanted, reached) == ()


def stages(actual: State, actions: tuple[do.Action, ...]) -> list[State]:
    """The state before the first call, and after each."""
    states = [actual]
    for action in actions:
        states.append(performed(states[-1], action))
    return states


@given(pairs())
def test_what_there_is_needs_no_plan(pair: tuple[State, State]) -> None:
    desired, actual = pair
    reached = run(actual, plan(desired, actual))
    assert plan(reached, reached) == ()


@given(pairs())
def test_the_plan_leads_from_any_state_to_any_other(pair: tuple[State, State]) -> None:
    desired, actual = pair
    assert_reached(desired, run(actual, plan(desired, actual)))


@given(pairs(), st.data())
def test_whatever_call_was_the_last_before_a_crash_the_next_plan_leads_there_too(
    pair: tuple[State, State], data: st.DataObject
) -> None:
    desired, actual = pair
    actions = plan(desired, actual)
    kept = data.draw(st.integers(0, len(actions)))
    crashed = run(actual, actions[:kept])
    again = bound(desired, crashed)
    assert_reached(desired, run(crashed, plan(again, crashed)))


@given(pairs())
def test_carried_out_one_call_at_a_time_with_a_look_between_it_leads_there_too(
    pair: tuple[State, State],
) -> None:
    desired, state = pair
    for _ in range(60):
        actions = plan(bound(desired, state), state)
        if not actions:
            break
        state = performed(state, actions[0])
    assert_reached(desired, state)


@given(pairs())
def test_a_half_made_load_balancer_is_marked_until_the_last_call(pair: tuple[State, State]) -> None:
    desired, actual = pair
    assume(actual.load_balancer is None and desired.load_balancer is not None)
    assert desired.load_balancer is not None
    desired = replace(desired, load_balancer=replace(desired.load_balancer, created=NOW))
    actions = plan(desired, actual)
    *before, reached = stages(actual, actions)
    assert all(PENDING_TAG in one.load_balancer.tags for one in before if one.load_balancer)
    assert reached.load_balancer is not None
    assert PENDING_TAG not in reached.load_balancer.tags


@given(pairs())
def test_a_listener_that_stays_never_loses_what_it_has(pair: tuple[State, State]) -> None:
    desired, actual = pair
    assume(desired.load_balancer is not None and actual.load_balancer is not None)
    reached = run(actual, plan(desired, actual))
    assert reached.load_balancer is not None
    assert actual.load_balancer is not None
    before = {one.port: one for one in actual.load_balancer.listeners}
    after = {one.port: one for one in reached.load_balancer.listeners}
    stay = {port for port in before.keys() & after.keys() if before[port].wiring == after[port].wiring}
    for stage in stages(actual, plan(desired, actual)):
        assert stage.load_balancer is not None
        now = {one.port: one for one in stage.load_balancer.listeners}
        for port in stay:
            assert now[port].wiring == before[port].wiring
            assert now[port].certificate in {before[port].certificate, after[port].certificate}
            assert now[port].ssl_policy in {before[port].ssl_policy, after[port].ssl_policy}


@given(actual_states(), st.booleans())
def test_what_moves_to_another_port_is_there_before_it_goes(actual: State, behind_too: bool) -> None:
    there = actual.load_balancer
    assume(there is not None)
    assert there is not None
    moved = tuple(
        replace(one, port=one.port + 20000, instance_port=one.instance_port + 20000 * behind_too)
        for one in there.listeners
    )
    desired = replace(actual, load_balancer=replace(there, listeners=moved, proxy_protocol_ports=frozenset()))
    actions = plan(desired, actual)
    kinds = [type(one) for one in actions]
    assert kinds.index(do.CreateLoadBalancerListeners) < kinds.index(do.DeleteLoadBalancerListeners)
    assert kinds.count(do.CreateLoadBalancerListeners) == 1
    assert_reached(desired, run(actual, actions))


@given(pairs())
def test_no_listener_goes_for_a_certificate_that_elb_may_not_know(pair: tuple[State, State]) -> None:
    desired, actual = pair
    assume(desired.load_balancer is not None and actual.load_balancer is not None)
    assert desired.load_balancer is not None
    assert actual.load_balancer is not None
    ports = {one.port for one in actual.load_balancer.listeners}
    served = {one.certificate for one in actual.load_balancer.listeners}
    actions = plan(desired, actual)
    for before, action in zip(stages(actual, actions), actions, strict=False):
        match do.bind(action, {name: f"arn:{name}" for name in before.certificates}):
            case do.SetLoadBalancerListenerSSLCertificate(certificate=certificate):
                carried = {certificate}
            case do.CreateLoadBalancerListeners(listeners=listeners):
                carried = {one.certificate for one in listeners if one.certificate}
            case _:
                carried = set()
        assert before.load_balancer is not None
        if carried - served:
            assert ports <= {one.port for one in before.load_balancer.listeners}
        served |= carried


@given(pairs())
def test_somebody_is_let_in_before_somebody_is_let_out(pair: tuple[State, State]) -> None:
    kinds = [type(one) for one in plan(*pair)]
    if do.RegisterInstances in kinds and do.DeregisterInstances in kinds:
        assert kinds.index(do.RegisterInstances) < kinds.index(do.DeregisterInstances)
    if do.CreateTags in kinds and do.AddTags in kinds:
        assert kinds.index(do.CreateTags) < kinds.index(do.AddTags)


@given(pairs())
def test_every_zone_that_stays_is_served_but_for_the_moment_of_its_own_exchange(
    pair: tuple[State, State],
) -> None:
    desired, actual = pair
    assume(desired.load_balancer is not None and actual.load_balancer is not None)
    assert desired.load_balancer is not None
    assert actual.load_balancer is not None
    served = [
        {ZONES[one] for one in state.subnets} for state in (desired.load_balancer, actual.load_balancer)
    ]
    stay = served[0] & served[1]
    for stage in stages(actual, plan(desired, actual)):
        assert stage.load_balancer is not None
        assert len(stay - {ZONES[one] for one in stage.load_balancer.subnets}) <= 1


@given(pairs())
def test_policies_of_ours_that_nothing_uses_are_deleted(pair: tuple[State, State]) -> None:
    desired, actual = pair
    reached = run(actual, plan(desired, actual)).load_balancer
    assume(reached is not None)
    assert reached is not None
    used = {name for one in reached.listeners for name in one.policy_names}
    used |= {name for names in reached.backend_policies.values() for name in names}
    assert {name for name in reached.policies if name.startswith("emq-elb-")} <= used
    by_hand = {
        name
        for name in (actual.load_balancer.policies if actual.load_balancer else {})
        if not name.startswith("emq-elb-")
    }
    assert by_hand <= reached.policies.keys()


@given(pairs())
def test_stickiness_set_by_hand_stays_where_its_listener_stays(pair: tuple[State, State]) -> None:
    desired, actual = pair
    assume(desired.load_balancer is not None and actual.load_balancer is not None)
    reached = run(actual, plan(desired, actual)).load_balancer
    assert reached is not None
    assert actual.load_balancer is not None
    before = {one.port: one for one in actual.load_balancer.listeners}
    for listener in reached.listeners:
        had = before.get(listener.port)
        if had and had.wiring == listener.wiring:
            assert ("sticky" in listener.policy_names) == ("sticky" in had.policy_names)


@given(actual_states())
def test_nothing_wanted_leaves_nothing(actual: State) -> None:
    gone = State(name="demo", cluster=actual.cluster)
    reached = run(actual, plan(gone, actual))
    assert (reached.load_balancer, reached.group, reached.certificates) == (None, None, frozenset())
    assert plan(gone, reached) == ()


@given(pairs())
def test_each_action_says_why_and_becomes_json(pair: tuple[State, State]) -> None:
    for action in plan(*pair):
        assert action.reason
        step = to_step(action)
        assert json.loads(json.dumps(dict(step.fields))) == step.fields


def test_a_listener_keeps_its_port_and_wiring_in_its_name() -> None:
    assert Listener(8883, "SSL", 1883, "TCP").wiring == (8883, "SSL", 1883, "TCP")
