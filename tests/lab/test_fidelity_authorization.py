"""Whoever is held to a policy is refused in each service's own form, in this process and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import boto3
import pytest

from lab import aws as api
from lab.aws import Aws
from lab.fidelity.authorization import Role, enforce, release
from lab.machine.addresses import claim
from tests.lab.load_balancing import World, refusal

KEY = "role"
REGION = "eu-central-1"
NOTHING: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
ALLOWING = "elasticloadbalancing:DescribeLoadBalancers"

Ask = tuple[str, str, dict[str, Any]]
"""A service, a method of its client, and the parameters."""

REFUSED: list[tuple[Ask, tuple[str, int]]] = [
    (("acm", "list_certificates", {}), ("AccessDeniedException", 400)),
    (("autoscaling", "describe_auto_scaling_instances", {}), ("AccessDenied", 403)),
    (("cloudwatch", "describe_alarms", {}), ("AccessDenied", 403)),
    (("ec2", "describe_instances", {}), ("UnauthorizedOperation", 403)),
    (("elb", "describe_load_balancers", {}), ("AccessDenied", 403)),
    (("events", "list_rules", {}), ("AccessDeniedException", 400)),
    (("iam", "list_server_certificates", {}), ("AccessDenied", 403)),
    (("lambda", "invoke", {"FunctionName": "none"}), ("AccessDeniedException", 403)),
    (("logs", "describe_log_groups", {}), ("AccessDeniedException", 400)),
    (("route53", "list_hosted_zones", {}), ("AccessDenied", 403)),
    (("secretsmanager", "get_secret_value", {"SecretId": "none"}), ("AccessDeniedException", 400)),
]


@pytest.fixture
def held() -> Iterator[Callable[..., Role]]:
    """Hold the key to a policy of these actions on everything."""

    def hold(*actions: str) -> Role:
        statement = {"Sid": "Some", "Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return enforce(KEY, {**NOTHING, "Statement": [statement] if actions else []})

    yield hold
    release(KEY)


@pytest.fixture(scope="module")
def served() -> Iterator[Aws]:
    with claim(Random()) as network, api.serve(network.aws) as aws:  # noqa: S311 - picks an address
        yield aws


def client(service: str, key: str = KEY, endpoint: str | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload] # any service
        service, REGION, aws_access_key_id=key, aws_secret_access_key="made-up", endpoint_url=endpoint
    )


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("ask", "refused"), REFUSED)
def test_each_service_refuses_in_its_own_way(
    held: Callable[..., Role], ask: Ask, refused: tuple[str, int]
) -> None:
    role, (service, method, parameters) = held(), ask
    assert refusal(getattr(client(service), method), **parameters) == refused
    assert [question.resource for question in role.denied]


@pytest.mark.parametrize(("ask", "refused"), REFUSED)
def test_over_http_it_is_the_same(
    served: Aws, held: Callable[..., Role], ask: Ask, refused: tuple[str, int]
) -> None:
    held()
    service, method, parameters = ask
    assert refusal(getattr(client(service, endpoint=served.endpoint), method), **parameters) == refused


@pytest.mark.usefixtures("aws")
def test_the_refusal_names_who_what_and_on_what(held: Callable[..., Role]) -> None:
    held()
    with pytest.raises(Exception, match="DeleteLoadBalancer") as caught:
        client("elb").delete_load_balancer(LoadBalancerName="demo")
    for words in (
        "assumed-role/role",
        "is not authorized to perform: elasticloadbalancing:DeleteLoadBalancer",
        f"arn:aws:elasticloadbalancing:{REGION}:123456789012:loadbalancer/demo",
    ):
        assert words in str(caught.value)


@pytest.mark.usefixtures("aws")
def test_what_is_allowed_is_answered_and_noted(held: Callable[..., Role]) -> None:
    role = held(ALLOWING)
    assert client("elb").describe_load_balancers()["LoadBalancerDescriptions"] == []
    assert (role.used, [one.action for one in role.allowed], role.denied) == ({"Some"}, [ALLOWING], [])


@pytest.mark.usefixtures("aws")
def test_nobody_else_is_held_to_it_nor_anybody_once_it_is_released(held: Callable[..., Role]) -> None:
    held()
    client("elb", key="stranger").describe_load_balancers()
    release(KEY)
    client("elb").describe_load_balancers()


@pytest.mark.usefixtures("aws")
def test_a_refused_call_changes_nothing(held: Callable[..., Role]) -> None:
    world = World()
    world.create("demo")
    held(ALLOWING)
    assert refusal(client("elb").delete_load_balancer, LoadBalancerName="demo") == ("AccessDenied", 403)
    assert world.describe("demo")["LoadBalancerName"] == "demo"


@pytest.mark.usefixtures("aws")
def test_a_condition_is_on_the_tags_that_the_load_balancer_has_now() -> None:
    world = World()
    world.create("demo")
    ours = {"StringEquals": {"aws:ResourceTag/owner": "ours"}}
    deleting = {"Effect": "Allow", "Action": "elasticloadbalancing:DeleteLoadBalancer", "Resource": "*"}
    enforce(KEY, {**NOTHING, "Statement": [{**deleting, "Condition": ours}]})
    try:
        assert refusal(client("elb").delete_load_balancer, LoadBalancerName="demo") == ("AccessDenied", 403)
        world.elb.add_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "owner", "Value": "ours"}])
        client("elb").delete_load_balancer(LoadBalancerName="demo")
    finally:
        release(KEY)


@pytest.mark.usefixtures("aws")
def test_what_is_allowed_for_every_load_balancer_is_allowed_for_one_of_any_kind() -> None:
    # As at AWS: the newer ones' ARNs go on with a slash, and the actions' names are the same.
    world = World()
    newer = client("elbv2", "testing").create_load_balancer(Name="web", Subnets=world.subnets[:2])
    (arn,) = (one["LoadBalancerArn"] for one in newer["LoadBalancers"])
    every = {"Effect": "Allow", "Resource": "arn:*:elasticloadbalancing:*:*:loadbalancer/*"}
    tagging = {**every, "Action": "elasticloadbalancing:AddTags"}
    deleting = {**every, "Action": "elasticloadbalancing:DeleteLoadBalancer"}
    ours = {"StringEquals": {"aws:ResourceTag/owner": "ours"}}
    tags = [{"Key": "owner", "Value": "ours"}]
    try:
        role = enforce(KEY, {**NOTHING, "Statement": [tagging, {**deleting, "Condition": ours}]})
        assert refusal(client("elbv2").delete_load_balancer, LoadBalancerArn=arn) == ("AccessDenied", 403)
        client("elbv2").add_tags(ResourceArns=[arn], Tags=tags)
        client("elbv2").delete_load_balancer(LoadBalancerArn=arn)
    finally:
        release(KEY)
    assert {question.resource for question in (*role.allowed, *role.denied)} == {arn}


TOPIC, DEED = "arn:aws:sns:eu-central-1:123456789012:ops", "arn:aws:automate:eu-central-1:ec2:terminate"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("actions", "allowed"),
    [
        ({}, True),
        ({"AlarmActions": []}, True),
        ({"AlarmActions": [TOPIC], "OKActions": [TOPIC]}, True),
        ({"AlarmActions": [DEED]}, False),
        ({"AlarmActions": [TOPIC, DEED]}, False),
        ({"AlarmActions": [TOPIC], "OKActions": [DEED]}, False),
        ({"InsufficientDataActions": [DEED]}, False),
    ],
)
def test_a_condition_is_on_what_an_alarm_does_in_whichever_state(
    actions: dict[str, list[str]], allowed: bool
) -> None:
    notifying = {"ForAllValues:StringLike": {"cloudwatch:AlarmActions": ["arn:aws:sns:*"]}}
    alarms = "arn:*:cloudwatch:*:*:alarm:*"
    putting = {"Effect": "Allow", "Action": "cloudwatch:PutMetricAlarm", "Resource": alarms}
    enforce(KEY, {**NOTHING, "Statement": [{**putting, "Condition": notifying}]})
    metric = {"Namespace": "n", "MetricName": "m", "Period": 60, "Statistic": "Sum", "Threshold": 1.0}
    rule = {"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}
    asked = {**metric, **rule, **actions}
    try:
        if allowed:
            client("cloudwatch").put_metric_alarm(**asked)
        else:
            assert refusal(client("cloudwatch").put_metric_alarm, **asked) == ("AccessDenied", 403)
    finally:
        release(KEY)
