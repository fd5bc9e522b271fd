"""Network load balancers get their members like classic ones, by each of their target groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.announce import of_steps
from chalicelib.model.errors import Absent, InvalidInstance, QuotaReached, Throttled, Unserved
from chalicelib.model.names import CLUSTER_TAG
from lab.fidelity.knobs import KNOBS
from tests.register.test_drain import DRAIN, READY, group, heard, states
from tests.world.emitted import emitted
from tests.world.network import elbv2
from tests.world.provisioning import WATCHED, Account, account, granted, just_before
from tests.world.register import Fleet, Scenario, elb_writes, when_interrupted, when_untagged

CLASSIC, NETWORK = "demo", "demo-network"
BOTH_GROUPS = ["RegisterTargets", "RegisterTargets"]


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one network load balancer of ours, `demo`, with two target groups."""
    fleet = Fleet(here)
    fleet.network("demo")
    return fleet


@pytest.fixture
def mixed(here: Account) -> Fleet:
    """An account where a classic and a network load balancer serve the cluster `demo`."""
    fleet = Fleet(here)
    fleet.balancer(CLASSIC)
    fleet.network(NETWORK, cluster="demo")
    return fleet


@pytest.mark.parametrize("sample", ["ec2-instance-running", "tag-cluster-set"])
def test_a_node_that_comes_is_registered_in_each_target_group(fleet: Fleet, sample: str) -> None:
    (node,) = fleet.nodes("demo")
    look = fleet.answer(fleet.event(sample, node))
    assert look is not None
    assert fleet.in_each() == {node}
    assert [(name, step.action, step.fields["target_group"]) for name, step in look.steps] == [
        ("demo", "RegisterTargets", "demo-1883"),
        ("demo", "RegisterTargets", "demo-18083"),
    ]
    assert look.registered == {"demo": 1}


@pytest.mark.parametrize("sample", ["tag-cluster-removed", "ec2-instance-stopped", "tag-cluster-changed"])
def test_a_node_that_goes_leaves_each_of_them(fleet: Fleet, sample: str) -> None:
    goes, stays = fleet.nodes("demo", 2)
    fleet.targeted("demo", add=[goes, stays])
    if sample == "ec2-instance-stopped":
        fleet.here.world.ec2.stop_instances(InstanceIds=[goes])
    elif sample == "tag-cluster-changed":
        fleet.here.tag([goes], CLUSTER_TAG, "other")
    else:
        fleet.untag(goes)
    fleet.answer(fleet.event(sample, goes))
    assert fleet.in_each() == {stays}


def test_a_node_that_lacks_in_one_group_is_registered_there_alone(fleet: Fleet) -> None:
    lacks, whole = fleet.nodes("demo", 2)
    fleet.targeted("demo", add=[lacks, whole])
    fleet.targeted("demo", remove=[lacks], ports=[18083])
    look = fleet.reconcile()
    assert fleet.in_each() == {lacks, whole}
    assert [(step.fields["target_group"], step.fields["instances"]) for _, step in look.steps] == [
        ("demo-18083", [lacks])
    ]


def test_the_guards_look_at_the_load_balancer_as_a_whole(fleet: Fleet) -> None:
    nodes = fleet.nodes("demo", 4)
    fleet.targeted("demo", add=nodes)
    fleet.untag(*nodes)
    left = []
    for _ in range(4):
        fleet.reconcile()
        left.append(len(fleet.in_each()))
    assert left == [2, 1, 1, 1], "half at a time, and the last one in service stays"


def test_a_node_that_serves_in_one_group_alone_may_be_the_last_one(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.targeted("demo", add=[node], ports=[1883])
    fleet.untag(node)
    look = fleet.reconcile()
    assert fleet.targets(port=1883) == {node}
    assert "kept for now" in look.left_out["demo"][node]


def test_what_is_not_ours_is_left_alone(here: Account) -> None:
    fleet = Fleet(here)
    fleet.network("demo")
    fleet.network("theirs", owner="emq-elb-prod", cluster="demo")
    elbv2().remove_tags(ResourceArns=[fleet.group("demo", 18083)], TagKeys=["emq-elb:owner"])
    (node,) = fleet.nodes("demo")
    look = fleet.reconcile()
    assert fleet.targets("demo", 1883) == {node}
    assert fleet.targets("demo", 18083) == fleet.targets("theirs", 1883) == set()
    assert look.failures == ()


def test_the_gauge_counts_an_instance_once(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    (node,) = fleet.nodes("demo")
    fleet.reconcile()
    assert fleet.in_each() == {node}
    (gauge,) = emitted(capsys.readouterr().out)
    assert (gauge["LoadBalancer"], gauge["RegisteredInstances"]) == ("demo", 1)


def test_a_change_in_several_groups_is_announced_once(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    look = fleet.reconcile()
    assert len(look.steps) == 2
    (announced,) = of_steps(look.steps)
    assert announced.detail_type == "Instances Registered"
    assert (announced.detail["load_balancer"], announced.detail["instances"]) == ("demo", [node])


def test_nodes_join_and_leave_both_kinds_of_a_cluster(mixed: Fleet) -> None:
    goes, stays = mixed.nodes("demo", 2)
    look = mixed.answer(mixed.event("ec2-instance-running", goes))
    assert look is not None
    assert mixed.registered(CLASSIC) == mixed.in_each(NETWORK) == {goes, stays}
    assert look.registered == {CLASSIC: 2, NETWORK: 2}
    mixed.here.sleep(60)
    mixed.untag(goes)
    mixed.answer(mixed.event("tag-cluster-removed", goes))
    assert mixed.registered(CLASSIC) == mixed.in_each(NETWORK) == {stays}


def test_an_interruption_is_written_down_once_and_drained_from_both_kinds(mixed: Fleet) -> None:
    leaves, stays = mixed.spot("demo", 2)
    mixed.by_hand(CLASSIC, add=[leaves, stays])
    mixed.targeted(NETWORK, add=[leaves, stays])
    steps = mixed.drain(mixed.event("ec2-spot-interruption", leaves))
    assert [step.action for _, step in steps] == [
        "CreateTags",
        "DeregisterInstances",
        "DeregisterTargets",
        "DeregisterTargets",
    ]
    assert mixed.registered(CLASSIC) == mixed.in_each(NETWORK) == {stays}


def test_an_interrupted_node_that_cannot_leave_one_group_leaves_the_other(fleet: Fleet) -> None:
    leaves, stays = fleet.spot("demo", 2)
    fleet.targeted("demo", add=[leaves, stays])
    fleet.refuse("DeregisterTargets", "Throttling", naming=fleet.group("demo", 1883))
    event = fleet.event("ec2-spot-interruption", leaves)
    with pytest.raises(Unserved, match="DeregisterTargets: Throttling"):
        fleet.drain(event)
    assert (fleet.targets(port=1883), fleet.targets(port=18083)) == ({leaves, stays}, {stays})
    WATCHED.refuse = granted
    fleet.drain(event)
    assert fleet.in_each() == {stays}


def test_an_interrupted_node_also_leaves_where_it_is_no_member_any_more(mixed: Fleet) -> None:
    mixed.network("other")
    leaves, stays = mixed.spot("demo", 2)
    mixed.targeted("other", add=[leaves, stays])
    mixed.drain(mixed.event("ec2-spot-interruption", leaves))
    assert mixed.in_each("other") == {stays}


def test_a_launching_node_goes_on_when_it_is_healthy_in_every_group(
    mixed: Fleet, held: list[dict[str, Any]]
) -> None:
    healthy: set[str] = set()
    initial = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
    KNOBS.target_health = lambda arn, _, __: None if arn in healthy else initial
    client = group(READY)
    mixed.drain(heard(mixed, held[0]))
    (node,) = states(client)
    assert mixed.registered(CLASSIC) == mixed.in_each(NETWORK) == {node}
    for port in (1883, 18083):
        mixed.reconcile()
        assert states(client) == {node: "Pending:Wait"}
        healthy.add(mixed.group(NETWORK, port))
    mixed.reconcile()
    assert states(client) == {node: "InService"}


def test_a_launching_node_that_lacks_in_a_group_waits(fleet: Fleet, held: list[dict[str, Any]]) -> None:
    client = group(READY)
    fleet.refuse("RegisterTargets", "TooManyTargets", naming=fleet.group("demo", 18083))
    with pytest.raises(Unserved, match="TooManyTargets"):
        fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert list(states(client).values()) == ["Pending:Wait"]
    WATCHED.refuse = granted
    fleet.reconcile()
    fleet.reconcile()
    assert list(states(client).values()) == ["InService"]


def test_a_terminating_node_goes_on_when_it_is_drained_from_every_group(
    mixed: Fleet, held: list[dict[str, Any]]
) -> None:
    client = group(DRAIN)
    mixed.reconcile()
    for port, seconds in ((1883, 60), (18083, 150)):
        elbv2().modify_target_group_attributes(
            TargetGroupArn=mixed.group(NETWORK, port),
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}],
        )
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    mixed.drain(heard(mixed, held[0]))
    assert mixed.in_each(NETWORK) == set()
    for _ in range(2):
        mixed.reconcile()
        assert list(states(client).values()) == ["Terminating:Wait"]
        assert "RecordLifecycleActionHeartbeat" in mixed.calls.made
        mixed.here.sleep(76)
    mixed.reconcile()
    assert states(client) == {}


@pytest.mark.parametrize("version", ["2012-06-01", "2015-12-01"])
def test_where_one_api_does_not_answer_the_other_kind_is_served_and_hooks_wait(
    mixed: Fleet, held: list[dict[str, Any]], version: str
) -> None:
    client = group(READY)

    def refuse(operation: str, parameters: Mapping[str, str]) -> str | None:
        asked = (operation, parameters.get("Version"))
        return "Throttling" if asked == ("DescribeLoadBalancers", version) else None

    WATCHED.refuse = refuse
    with pytest.raises(Unserved, match="DescribeLoadBalancers: Throttling"):
        mixed.drain(heard(mixed, held[0]))
    (node,) = states(client)
    served = (mixed.registered(CLASSIC), mixed.in_each(NETWORK))
    assert served == (({node}, set()) if version == "2015-12-01" else (set(), {node}))
    look = mixed.reconcile()
    assert [type(error) for _, error in look.failures] == [Throttled]
    assert states(client) == {node: "Pending:Wait"}
    WATCHED.refuse = granted
    mixed.reconcile()
    mixed.reconcile()
    assert states(client) == {node: "InService"}


def test_a_node_that_drains_from_another_deployments_network_one_waits(
    fleet: Fleet, held: list[dict[str, Any]]
) -> None:
    fleet.network("theirs", owner="emq-elb-prod", cluster="demo")
    client = group(DRAIN)
    fleet.reconcile()
    (node,) = states(client)
    fleet.targeted("theirs", add=[node])
    fleet.targeted("theirs", remove=[node])
    elbv2().modify_target_group_attributes(
        TargetGroupArn=fleet.group("demo", 1883),
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
    )
    client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    fleet.drain(heard(fleet, held[0]))
    fleet.reconcile()
    assert states(client) == {node: "Terminating:Wait"}
    fleet.here.sleep(301)
    fleet.reconcile()
    assert states(client) == {}


def test_a_node_that_ends_between_look_and_act_holds_no_other_up(fleet: Fleet) -> None:
    vanishes, stays = fleet.nodes("demo", 2)
    just_before("RegisterTargets", lambda: fleet.here.world.ec2.terminate_instances(InstanceIds=[vanishes]))
    look = fleet.reconcile()
    assert fleet.in_each() == {stays}
    assert look.failures == (), "there is nothing left to do for it"
    assert look.registered == {"demo": 1}


def test_one_that_aws_refuses_holds_no_other_up_and_fails_once(fleet: Fleet) -> None:
    nodes = fleet.nodes("demo", 8)
    bad = sorted(nodes)[5]
    fleet.refuse("RegisterTargets", "InvalidTarget", naming=bad)
    look = fleet.reconcile()
    assert fleet.in_each() == {*nodes} - {bad}
    assert [(place, type(error)) for place, error in look.failures] == [("demo", InvalidInstance)]
    assert fleet.calls.made.count("RegisterTargets") == 8, "by halves in one group, then in one call"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("TargetGroupNotFound", Absent),
        ("TooManyTargets", QuotaReached),
        ("TooManyRegistrationsForTargetId", QuotaReached),
        ("Throttling", Throttled),
    ],
)
def test_a_group_that_refuses_holds_neither_the_other_one_up_nor_other_load_balancers(
    fleet: Fleet, code: str, expected: type[Exception]
) -> None:
    fleet.network("zzz")
    (node,), (other,) = fleet.nodes("demo"), fleet.nodes("zzz")
    fleet.refuse("RegisterTargets", code, naming=fleet.group("demo", 1883))
    look = fleet.reconcile()
    assert [(place, type(error)) for place, error in look.failures] == [("demo", expected)]
    assert (fleet.targets(port=1883), fleet.targets(port=18083)) == (set(), {node})
    assert fleet.in_each("zzz") == {other}


def test_one_whose_targets_cannot_be_read_holds_no_other_up(fleet: Fleet) -> None:
    fleet.network("zzz")
    fleet.nodes("demo")
    (other,) = fleet.nodes("zzz")
    fleet.refuse("DescribeTargetHealth", "HealthUnavailable", naming=fleet.group("demo", 1883))
    look = fleet.reconcile()
    assert [(place, type(error)) for place, error in look.failures] == [("demo", Throttled)]
    assert fleet.in_each("zzz") == {other}
    assert look.registered == {"zzz": 1}


def test_a_thousand_launches_are_registered_two_hundred_a_call(fleet: Fleet) -> None:
    nodes = fleet.here.world.launch(450, fleet.here.subnets[0])
    fleet.here.tag(nodes, CLUSTER_TAG, "demo")
    fleet.reconcile()
    assert fleet.in_each() == {*nodes}
    assert elb_writes(fleet.calls) == ["RegisterTargets"] * 6


def test_an_event_about_a_member_costs_what_a_look_and_two_groups_cost(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.answer(fleet.event("ec2-instance-running", node))
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 2,
        "DescribeLoadBalancers": 2,
        "DescribeTags": 2,
        "DescribeTargetGroups": 1,
        "DescribeTargetHealth": 2,
    }
    assert elb_writes(fleet.calls) == BOTH_GROUPS


def _clock(here: Account) -> None:
    """Begin in the first second of a minute, and let time pass only when somebody sleeps."""
    began = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
    here.now = lambda: began + here.passed  # type: ignore[method-assign] # its clock


def test_twenty_load_balancers_take_turns_and_what_changes_waits_for_none(here: Account) -> None:
    """Of those where nothing changes half are read, and in the next minute the other half."""
    _clock(here)
    fleet = Fleet(here)
    names = [fleet.network(f"lb-{number:02}", ports=[1883]) for number in range(20)]
    nodes = {name: fleet.nodes(name)[0] for name in names}
    assert [*fleet.reconcile().registered] == names[1::2]
    here.sleep(60)
    assert [*fleet.reconcile().registered] == names[0::2]
    assert all(fleet.targets(name) == {nodes[name]} for name in names)
    (moved,) = fleet.nodes(names[1])
    fleet.answer(fleet.event("tag-cluster-set", moved))
    assert fleet.targets(names[1]) == {nodes[names[1]], moved}, "an event waits for no turn"
    (spot,) = fleet.spot(names[3])
    fleet.targeted(names[3], add=[spot], ports=[1883])
    fleet.drain(fleet.event("ec2-spot-interruption", spot))
    assert fleet.targets(names[3]) == {nodes[names[3]]}, "nor does an interruption"


def test_reconcile_of_forty_without_drift_reads_ten_of_them_and_lists_the_others(here: Account) -> None:
    """Two target groups each, 80 instances; docs/decisions has the same for 200 and 1,000."""
    _clock(here)
    fleet, subnet = Fleet(here), here.subnets[0]
    nodes = here.world.launch(80, subnet)
    for id_ in nodes:
        fleet.launched(id_, here.now() - timedelta(hours=1))
    for number in range(40):
        name = fleet.network(f"lb-{number}", zones=1)
        own = nodes[2 * number : 2 * number + 2]
        here.tag(own, CLUSTER_TAG, name)
        fleet.targeted(name, add=own)
    look = fleet.reconcile()
    assert look.steps == ()
    assert len(look.registered) == 10
    assert Counter(fleet.calls.made) == {
        "DescribeLoadBalancers": 2,
        "DescribeTags": 2 + 1,
        "DescribeTargetGroups": 1,
        "DescribeTargetHealth": 2 * 10,
        "DescribeInstances": 1,
    }


def _changing_over(fleet: Fleet) -> str:
    goes, *_ = members = fleet.nodes("demo", 3)
    fleet.by_hand(CLASSIC, add=members)
    fleet.targeted(NETWORK, add=members)
    fleet.nodes("demo")
    fleet.untag(goes)
    return goes


def _interrupted(fleet: Fleet) -> str:
    leaves, stays = fleet.spot("demo", 2)
    fleet.by_hand(CLASSIC, add=[leaves, stays])
    fleet.targeted(NETWORK, add=[leaves, stays])
    return leaves


SCENARIOS = {
    "reconcile": Scenario(_changing_over, lambda fleet, _: fleet.reconcile(), 6),
    "answer": when_untagged(_changing_over, 6),
    "drain": when_interrupted(_interrupted, 4),
}


def _end(scenario: Scenario, kill_after: int | None) -> tuple[int, int]:
    """How many each has after the scenario was killed there and run again."""
    with account() as here:
        fleet = Fleet(here)
        fleet.balancer(CLASSIC)
        fleet.network(NETWORK, cluster="demo")
        scenario.killed(fleet, kill_after)
        fleet.reconcile()
        fleet.reconcile()
        assert fleet.calls.writes == [], "it is at its end"
        return len(fleet.registered(CLASSIC)), len(fleet.in_each(NETWORK))


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_after_any_single_call_both_kinds_end_in_the_same_state(name: str) -> None:
    whole = SCENARIOS[name].ends_the_same(_end)
    assert whole[0] == whole[1]
