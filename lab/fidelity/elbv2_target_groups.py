"""Target groups of network load balancers, their targets and what their health reads.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.ec2.models.instances import Instance

from lab.fidelity.elb_state import instances_of
from lab.fidelity.elbv2_state import (
    Answer,
    Region,
    Request,
    TargetGroup,
    asked_tags,
    attributes,
    changed,
    invalid,
    load_balancer,
    page,
    refusal,
    refuse_bad_name,
    required,
    target_group,
)
from lab.fidelity.knobs import KNOBS

NETWORK_PROTOCOLS = frozenset({"TCP", "TLS", "UDP", "TCP_UDP"})
PROTOCOLS = NETWORK_PROTOCOLS | {"HTTP", "HTTPS", "GENEVE"}
CHECKS = frozenset({"TCP", "HTTP", "HTTPS"})
TARGET_TYPES = frozenset({"instance", "ip", "lambda", "alb"})
QUOTA = 3000
MOST_TARGETS = 1000
TARGET_ID = re.compile(r"i-[0-9a-f]+")
BOOLEAN = re.compile("true|false")

ATTRIBUTES: Mapping[str, re.Pattern[str]] = {
    "deregistration_delay.timeout_seconds": re.compile(
        r"[0-9]|[1-9][0-9]{1,2}|[12][0-9]{3}|3[0-5][0-9]{2}|3600"
    ),
    "deregistration_delay.connection_termination.enabled": BOOLEAN,
    "preserve_client_ip.enabled": BOOLEAN,
    "proxy_protocol_v2.enabled": BOOLEAN,
    "stickiness.enabled": BOOLEAN,
    "stickiness.type": re.compile("source_ip"),
    "load_balancing.cross_zone.enabled": re.compile("true|false|use_load_balancer_configuration"),
    "target_health_state.unhealthy.connection_termination.enabled": BOOLEAN,
    "target_health_state.unhealthy.draining_interval_seconds": re.compile(
        r"[0-9]{1,5}|[12][0-9]{5}|3[0-5][0-9]{4}|360000"
    ),
    "target_group_health.dns_failover.minimum_healthy_targets.count": re.compile(r"off|[1-9][0-9]*"),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": re.compile(r"off|[1-9][0-9]?|100"),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": re.compile(r"[1-9][0-9]*"),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": re.compile(
        r"off|[1-9][0-9]?|100"
    ),
}
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html"""


def default_attributes(protocol: str, target_type: str) -> dict[str, str]:
    """Return what a target group is born with; of instances, and by UDP, clients' addresses are preserved."""
    preserved = target_type == "instance" or protocol in {"UDP", "TCP_UDP"}
    return {
        "deregistration_delay.timeout_seconds": "300",
        "deregistration_delay.connection_termination.enabled": "false",
        "preserve_client_ip.enabled": "true" if preserved else "false",
        "proxy_protocol_v2.enabled": "false",
        "stickiness.enabled": "false",
        "stickiness.type": "source_ip",
        "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
        "target_health_state.unhealthy.connection_termination.enabled": "true",
        "target_health_state.unhealthy.draining_interval_seconds": "0",
        "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
        "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    }


def create_target_group(region: Region, request: Request) -> Answer:
    """Create a target group; one of the same name and settings is answered as it is.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    name = str(required(request, "Name"))
    refuse_bad_name(name, "target group")
    protocol, port = str(required(request, "Protocol")), int(required(request, "Port"))
    target_type, vpc_id = request.get("TargetType") or "instance", str(required(request, "VpcId"))
    if protocol not in PROTOCOLS or target_type not in TARGET_TYPES or not 1 <= port <= 65535:
        raise invalid(f"Protocol '{protocol}', port {port} or target type '{target_type}' is not valid")
    if vpc_id not in region.ec2.vpcs:
        raise invalid(f"The VPC ID '{vpc_id}' is not found")
    made = TargetGroup(
        arn=region.arn(f"targetgroup/{name}"),
        name=name,
        protocol=protocol,
        port=port,
        vpc_id=vpc_id,
        target_type=target_type,
        health_check=health_check(request, protocol, {}),
        ip_address_type=request.get("IpAddressType") or "ipv4",
        attributes=default_attributes(protocol, target_type),
    )
    for one in region.target_groups.values():
        if one.name == name:
            if _settings(one) == _settings(made):
                return {"TargetGroups": [shown(region, one)]}
            raise refusal("DuplicateTargetGroupName", f"A target group with the same name '{name}' exists")
    if len(region.target_groups) >= QUOTA:
        raise refusal("TooManyTargetGroups", f"There are {QUOTA} target groups already")
    asked_tags(region, made.arn, request.get("Tags", []))
    region.target_groups[made.arn] = made
    return {"TargetGroups": [shown(region, made)]}


def _settings(one: TargetGroup) -> tuple[Any, ...]:
    return one.protocol, one.port, one.vpc_id, one.target_type, one.ip_address_type, one.health_check


def health_check(request: Request, protocol: str, had: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group's health check after a request, or refuse.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
    """
    network = protocol in NETWORK_PROTOCOLS
    said = {**had, **{name: value for name, value in request.items() if value}}
    kind = said.get("HealthCheckProtocol", "TCP" if network else "HTTP")
    if network and kind not in CHECKS:
        raise invalid(f"Health check protocol '{kind}' must be one of TCP, HTTP, HTTPS")
    if kind == "TCP" and request.get("HealthCheckPath"):
        raise invalid("Health check path can not be specified for a TCP health check")
    interval = _number(said, "HealthCheckIntervalSeconds", 30, (5, 300))
    timeout = _number(said, "HealthCheckTimeoutSeconds", 6 if kind == "HTTP" else 10, (2, 120))
    if timeout > interval:
        raise invalid("Health check timeout must not be longer than the interval")
    port = str(said.get("HealthCheckPort", "traffic-port"))
    if port != "traffic-port" and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise invalid(f"Health check port '{port}' must be 'traffic-port' or a number between 1 and 65535")
    asked_by_http = {"HealthCheckPath": said.get("HealthCheckPath", "/"), "Matcher": _matcher(said)}
    return {
        "HealthCheckProtocol": kind,
        "HealthCheckPort": port,
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": interval,
        "HealthCheckTimeoutSeconds": timeout,
        "HealthyThresholdCount": _number(said, "HealthyThresholdCount", 5, (2, 10)),
        "UnhealthyThresholdCount": _number(said, "UnhealthyThresholdCount", 2, (2, 10)),
        **({} if kind == "TCP" else asked_by_http),
    }


def _number(said: Mapping[str, Any], name: str, default: int, limits: tuple[int, int]) -> int:
    value = int(said.get(name, default))
    if not limits[0] <= value <= limits[1]:
        raise invalid(f"{name} must be between {limits[0]} and {limits[1]}, not {value}")
    return value


def _matcher(said: Mapping[str, Any]) -> Any:
    asked = said.get("Matcher", {"HttpCode": "200-399"})
    codes = [int(one) for one in re.findall(r"[0-9]+", str(asked.get("HttpCode", "")))]
    if not codes or any(not 200 <= code <= 599 for code in codes):
        raise invalid("Health check matcher HTTP codes must be between 200 and 599")
    return asked


def describe_target_groups(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html"""
    arns, names, of = (
        request.get("TargetGroupArns", []),
        request.get("Names", []),
        request.get("LoadBalancerArn"),
    )
    if sum(map(bool, (arns, names, of))) > 1:
        raise invalid("Target group names, ARNs and a load balancer's ARN cannot be specified together")
    found = list(region.target_groups.values())
    if of:
        load_balancer(region, of)
        found = [one for one in found if of in _load_balancers(region, one)]
    if arns:
        found = [target_group(region, arn) for arn in arns]
    if names:
        by_name = {one.name: one for one in found}
        missing = [name for name in names if name not in by_name]
        if missing:
            raise refusal("TargetGroupNotFound", "One or more target groups not found")
        found = [by_name[name] for name in names]
    part, marker = page(request, found)
    return {"TargetGroups": [shown(region, one) for one in part], "NextMarker": marker}


def shown(region: Region, one: TargetGroup) -> Answer:
    return {
        "TargetGroupArn": one.arn,
        "TargetGroupName": one.name,
        "Protocol": one.protocol,
        "Port": one.port,
        "VpcId": one.vpc_id,
        "LoadBalancerArns": _load_balancers(region, one),
        "TargetType": one.target_type,
        "IpAddressType": one.ip_address_type,
        **one.health_check,
    }


def _load_balancers(region: Region, one: TargetGroup) -> list[str]:
    return sorted({listener.load_balancer for listener in region.users_of(one.arn)})


def modify_target_group(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html"""
    one = target_group(region, required(request, "TargetGroupArn"))
    one.health_check = health_check(request, one.protocol, one.health_check)
    return {"TargetGroups": [shown(region, one)]}


def delete_target_group(region: Region, request: Request) -> Answer:
    """Refuse while a listener forwards to it, and for a moment after; one that is not there is no fault.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html
    """
    arn = required(request, "TargetGroupArn")
    one = region.target_groups.get(arn)
    if one is None:
        return {}
    if region.users_of(arn) or KNOBS.now() - one.let_go_at < KNOBS.target_group_hold_seconds:
        raise refusal("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
    region.moto.tagging_service.delete_all_tags_for_resource(arn)
    del region.target_groups[arn]
    return {}


def describe_target_group_attributes(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroupAttributes.html"""
    return {"Attributes": attributes(target_group(region, required(request, "TargetGroupArn")).attributes)}


def modify_target_group_attributes(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroupAttributes.html"""
    one = target_group(region, required(request, "TargetGroupArn"))
    after = changed(request, one.attributes, ATTRIBUTES, "Target group")
    interval = after["target_health_state.unhealthy.draining_interval_seconds"]
    if interval != "0" and after["target_health_state.unhealthy.connection_termination.enabled"] == "true":
        raise refusal(
            "InvalidConfigurationRequest", "A draining interval needs connection termination to be off"
        )
    if one.protocol == "TLS" and after["stickiness.enabled"] == "true":
        raise refusal("InvalidConfigurationRequest", "Stickiness is not supported with TLS")
    one.attributes = after
    return {"Attributes": attributes(after)}


def register_targets(region: Region, request: Request) -> Answer:
    """Register targets, all or none; the whole call fails for one that is unknown, not running, or elsewhere.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """
    one = target_group(region, required(request, "TargetGroupArn"))
    asked = _asked(one, request)
    if one.target_type == "instance":
        found = instances_of(region.ec2)
        for id_, _ in asked:
            instance = found.get(id_)
            if instance is None or not TARGET_ID.fullmatch(id_):
                raise refusal("InvalidTarget", f"The following targets are not valid instances: '{id_}'")
            if instance.state != "running":
                raise refusal("InvalidTarget", f"The following targets are not in a running state: '{id_}'")
            if instance.vpc_id != one.vpc_id:
                raise refusal(
                    "InvalidTarget",
                    f"The following targets are not in the target group VPC '{one.vpc_id}': '{id_}'",
                )
    if len({*one.targets, *asked}) > MOST_TARGETS:
        raise refusal("TooManyTargets", f"A target group has at most {MOST_TARGETS} targets")
    for target in asked:
        one.targets.setdefault(target, KNOBS.now())
        one.draining.pop(target, None)
    return {}


def deregister_targets(region: Region, request: Request) -> Answer:
    """Deregister targets; those that are not registered are no fault. What has been healthy drains.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html
    """
    one = target_group(region, required(request, "TargetGroupArn"))
    named = [(str(each["Id"]), each.get("Port")) for each in required(request, "Targets")]
    for id_, port in named:
        for target in [key for key in one.targets if key[0] == id_ and port in (None, key[1])]:
            del one.targets[target]
            one.draining[target] = KNOBS.now()
    return {}


def describe_target_health(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html"""
    one = target_group(region, required(request, "TargetGroupArn"))
    _settle(region, one)
    targets = [*one.targets, *one.draining]
    if request.get("Targets"):
        targets = _asked(one, request)
    port = one.health_check["HealthCheckPort"]
    return {
        "TargetHealthDescriptions": [
            {
                "Target": {"Id": id_, "Port": at},
                "HealthCheckPort": str(at) if port == "traffic-port" else port,
                "TargetHealth": health(region, one, (id_, at)),
            }
            for id_, at in targets
        ]
    }


def health(region: Region, one: TargetGroup, target: tuple[str, int]) -> dict[str, str]:
    """Return a target's state, and why it is not healthy, in AWS's own terms."""
    if target in one.draining:
        return _state("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
    if target not in one.targets:
        return _state("unused", "Target.NotRegistered", "Target is not registered to the target group")
    users = region.users_of(one.arn)
    if not users:
        return _state(
            "unused", "Target.NotInUse", "Target group is not configured to receive traffic from ELB"
        )
    if one.target_type == "instance":
        instance = instances_of(region.ec2).get(target[0])
        if instance is None or instance.state != "running":
            return _state("unused", "Target.InvalidState", "Target is in the stopped state")
        zones = {zone for user in users for zone in region.load_balancers[user.load_balancer].zones}
        if instance.placement.availability_zone not in zones:
            text = "Target is in an Availability Zone that is not enabled for the load balancer"
            return _state("unused", "Target.NotInUse", text)
    if KNOBS.now() - one.targets[target] < KNOBS.target_registration_seconds:
        return _state("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
    known = KNOBS.target_health and KNOBS.target_health(one.arn, *target)
    return _state(*known) if known else {"State": "healthy"}


def _state(state: str, reason: str = "", description: str = "") -> dict[str, str]:
    return {"State": state, "Reason": reason, "Description": description} if reason else {"State": state}


def _settle(region: Region, one: TargetGroup) -> None:
    """Forget those that have drained: after the delay, and terminated instances at once."""
    delay = int(one.attributes["deregistration_delay.timeout_seconds"])
    found = instances_of(region.ec2) if one.target_type == "instance" else {}
    for target, since in list(one.draining.items()):
        gone = one.target_type == "instance" and _ended(found.get(target[0]))
        if gone or KNOBS.now() - since >= max(delay, KNOBS.target_deregistration_seconds):
            del one.draining[target]
    for target in list(one.targets):
        if one.target_type == "instance" and _ended(found.get(target[0])):
            del one.targets[target]


def _ended(instance: Instance | None) -> bool:
    return instance is None or instance.state in {"terminated", "shutting-down"}


def _asked(one: TargetGroup, request: Request) -> list[tuple[str, int]]:
    return [(str(each["Id"]), int(each.get("Port") or one.port)) for each in required(request, "Targets")]
