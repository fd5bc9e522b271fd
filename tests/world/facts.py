"""What one PUT found at AWS, made up: two zones, two instances that let traffic in, a certificate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.certificates.chosen import Existing
from chalicelib.model.load_balancer import Certificate, Instance, LoadBalancer, Member, State
from chalicelib.model.members import Members
from chalicelib.model.vpc import Rule, SecurityGroup, Subnet
from chalicelib.provision.declaration import Declaration, GivenArn
from chalicelib.provision.desired import desire
from chalicelib.provision.facts import Facts

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OWNER = "emq-elb-prod"
ARN = "arn:aws:iam::123456789012:server-certificate/mqtt"
EXTERNAL = Existing(
    source="external",
    certificate=Certificate(arn=ARN, not_after=NOW + timedelta(days=60)),
)
VPC_NETWORK = "172.31.0.0/16"
NODES = SecurityGroup(
    "nodes",
    "vpc-1",
    frozenset({Rule("tcp", 1883, 1883, VPC_NETWORK), Rule("tcp", 18083, 18083, VPC_NETWORK)}),
    "sg-nodes",
)
BY_HAND = SecurityGroup(
    "by-hand",
    "vpc-1",
    frozenset({Rule("tcp", 8883, 8883, "0.0.0.0/0"), Rule("tcp", 18083, 18083, "10.0.0.0/8")}),
    "sg-1",
)
DECLARATION = Declaration(
    name="demo",
    subnets=("subnet-a", "subnet-b"),
    certificate=GivenArn(ARN),
    instances=("i-1", "i-2"),
    members=Members(instance_profiles=("emqx",)),
)


def instance(id_: str, **changed: Any) -> Instance:
    """A running member in the first zone."""
    made = Instance(
        id=id_,
        state="running",
        vpc="vpc-1",
        zone="a",
        launched=NOW - timedelta(days=1),
        cluster="demo",
        profile="emqx",
        address="172.31.4.5",
        security_groups=frozenset({"sg-nodes"}),
    )
    return replace(made, **changed)


def facts(**changed: Any) -> Facts:
    """Nothing made yet."""
    made = Facts(
        now=NOW,
        actual=State(name="demo", cluster=frozenset({"i-1", "i-2"})),
        subnets={
            f"subnet-{zone}": Subnet(
                id=f"subnet-{zone}",
                vpc="vpc-1",
                zone=zone,
                free_addresses=100,
                public=True,
                prefix=20,
                network=f"172.31.{16 * number}.0/20",
            )
            for number, zone in enumerate("ab")
        },
        groups={"sg-nodes": NODES, "sg-1": BY_HAND},
        instances={"i-1": instance("i-1"), "i-2": instance("i-2", zone="b")},
        chosen=EXTERNAL,
        load_balancers=1,
    )
    return replace(made, **changed)


def there(**changed: Any) -> Facts:
    """The same with the load balancer made as declared, and nobody registered."""
    before = facts()
    wanted = desire(DECLARATION, before, OWNER).load_balancer
    assert wanted is not None
    own = SecurityGroup("demo-elb", "vpc-1", frozenset(), "sg-own", OWNER)
    made: LoadBalancer = replace(wanted, security_groups=frozenset({"sg-own"}), instances=frozenset())
    made = replace(made, **changed)
    return facts(
        actual=replace(before.actual, load_balancer=made, group=own),
        groups={**before.groups, "sg-own": own},
        members=tuple(Member(id_, "InService") for id_ in sorted(made.instances)),
        load_balancers=2,
    )
