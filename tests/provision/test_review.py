"""The review: each warning, each objection and each conflict, as a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.certificates.chosen import Unusable
from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import CustomPolicy, HealthCheck, Listener, PredefinedPolicy, State
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.model.report import ReviewWarning
from chalicelib.model.vpc import Rule, SecurityGroup, Subnet
from chalicelib.provision.declaration import Allow, Declaration
from chalicelib.provision.desired import desire
from chalicelib.provision.facts import Facts
from chalicelib.provision.review import conflict, health_port, objections, warnings
from tests.world.facts import BY_HAND, EXTERNAL, NODES, OWNER, facts, instance, there
from tests.world.facts import DECLARATION as AS_THE_ARTICLE

# With a health check that a frozen broker does not pass: the other one is remarked upon.
DECLARATION = replace(AS_THE_ARTICLE, health_check=HealthCheck("HTTP:18083/status"))
EVERYBODY = replace(BY_HAND, rules=frozenset({Rule("tcp", 0, 65535, "0.0.0.0/0")}))


def review(declaration: Declaration, found: Facts) -> list[ReviewWarning]:
    return [*warnings(declaration, found, desire(declaration, found, OWNER))]


def nodes(*rules: Rule) -> Mapping[str, SecurityGroup]:
    return {"sg-nodes": replace(NODES, rules=frozenset(rules)), "sg-1": BY_HAND}


def subnet(id_: str = "subnet-a", **changed: Any) -> Mapping[str, Subnet]:
    before = facts().subnets
    return {**before, id_: replace(before[id_], **changed)}


MQTT_ONLY = (Listener(8883, "SSL", 1883, "TCP"),)
ANY_PREFIX_LIST = replace(BY_HAND, rules=frozenset({Rule("-1", -1, -1, "pl-1234")}))
HTTPS = Rule("tcp", 443, 443, "0.0.0.0/0")
EVERYWHERE = [Rule("tcp", 0, 65535, "0.0.0.0/0")]

SOME = (Rule("tcp", 8883, 8883, "203.0.113.0/24"), Rule("tcp", 18083, 18083, "10.0.0.0/8"))


def test_what_is_as_the_article_has_it_is_not_remarked_upon() -> None:
    assert review(DECLARATION, facts()) == []


@pytest.mark.parametrize(
    ("declaration", "found", "code", "says"),
    [
        (
            {"subnets": ("subnet-a",), "instances": ("i-1",)},
            {"instances": {"i-1": instance("i-1")}},
            "single-zone",
            "all subnets are in a",
        ),
        ({"allow": Allow(dashboard=("0.0.0.0/0",))}, {}, "dashboard-open", "the whole world"),
        (
            {
                "listeners": (*MQTT_ONLY, Listener(1883, "TCP", 1883, "TCP")),
                "probe": ProbeOptions(enabled=False),
            },
            {},
            "plain-text",
            "the listener on port 1883",
        ),
        (
            {"ssl_policy": PredefinedPolicy("ELBSecurityPolicy-2016-08")},
            {},
            "obsolete-tls",
            "TLSv1, TLSv1.1",
        ),
        (
            {"ssl_policy": CustomPolicy(frozenset({"TLSv1.1", "TLSv1.2"}), frozenset({"AES128-SHA"}))},
            {},
            "obsolete-tls",
            "TLSv1.1",
        ),
        (
            {"security_groups": ("sg-1",)},
            {
                "groups": {
                    "sg-1": replace(BY_HAND, owner="emq-elb-dev", rules=frozenset(EVERYWHERE)),
                    "sg-nodes": replace(NODES, rules=frozenset(EVERYWHERE)),
                }
            },
            "foreign-group",
            "sg-1 (by-hand) belongs to the deployment emq-elb-dev",
        ),
        ({"members": None}, {}, "anyone-may-join", "the tag emq-elb:cluster=demo gets sessions"),
        (
            {"members": None, "cluster": "mqtt", "instances": ()},
            {
                "actual": State(name="demo", cluster=frozenset({"i-1"})),
                "instances": {"i-1": instance("i-1", cluster="mqtt")},
            },
            "anyone-may-join",
            "the tag emq-elb:cluster=mqtt gets sessions",
        ),
        (
            {},
            {"instances": {"i-1": instance("i-1"), "i-2": instance("i-2", profile="web")}},
            "not-admitted",
            "i-2 is not admitted by `members`: its instance profile is web, its Auto Scaling group none",
        ),
        ({"connection_draining": 0}, {}, "no-draining", "loses its sessions"),
        (
            {},
            {"instances": {"i-1": instance("i-1"), "i-2": instance("i-2", zone="c")}},
            "zone-not-enabled",
            "i-2 gets no traffic: it is in c",
        ),
        (
            {"instances": ()},
            {"instances": {}, "actual": State(name="demo")},
            "no-members",
            "no broker would answer",
        ),
        ({}, {"groups": nodes(Rule("tcp", 1883, 1883, "172.31.0.0/16"))}, "backend-blocked", "port 18083"),
        ({}, {"groups": nodes()}, "backend-blocked", "port 1883 and 18083"),
        (
            {"listeners": MQTT_ONLY},
            {"groups": nodes(Rule("tcp", 8883, 8883, "0.0.0.0/0"))},
            "backend-blocked",
            "port 1883",
        ),
        (
            {"listeners": MQTT_ONLY},
            {"groups": nodes(Rule("udp", 1883, 1883, "0.0.0.0/0"))},
            "backend-blocked",
            "port 1883",
        ),
        (
            {"listeners": MQTT_ONLY},
            {"groups": nodes(Rule("tcp", 1883, 1883, "10.0.0.0/8"))},
            "backend-blocked",
            "port 1883",
        ),
        (
            {"listeners": MQTT_ONLY},
            {"groups": nodes(Rule("tcp", 1883, 1883, "sg-else"))},
            "backend-blocked",
            "port 1883",
        ),
        (
            {"listeners": MQTT_ONLY, "health_check": HealthCheck("HTTP:8081/status")},
            {"groups": nodes(Rule("tcp", 1883, 1883, "0.0.0.0/0"))},
            "backend-blocked",
            "port 8081",
        ),
        # The nodes are in the network; the load balancer is in another one of the same VPC.
        (
            {"listeners": MQTT_ONLY},
            {
                "groups": nodes(Rule("tcp", 1883, 1883, "172.31.0.0/16")),
                "subnets": {
                    id_: replace(one, network=f"100.64.{number}.0/24")
                    for number, (id_, one) in enumerate(facts().subnets.items())
                },
            },
            "backend-blocked",
            "port 1883",
        ),
        # One of the load balancer's two zones is let in.
        (
            {"listeners": MQTT_ONLY},
            {"groups": nodes(Rule("tcp", 1883, 1883, "172.31.0.0/20"))},
            "backend-blocked",
            "port 1883",
        ),
        ({}, {"subnets": subnet(public=False), "gateway": True}, "private-subnet", "subnet-a seems private"),
        (
            {"security_groups": ("sg-1",), "probe": ProbeOptions(enabled=False)},
            {"groups": {"sg-nodes": facts().groups["sg-nodes"], "sg-1": replace(BY_HAND, rules=frozenset())}},
            "frontend-blocked",
            ": no rule of sg-1 admits one",
        ),
        (
            {
                "security_groups": ("sg-1",),
                "listeners": MQTT_ONLY,
                "probe": ProbeOptions(enabled=False),
            },
            {
                "groups": {
                    "sg-nodes": facts().groups["sg-nodes"],
                    "sg-1": replace(BY_HAND, rules=frozenset({Rule("tcp", 18083, 18083, "0.0.0.0/0")})),
                }
            },
            "frontend-blocked",
            "the listener on port 8883",
        ),
        (
            {"allow": Allow(mqtt=()), "probe": ProbeOptions(enabled=False)},
            {},
            "frontend-blocked",
            "`allow.mqtt` is empty",
        ),
        (
            {},
            {"attaching": frozenset({"nodes"})},
            "attached-by-group",
            "the Auto Scaling group nodes attaches",
        ),
        (
            {},
            {"quota": 20, "load_balancers": 15},
            "quota",
            "would have 16 load balancers, and the quota is 20",
        ),
        ({"health_check": HealthCheck("TCP:1883")}, {}, "health-check-blind", "HTTP:8081/status"),
        (
            {"health_check": HealthCheck("SSL:1883"), "listeners": (Listener(8883, "SSL", 1883, "SSL"),)},
            {},
            "health-check-blind",
            "SSL:1883",
        ),
        ({"allow": Allow(mqtt=("203.0.113.0/24",))}, {}, "probe-blocked", "port 8883"),
        (
            {
                "listeners": (*MQTT_ONLY, Listener(1883, "TCP", 1883, "TCP")),
                "scheme": "internal",
                "hostname": "mqtt.example.com",
                "probe": ProbeOptions(enabled=True, credentials_secret_id="prod/mqtt"),
            },
            {},
            "credentials-withheld",
            "port 1883",
        ),
        ({"allow": Allow(mqtt=("0.0.0.0/1",))}, {}, "probe-blocked", "port 8883"),
        (
            {"security_groups": ("sg-1",)},
            {"groups": {**facts().groups, "sg-1": replace(BY_HAND, rules=frozenset({HTTPS, *SOME}))}},
            "probe-blocked",
            "docs/deploy.md",
        ),
        (
            {},
            {
                "chosen": replace(EXTERNAL, warnings=(ReviewWarning("self-signed", "it is"),)),
            },
            "self-signed",
            "it is",
        ),
    ],
)
def test_each_warning_is_given_when_it_is_due(
    declaration: dict[str, Any], found: dict[str, Any], code: str, says: str
) -> None:
    given = review(replace(DECLARATION, **declaration), facts(**found))
    assert {warning.code for warning in given} == {code}
    assert all(says in warning.message for warning in given if warning.code == code)


@pytest.mark.parametrize(
    ("declaration", "found"),
    [
        # Whoever may reach an internal one is in the VPC already.
        ({"scheme": "internal", "allow": Allow(dashboard=("0.0.0.0/0",))}, {}),
        ({"scheme": "internal", "listeners": (*MQTT_ONLY, Listener(1884, "TCP", 1883, "TCP"))}, {}),
        ({"allow": Allow(dashboard=("10.0.0.0/8",))}, {}),
        ({}, {"groups": nodes(*EVERYWHERE)}),
        ({}, {"groups": nodes(Rule("-1", -1, -1, "172.31.0.0/16"))}),
        ({}, {"groups": nodes(Rule("-1", -1, -1, "172.31.0.0/20"), Rule("-1", -1, -1, "172.31.16.0/20"))}),
        # A VPC has further networks beside its first: the load balancer's own subnets count.
        (
            {},
            {
                "groups": nodes(Rule("tcp", 1883, 18083, "100.64.0.0/16")),
                "subnets": {
                    id_: replace(one, network=f"100.64.{number}.0/24")
                    for number, (id_, one) in enumerate(facts().subnets.items())
                },
            },
        ),
        (
            {"cross_zone": False, "instances": ("i-1",)},
            {
                "groups": nodes(Rule("-1", None, None, "172.31.0.0/20")),
                "instances": {"i-1": instance("i-1")},
                "actual": State(name="demo", cluster=frozenset({"i-1"})),
            },
        ),
        ({}, {"groups": nodes(Rule("tcp", 1883, 18083, "pl-1234"))}),
        (
            {"security_groups": ("sg-1",)},
            {"groups": {**nodes(Rule("tcp", 0, 65535, "sg-1")), "sg-1": EVERYBODY}},
        ),
        ({"probe": ProbeOptions(credentials_secret_id="prod/mqtt"), "hostname": "mqtt.example.com"}, {}),
        # What the probe does not try needs no way in.
        ({"allow": Allow(mqtt=("203.0.113.0/24",)), "probe": ProbeOptions(enabled=False)}, {}),
        (
            {"scheme": "internal", "allow": Allow(mqtt=("10.0.0.0/8",)), "probe": ProbeOptions(enabled=True)},
            {},
        ),
        ({"allow": Allow(mqtt=("0.0.0.0/1", "128.0.0.0/1"))}, {}),
        ({"security_groups": ("sg-1",)}, {"groups": {**facts().groups, "sg-1": EVERYBODY}}),
        ({"security_groups": ("sg-1",)}, {"groups": {**facts().groups, "sg-1": ANY_PREFIX_LIST}}),
        # A group of which nothing is known may let anybody in.
        ({}, {"groups": {"sg-1": BY_HAND}}),
        ({}, {"quota": 20, "load_balancers": 14}),
        ({}, {"quota": None, "load_balancers": 14}),
        ({}, {"instances": {"i-1": instance("i-1"), "i-2": instance("i-2", state="stopped")}}),
        ({"ssl_policy": CustomPolicy(frozenset({"TLSv1.2"}), frozenset({"AES128-SHA256"}))}, {}),
        ({"listeners": (Listener(80, "HTTP", 18083, "HTTP"),), "certificate": None}, {"chosen": None}),
    ],
)
def test_no_warning_is_given_without_cause(declaration: dict[str, Any], found: dict[str, Any]) -> None:
    assert review(replace(DECLARATION, **declaration), facts(**found)) == []


@pytest.mark.parametrize(
    ("target", "port"), [("TCP:1883", 1883), ("HTTP:18083/status", 18083), ("HTTPS:8081/a:1/b", 8081)]
)
def test_the_health_checks_port_is_in_its_target(target: str, port: int) -> None:
    made = there(health_check=HealthCheck(target)).actual.load_balancer
    assert made is not None
    assert health_port(made) == port


@pytest.mark.parametrize(
    ("declaration", "found", "fields"),
    [
        ({}, {}, []),
        ({"subnets": ("subnet-a", "subnet-x")}, {}, ["subnets[1]"]),
        ({}, {"subnets": subnet("subnet-b", zone="a")}, ["subnets[0]", "subnets[1]"]),
        ({"instances": ()}, {"subnets": subnet("subnet-b", vpc="vpc-2")}, ["subnets[0]", "subnets[1]"]),
        ({}, {"subnets": subnet(public=False), "gateway": False}, ["subnets[0]"]),
        ({}, {"subnets": subnet(public=False), "gateway": True}, []),
        ({"scheme": "internal"}, {"subnets": subnet(public=False)}, []),
        ({}, {"subnets": subnet(public=None)}, []),
        ({}, {"subnets": subnet(free_addresses=7)}, ["subnets[0]"]),
        ({}, {"subnets": subnet(free_addresses=8)}, []),
        ({}, {"subnets": subnet(prefix=28)}, ["subnets[0]"]),
        ({}, {"subnets": subnet(prefix=27)}, []),
        ({"security_groups": ("sg-1", "sg-x")}, {}, ["security_groups[1]"]),
        ({"instances": ("i-1", "i-9")}, {}, ["instances[1]"]),
        (
            {},
            {"instances": {"i-1": instance("i-1", state="terminated"), "i-2": instance("i-2")}},
            ["instances[0]"],
        ),
        ({}, {"instances": {"i-1": instance("i-1", vpc="vpc-2"), "i-2": instance("i-2")}}, ["instances[0]"]),
        ({}, {"instances": {"i-1": instance("i-1", state="stopped"), "i-2": instance("i-2")}}, []),
        (
            {},
            {"chosen": Unusable(faults=(Fault("certificate.arn", "none"),))},
            ["certificate.arn"],
        ),
    ],
)
def test_each_thing_that_only_aws_knows_is_a_fault_under_its_field(
    declaration: dict[str, Any], found: dict[str, Any], fields: list[str]
) -> None:
    faulty = [fault.field for fault in objections(replace(DECLARATION, **declaration), facts(**found))]
    assert faulty == fields


def test_a_subnet_that_the_load_balancer_has_is_not_judged_again() -> None:
    made = there()
    crowded = {id_: replace(one, free_addresses=0, public=False) for id_, one in made.subnets.items()}
    assert [*objections(DECLARATION, replace(made, subnets=crowded))] == []
    assert [*objections(DECLARATION, replace(made, subnets={}))] == []


def against(declaration: Declaration, found: Facts) -> str | None:
    return conflict(declaration, found, desire(declaration, found, OWNER))


OWN = SecurityGroup("demo-elb", "vpc-1", frozenset(), "sg-own", OWNER)


@pytest.mark.parametrize(
    ("declaration", "found", "says"),
    [
        ({}, there(), None),
        ({}, facts(), None),
        (
            {},
            facts(instances={"i-1": instance("i-1", cluster="other"), "i-2": instance("i-2")}),
            "is tagged emq-elb:cluster=other, and demo is to serve demo",
        ),
        (
            {"cluster": "other"},
            facts(
                actual=State(name="demo"),
                instances={id_: instance(id_, cluster="other") for id_ in ("i-1", "i-2")},
            ),
            None,
        ),
        ({"cluster": "other"}, facts(actual=State(name="demo")), 'or declare `"cluster": "demo"`'),
        (
            {},
            facts(groups={"sg-9": replace(OWN, id="sg-9", owner=None)}),
            "there is a security group demo-elb",
        ),
        (
            {"security_groups": ("sg-1",)},
            facts(groups={"sg-1": BY_HAND, "sg-9": replace(OWN, owner=None)}),
            None,
        ),
        ({"scheme": "internal"}, there(), "its scheme is internet-facing"),
        ({}, there(vpc="vpc-9"), "it is in vpc-9, and AWS cannot move it"),
        (
            {"subnets": ("subnet-b",)},
            replace(there(subnets=frozenset({"subnet-a"})), subnets=subnet("subnet-b", zone="a")),
            "AWS cannot exchange the subnet of the only zone",
        ),
        ({"subnets": ("subnet-b",)}, there(subnets=frozenset({"subnet-a"})), None),
        (
            {"security_groups": ("sg-1",)},
            replace(
                there(),
                groups={
                    "sg-own": OWN,
                    "sg-1": BY_HAND,
                    "sg-nodes": replace(NODES, rules=frozenset({Rule("tcp", 1, 2, "sg-own")})),
                },
            ),
            "a rule of sg-nodes names the security group",
        ),
        (
            {"security_groups": ("sg-1", "sg-own")},
            replace(
                there(),
                groups={
                    "sg-own": OWN,
                    "sg-1": BY_HAND,
                    "sg-nodes": replace(NODES, rules=frozenset({Rule("tcp", 1, 2, "sg-own")})),
                },
            ),
            None,
        ),
        # Its own members may speak to one another, and that is nobody else's rule.
        (
            {"security_groups": ("sg-1",)},
            replace(
                there(),
                groups={
                    "sg-own": replace(OWN, rules=frozenset({Rule("tcp", 1, 2, "sg-own")})),
                    "sg-1": BY_HAND,
                },
            ),
            None,
        ),
    ],
)
def test_each_conflict_says_what_stands_against_it(
    declaration: dict[str, Any], found: Facts, says: str | None
) -> None:
    reason = against(replace(DECLARATION, **declaration), found)
    if says is None:
        assert reason is None
    else:
        assert reason is not None
        assert says in reason
