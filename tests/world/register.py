"""Load balancers of ours, instances in their clusters, and events about them, for the tests of `register`.

fleet = Fleet(here)
fleet.balancer("demo"); a, b = fleet.nodes("demo", 2)
fleet.answer(fleet.event("ec2-instance-running", a))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from chalicelib.model.names import CLUSTER_TAG, DRAINING_TAG, OWNER_TAG
from chalicelib.model.step import Step
from chalicelib.register import story as register
from chalicelib.register.events import Event, Unreadable, read_event
from chalicelib.register.settle import Memory
from chalicelib.register.story import Drained, Look
from tests.world.network import elbv2
from tests.world.provisioning import OWNER, WATCHED, Account, Calls, Killed

T = TypeVar("T")
SAMPLES = Path(__file__).parents[2] / "events"


def sample(name: str) -> dict[str, Any]:
    """The event in `events/`."""
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


@dataclass
class Fleet:
    """Load balancers and instances of one account; `memory` is what a warm container remembers.

    `looks` counts how many were begun, `calls` what the last one asked of AWS; `drained` is what the last
    urgent event led to.
    """

    here: Account
    memory: Memory = field(default_factory=Memory)
    looks: int = 0
    calls: Calls = field(default_factory=Calls)
    drained: Drained = field(default_factory=Drained)

    def balancer(
        self,
        name: str = "demo",
        *,
        owner: str | None = OWNER,
        zones: int = 2,
        cluster: str | None = None,
        **settings: str,
    ) -> str:
        """Create a load balancer, ours unless another owner is given; `cluster` is the value of its tag."""
        tags = [{"Key": OWNER_TAG, "Value": owner}] if owner else [{"Key": "made", "Value": "by hand"}]
        tags += [{"Key": CLUSTER_TAG, "Value": cluster}] if cluster is not None else []
        self.here.world.create(name, Subnets=self.here.subnets[:zones], Tags=tags, **settings)
        return name

    def network(
        self,
        name: str = "demo",
        *,
        owner: str = OWNER,
        zones: int = 2,
        cluster: str | None = None,
        ports: Sequence[int] = (1883, 18083),
    ) -> str:
        """Create a network load balancer with a target group for each of the instance ports."""
        tags = [{"Key": OWNER_TAG, "Value": owner}]
        subnets = self.here.subnets[:zones]
        made = elbv2().create_load_balancer(
            Name=name,
            Type="network",
            Subnets=subnets,
            Tags=tags + ([{"Key": CLUSTER_TAG, "Value": cluster}] if cluster is not None else []),
        )["LoadBalancers"][0]
        for port in ports:
            (group,) = elbv2().create_target_group(
                Name=f"{name}-{port}",
                Protocol="TCP",
                Port=port,
                VpcId=made["VpcId"],
                TargetType="instance",
                Tags=tags,
            )["TargetGroups"]
            elbv2().create_listener(
                LoadBalancerArn=made["LoadBalancerArn"],
                Port=port,
                Protocol="TCP",
                DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
            )
        return name

    def group(self, name: str, port: int) -> str:
        """The ARN of a network load balancer's target group."""
        found = elbv2().describe_target_groups(Names=[f"{name}-{port}"])["TargetGroups"]
        return str(found[0]["TargetGroupArn"])

    def targets(self, name: str = "demo", port: int = 1883) -> set[str]:
        """Who is registered for an instance port of a network load balancer, as a stranger sees it."""
        answer = elbv2().describe_target_health(TargetGroupArn=self.group(name, port))
        return {
            one["Target"]["Id"]
            for one in answer["TargetHealthDescriptions"]
            if one["TargetHealth"]["State"] != "draining"
        }

    def in_each(self, name: str = "demo") -> set[str]:
        """Who is registered with a network load balancer, where both of its groups have the same targets."""
        assert self.targets(name, 1883) == self.targets(name, 18083)
        return self.targets(name)

    def targeted(
        self,
        name: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        ports: Sequence[int] = (1883, 18083),
    ) -> None:
        """Register or deregister targets as a person would."""
        for port in ports:
            arn = self.group(name, port)
            if add:
                elbv2().register_targets(TargetGroupArn=arn, Targets=[{"Id": id_} for id_ in add])
            if remove:
                elbv2().deregister_targets(TargetGroupArn=arn, Targets=[{"Id": id_} for id_ in remove])

    def serve(self, name: str, cluster: str) -> None:
        """Let the load balancer's tag name that cluster."""
        tags = [{"Key": CLUSTER_TAG, "Value": cluster}]
        self.here.world.elb.add_tags(LoadBalancerNames=[name], Tags=tags)

    def nodes(self, cluster: str | None, count: int = 1, *, subnet: str | None = None) -> list[str]:
        """Run instances that carry the cluster's tag; they were launched an hour ago."""
        ids = self.here.world.launch(count, subnet)
        if cluster is not None:
            self.here.tag(ids, CLUSTER_TAG, cluster)
        for id_ in ids:
            self.launched(id_, self.here.now() - timedelta(hours=1))
        return ids

    def spot(self, cluster: str, count: int = 1) -> list[str]:
        """Run Spot instances that carry the cluster's tag; they were launched an hour ago."""
        ids = self.here.world.launch(count, InstanceMarketOptions={"MarketType": "spot"})
        self.here.tag(ids, CLUSTER_TAG, cluster)
        for id_ in ids:
            self.launched(id_, self.here.now() - timedelta(hours=1))
        return ids

    def fill(self, instance: str) -> None:
        """Give the instance as many tags as EC2 allows."""
        free = 50 - len(self.tags(instance))
        tags = [{"Key": f"theirs-{number}", "Value": "x"} for number in range(free)]
        self.here.world.ec2.create_tags(Resources=[instance], Tags=tags)

    def launched(self, instance: str, at: datetime) -> None:
        """Say when the instance was launched: moto knows only this moment."""
        backend: Any = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"]
        backend.get_instance(instance).launch_time = at.replace(tzinfo=None, microsecond=0)

    def by_hand(self, name: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Register or deregister as a person would."""
        elb = self.here.world.elb
        if add:
            elb.register_instances_with_load_balancer(LoadBalancerName=name, Instances=_named(add))
        if remove:
            elb.deregister_instances_from_load_balancer(LoadBalancerName=name, Instances=_named(remove))

    def registered(self, name: str = "demo") -> set[str]:
        """Who is registered, as a stranger sees it."""
        return {instance["InstanceId"] for instance in self.here.world.describe(name)["Instances"]}

    def tags(self, instance: str) -> dict[str, str]:
        """The instance's tags."""
        (reservation,) = self.here.world.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        return {tag["Key"]: tag["Value"] for tag in reservation["Instances"][0].get("Tags", [])}

    def draining(self, instance: str) -> str | None:
        """The text of its `emq-elb:draining` tag."""
        return self.tags(instance).get(DRAINING_TAG)

    def untag(self, *instances: str) -> None:
        """Take the cluster's tag off."""
        self.here.world.ec2.delete_tags(Resources=list(instances), Tags=[{"Key": CLUSTER_TAG}])

    def event(self, name: str, instance: str, at: datetime | None = None, **detail: object) -> Event:
        """The sample, as if about this instance and at that time, now unless given."""
        event = read_event(self.raw(name, instance, at, **detail))
        assert not isinstance(event, Unreadable), event.reason
        return event

    def raw(self, name: str, instance: str, at: datetime | None = None, **detail: object) -> dict[str, Any]:
        """The same, as EventBridge hands it over."""
        found = json.loads(json.dumps(sample(name)).replace("i-0123456789abcdef0", instance))
        found["time"] = f"{at or self.here.now():%Y-%m-%dT%H:%M:%SZ}"
        found["detail"] |= detail
        return dict(found)

    def answer(self, event: Event, *, within: float = 175) -> Look | None:
        """What the function `register` does, in one warm container."""
        with self.here.counted(self.here.calls.kill_after) as self.calls:
            look = register.answer_event(event, self.here.invocation(within), self.memory)
        if look is None:
            return None
        self.memory = look.memory
        if isinstance(look, register.Untagged):
            return None
        self.looks += 1
        return look

    def drain(self, event: Event) -> tuple[tuple[str, Step], ...]:
        """What the function `drain` does."""
        with self.here.counted(self.here.calls.kill_after) as self.calls:
            self.drained = register.drain(event, self.here.invocation(50))
        self.drained.complain()
        return self.drained.steps

    def reconcile(self) -> Look:
        """What the function `reconcile` does, but for sweeping."""
        with self.here.counted(self.here.calls.kill_after) as self.calls:
            return register.reconcile(self.here.invocation(50))

    def refuse(self, operation: str, code: str, *, naming: str | None = None) -> None:
        """Let AWS refuse an operation, or only those calls of it that name an id."""

        def refuse(asked: str, parameters: Mapping[str, str]) -> str | None:
            named = naming is None or naming in parameters.values()
            return code if asked == operation and named else None

        WATCHED.refuse = refuse


@dataclass(frozen=True)
class Scenario:
    """`prepare` makes what is there before; `act` is done, killed, and done again."""

    prepare: Callable[[Fleet], str]
    act: Callable[[Fleet, str], object]
    writes: int

    def killed(self, fleet: Fleet, after: int | None) -> str:
        """Prepare and act, killed after that write, None for never; return what `prepare` returned."""
        node = self.prepare(fleet)
        fleet.here.calls.kill_after = after
        with nullcontext() if after is None else pytest.raises(Killed):
            self.act(fleet, node)
        fleet.here.calls.kill_after = None
        return node

    def ends_the_same(self, end: Callable[[Scenario, int | None], T]) -> T:
        """Kill after each write and run again: `end` must return what it does without; return that."""
        whole = end(self, None)
        for call in range(1, self.writes + 1):
            assert end(self, call) == whole, f"killed after write {call}"
        return whole


def when_untagged(prepare: Callable[[Fleet], str], writes: int) -> Scenario:
    """An event says that the instance lost its cluster's tag."""
    return Scenario(
        prepare, lambda fleet, node: fleet.answer(fleet.event("tag-cluster-removed", node)), writes
    )


def when_interrupted(prepare: Callable[[Fleet], str], writes: int) -> Scenario:
    """An event of this very second says that EC2 takes the instance back."""

    def act(fleet: Fleet, node: str) -> object:
        now = fleet.here.now().replace(microsecond=0)
        return fleet.drain(fleet.event("ec2-spot-interruption", node, now))

    return Scenario(prepare, act, writes)


def elb_writes(calls: Calls) -> list[str]:
    """What was changed at the load balancers: announcing it is no change."""
    return [name for name in calls.writes if name != "PutEvents"]


def _named(ids: Sequence[str]) -> list[dict[str, str]]:
    return [{"InstanceId": id_} for id_ in ids]
