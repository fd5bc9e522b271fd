"""Attributes and health checks of classic load balancers."""

from __future__ import annotations

from typing import Any

from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import BALANCER, OTHER_BALANCER
from conformance.rule import question, rule

OUTSIDE = ("ValidationError", "InvalidConfigurationRequest")


def attributes(aws: Account, name: str) -> dict[str, Any]:
    """Return a load balancer's attributes."""
    found: dict[str, Any] = aws.client("elb").describe_load_balancer_attributes(LoadBalancerName=name)[
        "LoadBalancerAttributes"
    ]
    return found


def modify(aws: Account, **changed: object) -> dict[str, Any]:
    """Return the parameters that modify attributes of the shared load balancer."""
    return {"LoadBalancerName": aws.need(BALANCER), "LoadBalancerAttributes": changed}


@rule(OTHER_BALANCER, code="provision/desired", corrects="elb_state")
def attributes_of_a_new_load_balancer(aws: Account) -> None:
    """By default the idle timeout is 60 s; connection draining, cross-zone balancing and access logs are off
    when the API makes the load balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-disable-crosszone-lb.html
    """
    found = attributes(aws, aws.need(OTHER_BALANCER))
    same(found["ConnectionSettings"]["IdleTimeout"], 60, "the idle timeout")
    for name in ("ConnectionDraining", "CrossZoneLoadBalancing", "AccessLog"):
        same(found[name]["Enabled"], False, name)


@rule(BALANCER, code=("provision/desired", "model/load_balancer"), corrects="elb_settings")
def an_idle_timeout_of_3600(aws: Account) -> None:
    """The idle timeout is 1 to 3600 s by the API's model.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_ConnectionSettings.html
    """
    elb = aws.client("elb")
    call = elb.modify_load_balancer_attributes
    aws.defer(call, **modify(aws, ConnectionSettings={"IdleTimeout": 60}))
    for seconds in (1, 3600):
        call(**modify(aws, ConnectionSettings={"IdleTimeout": seconds}))
        same(attributes(aws, aws.need(BALANCER))["ConnectionSettings"]["IdleTimeout"], seconds, "it is")
    for seconds in (0, 4001):
        refused(call, OUTSIDE, **modify(aws, ConnectionSettings={"IdleTimeout": seconds}))


@question(BALANCER, code="provision/declaration_checks", corrects="elb_settings")
def an_idle_timeout_of_4000(aws: Account) -> str:
    """The guide says that the idle timeout is 1 to 4000 s, the API's model 1 to 3600.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html
    """
    call = aws.client("elb").modify_load_balancer_attributes
    aws.defer(call, **modify(aws, ConnectionSettings={"IdleTimeout": 60}))
    return outcome(call, **modify(aws, ConnectionSettings={"IdleTimeout": 4000}))


@rule(BALANCER, code="provision/declaration_checks", corrects="elb_settings")
def draining_takes_1_to_3600_seconds(aws: Account) -> None:
    """Connection draining takes 1 to 3600 s.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
    """
    call = aws.client("elb").modify_load_balancer_attributes
    aws.defer(call, **modify(aws, ConnectionDraining={"Enabled": False}))
    for seconds in (1, 3600):
        call(**modify(aws, ConnectionDraining={"Enabled": True, "Timeout": seconds}))
        same(
            attributes(aws, aws.need(BALANCER))["ConnectionDraining"],
            {"Enabled": True, "Timeout": seconds},
            "it is",
        )
    for seconds in (0, 3601):
        refused(call, OUTSIDE, **modify(aws, ConnectionDraining={"Enabled": True, "Timeout": seconds}))


@rule(BALANCER, code="provision/plan", corrects="elb_settings")
def a_draining_timeout_goes_with_draining(aws: Account) -> str:
    """The draining timeout can be set only together with Enabled=true.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
    """
    call = aws.client("elb").modify_load_balancer_attributes
    aws.defer(call, **modify(aws, ConnectionDraining={"Enabled": False}))
    return refused(call, OUTSIDE, **modify(aws, ConnectionDraining={"Enabled": False, "Timeout": 30}))


@rule(BALANCER, code="provision/plan", corrects="elb_settings")
def attributes_change_one_by_one(aws: Account) -> None:
    """ModifyLoadBalancerAttributes changes what it names and leaves the rest; each stands there once.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_ModifyLoadBalancerAttributes.html
    """
    call, name = aws.client("elb").modify_load_balancer_attributes, aws.need(BALANCER)
    before = attributes(aws, name)
    aws.defer(call, **modify(aws, CrossZoneLoadBalancing={"Enabled": False}))
    for _ in range(2):
        call(**modify(aws, CrossZoneLoadBalancing={"Enabled": True}))
    same(attributes(aws, name), before | {"CrossZoneLoadBalancing": {"Enabled": True}}, "the attributes")


@rule(
    BALANCER,
    code="provision/review",
    corrects="elb_settings",
    left_out="the corrected moto takes access logs for any bucket: the program's tests name made-up ones",
)
def access_logs_want_a_bucket_that_lets_them_in(aws: Account) -> str:
    """Access logs need a bucket whose policy lets ELB write, else InvalidConfigurationRequest.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-access-logs.html
    """
    log = {"Enabled": True, "S3BucketName": aws.name("none"), "EmitInterval": 60}
    call = aws.client("elb").modify_load_balancer_attributes
    aws.defer(call, **modify(aws, AccessLog={"Enabled": False}))
    return refused(call, "InvalidConfigurationRequest", **modify(aws, AccessLog=log))


@rule(BALANCER, code="provision/declaration_checks", corrects="elb_settings")
def access_logs_come_every_5_or_60_minutes(aws: Account) -> str:
    """Access logs are written every 5 or 60 minutes.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AccessLog.html
    """
    log = {"Enabled": True, "S3BucketName": aws.name("none"), "EmitInterval": 30}
    call = aws.client("elb").modify_load_balancer_attributes
    aws.defer(call, **modify(aws, AccessLog={"Enabled": False}))
    return refused(call, OUTSIDE, **modify(aws, AccessLog=log))


def check(target: str = "TCP:1883", **changes: Any) -> dict[str, Any]:
    """Return a health check, with changes."""
    numbers = {"Interval": 30, "Timeout": 5, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
    return {"Target": target, **numbers, **changes}


@rule(OTHER_BALANCER, code="provision/desired", corrects="elb_state")
def the_health_check_of_a_new_load_balancer(aws: Account) -> None:
    """A new load balancer checks TCP on the instance port of a listener, interval 30 s, timeout 5 s,
    thresholds 2 and 10; the API's default is TCP:80.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html
    """
    (found,) = aws.client("elb").describe_load_balancers(LoadBalancerNames=[aws.need(OTHER_BALANCER)])[
        "LoadBalancerDescriptions"
    ]
    wanted = check("TCP:80", HealthyThreshold=10)
    if found["HealthCheck"]["Target"] == "TCP:1883":
        wanted["Target"] = "TCP:1883"  # the guide's example has the first listener's instance port
    same(found["HealthCheck"], wanted, "its health check")


@rule(BALANCER, code=("provision/declaration_checks", "api/body"), corrects="elb_settings")
def targets_of_health_checks(aws: Account) -> None:
    """A target is TCP:port, SSL:port, HTTP:port/path or HTTPS:port/path.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_HealthCheck.html
    """
    call, name = aws.client("elb").configure_health_check, aws.need(BALANCER)
    for target in ("TCP:1883", "SSL:8883", "HTTP:18083/status", "HTTPS:443/", "TCP:1", "TCP:65535"):
        same(call(LoadBalancerName=name, HealthCheck=check(target))["HealthCheck"]["Target"], target, "it is")
    for target in ("UDP:1883", "TCP:0", "TCP:65536", "TCP", "HTTP:80", "1883"):
        refused(call, OUTSIDE, LoadBalancerName=name, HealthCheck=check(target))


@rule(BALANCER, code="provision/declaration_checks", corrects="elb_settings")
def bounds_of_health_checks(aws: Account) -> None:
    """The interval is 5 to 300 s, the timeout 2 to 60 s and below the interval, the thresholds 2 to 10.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html
    """
    call, name = aws.client("elb").configure_health_check, aws.need(BALANCER)
    inside: tuple[dict[str, Any], ...] = (
        {"Interval": 5, "Timeout": 2},
        {"Interval": 300, "Timeout": 60},
        {"UnhealthyThreshold": 10, "HealthyThreshold": 10},
    )
    for changes in inside:
        answer = call(LoadBalancerName=name, HealthCheck=check(**changes))["HealthCheck"]
        hold(answer == check(**changes), f"AWS keeps {answer}")
    outside: tuple[dict[str, Any], ...] = (
        {"Interval": 4, "Timeout": 2},
        {"Interval": 301},
        {"Timeout": 1},
        {"Interval": 100, "Timeout": 61},
        {"UnhealthyThreshold": 1},
        {"HealthyThreshold": 11},
        {"Interval": 30, "Timeout": 30},
    )
    for changes in outside:
        refused(call, OUTSIDE, LoadBalancerName=name, HealthCheck=check(**changes))
