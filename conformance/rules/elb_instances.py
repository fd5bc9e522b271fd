"""Instances behind classic load balancers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import (
    BALANCER,
    CLOSED_SUBNET,
    FAR_INSTANCE,
    INSTANCE,
    VPC,
    instance_state,
    new_group,
    run_instance,
)
from conformance.rule import question, rule

NO_INSTANCE = "i-0123456789abcdef0"


def here(aws: Account, *instances: str) -> dict[str, Any]:
    """Return the parameters that name the shared load balancer and instances."""
    return {"LoadBalancerName": aws.need(BALANCER), "Instances": [{"InstanceId": one} for one in instances]}


def registered(aws: Account) -> set[str]:
    """Return the ids of the registered instances."""
    (found,) = aws.client("elb").describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])[
        "LoadBalancerDescriptions"
    ]
    return {one["InstanceId"] for one in found["Instances"]}


def health(aws: Account, *instances: str) -> dict[str, Any]:
    """Return what AWS says of the instances' health, by id; of all registered ones without names."""
    asked = here(aws, *instances) if instances else {"LoadBalancerName": aws.need(BALANCER)}
    answer = aws.client("elb").describe_instance_health(**asked)
    return {one["InstanceId"]: one for one in answer["InstanceStates"]}


def register(aws: Account, *instances: str) -> Sequence[str]:
    """Register instances until the rule ends; return the ids that AWS answers."""
    elb = aws.client("elb")
    aws.defer(elb.deregister_instances_from_load_balancer, **here(aws, *instances))
    answer = elb.register_instances_with_load_balancer(**here(aws, *instances))
    return [one["InstanceId"] for one in answer["Instances"]]


@rule(BALANCER, INSTANCE, code=("aws/registration", "register/plan"), corrects="elb_instances")
def an_unknown_id_fails_the_whole_call(aws: Account) -> str:
    """An unknown id fails the whole registration with InvalidInstance.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html
    """
    elb, instance = aws.client("elb"), aws.need(INSTANCE)
    call = elb.register_instances_with_load_balancer
    said = refused(call, "InvalidInstance", **here(aws, instance, NO_INSTANCE))
    same(registered(aws), set(), "registered are")
    return said


@rule(
    BALANCER,
    CLOSED_SUBNET,
    code=("register/plan", "provision/review"),
    corrects="elb_instances",
    minutes=1,
    dollars=0.006,
)
def an_instance_of_another_vpc_is_refused(aws: Account) -> str:
    """A registered instance is in the load balancer's own VPC, else InvalidInstance.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html
    """
    ec2, subnet = aws.client("ec2"), aws.need(CLOSED_SUBNET)
    (found,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    instance = run_instance(aws, subnet, new_group(aws, found["VpcId"], aws.name("sg")))
    aws.defer(ec2.terminate_instances, InstanceIds=[instance])
    call = aws.client("elb").register_instances_with_load_balancer
    return refused(call, "InvalidInstance", **here(aws, instance))


@rule(BALANCER, INSTANCE, code="register/apply", corrects="elb_instances")
def to_register_answers_all_instances(aws: Account) -> None:
    """RegisterInstancesWithLoadBalancer answers all registered instances; to register one again is no fault.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html
    """
    for _ in range(2):
        same(register(aws, aws.need(INSTANCE)), [aws.need(INSTANCE)], "it answers")


@rule(BALANCER, INSTANCE, code="register/apply", corrects="elb_instances", minutes=1)
def accepted_is_not_in_service(aws: Account) -> str:
    """A registered instance is in service once its first checks passed, which takes up to about 30 s more
    than the checks.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html
    """
    elb, instance = aws.client("elb"), aws.need(INSTANCE)
    check = {"Target": "TCP:22", "Interval": 5, "Timeout": 2, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
    elb.configure_health_check(LoadBalancerName=aws.need(BALANCER), HealthCheck=check)
    register(aws, instance)
    began = aws.place.clock()
    aws.until(lambda: health(aws)[instance]["State"] == "InService", 180, "in service")
    return f"{aws.place.clock() - began:.0f} s"


@rule(BALANCER, INSTANCE, code="register/plan", corrects="elb_instances", minutes=0.05)
def one_that_is_not_registered_has_a_health_too(aws: Account) -> None:
    """DescribeInstanceHealth with names also answers for instances that are not registered: OutOfService,
    "Instance is not currently registered with the LoadBalancer".

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
    """
    found = health(aws, aws.need(INSTANCE))[aws.need(INSTANCE)]
    same(found["State"], "OutOfService", "its state")
    same(found["ReasonCode"], "Instance", "its reason code")
    same(found["Description"], "Instance is not currently registered with the LoadBalancer.", "it says")


@rule(BALANCER, FAR_INSTANCE, code="register/plan", corrects="elb_instances", minutes=0.1)
def in_a_zone_that_is_not_enabled_it_stays_out(aws: Account) -> str:
    """An instance in a zone that is not enabled can be registered, and stays out of service.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-disable-az.html
    """
    instance = aws.need(FAR_INSTANCE)
    register(aws, instance)
    found = aws.until(lambda: health(aws).get(instance), 60, "its health is known")
    same(found["State"], "OutOfService", "its state")
    return f"{found['ReasonCode']}: {found['Description']}"


@rule(BALANCER, INSTANCE, code="register/apply", corrects="elb_instances")
def deregistering_what_is_not_registered(aws: Account) -> None:
    """To deregister an instance that is not registered has no effect.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeregisterInstancesFromLoadBalancer.html
    """
    call = aws.client("elb").deregister_instances_from_load_balancer
    same(call(**here(aws, aws.need(INSTANCE)))["Instances"], [], "it answers")


@question(BALANCER, code="aws/registration", corrects="elb_instances")
def deregistering_what_does_not_exist(aws: Account) -> str:
    """To deregister what no longer exists may answer InvalidInstance; botocore's waiter takes that for done.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeregisterInstancesFromLoadBalancer.html
    """
    return outcome(aws.client("elb").deregister_instances_from_load_balancer, **here(aws, NO_INSTANCE))


@rule(
    BALANCER,
    INSTANCE,
    code=("register/plan", "model/names"),
    corrects=("elb_instances", "ec2"),
    minutes=2,
)
def a_stopped_instance(aws: Account) -> str:
    """The instance must run to be registered, else InvalidInstance; LaunchTime is in whole seconds, and a
    start after a stop renews it.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Stop_Start.html
    """
    elb, ec2, instance = aws.client("elb"), aws.client("ec2"), aws.need(INSTANCE)

    def launched() -> Any:
        answer = ec2.describe_instances(InstanceIds=[instance])
        return answer["Reservations"][0]["Instances"][0]["LaunchTime"]

    before = launched()
    ec2.stop_instances(InstanceIds=[instance])
    aws.until(lambda: instance_state(aws, instance) == "stopped", 240, "stopped")
    try:
        said = refused(elb.register_instances_with_load_balancer, "InvalidInstance", **here(aws, instance))
    finally:
        ec2.start_instances(InstanceIds=[instance])
        aws.until(lambda: instance_state(aws, instance) == "running", 240, "running again")
    after = launched()
    same(after.microsecond, 0, "the launch time's microseconds")
    hold(after >= before, f"it was launched at {before}, and then at {after}")
    return said


@rule(BALANCER, VPC, code="register/plan", corrects="elb_instances", minutes=2, dollars=0.006)
def a_terminated_instance_is_left_out(aws: Account) -> str:
    """DescribeInstanceHealth leaves out an instance that is terminated, which is deregistered by itself; to
    register it is InvalidInstance.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-deregister-register-instances.html
    """
    elb, ec2 = aws.client("elb"), aws.client("ec2")
    instance = run_instance(aws, aws.need(VPC).first)
    register(aws, instance)
    ec2.terminate_instances(InstanceIds=[instance])
    aws.until(lambda: instance_state(aws, instance) == "terminated", 240, "terminated")
    aws.until(lambda: instance not in health(aws), 120, "left out of DescribeInstanceHealth")
    aws.until(lambda: instance not in registered(aws), 120, "deregistered by itself")
    return refused(elb.register_instances_with_load_balancer, "InvalidInstance", **here(aws, instance))
