"""Target groups of network load balancers, their health checks and attributes, and their targets."""

from __future__ import annotations

from typing import Any

from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import (
    GROUP,
    INSTANCE,
    INSTANCE_HOUR,
    NETWORK,
    NETWORK_HOUR,
    TARGETS,
    VPC,
    instance_state,
    new_network,
    new_targets,
    run_instance,
    targets_request,
)
from conformance.rule import question, rule
from conformance.rules.elb_instances import NO_INSTANCE
from conformance.rules.elbv2_balancers import MISFIT, absent
from conformance.rules.elbv2_listeners import forward, listen, listener_request

BORN = {
    "deregistration_delay.timeout_seconds": "300",
    "deregistration_delay.connection_termination.enabled": "false",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
FAST = {
    "Port": 22,
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
}
"""Of a group whose targets listen to SSH: what Amazon's images do."""
BEGINNING = {"Elb.RegistrationInProgress", "Elb.InitialHealthChecking"}


def attributes(aws: Account, arn: str) -> dict[str, str]:
    """Return a target group's attributes."""
    answer = aws.client("elbv2").describe_target_group_attributes(TargetGroupArn=arn)
    return {one["Key"]: one["Value"] for one in answer["Attributes"]}


def set_attribute(arn: str, key: str, value: str) -> dict[str, Any]:
    """Return the parameters of ModifyTargetGroupAttributes for one attribute."""
    return {"TargetGroupArn": arn, "Attributes": [{"Key": key, "Value": value}]}


def on(arn: str, *ids: str) -> dict[str, Any]:
    """Return the parameters that name a target group and targets at its own port."""
    return {"TargetGroupArn": arn, "Targets": [{"Id": one} for one in ids]}


def register(aws: Account, arn: str, *ids: str) -> None:
    """Register targets until the rule ends."""
    elbv2 = aws.client("elbv2")
    aws.defer(elbv2.deregister_targets, **on(arn, *ids))
    elbv2.register_targets(**on(arn, *ids))


def health(aws: Account, arn: str) -> dict[tuple[str, int], dict[str, str]]:
    """Return the health of a group's targets by id and port."""
    answer = aws.client("elbv2").describe_target_health(TargetGroupArn=arn)
    return {
        (one["Target"]["Id"], one["Target"]["Port"]): one["TargetHealth"]
        for one in answer["TargetHealthDescriptions"]
    }


def seen(aws: Account, arn: str, target: tuple[str, int]) -> tuple[str, str]:
    """Return the state and the reason of one target; empty texts where it is not listed."""
    found = health(aws, arn).get(target, {})
    return found.get("State", ""), found.get("Reason", "")


@rule(TARGETS, VPC, code=("provision/plan_network", "aws/refusals"), corrects="elbv2_target_groups")
def to_create_the_same_group_again_is_no_fault(aws: Account) -> str:
    """CreateTargetGroup of the same name and settings answers the group that is there; with another port it
    is DuplicateTargetGroupName.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    elbv2, arn = aws.client("elbv2"), aws.need(TARGETS)
    (there,) = elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    request = targets_request(aws, Name=there["TargetGroupName"])
    (answered,) = elbv2.create_target_group(**request)["TargetGroups"]
    same(answered["TargetGroupArn"], arn, "the ARN")
    return refused(elbv2.create_target_group, "DuplicateTargetGroupName", **request | {"Port": 1884})


@rule(VPC, code="model/names", corrects="elbv2_state")
def names_of_target_groups(aws: Account) -> None:
    """A target group's name has at most 32 letters, digits and hyphens, no hyphen at either end.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    create = aws.client("elbv2").create_target_group
    for name in (f"conform-{'a' * 25}", "conform-under_score", "-conform-begins", "conform-ends-"):
        refused(create, "ValidationError", **targets_request(aws, Name=name))


@rule(TARGETS, code=("model/target_groups", "model/unmanaged"), corrects="elbv2_target_groups")
def what_a_new_group_is_born_with(aws: Account) -> str:
    """A new TCP group of instances waits 300 s when it deregisters, does not end connections then, keeps
    clients' addresses, and ends connections to unhealthy targets.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
    """
    found = attributes(aws, aws.need(TARGETS))
    same({key: found.get(key) for key in BORN}, BORN, "the attributes")
    return ", ".join(f"{key}={value}" for key, value in sorted(found.items()) if key not in BORN)


@rule(TARGETS, code=("aws/elbv2", "aws/elbv2_calls"), corrects="elbv2_target_groups")
def attributes_of_a_group_have_bounds(aws: Account) -> str:
    """A deregistration delay is 0 to 3600 s, and a key that no group has is refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
    """
    elbv2, arn, key = aws.client("elbv2"), aws.need(TARGETS), "deregistration_delay.timeout_seconds"
    modify = elbv2.modify_target_group_attributes
    aws.defer(modify, **set_attribute(arn, key, "300"))
    for value in ("0", "3600"):
        modify(**set_attribute(arn, key, value))
        same(attributes(aws, arn)[key], value, "the delay")
    refused(modify, MISFIT, **set_attribute(arn, key, "3601"))
    return refused(modify, MISFIT, **set_attribute(arn, "conformance.enabled", "true"))


@rule(TARGETS, code="provision/desired", corrects="elbv2_target_groups")
def a_new_groups_health_check(aws: Account) -> None:
    """A new TCP group is checked by TCP at the traffic port, every 30 s, with 10 s to answer, five times to
    be healthy and twice to be unhealthy.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
    """
    (found,) = aws.client("elbv2").describe_target_groups(TargetGroupArns=[aws.need(TARGETS)])["TargetGroups"]
    wanted = {
        "HealthCheckProtocol": "TCP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 10,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
    }
    same({key: found.get(key) for key in wanted}, wanted, "the health check")


@rule(VPC, code="provision/declaration_checks", corrects="elbv2_target_groups")
def health_checks_speak_no_tls(aws: Account) -> str:
    """A network load balancer's health check speaks TCP, HTTP or HTTPS.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
    """
    request = targets_request(aws, HealthCheckProtocol="TLS")
    return refused(aws.client("elbv2").create_target_group, MISFIT, **request)


@rule(TARGETS, VPC, code="provision/plan_network", corrects="elbv2_target_groups")
def a_health_check_is_changed_in_place(aws: Account) -> None:
    """ModifyTargetGroup changes protocol, path, interval and thresholds of a network one's health check.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html
    """
    elbv2, arn = aws.client("elbv2"), new_targets(aws)
    wanted = {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "18083",
        "HealthCheckPath": "/status",
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 3,
        "UnhealthyThresholdCount": 4,
    }
    (answered,) = elbv2.modify_target_group(TargetGroupArn=arn, **wanted)["TargetGroups"]
    same({key: answered.get(key) for key in wanted}, wanted, "the health check")


@rule(TARGETS, INSTANCE, code=("aws/registration", "aws/refusals"), corrects="elbv2_target_groups")
def an_unknown_target_fails_the_whole_call(aws: Account) -> str:
    """An unknown id fails the whole of RegisterTargets with InvalidTarget.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """
    arn = aws.need(TARGETS)
    call, asked = aws.client("elbv2").register_targets, on(arn, aws.need(INSTANCE), NO_INSTANCE)
    aws.defer(aws.client("elbv2").deregister_targets, **asked)
    said = refused(call, "InvalidTarget", **asked)
    same(health(aws, arn), {}, "registered are")
    return said


@rule(TARGETS, INSTANCE, code=("register/apply", "register/targets"), corrects="elbv2_target_groups")
def to_register_a_target_again_is_no_fault(aws: Account) -> None:
    """To register a target again changes nothing, and at another port it is another target.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """
    elbv2, arn, id_ = aws.client("elbv2"), aws.need(TARGETS), aws.need(INSTANCE)
    register(aws, arn, id_)
    register(aws, arn, id_)
    same(health(aws, arn).keys(), {(id_, 1883)}, "the targets")
    other = {"TargetGroupArn": arn, "Targets": [{"Id": id_, "Port": 1884}]}
    aws.defer(elbv2.deregister_targets, **other)
    elbv2.register_targets(**other)
    same(health(aws, arn).keys(), {(id_, 1883), (id_, 1884)}, "the targets")


@rule(TARGETS, INSTANCE, code=("register/apply", "aws/refusals"), corrects="elbv2_target_groups")
def to_deregister_what_is_not_registered_succeeds(aws: Account) -> None:
    """DeregisterTargets of a target that is not registered succeeds.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html
    """
    aws.client("elbv2").deregister_targets(**on(aws.need(TARGETS), aws.need(INSTANCE)))


@rule(
    VPC,
    TARGETS,
    GROUP,
    code="register/plan",
    corrects="elbv2_target_groups",
    minutes=2.5,
    dollars=INSTANCE_HOUR,
)
def a_target_runs_when_it_is_registered(aws: Account) -> str:
    """An instance that does not run cannot be registered: InvalidTarget. One that is registered and stopped
    then reads unused, Target.InvalidState.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
    """
    ec2, registered, fresh = aws.client("ec2"), new_targets(aws), aws.need(TARGETS)
    aws.spend(INSTANCE_HOUR)
    id_ = run_instance(aws, aws.need(VPC).first)
    aws.defer(ec2.terminate_instances, InstanceIds=[id_])
    register(aws, registered, id_)
    ec2.stop_instances(InstanceIds=[id_])
    aws.until(lambda: instance_state(aws, id_) == "stopped", 300, "it is stopped")
    aws.defer(aws.client("elbv2").deregister_targets, **on(fresh, id_))
    said = refused(aws.client("elbv2").register_targets, "InvalidTarget", **on(fresh, id_))
    same(seen(aws, registered, (id_, 1883))[0], "unused", "its state")
    return said


@rule(VPC, INSTANCE, code=("register/plan", "register/lifecycle"), corrects="elbv2_target_groups")
def a_target_of_no_listener_is_unused(aws: Account) -> None:
    """A target whose group no listener forwards to reads unused, Target.NotInUse.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
    """
    arn = new_targets(aws)
    register(aws, arn, aws.need(INSTANCE))
    same(seen(aws, arn, (aws.need(INSTANCE), 1883)), ("unused", "Target.NotInUse"), "state and reason")


@rule(
    NETWORK,
    TARGETS,
    VPC,
    INSTANCE,
    code=("register/lifecycle", "model/load_balancer"),
    corrects="elbv2_target_groups",
    minutes=6,
)
def from_initial_to_healthy_to_draining(aws: Account) -> str:
    """A new target is initial (Elb.RegistrationInProgress, Elb.InitialHealthChecking), then healthy, and
    draining (Target.DeregistrationInProgress) once it is deregistered.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
    https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/1834
    """
    arn, target = new_targets(aws, **FAST), (aws.need(INSTANCE), 22)
    listen(aws, 3101, DefaultActions=[forward(arn)])
    register(aws, arn, target[0])
    began, before = aws.place.clock(), set[tuple[str, str]]()

    def healthy() -> bool:
        now = seen(aws, arn, target)
        before.add(now)
        return now[0] == "healthy"

    aws.until(healthy, 420, f"it is healthy: {before}")
    seconds = aws.place.clock() - began
    others = {reason for state, reason in before if state == "initial"}
    hold(others <= BEGINNING, f"reasons of initial are {others}")
    aws.client("elbv2").deregister_targets(**on(arn, target[0]))
    wanted = ("draining", "Target.DeregistrationInProgress")
    same(seen(aws, arn, target), wanted, "state and reason after it is deregistered")
    return f"healthy after {seconds:.0f} s"


@rule(
    NETWORK,
    TARGETS,
    VPC,
    GROUP,
    code="aws/refusals",
    corrects="elbv2_listeners",
    dollars=NETWORK_HOUR,
    minutes=0.1,
)
def a_group_is_of_one_load_balancer(aws: Account) -> str:
    """A target group that one load balancer uses is not for another one: TargetGroupAssociationLimit.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html
    """
    listen(aws, 3102)
    request = listener_request(aws, 3102, LoadBalancerArn=new_network(aws))
    return refused(aws.client("elbv2").create_listener, "TargetGroupAssociationLimit", **request)


@rule(NETWORK, TARGETS, VPC, code=("provision/delete", "aws/refusals"), corrects="elbv2_target_groups")
def a_group_in_use_stays(aws: Account) -> str:
    """DeleteTargetGroup of one that a listener forwards to is ResourceInUse.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html
    """
    arn = new_targets(aws)
    listen(aws, 3103, DefaultActions=[forward(arn)])
    return refused(aws.client("elbv2").delete_target_group, "ResourceInUse", TargetGroupArn=arn)


@question(NETWORK, TARGETS, VPC, code=("provision/delete", "provision/sweep"), corrects="knobs", minutes=0.5)
def how_long_a_group_is_held_after_its_listener(aws: Account) -> str:
    """A target group stays ResourceInUse for some seconds after its listener is gone.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html
    """
    elbv2, arn = aws.client("elbv2"), new_targets(aws)
    elbv2.delete_listener(ListenerArn=listen(aws, 3104, DefaultActions=[forward(arn)]))
    return f"{aws.once_allowed(elbv2.delete_target_group, ['ResourceInUse'], 300, TargetGroupArn=arn):.0f} s"


@rule(
    VPC,
    GROUP,
    code=("provision/delete", "provision/sweep"),
    corrects="elbv2_load_balancers",
    dollars=NETWORK_HOUR,
    minutes=0.5,
)
def a_deleted_load_balancer_leaves_its_groups(aws: Account) -> str:
    """DeleteLoadBalancer takes the listeners with it and leaves the target groups.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
    """
    elbv2, arn, group = aws.client("elbv2"), new_network(aws), new_targets(aws)
    (made,) = elbv2.create_listener(
        LoadBalancerArn=arn, Port=1883, Protocol="TCP", DefaultActions=[forward(group)], Tags=aws.tags
    )["Listeners"]
    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    codes = ("ListenerNotFound", "LoadBalancerNotFound")
    said = refused(elbv2.describe_listeners, codes, ListenerArns=[made["ListenerArn"]])
    (left,) = elbv2.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
    hold(not left["LoadBalancerArns"], f"it is still of {left['LoadBalancerArns']}")
    return said


@question(code="provision/delete", corrects="elbv2_target_groups")
def to_delete_a_group_that_is_missing(aws: Account) -> str:
    """Whether DeleteTargetGroup of one that does not exist succeeds is not said.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html
    """
    arn = absent(aws, "targetgroup/conform-there-is-none/0123456789abcdef")
    return outcome(aws.client("elbv2").delete_target_group, TargetGroupArn=arn)


@rule(code="aws/refusals", corrects="elbv2_state")
def a_missing_group_is_not_found(aws: Account) -> None:
    """Operations on a target group that does not exist are TargetGroupNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
    """
    elbv2, arn = aws.client("elbv2"), absent(aws, "targetgroup/conform-there-is-none/0123456789abcdef")
    for call in (elbv2.describe_target_health, elbv2.describe_target_group_attributes):
        refused(call, "TargetGroupNotFound", TargetGroupArn=arn)
    for call in (elbv2.register_targets, elbv2.deregister_targets):
        refused(call, "TargetGroupNotFound", **on(arn, NO_INSTANCE))


@question(
    NETWORK,
    TARGETS,
    VPC,
    INSTANCE,
    code=("monitor/in_service", "monitor/plan"),
    minutes=6,
    left_out="moto measures no load balancer; lab/cloudwatch/metrics.py makes the lab's metrics",
)
def metrics_of_a_network_load_balancer(aws: Account) -> str:
    """AWS/NetworkELB has HealthyHostCount by LoadBalancer, net/<name>/<id>, together with TargetGroup,
    targetgroup/<name>/<id>, and not by LoadBalancer alone.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html
    """
    arn, cloudwatch = new_targets(aws, **FAST), aws.client("cloudwatch")
    listen(aws, 3105, DefaultActions=[forward(arn)])
    register(aws, arn, aws.need(INSTANCE))
    load_balancer = aws.need(NETWORK).arn.partition(":loadbalancer/")[2]
    group = arn.rpartition(":")[2]
    named = [{"Name": "LoadBalancer", "Value": load_balancer}, {"Name": "TargetGroup", "Value": group}]

    def sets() -> set[frozenset[str]]:
        answer = cloudwatch.list_metrics(
            Namespace="AWS/NetworkELB", MetricName="HealthyHostCount", Dimensions=named
        )
        return {frozenset(one["Name"] for one in metric["Dimensions"]) for metric in answer["Metrics"]}

    found = aws.until(sets, 540, "the metric is listed")
    return "; ".join(sorted(", ".join(sorted(one)) for one in found))
