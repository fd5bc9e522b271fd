"""What the data plane reads of a load balancer of either kind in AWS's API, as any stranger does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.elb.haproxy import LoadBalancer, Member

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


@dataclass(frozen=True)
class Observed:
    """One load balancer; its zones have no addresses yet, since AWS's API gives none.

    `key` distinguishes it from the others of both kinds, whose names may be the same.
    """

    key: str
    born: str
    dns_name: str
    load_balancer: LoadBalancer
    certificates: Mapping[int, str]
    """ARNs by listener port."""
    members: Mapping[str, Mapping[str, Member]]
    """What is to serve, by pool and by the member's name."""
    zonal: bool = False
    """Whether its name leads to no zone in which no check passes."""


@dataclass(frozen=True)
class Zones:
    """The zones of subnets and instances seen so far: they never change."""

    ec2: EC2Client
    subnets: dict[str, str] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)

    def learn(self, *, subnets: Iterable[str] = (), instances: Iterable[str] = ()) -> None:
        """Ask EC2 about whatever is not known yet."""
        new_subnets = set(subnets) - self.subnets.keys()
        if new_subnets:
            for found in self.ec2.describe_subnets(SubnetIds=sorted(new_subnets))["Subnets"]:
                self.subnets[found["SubnetId"]] = found["AvailabilityZone"]
        new_instances = set(instances) - self.instances.keys()
        if new_instances:
            # By filter, since one unknown id fails a call that names it.
            named = [{"Name": "instance-id", "Values": sorted(new_instances)}]
            answer = self.ec2.describe_instances(Filters=named)  # type: ignore[arg-type] # a plain dict
            for reservation in answer["Reservations"]:
                for instance in reservation["Instances"]:
                    self.instances[instance["InstanceId"]] = instance["Placement"]["AvailabilityZone"]
