"""Addresses of a network load balancer, Elastic IPs and private ones: given, shown, taken, refused."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.api.problems import problem
from chalicelib.model.errors import Conflict, InvalidRequest, Refused, Theirs
from tests.world.network import balancer, network_body, network_snapshot
from tests.world.provisioning import WATCHED, Account, just_before


def elastic(here: Account) -> str:
    """Allocate an Elastic IP."""
    return str(here.world.ec2.allocate_address(Domain="vpc")["AllocationId"])


def take(here: Account, allocation: str) -> None:
    """Let an instance have it."""
    (other,) = here.launch("other")
    here.world.ec2.associate_address(AllocationId=allocation, InstanceId=other)


def given() -> dict[str, str | None]:
    """The Elastic IP of each subnet, as AWS shows it."""
    return {
        zone["SubnetId"]: next((one.get("AllocationId") for one in zone["LoadBalancerAddresses"]), None)
        for zone in balancer()["AvailabilityZones"]
    }


def test_each_subnet_gets_its_own_and_get_shows_it(here: Account) -> None:
    addresses = {subnet: elastic(here) for subnet in here.subnets[:2]}
    body = network_body(here, addresses=addresses)
    assert here.put(body).created
    assert given() == here.get()["addresses"] == addresses
    here.put(here.get())
    assert here.calls.writes == []


def test_a_subnet_that_comes_gets_its_own(here: Account) -> None:
    body = network_body(here, addresses={subnet: elastic(here) for subnet in here.subnets[:2]})
    here.put(body)
    addresses = {**body["addresses"], here.subnets[2]: elastic(here)}
    here.put({**body, "subnets": here.subnets[:3], "addresses": addresses})
    assert given() == addresses


def test_an_internal_one_has_private_addresses(here: Account) -> None:
    addresses = {here.subnets[0]: "172.31.0.77", here.subnets[1]: "172.31.16.77"}
    body = network_body(here, scheme="internal", addresses=addresses)
    here.put(body)
    assert here.get()["addresses"] == addresses
    here.put(here.get())
    assert here.calls.writes == []


def test_what_is_not_there_or_not_free_is_a_fault_of_its_subnet(here: Account) -> None:
    missing, taken = "eipalloc-0123456789abcdef0", elastic(here)
    take(here, taken)
    first, second = here.subnets[:2]
    with pytest.raises(InvalidRequest) as caught:
        here.put(network_body(here, addresses={first: missing, second: taken}))
    assert {fault.field: fault.message.partition(":")[0] for fault in caught.value.faults} == {
        f"addresses.{first}": f"there is no Elastic IP {missing} in this region",
        f"addresses.{second}": f"{taken} is in use",
    }
    assert here.calls.writes == []


def test_a_private_address_is_of_its_subnet(here: Account) -> None:
    asked = network_body(here, scheme="internal", addresses={here.subnets[0]: "10.0.0.1"})
    with pytest.raises(InvalidRequest, match=r"10\.0\.0\.1 is not in 172\.31"):
        here.put(asked)
    assert here.calls.writes == []


def test_one_that_is_taken_since_the_look_is_a_conflict_and_nothing_is_left(here: Account) -> None:
    taken = elastic(here)
    body = network_body(here, addresses={here.subnets[0]: taken})
    del body["security_groups"]
    before = network_snapshot(here)
    just_before("CreateLoadBalancer", lambda: take(here, taken))
    with pytest.raises(
        Theirs, match="demo was not made, and what was made for it was deleted again"
    ) as caught:
        here.put(body)
    assert problem(caught.value).status == 409
    assert network_snapshot(here)["groups"] == before["groups"]
    with pytest.raises(InvalidRequest, match=f"{taken} is in use"):
        here.put(body)


def test_one_for_a_subnet_that_comes_that_is_taken_since_changes_no_other(here: Account) -> None:
    body = network_body(here)
    here.put(body)
    taken = elastic(here)
    just_before("SetSubnets", lambda: take(here, taken))
    asked = {**body, "subnets": here.subnets[:3], "addresses": {here.subnets[2]: taken}}
    with pytest.raises(Theirs):
        here.put(asked)
    assert {*given()} == {*here.subnets[:2]}
    here.put({**asked, "addresses": {here.subnets[2]: elastic(here)}})
    assert {*given()} == {*here.subnets[:3]}


def test_one_that_is_released_since_the_look_is_refused_on_its_field(here: Account) -> None:
    gone = elastic(here)
    body = network_body(here, addresses={here.subnets[0]: gone})
    just_before("CreateLoadBalancer", lambda: here.world.ec2.release_address(AllocationId=gone))
    with pytest.raises(Refused) as caught:
        here.put(body)
    answer: Any = problem(caught.value)
    assert (answer.status, [one["field"] for one in answer.body["errors"]]) == (400, ["addresses"])


def test_what_an_enabled_subnet_has_cannot_be_changed(here: Account) -> None:
    body = network_body(here, addresses={here.subnets[0]: elastic(here)})
    here.put(body)
    with pytest.raises(Conflict, match="which AWS cannot change"):
        here.put({**body, "addresses": {here.subnets[0]: elastic(here)}})
    assert here.calls.writes == []
    WATCHED.refuse = lambda operation, _: "AccessDenied" if operation == "DescribeAddresses" else None
    here.put(body)
    assert "DescribeAddresses" not in here.calls.made, "it asks only for those that are new"
