"""What every tool is asked to provision as a network load balancer, and whether it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.account import Account
from bench.estate import POLICY
from bench.programs.attributes import pairs
from bench.provisioning import Asked, request_to

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import ListenerTypeDef

HEALTH_CHECK = {
    "HealthCheckProtocol": "TCP",
    "HealthCheckPort": "1883",
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
}
DRAINED = {"deregistration_delay.connection_termination.enabled": "true"}
SLOW = {"target_health_state.unhealthy.connection_termination.enabled": "false"}
IDLE = {"tcp.idle_timeout.seconds": "345"}
LISTENERS = {8883: ("TLS", 1883), 18083: ("TCP", 18083)}
"""Ports, with protocol and instance port."""
BODY = {
    "type": "network",
    "listeners": [
        {"protocol": protocol, "port": port, "instance_protocol": "TCP", "instance_port": behind}
        for port, (protocol, behind) in LISTENERS.items()
    ],
}


def asked(account: Account) -> Asked:
    """Return the request for the article's load balancer as a network one."""
    attributes = {"target_group": {**DRAINED, **SLOW}, "listener": IDLE}
    return request_to(account, POLICY, HEALTH_CHECK, attributes, BODY)


def lacking(account: Account, request: Asked) -> frozenset[str]:
    """Return what of the request is not so at AWS."""
    return frozenset(_lacking(account.aws.elbv2(), request))


def _lacking(elb: ElasticLoadBalancingv2Client, request: Asked) -> Iterator[str]:
    there = elb.describe_load_balancers()["LoadBalancers"]
    if [(one["LoadBalancerName"], one["Type"]) for one in there] != [(request.name, "network")]:
        yield "load balancer"
        return
    (one,) = there
    if {zone["SubnetId"] for zone in one["AvailabilityZones"]} != {*request.subnets}:
        yield "subnets"
    if len(one.get("SecurityGroups", [])) != 1:
        yield "security group"
    listeners = elb.describe_listeners(LoadBalancerArn=one["LoadBalancerArn"])["Listeners"]
    if {listener["Port"]: listener["Protocol"] for listener in listeners} != {
        port: protocol for port, (protocol, _) in LISTENERS.items()
    }:
        yield "listeners"
    for listener in listeners:
        yield from _of_listener(elb, request, listener)


def _of_listener(
    elb: ElasticLoadBalancingv2Client, request: Asked, listener: ListenerTypeDef
) -> Iterator[str]:
    if listener["Protocol"] == "TCP":
        found = elb.describe_listener_attributes(ListenerArn=listener["ListenerArn"])["Attributes"]
        if pairs(IDLE)[0] not in found:
            yield "idle timeout"
    elif listener["SslPolicy"] != request.policy:
        yield "SSL policy"
    arn = listener["DefaultActions"][0]["TargetGroupArn"]
    (group,) = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    if group["Port"] != LISTENERS[listener["Port"]][1]:
        yield "instance ports"
    if {**group, **request.health_check} != group:
        yield "health check"
    attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    if pairs(DRAINED)[0] not in attributes:
        yield "end of drained sessions"
    if pairs(SLOW)[0] not in attributes:
        yield "sessions of slow nodes"
    targets = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    if {target["Target"]["Id"] for target in targets} != {*request.instances}:
        yield "instances"
