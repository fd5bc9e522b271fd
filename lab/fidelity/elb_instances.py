"""Instances behind classic load balancers: registered, draining, and their health.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-deregister-register-instances.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from moto.ec2.models.instances import Instance

from lab.fidelity.elb_network import zones_of
from lab.fidelity.elb_state import (
    Answer,
    LoadBalancer,
    Region,
    Request,
    instances,
    invalid,
    named,
    refusal,
    required,
)
from lab.fidelity.knobs import IN_SERVICE, KNOBS, Health

QUOTA = 1000
GONE = frozenset({"shutting-down", "terminated"})

PENDING = Health("OutOfService", "Instance", "Instance is in pending state.")
STOPPED = Health("OutOfService", "Instance", "Instance is in stopped state.")
OTHER_ZONE = Health(
    "OutOfService",
    "ELB",
    "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
)
DRAINING = Health("InService", "N/A", "Instance deregistration currently in progress.")
NOT_REGISTERED = Health(
    "OutOfService", "Instance", "Instance is not currently registered with the LoadBalancer."
)


def registered(load_balancer: LoadBalancer, found: Mapping[str, Instance]) -> list[str]:
    """Return the registered instances' ids; a terminated instance is deregistered by itself."""
    return [one for one in load_balancer.instance_ids if not _gone(found.get(one))]


def _gone(instance: Instance | None) -> bool:
    return instance is None or instance.state in GONE


def register_instances_with_load_balancer(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html

    One unsuitable id fails the whole call.
    """
    load_balancer = named(region, request)
    found = instances(region)
    asked = _ids(request)
    for instance_id in asked:
        instance = found.get(instance_id)
        if instance is None or _gone(instance):
            raise refusal("InvalidInstance", f"Could not find EC2 instance {instance_id}.")
        if instance.vpc_id != load_balancer.vpc_id:
            raise refusal("InvalidInstance", f"EC2 instance {instance_id} is not in the same VPC as ELB.")
        if instance.state != "running":
            raise refusal("InvalidInstance", f"EC2 instance {instance_id} is not running.")
    return add(region, load_balancer, asked)


def add(region: Region, load_balancer: LoadBalancer, instance_ids: Iterable[str]) -> Answer:
    """Register suitable instances; one that is registered already, or was draining, is no fault."""
    together = list(dict.fromkeys([*registered(load_balancer, instances(region)), *instance_ids]))
    if len(together) > QUOTA:
        raise invalid(f"A load balancer has at most {QUOTA} registered instances")
    load_balancer.instance_ids = together
    for instance_id in together:
        load_balancer.draining.pop(instance_id, None)
    return {"Instances": [{"InstanceId": one} for one in together]}


def deregister_instances_from_load_balancer(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeregisterInstancesFromLoadBalancer.html"""
    load_balancer = named(region, request)
    found = instances(region)
    asked = _ids(request)
    for instance_id in asked:
        if instance_id not in load_balancer.instance_ids and _gone(found.get(instance_id)):
            raise refusal("InvalidInstance", f"Could not find EC2 instance {instance_id}.")
    return remove(region, load_balancer, asked)


def remove(region: Region, load_balancer: LoadBalancer, instance_ids: Iterable[str]) -> Answer:
    """Deregister instances; with connection draining those in service keep their open connections."""
    found = instances(region)
    gone = set(instance_ids) & set(load_balancer.instance_ids)
    draining = load_balancer.attributes["ConnectionDraining"]
    for instance_id in gone if draining["Enabled"] else ():
        if _health(region, load_balancer, found[instance_id]).state == "InService":
            load_balancer.draining[instance_id] = KNOBS.now() + draining["Timeout"]
    load_balancer.instance_ids = [one for one in load_balancer.instance_ids if one not in gone]
    return {"Instances": [{"InstanceId": one} for one in registered(load_balancer, found)]}


def describe_instance_health(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeInstanceHealth.html

    Terminated instances are left out; without names the draining ones are shown beside the registered.
    """
    load_balancer = named(region, request)
    found = instances(region)
    draining = _draining(load_balancer, found)
    if request.get("Instances"):
        asked = _ids(request)
        for instance_id in asked:
            if instance_id not in found:
                raise refusal("InvalidInstance", f"Could not find EC2 instance {instance_id}.")
    else:
        asked = [*load_balancer.instance_ids, *draining]
    states = []
    for instance_id in asked:
        instance = found.get(instance_id)
        if instance is None or _gone(instance):
            continue
        if instance_id in load_balancer.instance_ids:
            health = _health(region, load_balancer, instance)
        else:
            health = DRAINING if instance_id in draining else NOT_REGISTERED
        states.append(
            {
                "InstanceId": instance_id,
                "State": health.state,
                "ReasonCode": health.reason_code,
                "Description": health.description,
            }
        )
    return {"InstanceStates": states}


def _health(region: Region, load_balancer: LoadBalancer, instance: Instance) -> Health:
    if instance.state == "pending":
        return PENDING
    if instance.state != "running":
        return STOPPED
    if instance.placement.availability_zone not in zones_of(region, load_balancer):
        return OTHER_ZONE
    reported = KNOBS.instance_health and KNOBS.instance_health(load_balancer.name, instance.id)
    return reported or IN_SERVICE


def _draining(load_balancer: LoadBalancer, found: Mapping[str, Instance]) -> list[str]:
    for instance_id, until in list(load_balancer.draining.items()):
        drained = KNOBS.connections_drained and KNOBS.connections_drained(load_balancer.name, instance_id)
        if drained or KNOBS.now() >= until or _gone(found.get(instance_id)):
            load_balancer.draining.pop(instance_id, None)
    return list(load_balancer.draining)


def _ids(request: Request) -> list[str]:
    return list(dict.fromkeys(required(one, "InstanceId") for one in required(request, "Instances")))
