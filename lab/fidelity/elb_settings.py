"""Health check and attributes of classic load balancers.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html
https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_LoadBalancerAttributes.html
"""

from __future__ import annotations

import re
from typing import Any

from lab.fidelity.elb_state import (
    Answer,
    HealthCheck,
    LoadBalancer,
    Region,
    Request,
    default_attributes,
    invalid,
    named,
    refusal,
    required,
)

TARGET = re.compile(r"(?:(?:TCP|SSL):(\d{1,5})|HTTPS?:(\d{1,5})(/.{0,1023}))")
LONGEST_IDLE = 3600
DESYNC_ATTRIBUTE = "elb.http.desyncmitigationmode"
DESYNC_MODES = frozenset({"monitor", "defensive", "strictest"})


def configure_health_check(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_ConfigureHealthCheck.html"""
    load_balancer = named(region, request)
    asked: Request = required(request, "HealthCheck")
    target = str(required(asked, "Target"))
    matched = TARGET.fullmatch(target)
    if matched is None or not 1 <= int(matched[1] or matched[2]) <= 65535:
        raise invalid("HealthCheck Target must be TCP:port, SSL:port, HTTP:port/path or HTTPS:port/path")
    check = HealthCheck(
        target=target,
        interval=_between(asked, "Interval", 5, 300),
        timeout=_between(asked, "Timeout", 2, 60),
        unhealthy_threshold=_between(asked, "UnhealthyThreshold", 2, 10),
        healthy_threshold=_between(asked, "HealthyThreshold", 2, 10),
    )
    if check.timeout >= check.interval:
        raise invalid("HealthCheck timeout must be less than interval")
    load_balancer.health_check = check
    return {"HealthCheck": shown_health_check(check)}


def shown_health_check(check: HealthCheck) -> Answer:
    """Return the health check under its names in the API."""
    return {
        "Target": check.target,
        "Interval": check.interval,
        "Timeout": check.timeout,
        "UnhealthyThreshold": check.unhealthy_threshold,
        "HealthyThreshold": check.healthy_threshold,
    }


def _between(asked: Request, name: str, least: int, most: int) -> int:
    value = int(required(asked, name))
    if not least <= value <= most:
        raise invalid(f"{name} must be between {least} and {most}")
    return value


def describe_load_balancer_attributes(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancerAttributes.html"""
    return {"LoadBalancerAttributes": _shown(named(region, request))}


def modify_load_balancer_attributes(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_ModifyLoadBalancerAttributes.html

    Nothing is changed unless all of it is well-formed.
    """
    load_balancer = named(region, request)
    asked: Request = required(request, "LoadBalancerAttributes")
    changed: dict[str, dict[str, Any]] = {}
    if "CrossZoneLoadBalancing" in asked:
        changed["CrossZoneLoadBalancing"] = {"Enabled": _enabled(asked["CrossZoneLoadBalancing"])}
    if "ConnectionSettings" in asked:
        idle = _between(asked["ConnectionSettings"], "IdleTimeout", 1, LONGEST_IDLE)
        changed["ConnectionSettings"] = {"IdleTimeout": idle}
    if "ConnectionDraining" in asked:
        changed["ConnectionDraining"] = _draining(asked["ConnectionDraining"])
    if "AccessLog" in asked:
        changed["AccessLog"] = _access_log(asked["AccessLog"])
    desync_mode = _desync_mode(asked) or load_balancer.desync_mode
    load_balancer.attributes |= changed
    load_balancer.desync_mode = desync_mode
    return {"LoadBalancerName": load_balancer.name, "LoadBalancerAttributes": _shown(load_balancer)}


def _shown(load_balancer: LoadBalancer) -> Answer:
    desync = {"Key": DESYNC_ATTRIBUTE, "Value": load_balancer.desync_mode}
    return {**load_balancer.attributes, "AdditionalAttributes": [desync]}


def _enabled(asked: Request) -> bool:
    if "Enabled" not in asked:
        raise invalid("Enabled is required")
    return bool(asked["Enabled"])


def _draining(asked: Request) -> dict[str, Any]:
    """The time-out goes with Enabled=true only.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
    """
    default = default_attributes()["ConnectionDraining"]
    if _enabled(asked):
        timeout = _between(asked, "Timeout", 1, 3600) if "Timeout" in asked else default["Timeout"]
        return {"Enabled": True, "Timeout": timeout}
    if "Timeout" in asked:
        raise invalid("ConnectionDraining Timeout can be set only when it is enabled")
    return default


def _access_log(asked: Request) -> dict[str, Any]:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AccessLog.html"""
    if not _enabled(asked):
        return {"Enabled": False}
    interval = int(asked.get("EmitInterval", 60))
    if interval not in {5, 60}:
        raise invalid("EmitInterval must be 5 or 60")
    if not asked.get("S3BucketName"):
        raise refusal("InvalidConfigurationRequest", "S3BucketName is needed for access logs")
    return {
        "Enabled": True,
        "S3BucketName": asked["S3BucketName"],
        "S3BucketPrefix": asked.get("S3BucketPrefix", ""),
        "EmitInterval": interval,
    }


def _desync_mode(asked: Request) -> str | None:
    mode = None
    for attribute in asked.get("AdditionalAttributes", []):
        if attribute.get("Key") != DESYNC_ATTRIBUTE:
            raise invalid(f"There is no additional attribute named {attribute.get('Key')}")
        mode = attribute.get("Value")
        if mode not in DESYNC_MODES:
            raise invalid(f"{DESYNC_ATTRIBUTE} is one of {', '.join(sorted(DESYNC_MODES))}")
    return mode
