"""Who belongs behind a load balancer, why the others do not, and how many one look may take out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.load_balancer import HealthCheck, Instance, LoadBalancer, Member
from chalicelib.model.names import CLUSTER_TAG, MEMBERS_TAG
from chalicelib.register.plan import (
    REBALANCE,
    SPOT_INTERRUPTION,
    decide_membership,
    drained_by,
    draining_tag,
    going_away,
    why_not,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LAUNCHED = NOW - timedelta(days=1)
DEMO = LoadBalancer(
    name="demo",
    scheme="internet-facing",
    vpc="vpc-1",
    subnets=frozenset({"subnet-1"}),
    zones=frozenset({"a", "b"}),
    listeners=(),
    security_groups=frozenset(),
    health_check=HealthCheck(),
    idle_timeout=60,
    connection_draining=300,
    cross_zone=True,
    access_logs=None,
    proxy_protocol_ports=frozenset(),
    tags={},
    instances=frozenset(),
)
MEMBER = Instance(id="i-1", state="running", vpc="vpc-1", zone="a", launched=LAUNCHED, cluster="demo")


def drained(reason: str, ago: timedelta = timedelta(minutes=5)) -> Instance:
    return replace(MEMBER, spot=True, draining=draining_tag(NOW - ago, reason))


@pytest.mark.parametrize(
    ("instance", "reason"),
    [
        (MEMBER, None),
        (replace(MEMBER, zone="b"), None),
        (replace(MEMBER, group_name="asg", lifecycle="InService"), None),
        (replace(MEMBER, group_name="asg", lifecycle="Pending:Wait"), None),
        (replace(MEMBER, cluster=None), "carries no emq-elb:cluster tag"),
        (replace(MEMBER, cluster="other"), "is tagged for other"),
        (replace(MEMBER, state="pending"), "is pending"),
        (replace(MEMBER, state="stopping"), "stopping"),
        (replace(MEMBER, state="stopped"), "stopped"),
        (replace(MEMBER, state="shutting-down"), "shutting-down"),
        (replace(MEMBER, state="terminated"), "terminated"),
        (drained(SPOT_INTERRUPTION), "draining: spot-interruption"),
        (drained(REBALANCE), "draining: rebalance-recommendation"),
        (replace(MEMBER, draining="by hand"), "draining: by hand"),
        (replace(MEMBER, lifecycle="Terminating:Wait"), "its Auto Scaling group is terminating it"),
        (replace(MEMBER, lifecycle="Terminating:Proceed"), "its Auto Scaling group is terminating it"),
        (replace(MEMBER, lifecycle="Warmed:Pending:Wait"), "is in a warm pool"),
        (replace(MEMBER, lifecycle="Warmed:Running"), "is in a warm pool"),
        (replace(MEMBER, lifecycle="Standby"), "is in standby"),
        (replace(MEMBER, lifecycle="Terminating:Retained"), "its Auto Scaling group is terminating it"),
        (
            replace(MEMBER, lifecycle="ReplacingRootVolume"),
            "its Auto Scaling group is replacing its root volume",
        ),
        (
            replace(MEMBER, lifecycle="ReplacingRootVolume:Wait"),
            "its Auto Scaling group is replacing its root volume",
        ),
        (replace(MEMBER, lifecycle="RootVolumeReplaced"), None),
        (replace(MEMBER, lifecycle="Detaching"), None),
        (replace(MEMBER, lifecycle="Quarantined"), None),
        (replace(MEMBER, lifecycle="SleepingIn:Wait"), None),
        (replace(MEMBER, lifecycle="EnteringStandby"), "is in standby"),
        (replace(MEMBER, vpc="vpc-2"), "is in another VPC (vpc-2)"),
        (replace(MEMBER, vpc=None), "is in another VPC (None)"),
        (replace(MEMBER, zone="c"), "is in c, which is not enabled"),
    ],
)
def test_each_instance_has_its_reason(instance: Instance, reason: str | None) -> None:
    assert why_not(instance, DEMO, NOW) == reason


@pytest.mark.parametrize(
    ("draining", "launched", "reason"),
    [
        (None, LAUNCHED, None),
        (draining_tag(NOW, SPOT_INTERRUPTION), LAUNCHED, SPOT_INTERRUPTION),
        # Started again after it was drained: a member once more.
        (draining_tag(NOW - timedelta(hours=2), SPOT_INTERRUPTION), NOW - timedelta(hours=1), None),
        # In the very second of the event: times in events and of launches are whole seconds.
        (draining_tag(LAUNCHED, SPOT_INTERRUPTION), LAUNCHED, SPOT_INTERRUPTION),
        (draining_tag(LAUNCHED, SPOT_INTERRUPTION), LAUNCHED + timedelta(seconds=1), None),
        (draining_tag(NOW - timedelta(minutes=59, seconds=59), REBALANCE), LAUNCHED, REBALANCE),
        (draining_tag(NOW - timedelta(hours=1), REBALANCE), LAUNCHED, None),
        (draining_tag(NOW - timedelta(hours=1), SPOT_INTERRUPTION), LAUNCHED, SPOT_INTERRUPTION),
        (draining_tag(NOW + timedelta(minutes=1), REBALANCE), LAUNCHED, REBALANCE),
        ("", LAUNCHED, "draining"),
        ("by hand", LAUNCHED, "by hand"),
        ("2026-11-22 maintenance", LAUNCHED, "2026-11-22 maintenance"),
        ("2026-11-22T12:00:00Z", LAUNCHED, "draining"),
        ("2026-11-22T12:00:00+02:00 moved", LAUNCHED, "moved"),
    ],
)
def test_a_draining_tag_holds_for_its_time_only(
    draining: str | None, launched: datetime, reason: str | None
) -> None:
    assert drained_by(replace(MEMBER, draining=draining, launched=launched), NOW) == reason


def test_the_draining_tag_is_rfc_3339_in_utc() -> None:
    assert draining_tag(NOW, SPOT_INTERRUPTION) == "2026-11-22T12:00:00Z spot-interruption"


def members(count: int, serving: int | None = None) -> tuple[LoadBalancer, list[Member], dict[str, Instance]]:
    """So many registered and tagged, of which the first so many are in service."""
    ids = [f"i-{number}" for number in range(count)]
    health = [
        Member(id_, "InService" if serving is None or number < serving else "OutOfService")
        for number, id_ in enumerate(ids)
    ]
    return (
        replace(DEMO, instances=frozenset(ids)),
        health,
        {id_: replace(MEMBER, id=id_) for id_ in ids},
    )


def untagged(instances: dict[str, Instance], *ids: str) -> dict[str, Instance]:
    return instances | {id_: replace(instances[id_], cluster=None) for id_ in ids}


@pytest.mark.parametrize(
    ("count", "serving", "strangers", "out"),
    [
        (4, 4, ["i-0"], ["i-0"]),
        (4, 4, ["i-0", "i-1"], ["i-0", "i-1"]),
        (4, 4, ["i-0", "i-1", "i-2"], ["i-0", "i-1"]),
        (3, 3, ["i-0", "i-1"], ["i-0"]),
        (2, 2, ["i-0", "i-1"], ["i-0"]),
        (1, 1, ["i-0"], []),
        (1, 0, ["i-0"], []),
        (2, 1, ["i-0"], []),
        (2, 1, ["i-1"], ["i-1"]),
        # Who serves nobody goes first.
        (4, 2, ["i-0", "i-1", "i-2", "i-3"], ["i-2", "i-3"]),
        (0, 0, [], []),
    ],
)
def test_no_look_takes_out_more_than_half_nor_the_last_one_in_service(
    count: int, serving: int, strangers: list[str], out: list[str]
) -> None:
    load_balancer, health, instances = members(count, serving)
    decided = decide_membership(load_balancer, health, untagged(instances, *strangers), NOW)
    assert [*decided.deregister] == out
    assert [*decided.held] == sorted({*strangers} - {*out})
    assert all("kept for now" in decided.reasons[id_] for id_ in decided.held)


def test_whoever_is_going_away_leaves_however_many_that_are() -> None:
    load_balancer, health, instances = members(3)
    instances["i-0"] = replace(instances["i-0"], state="shutting-down")
    instances["i-1"] = replace(instances["i-1"], spot=True, draining=draining_tag(NOW, SPOT_INTERRUPTION))
    del instances["i-2"]
    decided = decide_membership(load_balancer, health, instances, NOW)
    assert decided.deregister == ("i-0", "i-1", "i-2")
    assert decided.reasons["i-2"] == "no longer exists"


@pytest.mark.parametrize(
    "draining",
    [draining_tag(NOW, SPOT_INTERRUPTION), draining_tag(NOW, REBALANCE), "maintenance", "", "9999-12-31 x"]
    + [f"{time} {SPOT_INTERRUPTION}" for time in ("9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00")],
)
def test_a_mark_that_neither_ec2_nor_auto_scaling_confirms_passes_no_guard(draining: str) -> None:
    load_balancer, health, instances = members(4)
    marked = {id_: replace(one, draining=draining) for id_, one in instances.items()}
    decided = decide_membership(load_balancer, health, marked, NOW)
    assert (len(decided.deregister), len(decided.held)) == (2, 2)
    assert all("draining" in decided.reasons[id_] for id_ in marked)
    (only,) = members(1)[2].values()
    alone = replace(DEMO, instances=frozenset({only.id}))
    decided = decide_membership(
        alone, [Member(only.id, "InService")], {only.id: replace(only, draining=draining)}, NOW
    )
    assert decided.held == (only.id,)


@pytest.mark.parametrize(
    ("instance", "going"),
    [
        (replace(MEMBER, draining=draining_tag(NOW, SPOT_INTERRUPTION)), False),
        (replace(MEMBER, draining=draining_tag(NOW, SPOT_INTERRUPTION), spot=True), True),
        (replace(MEMBER, draining=draining_tag(NOW, REBALANCE), spot=True), True),
        (replace(MEMBER, draining="maintenance", spot=True), False),
        (replace(MEMBER, draining="maintenance", lifecycle="Terminating:Wait"), True),
        (replace(MEMBER, draining="maintenance", state="stopping"), True),
    ],
)
def test_ec2_or_auto_scaling_says_who_goes_away(instance: Instance, going: bool) -> None:
    assert (going_away(instance, NOW) is not None) is going
    assert why_not(instance, DEMO, NOW) is not None


PUBLIC = replace(DEMO, name="demo-public", tags={CLUSTER_TAG: "demo"})


@pytest.mark.parametrize(
    ("load_balancer", "cluster"),
    [
        (DEMO, "demo"),
        (PUBLIC, "demo"),
        (replace(DEMO, tags={CLUSTER_TAG: "demo"}), "demo"),
        (replace(DEMO, tags={CLUSTER_TAG: "mqtt/prod 1"}), "mqtt/prod 1"),
        (replace(DEMO, tags={CLUSTER_TAG: ""}), "demo"),
    ],
)
def test_a_load_balancer_serves_the_cluster_of_its_tag_else_that_of_its_own_name(
    load_balancer: LoadBalancer, cluster: str
) -> None:
    assert load_balancer.cluster == cluster
    assert why_not(replace(MEMBER, cluster=cluster), load_balancer, NOW) is None
    assert why_not(replace(MEMBER, cluster="another"), load_balancer, NOW) == "is tagged for another"


def test_the_own_name_of_a_load_balancer_that_serves_another_cluster_makes_no_member() -> None:
    assert why_not(replace(MEMBER, cluster="demo-public"), PUBLIC, NOW) == "is tagged for demo-public"


BROKERS = replace(DEMO, tags={MEMBERS_TAG: "profile=emqx group=mqtt-:2A"})


@pytest.mark.parametrize(
    ("instance", "profile", "group"),
    [
        (replace(MEMBER, profile="emqx"), None, None),
        (replace(MEMBER, group_name="mqtt-blue", lifecycle="InService"), None, None),
        (replace(MEMBER, profile="web", group_name="mqtt-"), None, None),
        (replace(MEMBER, profile="emqx-2"), "emqx-2", "none"),
        (replace(MEMBER, profile="mqtt-blue", group_name="emqx"), "mqtt-blue", "emqx"),
        (MEMBER, "none", "none"),
    ],
)
def test_members_of_a_load_balancer_that_names_them_have_its_profile_or_its_group(
    instance: Instance, profile: str | None, group: str | None
) -> None:
    expected = profile and (
        f"is not admitted by `members`: its instance profile is {profile}, its Auto Scaling group {group}"
    )
    assert why_not(instance, BROKERS, NOW) == expected
    assert why_not(instance, DEMO, NOW) is None, "without the tag whoever carries the cluster's may join"


def test_a_change_of_members_passes_no_guard() -> None:
    load_balancer, health, instances = members(4)
    decided = decide_membership(replace(BROKERS, instances=load_balancer.instances), health, instances, NOW)
    assert (len(decided.deregister), len(decided.held)) == (2, 2)
    assert all("is not admitted by `members`" in decided.reasons[id_] for id_ in instances)


def test_a_draining_member_is_not_the_one_in_service_that_may_stay_alone() -> None:
    load_balancer, health, instances = members(3, serving=1)
    health[1] = Member("i-1", "InService", "", "Instance deregistration currently in progress.")
    decided = decide_membership(load_balancer, health, untagged(instances, "i-0"), NOW)
    assert decided.held == ("i-0",)


def test_a_running_instance_with_the_tag_is_registered_and_no_other() -> None:
    instances = {
        "i-1": MEMBER,
        "i-2": replace(MEMBER, id="i-2", state="pending"),
        "i-3": replace(MEMBER, id="i-3", cluster=None),
    }
    decided = decide_membership(DEMO, [], instances, NOW)
    assert decided.register == ("i-1",)
    assert decided.deregister == ()
    assert decided.reasons["i-1"] == "is tagged emq-elb:cluster=demo"


IDS = [f"i-{number}" for number in range(8)]
instances_of_any_kind = st.dictionaries(
    st.sampled_from(IDS),
    st.builds(
        Instance,
        id=st.just(""),
        state=st.sampled_from(("running", "running", "pending", "stopped", "terminated")),
        vpc=st.sampled_from(("vpc-1", "vpc-1", "vpc-2")),
        zone=st.sampled_from("abc"),
        launched=st.just(LAUNCHED),
        cluster=st.sampled_from(("demo", "demo", "other", None)),
        draining=st.sampled_from((None, None, draining_tag(NOW, REBALANCE))),
        spot=st.booleans(),
        profile=st.sampled_from(("emqx", "web", None)),
        lifecycle=st.sampled_from((None, None, "Terminating:Wait", "Standby")),
    ),
).map(lambda found: {id_: replace(instance, id=id_) for id_, instance in found.items()})
looks = st.tuples(
    st.frozensets(st.sampled_from(IDS)), st.frozensets(st.sampled_from(IDS)), instances_of_any_kind
)


@given(looks, st.sampled_from((DEMO, BROKERS)))
def test_whatever_there_is_the_guards_hold(
    look: tuple[frozenset[str], frozenset[str], dict[str, Instance]], balancer: LoadBalancer
) -> None:
    registered, serving, instances = look
    health = [Member(id_, "InService" if id_ in serving else "OutOfService") for id_ in sorted(registered)]
    decided = decide_membership(replace(balancer, instances=registered), health, instances, NOW)
    going = {id_ for id_ in registered if id_ not in instances or going_away(instances[id_], NOW)}
    out = {*decided.deregister}
    assert going <= out <= registered
    assert 2 * len(out - going) <= len(registered)
    staying = (serving & registered) - going
    assert not staying or staying - out
    assert not {*decided.register} & registered
    assert not {*decided.register} & out
    assert {*decided.held} == {
        id_ for id_ in registered - out if why_not(instances[id_], balancer, NOW) is not None
    }
    assert decided.reasons.keys() == registered | instances.keys()


@given(looks, st.sampled_from((DEMO, BROKERS)), st.sampled_from(("demo", "other")))
def test_of_two_load_balancers_of_a_cluster_each_decides_as_if_it_were_alone(
    look: tuple[frozenset[str], frozenset[str], dict[str, Instance]], balancer: LoadBalancer, cluster: str
) -> None:
    """The cluster's name alone makes the members: what the load balancer is called makes no difference."""
    registered, serving, instances = look
    health = [Member(id_, "InService" if id_ in serving else "OutOfService") for id_ in sorted(registered)]
    alone = replace(balancer, name=cluster, instances=registered)
    named = replace(alone, name="beside", tags={**balancer.tags, CLUSTER_TAG: cluster})
    assert decide_membership(named, health, instances, NOW) == decide_membership(
        alone, health, instances, NOW
    )


@given(looks)
def test_look_after_look_whoever_does_not_belong_leaves_but_for_the_last_one_in_service(
    look: tuple[frozenset[str], frozenset[str], dict[str, Instance]],
) -> None:
    registered, serving, instances = look
    for _ in range(len(IDS) + 1):
        health = [
            Member(id_, "InService" if id_ in serving else "OutOfService") for id_ in sorted(registered)
        ]
        decided = decide_membership(replace(DEMO, instances=registered), health, instances, NOW)
        registered = (registered | {*decided.register}) - {*decided.deregister}
        serving |= {*decided.register}
    again = decide_membership(
        replace(DEMO, instances=registered),
        [Member(id_, "InService" if id_ in serving else "OutOfService") for id_ in sorted(registered)],
        instances,
        NOW,
    )
    assert (again.register, again.deregister) == ((), ())
    assert len(again.held) <= 1
