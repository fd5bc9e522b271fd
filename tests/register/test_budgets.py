"""How many calls it takes: counted, because the account's throttles are shared with everybody else in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.aws import ec2
from chalicelib.model.names import CLUSTER_TAG
from lab.fidelity.knobs import KNOBS
from tests.world.provisioning import WATCHED, Account, clients
from tests.world.register import Fleet, elb_writes


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one load balancer of ours, `demo`."""
    fleet = Fleet(here)
    fleet.balancer("demo")
    return fleet


def test_a_state_change_of_a_member_takes_five_reads_and_one_write(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.answer(fleet.event("ec2-instance-running", node))
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 2,  # the first one for its tag
        "DescribeLoadBalancers": 2,  # of either kind
        "DescribeTags": 1,
    }
    assert elb_writes(fleet.calls) == ["RegisterInstancesWithLoadBalancer"]


def test_a_change_of_the_tag_takes_four_reads_and_one_write(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.answer(fleet.event("tag-cluster-set", node))
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 1,
        "DescribeLoadBalancers": 2,
        "DescribeTags": 1,
    }
    assert elb_writes(fleet.calls) == ["RegisterInstancesWithLoadBalancer"]


@pytest.mark.parametrize("state", ["running", "stopping", "stopped", "shutting-down", "terminated"])
def test_a_state_change_of_an_instance_without_the_tag_takes_one_read_and_no_wait(
    fleet: Fleet, state: str
) -> None:
    (stranger,) = fleet.nodes(None)
    before = fleet.here.passed
    assert fleet.answer(fleet.event(f"ec2-instance-{state}", stranger)) is None
    assert fleet.calls.made == ["DescribeInstances"]
    assert fleet.here.passed == before
    assert fleet.looks == 0


def test_a_change_of_the_tag_gets_its_look_also_where_the_instance_has_none(fleet: Fleet) -> None:
    goes, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[goes, stays])
    fleet.untag(goes)
    assert fleet.answer(fleet.event("tag-cluster-removed", goes))
    assert fleet.registered() == {stays}


def test_an_instance_that_ec2_does_not_show_yet_gets_the_look(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.answer(fleet.event("ec2-instance-running", "i-0123456789abcdef0"))
    assert fleet.registered() == {node}


def test_an_instance_whose_tag_cannot_be_read_gets_the_look(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    WATCHED.refuse = lambda operation, _: "RequestLimitExceeded" if operation == "DescribeInstances" else None
    look = fleet.answer(fleet.event("ec2-instance-running", node))
    assert look is not None
    assert look.failures


def test_of_a_thousand_state_changes_of_strangers_few_are_read_one_by_one(fleet: Fleet) -> None:
    (stranger,) = fleet.nodes(None)
    (member,) = fleet.nodes("demo")
    began = fleet.here.now().replace(microsecond=0)
    made: Counter[str] = Counter()
    for number in range(1000):
        at = began + timedelta(seconds=number // 100)
        if fleet.here.now() < at:
            fleet.here.sleep((at - fleet.here.now()).total_seconds())
        fleet.answer(fleet.event("ec2-instance-running", stranger, at))
        made.update(fleet.calls.made)
    assert 1 <= fleet.looks <= 4
    assert made["DescribeInstances"] <= 10 * (fleet.looks + 1) + fleet.looks
    assert fleet.registered() == {member}, "a look is a look"


def test_an_instance_that_ends_takes_no_more(fleet: Fleet) -> None:
    gone, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[gone, stays])
    fleet.here.world.ec2.stop_instances(InstanceIds=[gone])
    fleet.answer(fleet.event("ec2-instance-stopped", gone))
    assert len(fleet.calls.reads) == 5
    assert elb_writes(fleet.calls) == ["DeregisterInstancesFromLoadBalancer"]


def test_a_removal_takes_two_reads_more(fleet: Fleet) -> None:
    gone, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[gone, stays])
    fleet.untag(gone)
    fleet.answer(fleet.event("tag-cluster-removed", gone))
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 2,  # the second one by id
        "DescribeLoadBalancers": 2,
        "DescribeTags": 1,
        "DescribeInstanceHealth": 1,
    }
    assert elb_writes(fleet.calls) == ["DeregisterInstancesFromLoadBalancer"]


def test_every_further_write_of_a_look_is_preceded_by_reading_its_load_balancer_again(fleet: Fleet) -> None:
    fleet.balancer("other")
    fleet.nodes("demo")
    fleet.nodes("other")
    fleet.reconcile()
    first, *between, last = [
        number for number, name in enumerate(fleet.calls.made) if name == "RegisterInstancesWithLoadBalancer"
    ]
    assert not between
    assert sorted(fleet.calls.made[first + 1 : last]) == [
        "DescribeInstances",
        "DescribeLoadBalancers",
        "DescribeTags",
    ]


class Burst:
    """A clock that goes only when somebody sleeps; each of ten seconds launches a hundred instances."""

    def __init__(self, here: Account) -> None:
        self.here = here
        self.began = self.time = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
        self.launched: list[str] = []

    def now(self) -> datetime:
        """The time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let time pass, and whatever is launched meanwhile be launched."""
        self.time += timedelta(seconds=seconds)
        while len(self.launched) < 1000 and self.happened(len(self.launched)) <= self.time:
            ids = self.here.world.launch(100, self.here.subnets[0])
            self.here.tag(ids, CLUSTER_TAG, "demo")
            self.launched += ids

    def happened(self, number: int) -> datetime:
        """When the instance of that number was launched."""
        return self.began + timedelta(seconds=number // 100)


def test_a_thousand_launches_in_ten_seconds_take_at_most_four_looks(fleet: Fleet) -> None:
    burst = Burst(fleet.here)
    fleet.here.now, fleet.here.sleep = burst.now, burst.sleep  # type: ignore[method-assign] # its clock
    made: Counter[str] = Counter()
    reads = 0
    for number in range(1000):
        at = burst.happened(number)
        burst.sleep(max((at - burst.now()).total_seconds(), 0))
        look = fleet.answer(fleet.event("ec2-instance-running", burst.launched[number], at))
        if look is None:
            assert fleet.calls.made == []
        else:
            made.update(elb_writes(fleet.calls))
            reads += len(fleet.calls.reads)
    assert len(fleet.registered()) == 1000
    assert fleet.looks <= 4
    assert 1 <= made["RegisterInstancesWithLoadBalancer"] == made.total() <= fleet.looks
    assert reads <= 5 * fleet.looks


def test_reconcile_without_drift_reads_what_pages_make_necessary(here: Account) -> None:
    """200 classic load balancers, 1,000 tagged instances: 2 + 10 + 1 reads, nothing written."""
    KNOBS.load_balancers_quota = 200
    fleet, subnet = Fleet(here), here.subnets[0]
    nodes = here.world.launch(1000, subnet)
    for number in range(200):
        name = fleet.balancer(f"lb-{number}", zones=1)
        own = nodes[5 * number : 5 * number + 5]
        here.tag(own, CLUSTER_TAG, name)
        fleet.by_hand(name, add=own)
    look = fleet.reconcile()
    assert look.steps == ()
    assert len(look.registered) == 200
    assert Counter(fleet.calls.made) == {
        "DescribeLoadBalancers": 2,
        "DescribeTags": 10,
        "DescribeInstances": 1,
    }


def test_members_that_are_all_gone_cost_two_reads_by_id(fleet: Fleet) -> None:
    """EC2's error names every id that does not exist: nobody has to look for it by halves."""
    gone = [f"i-{number:017x}" for number in range(40)]
    (stays,) = fleet.nodes("demo")
    with fleet.here.counted() as calls:
        found = ec2.instances_by_id(clients().ec2, gone)
    assert (found, calls.made) == ({}, ["DescribeInstances"])
    with fleet.here.counted() as calls:
        found = ec2.instances_by_id(clients().ec2, [*gone, stays])
    assert ([*found], calls.made) == ([stays], ["DescribeInstances"] * 2)


def test_where_the_error_names_no_id_it_is_found_by_halves(fleet: Fleet) -> None:
    stays = sorted(fleet.nodes("demo", 3))

    def vague(_: str, parameters: Mapping[str, str]) -> str | None:
        return "InvalidInstanceID.NotFound" if stays[0] in parameters.values() else None

    WATCHED.refuse = vague
    with fleet.here.counted():
        assert sorted(ec2.instances_by_id(clients().ec2, stays)) == stays[1:]
