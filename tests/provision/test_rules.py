"""The rules of the security group that we make: what a person adds by hand goes again exactly as it came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws import vpc as vpcs
from tests.world.provisioning import Account, clients

PEERED = {"GroupId": "sg-0fedcba9876543210", "UserId": "210987654321", "VpcPeeringConnectionId": "pcx-1"}
BY_HAND: dict[str, dict[str, Any]] = {
    "all ICMP": {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    "echo requests": {
        "IpProtocol": "icmp",
        "FromPort": 8,
        "ToPort": -1,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
    },
    "all ICMPv6": {
        "IpProtocol": "icmpv6",
        "FromPort": -1,
        "ToPort": -1,
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
    },
    "all traffic": {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
    "all TCP": {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
    "UDP": {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
    "IPv6": {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
    },
    "a prefix list": {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0"}],
    },
    "a peered account's group": {
        "IpProtocol": "tcp",
        "FromPort": 8883,
        "ToPort": 8883,
        "UserIdGroupPairs": [PEERED],
    },
    "with a description": {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "192.0.2.1/32", "Description": "Anna, for a day"}],
    },
}


def body_of(here: Account) -> dict[str, Any]:
    return {
        "subnets": here.subnets[:2],
        "certificate": {"arn": here.world.upload("by-hand")},
        "allow": {"mqtt": ["10.0.0.0/8"], "dashboard": ["192.168.0.0/16"]},
    }


def own_group(here: Account) -> str:
    return str(here.world.describe()["SecurityGroups"][0])


@pytest.mark.parametrize("name", [*BY_HAND, "everything"])
def test_a_rule_added_by_hand_is_revoked_as_it_was_given(here: Account, name: str) -> None:
    body = body_of(here)
    here.put(body)
    before = here.snapshot()["groups"]
    rules = [*BY_HAND.values()] if name == "everything" else [BY_HAND[name]]
    here.world.ec2.authorize_security_group_ingress(GroupId=own_group(here), IpPermissions=rules)
    report = here.put({**body, "allow": {"mqtt": ["10.0.0.0/8"], "dashboard": ["192.168.0.0/16"]}})
    assert here.calls.writes == ["RevokeSecurityGroupIngress"]
    assert report.state == "ready"
    assert here.snapshot()["groups"] == before
    here.put(body)
    assert here.calls.writes == []


ports = st.sampled_from(
    ({}, {"FromPort": -1, "ToPort": -1}, {"FromPort": 8, "ToPort": 0}, {"FromPort": 22, "ToPort": 80})
)
sources = st.sampled_from(
    (
        {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        {"PrefixListIds": [{"PrefixListId": "pl-1"}]},
        {"UserIdGroupPairs": [{"GroupId": "sg-1", "UserId": "123456789012"}]},
        {"UserIdGroupPairs": [{"GroupId": "sg-1"}]},
        {"UserIdGroupPairs": [PEERED]},
    )
)
permissions = st.builds(
    lambda protocol, some, source: {"IpProtocol": protocol, **some, **source},
    st.sampled_from(("tcp", "udp", "icmp", "icmpv6", "-1", "50", "gre")),
    ports,
    sources,
)


@given(st.lists(permissions, max_size=5))
def test_whatever_permission_ec2_shows_is_named_to_it_as_it_was_shown(given_: list[Any]) -> None:
    read = [rule for permission in given_ for rule in vpcs.rules_of(permission)]
    assert [vpcs.permission_of(rule) for rule in read] == given_


def test_a_group_that_a_rule_names_beside_others_is_read_with_its_account(here: Account) -> None:
    group = here.group()
    mixed = {
        "IpProtocol": "tcp",
        "FromPort": 1883,
        "ToPort": 1883,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "192.168.0.0/16"}],
        "UserIdGroupPairs": [PEERED, {"GroupId": group}],
    }
    here.world.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[mixed])
    (found,) = vpcs.groups(clients().ec2, [group]).values()
    assert {(rule.source, rule.user_id) for rule in found.rules} == {
        ("10.0.0.0/8", None),
        ("192.168.0.0/16", None),
        (PEERED["GroupId"], PEERED["UserId"]),
        (group, "123456789012"),
    }
    vpcs.revoke(clients().ec2, group, found.rules)
    (found,) = vpcs.groups(clients().ec2, [group]).values()
    assert found.rules == frozenset()
