"""A test for both kinds of load balancer: the article's `demo` as either, and what is there, whichever it is.

@each_kind
def test_…(here: Account, kind: Kind) -> None:
    here.put(article(here, kind))
    assert registered(here) == ["node-1", "node-2"]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.model.load_balancer import LoadBalancerType
from tests.world.by_hand import register
from tests.world.network import create_network, elbv2, listener, network_snapshot
from tests.world.provisioning import Account


@dataclass(frozen=True)
class Kind:
    """What AWS names otherwise: how instances are registered, and the code for one that it does not take; how
    security groups are given; how many calls a change of the members takes; how a certificate is swapped."""

    type: LoadBalancerType
    registers: str
    not_taken: str
    gives_groups: str
    changes: int
    swaps: str


CLASSIC = Kind(
    "classic",
    registers="RegisterInstancesWithLoadBalancer",
    not_taken="InvalidInstance",
    gives_groups="ApplySecurityGroupsToLoadBalancer",
    changes=1,
    swaps="SetLoadBalancerListenerSSLCertificate",
)
NETWORK = Kind(
    "network",
    registers="RegisterTargets",
    not_taken="InvalidTarget",
    gives_groups="SetSecurityGroups",
    changes=2,
    swaps="ModifyListener",
)

each_kind = pytest.mark.parametrize("kind", [CLASSIC, NETWORK], ids=lambda kind: kind.type)


def article(here: Account, kind: Kind) -> dict[str, Any]:
    """The article's load balancer as one of that kind."""
    return {**here.article, "type": kind.type}


def without_group(body: dict[str, Any]) -> dict[str, Any]:
    """The same body, for which a security group is made."""
    return {key: value for key, value in body.items() if key != "security_groups"}


def registered(here: Account) -> list[str]:
    """The names of its instances, which a network one has in each target group."""
    there = network_snapshot(here)
    if one := there["load balancers"].get("demo"):
        return list(one["instances"])
    first, *others = [group["targets"] for group in there["target groups"].values()]
    assert all(other == first for other in others)
    return list(first)


def tags(here: Account) -> dict[str, str]:
    """Its tags."""
    there = network_snapshot(here)
    found: dict[str, str] = {**there["load balancers"], **there["network"]}["demo"]["tags"]
    return found


def served(here: Account) -> str:
    """The certificate on its listener of port 8883."""
    if here.world.elb.describe_load_balancers()["LoadBalancerDescriptions"]:
        return here.served()
    (certificate,) = listener(8883)["Certificates"]
    return str(certificate["CertificateArn"])


def security_groups(here: Account, kind: Kind) -> list[str]:
    """The ids of its security groups."""
    if kind is NETWORK:
        return list(elbv2().describe_load_balancers(Names=["demo"])["LoadBalancers"][0]["SecurityGroups"])
    return list(here.world.describe()["SecurityGroups"])


def make_by_hand(here: Account, kind: Kind, ids: Sequence[str]) -> None:
    """Make one that nobody owns, with these instances."""
    if kind is CLASSIC:
        here.world.create("demo", Subnets=here.subnets[:2])
        register(here, ids)
        return
    arn = create_network(here, "demo", (8883, 1883))
    elbv2().remove_tags(ResourceArns=[arn], TagKeys=["emq-elb:owner"])
    (group,) = elbv2().describe_target_groups()["TargetGroups"]
    asked = [{"Id": id_} for id_ in ids]
    elbv2().register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=asked)
