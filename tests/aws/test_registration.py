"""One bad instance among many: EC2 says once who is still there, and only what stays refused is halved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.registration import MembershipAction, NotTaken, by_halves, register_or_deregister
from chalicelib.model.actions import DeregisterInstances, RegisterInstances
from chalicelib.model.errors import InvalidInstance
from tests.world.provisioning import WATCHED, Account, clients
from tests.world.register import Fleet

REGISTER, DEREGISTER = "RegisterInstancesWithLoadBalancer", "DeregisterInstancesFromLoadBalancer"
KINDS: dict[str, Callable[[tuple[str, ...]], MembershipAction]] = {
    REGISTER: lambda ids: RegisterInstances(reason="test", instances=ids),
    DEREGISTER: lambda ids: DeregisterInstances(reason="test", instances=ids),
}


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one load balancer of ours, `demo`."""
    fleet = Fleet(here)
    fleet.balancer("demo")
    return fleet


def refusing(operation: str, bad: set[str]) -> None:
    """Let AWS refuse every call of the operation that names one of the ids."""

    def refuse(asked: str, parameters: Mapping[str, str]) -> str | None:
        return "InvalidInstance" if asked == operation and bad & {*parameters.values()} else None

    WATCHED.refuse = refuse


@pytest.mark.parametrize("operation", [REGISTER, DEREGISTER])
@pytest.mark.parametrize(
    ("count", "ended", "calls", "reads"),
    [
        (1, 0, 1, 0),
        (1, 1, 1, 1),
        (40, 0, 1, 0),
        (40, 1, 2, 1),
        (40, 20, 2, 1),
        (40, 40, 1, 1),
        (200, 0, 1, 0),
        (200, 1, 2, 1),
        (200, 199, 2, 1),
        (200, 200, 1, 1),
    ],
)
def test_who_has_ended_costs_one_read_and_one_call_more(  # noqa: PLR0917 - a table's columns
    fleet: Fleet, operation: str, count: int, ended: int, calls: int, reads: int
) -> None:
    nodes = fleet.nodes("demo", count)
    gone = {*nodes[:ended]}
    if operation == DEREGISTER:
        fleet.by_hand("demo", add=nodes)
    if gone:
        fleet.here.world.ec2.terminate_instances(InstanceIds=sorted(gone))
    refusing(operation, gone)
    with fleet.here.counted() as made:
        outcomes = [*register_or_deregister(clients(), "demo", KINDS[operation](tuple(nodes)))]
    assert Counter(made.made) == Counter({operation: calls, "DescribeInstances": reads})
    left = [one for one in outcomes if isinstance(one, NotTaken)]
    assert {one.instance for one in left} == gone
    assert all(one.error is None for one in left), "that is no failure"
    taken = [one.instances for one in outcomes if not isinstance(one, NotTaken)]
    assert taken == ([tuple(nodes[ended:])] if ended < count else [])


@pytest.mark.parametrize("operation", [REGISTER, DEREGISTER])
@pytest.mark.parametrize("ended", [0, 7])
def test_what_stays_refused_is_found_by_halves_after_one_look(
    fleet: Fleet, operation: str, ended: int
) -> None:
    nodes = sorted(fleet.nodes("demo", 40))
    gone, bad = {*nodes[:ended]}, nodes[23]
    if operation == DEREGISTER:
        fleet.by_hand("demo", add=nodes)
    if gone:
        fleet.here.world.ec2.terminate_instances(InstanceIds=sorted(gone))
    refusing(operation, gone | {bad})
    with fleet.here.counted() as made:
        outcomes = [*register_or_deregister(clients(), "demo", KINDS[operation](tuple(nodes)))]
    asked = Counter(made.made)
    assert asked["DescribeInstances"] == 1
    assert asked[operation] <= 1 + bool(ended) + 2 * ceil(log2(40))
    not_taken = [one for one in outcomes if isinstance(one, NotTaken)]
    assert {one.instance for one in not_taken} == gone | {bad}
    # Of one that is to leave and that AWS does not find registered there is nothing left to do.
    failed = [one.instance for one in not_taken if one.error]
    assert failed == ([bad] if operation == REGISTER else [])
    taken = {id_ for one in outcomes if not isinstance(one, NotTaken) for id_ in one.instances}
    assert taken == {*nodes} - gone - {bad}


def test_who_does_not_run_is_not_registered_and_may_be_deregistered(fleet: Fleet) -> None:
    stops, stays = fleet.nodes("demo", 2)
    fleet.here.world.ec2.stop_instances(InstanceIds=[stops])
    outcomes = [*register_or_deregister(clients(), "demo", KINDS[REGISTER]((stops, stays)))]
    assert outcomes == [NotTaken(stops, "it is stopped"), KINDS[REGISTER]((stays,))]
    refusing(DEREGISTER, {"i-00000000"})
    outcomes = [*register_or_deregister(clients(), "demo", KINDS[DEREGISTER](("i-00000000", stops)))]
    assert outcomes == [NotTaken("i-00000000", "it no longer exists"), KINDS[DEREGISTER]((stops,))]


def test_an_error_in_a_later_call_hides_no_earlier_one(fleet: Fleet) -> None:
    nodes = sorted(fleet.nodes("demo", 4))
    calls = [0]

    def refuse(operation: str, _: Mapping[str, str]) -> str | None:
        if operation != REGISTER:
            return None
        calls[0] += 1
        return {1: "InvalidInstance", 3: "Throttling"}.get(calls[0])

    WATCHED.refuse = refuse
    look = fleet.reconcile()
    assert [step.fields["instances"] for _, step in look.steps] == [nodes[:2]]
    assert fleet.registered() == {*nodes[:2]}
    assert [failure.code for _, failure in look.failures] == ["Throttling"]


@given(st.integers(1, 300), st.sets(st.integers(0, 299), max_size=20), st.booleans())
def test_halving_takes_all_but_the_bad_in_two_log_n_calls_for_each(
    count: int, numbers: set[int], known: bool
) -> None:
    ids = tuple(f"i-{number}" for number in range(count))
    bad = {ids[number] for number in numbers if number < count}
    calls: list[tuple[str, ...]] = []

    def call(change: MembershipAction) -> None:
        calls.append(change.instances)
        if bad & {*change.instances}:
            raise InvalidInstance("RegisterInstances", "InvalidInstance", "no")

    refused = InvalidInstance("RegisterInstances", "InvalidInstance", "no") if known and bad else None
    outcomes = [*by_halves(call, KINDS[REGISTER](ids), refused)]
    assert (
        len(calls) <= (refused is None) + len(bad) * 2 * ceil(log2(count)) if count > 1 else len(calls) <= 1
    )
    assert {one.instance for one in outcomes if isinstance(one, NotTaken)} == bad
    taken = [id_ for one in outcomes if not isinstance(one, NotTaken) for id_ in one.instances]
    assert taken == [id_ for id_ in ids if id_ not in bad], "each once, in their order"


def test_a_look_that_raced_with_the_end_of_all_of_them_fails_nothing(fleet: Fleet) -> None:
    """Seen in the lab: 79 calls for 40 instances that had all ended, and an error for each."""
    nodes = fleet.nodes("demo", 40)
    stays = nodes.pop()

    def end(operation: str, parameters: Mapping[str, str]) -> str | None:
        if operation == REGISTER and nodes[0] in parameters.values():
            fleet.here.world.ec2.terminate_instances(InstanceIds=nodes)
        return None

    WATCHED.refuse = end
    look = fleet.reconcile()
    assert look.failures == ()
    assert look.left_out == {}
    assert look.registered == {"demo": 1}
    assert [step.fields["instances"] for _, step in look.steps] == [[stays]]
    assert Counter(fleet.calls.made)[REGISTER] == 2
    assert len(fleet.calls.reads) == 5


def test_a_look_deregisters_the_others_where_aws_refuses_one_that_is_gone(fleet: Fleet) -> None:
    """https://github.com/boto/boto/issues/2274"""
    gone, stops, stays = fleet.nodes("demo", 3)
    fleet.by_hand("demo", add=[gone, stops, stays])
    fleet.here.world.ec2.stop_instances(InstanceIds=[gone, stops])

    def end(operation: str, parameters: Mapping[str, str]) -> str | None:
        if operation == DEREGISTER and gone in parameters.values():
            fleet.here.world.ec2.terminate_instances(InstanceIds=[gone])
            return "InvalidInstance"
        return None

    WATCHED.refuse = end
    look = fleet.reconcile()
    assert look.failures == ()
    assert look.registered == {"demo": 1}
    assert [(step.action, step.fields["instances"]) for _, step in look.steps] == [
        ("DeregisterInstances", [stops])
    ]
    assert fleet.registered() == {stays}
