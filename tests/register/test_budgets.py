"""How many calls it takes: counted, because the account's throttles are shared with everybody else in it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.model.names import CLUSTER_TAG
from lab.fidelity.knobs import KNOBS
from tests.world.provisioning import Account
from tests.world.register import Fleet, elb_writes


@pytest.fixture
def fleet(here: Account) -> Fleet:
    """An account with one load balancer of ours, `demo`."""
    fleet = Fleet(here)
    fleet.balancer("demo")
    return fleet


def test_a_state_change_takes_three_reads_and_one_write(fleet: Fleet) -> None:
    (node,) = fleet.nodes("demo")
    fleet.answer(fleet.event("ec2-instance-running", node))
    assert sorted(fleet.calls.reads) == ["DescribeInstances", "DescribeLoadBalancers", "DescribeTags"]
    assert elb_writes(fleet.calls) == ["RegisterInstancesWithLoadBalancer"]


def test_an_instance_that_ends_takes_no_more(fleet: Fleet) -> None:
    gone, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[gone, stays])
    fleet.here.world.ec2.stop_instances(InstanceIds=[gone])
    fleet.answer(fleet.event("ec2-instance-stopped", gone))
    assert len(fleet.calls.reads) == 3
    assert elb_writes(fleet.calls) == ["DeregisterInstancesFromLoadBalancer"]


def test_a_removal_takes_two_reads_more(fleet: Fleet) -> None:
    gone, stays = fleet.nodes("demo", 2)
    fleet.by_hand("demo", add=[gone, stays])
    fleet.untag(gone)
    fleet.answer(fleet.event("tag-cluster-removed", gone))
    assert Counter(fleet.calls.reads) == {
        "DescribeInstances": 2,  # the second one by id
        "DescribeLoadBalancers": 1,
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
    assert reads <= 3 * fleet.looks


def test_reconcile_without_drift_reads_what_pages_make_necessary(here: Account) -> None:
    """200 load balancers, 1,000 tagged instances: 1 + 10 + 1 reads, nothing written."""
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
        "DescribeLoadBalancers": 1,
        "DescribeTags": 10,
        "DescribeInstances": 1,
    }
