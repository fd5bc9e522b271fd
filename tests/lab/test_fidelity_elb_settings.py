"""Health checks, attributes and tags of load balancers behave as AWS's pages say, through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.load_balancing import World, client, refusal

pytestmark = pytest.mark.usefixtures("aws")

CHECK = {"Target": "TCP:1883", "Interval": 30, "Timeout": 5, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
DESYNC = {"Key": "elb.http.desyncmitigationmode", "Value": "defensive"}
VALIDATION = ("ValidationError", 400)


@pytest.fixture
def world() -> World:
    world = World()
    world.create()
    return world


def configure(world: World, **changes: Any) -> Any:
    return world.elb.configure_health_check(LoadBalancerName="demo", HealthCheck=CHECK | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Target": "SSL:8883"},
        {"Target": "HTTP:18083/status"},
        {"Target": "HTTPS:65535/"},
        {"Interval": 5, "Timeout": 4},
        {"Interval": 300, "Timeout": 60, "UnhealthyThreshold": 10, "HealthyThreshold": 10},
    ],
)
def test_a_health_check_within_the_rules_is_answered_and_kept(world: World, changes: dict[str, Any]) -> None:
    assert configure(world, **changes)["HealthCheck"] == CHECK | changes
    assert world.describe()["HealthCheck"] == CHECK | changes


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"Target": target}
            for target in ("UDP:1", "TCP", "TCP:0", "TCP:65536", "TCP:1/x", "HTTP:80", "1883")
        ),
        *({"Interval": value} for value in (5, 4, 301)),
        *({"Timeout": value} for value in (1, 30, 61)),
        *({"UnhealthyThreshold": value} for value in (1, 11)),
        *({"HealthyThreshold": value} for value in (1, 11)),
    ],
)
def test_a_health_check_beyond_the_rules_is_refused(world: World, changes: dict[str, Any]) -> None:
    configure(world)
    assert refusal(configure, world, **changes) == VALIDATION
    assert world.describe()["HealthCheck"] == CHECK


def attributes(world: World) -> Any:
    answer = world.elb.describe_load_balancer_attributes(LoadBalancerName="demo")
    return answer["LoadBalancerAttributes"]


def modify(world: World, **changes: Any) -> Any:
    return world.elb.modify_load_balancer_attributes(LoadBalancerName="demo", LoadBalancerAttributes=changes)


DEFAULTS = {
    "CrossZoneLoadBalancing": {"Enabled": False},
    "AccessLog": {"Enabled": False},
    "ConnectionDraining": {"Enabled": False, "Timeout": 300},
    "ConnectionSettings": {"IdleTimeout": 60},
    "AdditionalAttributes": [DESYNC],
}


def test_the_attributes_begin_as_the_api_s_defaults(world: World) -> None:
    assert attributes(world) == DEFAULTS


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"CrossZoneLoadBalancing": {"Enabled": True}}, None),
        ({"ConnectionSettings": {"IdleTimeout": 3600}}, None),
        ({"ConnectionDraining": {"Enabled": True, "Timeout": 3600}}, None),
        (
            {"ConnectionDraining": {"Enabled": True}},
            {"ConnectionDraining": {"Enabled": True, "Timeout": 300}},
        ),
        (
            {"AccessLog": {"Enabled": True, "S3BucketName": "logs"}},
            {
                "AccessLog": {
                    "Enabled": True,
                    "S3BucketName": "logs",
                    "S3BucketPrefix": "",
                    "EmitInterval": 60,
                }
            },
        ),
        ({"AdditionalAttributes": [DESYNC | {"Value": "strictest"}]}, None),
    ],
)
def test_a_change_touches_what_it_names_and_only_once(
    world: World, changes: dict[str, Any], kept: dict[str, Any] | None
) -> None:
    expected = DEFAULTS | (kept or changes)
    assert modify(world, **changes)["LoadBalancerAttributes"] == expected
    modify(world, **changes)
    assert attributes(world) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ConnectionSettings": {"IdleTimeout": 3601}}, VALIDATION),
        ({"ConnectionSettings": {"IdleTimeout": 9999}}, VALIDATION),
        ({"ConnectionDraining": {"Enabled": True, "Timeout": 0}}, VALIDATION),
        ({"ConnectionDraining": {"Enabled": True, "Timeout": 3601}}, VALIDATION),
        ({"ConnectionDraining": {"Enabled": False, "Timeout": 60}}, VALIDATION),
        ({"AccessLog": {"Enabled": True, "S3BucketName": "logs", "EmitInterval": 10}}, VALIDATION),
        ({"AccessLog": {"Enabled": True}}, ("InvalidConfigurationRequest", 409)),
        ({"AdditionalAttributes": [DESYNC | {"Value": "lenient"}]}, VALIDATION),
        ({"AdditionalAttributes": [{"Key": "elb.unknown", "Value": "on"}]}, VALIDATION),
    ],
)
def test_a_change_beyond_the_rules_changes_nothing(
    world: World, changes: dict[str, Any], expected: tuple[str, int]
) -> None:
    cross_zone = {"CrossZoneLoadBalancing": {"Enabled": True}}
    assert refusal(modify, world, **cross_zone, **changes) == expected
    assert attributes(world) == DEFAULTS


def tags(world: World, name: str = "demo") -> dict[str, str]:
    (described,) = world.elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"]
    return {tag["Key"]: tag["Value"] for tag in described["Tags"]}


def tag(world: World, *pairs: tuple[str, str]) -> None:
    world.elb.add_tags(
        LoadBalancerNames=["demo"], Tags=[{"Key": key, "Value": value} for key, value in pairs]
    )


def test_tags_are_added_replaced_and_removed(world: World) -> None:
    tag(world, ("emq-elb:owner", "app-dev"), ("a", "1"))
    tag(world, ("a", "2"), ("b", ""))
    world.elb.remove_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "b"}, {"Key": "none"}])
    assert tags(world) == {"emq-elb:owner": "app-dev", "a": "2"}


def test_tags_given_on_creation_are_there(world: World) -> None:
    world.create("other", Tags=[{"Key": "a", "Value": "1"}])
    assert tags(world, "other") == {"a": "1"}


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("k" * 128, "v")], "ValidationError"),
        ([("k", "v" * 256)], "ValidationError"),
        ([("aws:k", "v")], "ValidationError"),
        ([("k", "a;b")], "ValidationError"),
        ([("k", "1"), ("k", "2")], "DuplicateTagKeys"),
        ([(f"k{number}", "v") for number in range(51)], "TooManyTags"),
    ],
)
def test_tags_beyond_the_rules_are_refused_on_adding_and_on_creation(
    world: World, pairs: list[tuple[str, str]], code: str
) -> None:
    assert refusal(tag, world, *pairs) == (code, 400)
    asked = [{"Key": key, "Value": value} for key, value in pairs]
    assert refusal(world.create, "other", Tags=asked) == (code, 400)
    assert tags(world) == {}


def test_fifty_tags_are_taken_and_one_of_them_replaced(world: World) -> None:
    tag(world, *((f"k{number}", "v") for number in range(50)))
    tag(world, ("k0", "new"))
    assert refusal(tag, world, ("one-more", "v")) == ("TooManyTags", 400)
    assert len(tags(world)) == 50


def test_tags_are_described_for_up_to_twenty(world: World) -> None:
    describe = world.elb.describe_tags
    assert len(describe(LoadBalancerNames=["demo"] * 20)["TagDescriptions"]) == 20
    assert refusal(describe, LoadBalancerNames=["demo"] * 21) == VALIDATION
    assert refusal(describe, LoadBalancerNames=["demo", "gone"]) == ("LoadBalancerNotFound", 400)


def test_tags_are_added_to_one_load_balancer_at_a_time(world: World) -> None:
    pair = {"Key": "a", "Value": "1"}
    add, remove = world.elb.add_tags, world.elb.remove_tags
    assert refusal(add, LoadBalancerNames=["demo", "other"], Tags=[pair]) == VALIDATION
    assert refusal(add, LoadBalancerNames=["gone"], Tags=[pair]) == ("LoadBalancerNotFound", 400)
    assert refusal(remove, LoadBalancerNames=["gone"], Tags=[{"Key": "a"}]) == ("LoadBalancerNotFound", 400)


def test_the_tagging_api_finds_classic_load_balancers_by_their_type(world: World) -> None:
    tag(world, ("emq-elb:owner", "app-dev"))
    answer = client("resourcegroupstaggingapi").get_resources(
        ResourceTypeFilters=["elasticloadbalancing:loadbalancer"],
        TagFilters=[{"Key": "emq-elb:owner", "Values": ["app-dev"]}],
    )
    assert [one["ResourceARN"] for one in answer["ResourceTagMappingList"]] == [
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/demo"
    ]
