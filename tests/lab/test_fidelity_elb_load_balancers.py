"""Classic load balancers are created, described and deleted as AWS's pages say, through boto3."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lab import fidelity
from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import TCP, World, refusal

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("name", ["-demo", "demo-", "de_mo", "de.mo", "dé", "a" * 33, "de mo"])
def test_a_name_that_aws_does_not_take_is_refused(world: World, name: str) -> None:
    assert refusal(world.create, name) == ("ValidationError", 400)
    assert refusal(world.describe, name) == ("ValidationError", 400)


@pytest.mark.parametrize("name", ["d", "a" * 32, "Demo-1"])
def test_a_name_at_the_edge_of_the_rule_is_taken(world: World, name: str) -> None:
    world.create(name)
    assert world.describe(name)["LoadBalancerName"] == name


def test_a_name_that_exists_is_refused_even_with_equal_settings(world: World) -> None:
    world.create()
    assert refusal(world.create) == ("DuplicateLoadBalancerName", 400)


def test_the_same_name_is_free_in_another_region(world: World) -> None:
    world.create()
    other = World("eu-west-1")
    other.create()
    assert ".eu-west-1.elb.amazonaws.com" in other.describe()["DNSName"]


def test_a_new_load_balancer_has_the_defaults_of_the_api(world: World) -> None:
    world.create(Subnets=world.subnets[:2])
    shown = world.describe()
    assert shown["HealthCheck"] == {
        "Target": "TCP:80",
        "Interval": 30,
        "Timeout": 5,
        "UnhealthyThreshold": 2,
        "HealthyThreshold": 10,
    }
    assert shown["Scheme"] == "internet-facing"
    assert shown["AvailabilityZones"] == ["eu-central-1a", "eu-central-1b"]
    assert shown["Instances"] == []


@pytest.mark.parametrize(
    ("scheme", "pattern"),
    [
        ("internet-facing", r"demo-\d+\.eu-central-1\.elb\.amazonaws\.com"),
        ("internal", r"internal-demo-\d+\.eu-central-1\.elb\.amazonaws\.com"),
    ],
)
def test_the_dns_name_has_scheme_number_and_region(world: World, scheme: str, pattern: str) -> None:
    answer = world.create(Scheme=scheme)
    assert re.fullmatch(pattern, answer["DNSName"])
    assert world.describe()["DNSName"] == answer["DNSName"]


def test_a_scheme_that_does_not_exist_is_refused(world: World) -> None:
    assert refusal(world.create, Scheme="public") == ("InvalidScheme", 400)


def test_without_subnets_or_zones_nothing_is_created(world: World) -> None:
    assert refusal(world.create, Subnets=[]) == ("ValidationError", 400)


def test_subnets_and_zones_together_are_refused(world: World) -> None:
    parameters = {"Subnets": world.subnets[:1], "AvailabilityZones": ["eu-central-1a"]}
    assert refusal(world.create, **parameters) == ("ValidationError", 400)


def test_zones_stand_for_their_default_subnets(world: World) -> None:
    world.create(AvailabilityZones=["eu-central-1a", "eu-central-1c"])
    assert world.describe()["Subnets"] == [world.subnets[0], world.subnets[2]]


def test_more_load_balancers_than_the_quota_are_refused(world: World) -> None:
    KNOBS.load_balancers_quota = 2
    world.create("one")
    world.create("two")
    assert refusal(world.create, "three") == ("TooManyLoadBalancers", 400)


def test_the_account_limits_are_aws_s(world: World) -> None:
    limits = {limit["Name"]: limit["Max"] for limit in world.elb.describe_account_limits()["Limits"]}
    assert limits == {
        "classic-load-balancers": "20",
        "classic-listeners": "100",
        "classic-registered-instances": "1000",
    }


def test_a_page_holds_as_many_as_asked_and_the_marker_goes_on_behind_it(world: World) -> None:
    for name in ("c", "a", "b"):
        world.create(name)
    first = world.elb.describe_load_balancers(PageSize=2)
    world.elb.delete_load_balancer(LoadBalancerName=first["NextMarker"])
    second = world.elb.describe_load_balancers(PageSize=2, Marker=first["NextMarker"])
    assert [one["LoadBalancerName"] for one in first["LoadBalancerDescriptions"]] == ["a", "b"]
    assert [one["LoadBalancerName"] for one in second["LoadBalancerDescriptions"]] == ["c"]
    assert "NextMarker" not in second


def test_a_page_holds_up_to_400(world: World) -> None:
    KNOBS.load_balancers_quota = 401
    subnets = world.subnets[:1]
    for number in range(401):
        world.create(f"lb-{number}", Subnets=subnets)
    answer = world.elb.describe_load_balancers()
    assert len(answer["LoadBalancerDescriptions"]) == 400
    assert "NextMarker" in answer


@pytest.mark.parametrize("size", [401, 1000])
def test_a_larger_page_is_refused(world: World, size: int) -> None:
    assert refusal(world.elb.describe_load_balancers, PageSize=size) == ("ValidationError", 400)


def test_one_missing_name_fails_the_whole_description(world: World) -> None:
    world.create()
    describe = world.elb.describe_load_balancers
    assert refusal(describe, LoadBalancerNames=["demo", "gone"]) == ("LoadBalancerNotFound", 400)


def test_deleting_what_does_not_exist_is_no_fault(world: World) -> None:
    world.create()
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    assert world.elb.describe_load_balancers()["LoadBalancerDescriptions"] == []


HEALTH_CHECK = {
    "Target": "TCP:1",
    "Interval": 5,
    "Timeout": 2,
    "UnhealthyThreshold": 2,
    "HealthyThreshold": 2,
}
SET_CERTIFICATE = "set_load_balancer_listener_ssl_certificate"
BACKEND_POLICIES = "set_load_balancer_policies_for_backend_server"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("create_load_balancer_listeners", {"Listeners": [TCP]}),
        ("delete_load_balancer_listeners", {"LoadBalancerPorts": [1883]}),
        (SET_CERTIFICATE, {"LoadBalancerPort": 1, "SSLCertificateId": "arn"}),
        ("create_load_balancer_policy", {"PolicyName": "p", "PolicyTypeName": "ProxyProtocolPolicyType"}),
        ("create_app_cookie_stickiness_policy", {"PolicyName": "p", "CookieName": "c"}),
        ("create_lb_cookie_stickiness_policy", {"PolicyName": "p"}),
        ("set_load_balancer_policies_of_listener", {"LoadBalancerPort": 1, "PolicyNames": []}),
        (BACKEND_POLICIES, {"InstancePort": 1, "PolicyNames": []}),
        ("delete_load_balancer_policy", {"PolicyName": "p"}),
        ("describe_load_balancer_policies", {}),
        ("register_instances_with_load_balancer", {"Instances": [{"InstanceId": "i-1"}]}),
        ("deregister_instances_from_load_balancer", {"Instances": [{"InstanceId": "i-1"}]}),
        ("describe_instance_health", {}),
        ("apply_security_groups_to_load_balancer", {"SecurityGroups": ["sg-1"]}),
        ("attach_load_balancer_to_subnets", {"Subnets": ["subnet-1"]}),
        ("detach_load_balancer_from_subnets", {"Subnets": ["subnet-1"]}),
        ("enable_availability_zones_for_load_balancer", {"AvailabilityZones": ["eu-central-1a"]}),
        ("disable_availability_zones_for_load_balancer", {"AvailabilityZones": ["eu-central-1a"]}),
        ("configure_health_check", {"HealthCheck": HEALTH_CHECK}),
        ("describe_load_balancer_attributes", {}),
        ("modify_load_balancer_attributes", {"LoadBalancerAttributes": {}}),
    ],
)
def test_every_operation_refuses_a_load_balancer_that_does_not_exist(
    world: World, operation: str, parameters: dict[str, Any]
) -> None:
    call = getattr(world.elb, operation)
    assert refusal(call, LoadBalancerName="gone", **parameters) == ("LoadBalancerNotFound", 400)


def test_installing_twice_changes_nothing(world: World) -> None:
    fidelity.install()
    world.create()
    assert world.describe()["LoadBalancerName"] == "demo"
