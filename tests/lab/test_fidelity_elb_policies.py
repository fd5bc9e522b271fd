"""Policies of classic load balancers behave as AWS's pages say, through boto3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import HTTP, TCP, World, refusal, ssl

pytestmark = pytest.mark.usefixtures("aws")

SSL = "SSLNegotiationPolicyType"
PROXY = "ProxyProtocolPolicyType"
STRICTEST = "ELBSecurityPolicy-TLS-1-2-2017-01"
CIPHERS_OF_STRICTEST = {
    *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    *("ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256"),
    *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    *("ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384"),
    *("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256"),
}
CUSTOM = {
    "Protocol-TLSv1.2": "true",
    "Server-Defined-Cipher-Order": "true",
    "ECDHE-RSA-AES128-GCM-SHA256": "true",
}


@pytest.fixture
def world() -> World:
    return World()


def attributes(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeValue": value} for name, value in values.items()]


def make(world: World, name: str, policy_type: str, values: Mapping[str, str], lb: str = "demo") -> None:
    world.elb.create_load_balancer_policy(
        LoadBalancerName=lb,
        PolicyName=name,
        PolicyTypeName=policy_type,
        PolicyAttributes=attributes(values),
    )


def shown(world: World, **parameters: Any) -> dict[str, dict[str, str]]:
    """Return the described policies' attributes by policy name."""
    return {
        policy["PolicyName"]: {
            one["AttributeName"]: one["AttributeValue"] for one in policy["PolicyAttributeDescriptions"]
        }
        for policy in world.elb.describe_load_balancer_policies(**parameters)["PolicyDescriptions"]
    }


def enabled(values: Mapping[str, str]) -> set[str]:
    return {name for name, value in values.items() if value == "true"}


def set_on_listener(world: World, *names: str, port: int = 8883) -> None:
    world.elb.set_load_balancer_policies_of_listener(
        LoadBalancerName="demo", LoadBalancerPort=port, PolicyNames=list(names)
    )


def set_behind(world: World, *names: str, port: int = 1883) -> None:
    world.elb.set_load_balancer_policies_for_backend_server(
        LoadBalancerName="demo", InstancePort=port, PolicyNames=list(names)
    )


def on_listener(world: World, port: int = 8883) -> list[str]:
    found = world.describe()["ListenerDescriptions"]
    return next(one["PolicyNames"] for one in found if one["Listener"]["LoadBalancerPort"] == port)


def test_without_a_load_balancer_the_predefined_policies_and_samples_are_shown(world: World) -> None:
    found = shown(world)
    assert enabled(found[STRICTEST]) == {
        "Protocol-TLSv1.2",
        "Server-Defined-Cipher-Order",
        *CIPHERS_OF_STRICTEST,
    }
    assert [name for name in found if name.startswith("ELBSample-")]
    assert set(shown(world, PolicyNames=[STRICTEST])) == {STRICTEST}
    describe = world.elb.describe_load_balancer_policies
    assert refusal(describe, PolicyNames=[STRICTEST, "none"]) == ("PolicyNotFound", 400)


@pytest.mark.parametrize(
    ("policy", "protocols"),
    [
        ("ELBSecurityPolicy-TLS-1-1-2017-01", {"TLSv1.1", "TLSv1.2"}),
        ("ELBSecurityPolicy-2016-08", {"TLSv1", "TLSv1.1", "TLSv1.2"}),
        ("ELBSecurityPolicy-2015-05", {"TLSv1", "TLSv1.1", "TLSv1.2"}),
        ("ELBSecurityPolicy-2014-01", {"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"}),
        ("ELBSecurityPolicy-2011-08", {"SSLv3", "TLSv1"}),
    ],
)
def test_a_predefined_policy_has_the_protocols_of_aws_s_table(
    world: World, policy: str, protocols: set[str]
) -> None:
    on = enabled(shown(world)[policy])
    assert {name.removeprefix("Protocol-") for name in on if name.startswith("Protocol-")} == protocols


def test_a_new_secure_listener_has_the_default_policy_and_a_plain_one_none(world: World) -> None:
    world.create("demo", ssl(world.upload()), HTTP)
    assert on_listener(world) == ["ELBSecurityPolicy-2016-08"]
    assert on_listener(world, 80) == []
    assert world.describe()["Policies"]["OtherPolicies"] == ["ELBSecurityPolicy-2016-08"]


def test_a_reference_expands_to_all_attributes_of_the_policy_that_it_names(world: World) -> None:
    world.create("demo", ssl(world.upload()))
    make(world, "strictest", SSL, {"Reference-Security-Policy": STRICTEST})
    policy = shown(world, LoadBalancerName="demo", PolicyNames=["strictest"])["strictest"]
    assert policy["Reference-Security-Policy"] == STRICTEST
    assert policy["Protocol-TLSv1"] == "false"
    assert enabled(policy) == enabled(shown(world)[STRICTEST])


def test_a_custom_policy_has_what_it_names_and_nothing_else(world: World) -> None:
    world.create()
    make(world, "custom", SSL, CUSTOM)
    assert enabled(shown(world, LoadBalancerName="demo")["custom"]) == set(CUSTOM)


@pytest.mark.parametrize(
    "values",
    [
        {"Reference-Security-Policy": "ELBSecurityPolicy-2099-01"},
        {"Reference-Security-Policy": STRICTEST, "Protocol-TLSv1": "true"},
        CUSTOM | {"ECDHE-RSA-CHACHA20-POLY1305": "true"},
        CUSTOM | {"Protocol-TLSv1.3": "true"},
        CUSTOM | {"Protocol-TLSv1.2": "yes"},
        {"Protocol-TLSv1.2": "true"},
        {"ECDHE-RSA-AES128-GCM-SHA256": "true"},
        CUSTOM | {"Protocol-TLSv1.2": "false"},
        {},
    ],
)
def test_an_ssl_policy_that_aws_cannot_apply_is_refused(world: World, values: dict[str, str]) -> None:
    world.create()
    assert refusal(make, world, "custom", SSL, values) == ("InvalidConfigurationRequest", 409)
    assert world.describe()["Policies"]["OtherPolicies"] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ELBSecurityPolicy-mine", ("InvalidConfigurationRequest", 409)),
        ("ELBSample-mine", ("InvalidConfigurationRequest", 409)),
        ("my_policy", ("ValidationError", 400)),
        ("taken", ("DuplicatePolicyName", 400)),
    ],
)
def test_a_policy_name_that_aws_does_not_take_is_refused(
    world: World, name: str, expected: tuple[str, int]
) -> None:
    world.create()
    make(world, "taken", SSL, CUSTOM)
    assert refusal(make, world, name, SSL, CUSTOM) == expected


def test_a_policy_type_that_does_not_exist_is_refused(world: World) -> None:
    world.create()
    assert refusal(make, world, "p", "TLSPolicyType", {}) == ("PolicyTypeNotFound", 400)
    describe = world.elb.describe_load_balancer_policy_types
    assert refusal(describe, PolicyTypeNames=["TLSPolicyType"]) == ("PolicyTypeNotFound", 400)
    assert describe(PolicyTypeNames=[PROXY])["PolicyTypeDescriptions"][0]["PolicyTypeName"] == PROXY


def test_policies_pile_up_to_the_quota(world: World) -> None:
    KNOBS.policies_quota = 2
    world.create()
    make(world, "one", SSL, CUSTOM)
    make(world, "two", SSL, CUSTOM)
    assert refusal(make, world, "three", SSL, CUSTOM) == ("TooManyPolicies", 400)


def test_setting_policies_replaces_all_of_the_listener(world: World) -> None:
    world.create("demo", ssl(world.upload()))
    make(world, "custom", SSL, CUSTOM)
    set_on_listener(world, "custom")
    assert on_listener(world) == ["custom"]
    set_on_listener(world)
    assert on_listener(world) == []


@pytest.mark.parametrize(
    ("names", "port", "expected"),
    [
        (["none"], 8883, ("PolicyNotFound", 400)),
        ([STRICTEST], 8883, ("PolicyNotFound", 400)),
        (["custom"], 9999, ("ListenerNotFound", 400)),
        (["custom"], 80, ("InvalidConfigurationRequest", 409)),
        (["proxy"], 8883, ("InvalidConfigurationRequest", 409)),
        (["custom", "other"], 8883, ("InvalidConfigurationRequest", 409)),
        (["cookie"], 8883, ("InvalidConfigurationRequest", 409)),
    ],
)
def test_policies_are_not_set_where_they_do_not_belong(
    world: World, names: list[str], port: int, expected: tuple[str, int]
) -> None:
    world.create("demo", ssl(world.upload()), HTTP)
    make(world, "custom", SSL, CUSTOM)
    make(world, "other", SSL, CUSTOM)
    make(world, "proxy", PROXY, {"ProxyProtocol": "true"})
    world.elb.create_lb_cookie_stickiness_policy(
        LoadBalancerName="demo", PolicyName="cookie", CookieExpirationPeriod=60
    )
    assert refusal(set_on_listener, world, *names, port=port) == expected
    assert on_listener(world) == ["ELBSecurityPolicy-2016-08"]


def test_a_cookie_policy_is_for_http_listeners_and_shown_by_its_kind(world: World) -> None:
    world.create("demo", HTTP)
    world.elb.create_app_cookie_stickiness_policy(
        LoadBalancerName="demo", PolicyName="app", CookieName="session"
    )
    set_on_listener(world, "app", port=80)
    assert on_listener(world, 80) == ["app"]
    assert world.describe()["Policies"]["AppCookieStickinessPolicies"] == [
        {"PolicyName": "app", "CookieName": "session"}
    ]


def test_proxy_protocol_is_set_on_an_instance_port_and_taken_off_again(world: World) -> None:
    world.create()
    make(world, "proxy", PROXY, {"ProxyProtocol": "true"})
    set_behind(world, "proxy")
    assert world.describe()["BackendServerDescriptions"] == [{"InstancePort": 1883, "PolicyNames": ["proxy"]}]
    set_behind(world)
    assert world.describe()["BackendServerDescriptions"] == []


@pytest.mark.parametrize(
    ("name", "port", "expected"),
    [
        ("none", 1883, ("PolicyNotFound", 400)),
        ("custom", 1883, ("InvalidConfigurationRequest", 409)),
        ("proxy", 1884, ("InvalidConfigurationRequest", 409)),
    ],
)
def test_backend_policies_are_not_set_where_they_do_not_belong(
    world: World, name: str, port: int, expected: tuple[str, int]
) -> None:
    world.create()
    make(world, "custom", SSL, CUSTOM)
    make(world, "proxy", PROXY, {"ProxyProtocol": "true"})
    assert refusal(set_behind, world, name, port=port) == expected
    assert world.describe()["BackendServerDescriptions"] == []


@pytest.mark.parametrize("values", [{}, {"ProxyProtocol": "v2"}, {"Proxy": "true"}])
def test_a_proxy_policy_says_true_or_false(world: World, values: dict[str, str]) -> None:
    world.create()
    assert refusal(make, world, "proxy", PROXY, values) == ("InvalidConfigurationRequest", 409)


def test_a_policy_in_use_is_not_deleted_and_one_that_is_gone_is_no_fault(world: World) -> None:
    world.create("demo", ssl(world.upload()))
    make(world, "custom", SSL, CUSTOM)
    make(world, "proxy", PROXY, {"ProxyProtocol": "true"})
    set_on_listener(world, "custom")
    set_behind(world, "proxy")
    delete = world.elb.delete_load_balancer_policy
    for name in ("custom", "proxy"):
        expected = ("InvalidConfigurationRequest", 409)
        assert refusal(delete, LoadBalancerName="demo", PolicyName=name) == expected
    set_on_listener(world)
    set_behind(world)
    for name in ("custom", "proxy", "custom"):
        delete(LoadBalancerName="demo", PolicyName=name)
    assert world.describe()["Policies"]["OtherPolicies"] == ["ELBSecurityPolicy-2016-08"]


def test_a_deleted_listener_lets_its_policies_go(world: World) -> None:
    world.create("demo", ssl(world.upload()), TCP | {"InstancePort": 1884})
    make(world, "proxy", PROXY, {"ProxyProtocol": "true"})
    set_behind(world, "proxy")
    world.elb.delete_load_balancer_listeners(LoadBalancerName="demo", LoadBalancerPorts=[8883])
    for name in ("proxy", "ELBSecurityPolicy-2016-08"):
        world.elb.delete_load_balancer_policy(LoadBalancerName="demo", PolicyName=name)
    assert world.describe()["Policies"]["OtherPolicies"] == []
