"""What `register`, `drain` and `reconcile` are for: who is behind a load balancer, what one left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lab.fidelity import autoscaling
from tests.enforced import OWNER, Deployment
from tests.enforced.provisioning import acm_certificate
from tests.register.test_drain import DRAIN, READY, group
from tests.world.dns import HOST, alias, change, records, zone
from tests.world.network import balancer, elbv2
from tests.world.provisioning import issued, pem
from tests.world.register import Fleet, sample
from tests.world.rotating import bundle, use_in_second

BESIDE = "demo-network"
"""A network load balancer that serves the cluster of the classic one."""


def events(prod: Deployment) -> None:
    """Register the instance that an event announces, deregister one that is gone; look without an event."""
    fleet = Fleet(prod.here)
    fleet.balancer("demo", owner=OWNER)
    fleet.network(BESIDE, owner=OWNER, cluster="demo")
    node, leaves = fleet.spot("demo", 2)
    prod.run("register", fleet.raw("ec2-instance-running", node))
    assert fleet.registered() == fleet.in_each(BESIDE) == {node, leaves}
    fleet.untag(leaves)
    client = group()
    prod.here.sleep(60)
    prod.run("register", fleet.raw("tag-cluster-removed", leaves))
    assert leaves not in fleet.registered() | fleet.in_each(BESIDE)
    fleet.by_hand("demo", remove=[node])
    fleet.targeted(BESIDE, remove=[node])
    prod.run("reconcile", sample("schedule-tick"))
    assert node in fleet.registered() & fleet.in_each(BESIDE)
    fleet.untag(node)
    prod.run("reconcile", sample("schedule-tick"))
    assert node not in fleet.registered() | fleet.in_each(BESIDE)
    (grouped,) = (
        one["InstanceId"] for one in client.describe_auto_scaling_instances()["AutoScalingInstances"]
    )
    fleet.untag(grouped)
    for function, event in (
        ("register", fleet.raw("tag-cluster-removed", grouped)),
        ("reconcile", sample("schedule-tick")),
    ):
        fleet.by_hand("demo", add=[grouped])
        prod.here.sleep(60)
        prod.run(function, event)


def interruptions(prod: Deployment) -> None:
    """Drain what Spot takes away."""
    fleet = Fleet(prod.here)
    fleet.balancer("demo", owner=OWNER)
    fleet.network(BESIDE, owner=OWNER, cluster="demo")
    stays, leaves = fleet.spot("demo", 2)
    fleet.by_hand("demo", add=[stays, leaves])
    fleet.targeted(BESIDE, add=[stays, leaves])
    prod.run("drain", fleet.raw("ec2-spot-interruption", leaves))
    prod.run("drain", fleet.raw("ec2-rebalance-recommendation", stays))
    assert fleet.registered() == fleet.in_each(BESIDE) == set()


def lifecycles(prod: Deployment) -> None:
    """Answer the hooks of a group: register, drain, give time, let go."""
    fleet = Fleet(prod.here)
    fleet.balancer("demo", owner=OWNER)
    fleet.network(BESIDE, owner=OWNER, cluster="demo")
    held: list[dict[str, Any]] = []
    autoscaling.on_lifecycle_action.append(held.append)
    try:
        client = group(READY, DRAIN, capacity=2)
        while held:
            prod.run("drain", _raw_event(fleet, held.pop(0)))
        prod.run("reconcile", sample("schedule-tick"))
        fleet.here.world.elb.modify_load_balancer_attributes(
            LoadBalancerName="demo",
            LoadBalancerAttributes={"ConnectionDraining": {"Enabled": True, "Timeout": 120}},
        )
        client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
        prod.run("drain", _raw_event(fleet, held.pop(0)))
        prod.run("reconcile", sample("schedule-tick"))
        prod.here.sleep(301)
        prod.run("reconcile", sample("schedule-tick"))
        prod.here.world.elb.delete_load_balancer(LoadBalancerName="demo")
        elbv2().delete_load_balancer(LoadBalancerArn=balancer(BESIDE)["LoadBalancerArn"])
        client.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
        prod.run("drain", _raw_event(fleet, held.pop(0)))
    finally:
        autoscaling.on_lifecycle_action.remove(held.append)
    assert client.describe_auto_scaling_instances()["AutoScalingInstances"] == []


def _raw_event(fleet: Fleet, event: dict[str, Any]) -> dict[str, Any]:
    kind = "launch" if "launch" in event["detail-type"] else "terminate"
    return fleet.raw(f"autoscaling-{kind}-lifecycle", event["detail"]["EC2InstanceId"], **event["detail"])


def watched(prod: Deployment) -> None:
    """Read how long certificates live where a listing does not show it, for their alarms."""
    given = {"subnets": prod.here.subnets[:2]}
    prod.put({**given, "certificate": {"pem": pem(bundle(20))}}, "late")
    arn = acm_certificate()
    prod.put({**given, "certificate": {"arn": arn}}, "acm")
    prod.put({**given, "type": "network", "certificate": {"arn": arn}}, "network")
    prod.at(10)
    prod.run("reconcile", sample("schedule-tick"))


def names_kept(prod: Deployment) -> None:
    """Make a record again that somebody deleted, and take it away when its load balancer is gone."""
    prod.zone = zone(prod.here)
    prod.put({**prod.here.article, "hostname": HOST, "dns": True})
    prod.background()
    change(prod.zone, "DELETE", "A", **alias(prod.here))
    for left in (2, 0):
        prod.at(7)
        prod.run("reconcile", sample("schedule-tick"))
        assert len(records(prod.zone)) == left
        if left:
            prod.here.world.elb.delete_load_balancer(LoadBalancerName="demo")


def swept(prod: Deployment) -> None:
    """Sweep what a load balancer left that somebody deleted, and the alarms with it."""
    use_in_second("network", False, "eu-central-1", acm_certificate())
    given = {"pem": pem(issued())}  # valid by the machine's clock, whatever the minute of the hour
    prod.put({"subnets": prod.here.subnets[:2], "certificate": given})
    prod.at(10)
    prod.run("reconcile", sample("schedule-tick"))
    prod.here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    prod.put({"type": "network", "subnets": prod.here.subnets[:2], "certificate": given}, "second")
    elbv2().delete_load_balancer(LoadBalancerArn=balancer("second")["LoadBalancerArn"])
    prod.at(15)
    prod.run("reconcile", sample("schedule-tick"))
    prod.put({"subnets": prod.here.subnets[:2], "certificate": given})
    prod.at(30)
    prod.run("reconcile", sample("schedule-tick"))
    prod.here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    for _ in range(2):
        prod.here.passed += timedelta(hours=1)
        prod.at(0)
        prod.run("reconcile", sample("schedule-tick"))
    assert prod.here.snapshot()["groups"] == {}
    assert prod.here.certificates() == []
