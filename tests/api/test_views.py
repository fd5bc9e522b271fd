"""What GET shows, and that it can be sent back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given

from chalicelib.api.requests import read_put
from chalicelib.api.views import list_json, report_json, view_json
from chalicelib.model.load_balancer import (
    Certificate,
    CustomPolicy,
    HealthCheck,
    Leaf,
    Listener,
    LoadBalancer,
    Member,
    PredefinedPolicy,
    idle_timeout,
)
from chalicelib.model.members import members_tag
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    CLUSTER_TAG,
    HOSTNAME_TAG,
    MEMBERS_TAG,
    OWNER_TAG,
    PENDING_TAG,
    PROBE_TAG,
)
from chalicelib.model.probe_options import probe_tag
from chalicelib.model.report import Report, ReviewWarning, View
from chalicelib.model.step import Step
from chalicelib.model.vpc import Rule, SecurityGroup
from chalicelib.provision.declaration import Declaration, GivenArn
from tests.world.strategies import declarations, given_arns

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ARN = "arn:aws:iam::123456789012:server-certificate/demo"
TLS = PredefinedPolicy("ELBSecurityPolicy-TLS-1-2-2017-01")
GROUP = SecurityGroup(
    name="demo-elb",
    vpc="vpc-1",
    id="sg-0123456789abcdef0",
    owner="app-prod",
    rules=frozenset({Rule("tcp", 8883, 8883, "0.0.0.0/0"), Rule("tcp", 18083, 18083, "10.0.0.0/8")}),
)
BALANCER = LoadBalancer(
    name="demo",
    scheme="internet-facing",
    vpc="vpc-1",
    subnets=frozenset({"subnet-0123456789abcdef0", "subnet-00000000"}),
    zones=frozenset({"eu-central-1a", "eu-central-1b"}),
    listeners=(
        Listener(18083, "HTTP", 18083, "HTTP"),
        Listener(8883, "SSL", 1883, "TCP", ARN, TLS),
    ),
    security_groups=frozenset({"sg-0123456789abcdef0"}),
    health_check=HealthCheck(),
    idle_timeout=450,
    connection_draining=300,
    cross_zone=True,
    access_logs=None,
    proxy_protocol_ports=frozenset(),
    tags={
        OWNER_TAG: "app-prod",
        CERTIFICATE_TAG: "pem",
        HOSTNAME_TAG: "mqtt.example.com",
        "aws:cloudformation:stack-name": "x",
        "team": "iot",
    },
    instances=frozenset({"i-01234567"}),
    dns_name="demo-1.eu-central-1.elb.amazonaws.com",
)
CERTIFICATE = Certificate(
    arn=ARN,
    not_after=NOW + timedelta(days=29, hours=23),
    leaf=Leaf(
        not_before=NOW - timedelta(days=60),
        not_after=NOW + timedelta(days=29, hours=23),
        domains=("mqtt.example.com",),
        serial="01",
    ),
)
MEMBERS = (
    Member("i-89abcdef", "OutOfService", "Instance", "Instance has failed at least the UnhealthyThreshold"),
    Member("i-01234567", "InService", "N/A", "N/A"),
)
VIEW = View(load_balancer=BALANCER, group=GROUP, certificate=CERTIFICATE, members=MEMBERS, now=NOW)


def shown(**changes: Any) -> dict[str, Any]:
    return view_json(replace(VIEW, load_balancer=replace(BALANCER, **changes)))


def test_the_articles_load_balancer_as_get_shows_it() -> None:
    assert view_json(VIEW) == {
        "name": "demo",
        "type": "classic",
        "dns_name": "demo-1.eu-central-1.elb.amazonaws.com",
        "state": "ready",
        "cluster": "demo",
        "scheme": "internet-facing",
        "subnets": ["subnet-00000000", "subnet-0123456789abcdef0"],
        "listeners": [
            {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883},
            {"protocol": "HTTP", "port": 18083, "instance_protocol": "HTTP", "instance_port": 18083},
        ],
        "certificate": {
            "arn": ARN,
            "source": "pem",
            "not_after": "2026-12-22T11:00:00Z",
            "days_left": 29,
            "domains": ["mqtt.example.com"],
        },
        "ssl_policy": "ELBSecurityPolicy-TLS-1-2-2017-01",
        "allow": {"mqtt": ["0.0.0.0/0"], "dashboard": ["10.0.0.0/8"]},
        "health_check": {
            "target": "TCP:1883",
            "interval": 30,
            "timeout": 5,
            "unhealthy_threshold": 2,
            "healthy_threshold": 2,
        },
        "keepalive": 300,
        "connection_draining": 300,
        "cross_zone": True,
        "proxy_protocol": False,
        "instances": [
            {"id": "i-01234567", "state": "InService", "reason": ""},
            {
                "id": "i-89abcdef",
                "state": "OutOfService",
                "reason": "Instance has failed at least the UnhealthyThreshold",
            },
        ],
        "hostname": "mqtt.example.com",
        "probe": {"qos": 1, "protocol": "3.1.1"},
        "tags": {"team": "iot"},
    }


def test_what_is_to_come_is_pending() -> None:
    assert shown(tags={PENDING_TAG: "2026-11-22T12:00:00Z provisioning"})["state"] == "pending"


def test_groups_that_are_not_ours_alone_are_named_and_no_networks() -> None:
    both = shown(security_groups=frozenset({"sg-0123456789abcdef0", "sg-00000000"}))
    assert both["security_groups"] == ["sg-00000000", "sg-0123456789abcdef0"]
    assert "allow" not in both
    theirs = view_json(replace(VIEW, group=None))
    assert theirs["security_groups"] == ["sg-0123456789abcdef0"]
    assert "allow" not in theirs


@pytest.mark.parametrize(
    ("rules", "allow"),
    [
        ([], {"mqtt": [], "dashboard": []}),
        ([Rule("tcp", 1, 65535, "10.0.0.0/8")], {"mqtt": ["10.0.0.0/8"], "dashboard": ["10.0.0.0/8"]}),
        ([Rule("-1", 0, 0, "10.0.0.0/8")], {"mqtt": ["10.0.0.0/8"], "dashboard": ["10.0.0.0/8"]}),
        ([Rule("udp", 8883, 8883, "10.0.0.0/8")], {"mqtt": [], "dashboard": []}),
        ([Rule("tcp", 8883, 8883, "sg-01234567")], {"mqtt": [], "dashboard": []}),
        ([Rule("tcp", 8883, 8883, "::/0")], {"mqtt": [], "dashboard": []}),
        ([Rule("tcp", 443, 443, "10.0.0.0/8")], {"mqtt": [], "dashboard": []}),
    ],
)
def test_networks_come_from_the_rules_of_our_group(rules: list[Rule], allow: dict[str, Any]) -> None:
    assert view_json(replace(VIEW, group=replace(GROUP, rules=frozenset(rules))))["allow"] == allow


def test_a_network_is_shown_only_when_it_reaches_every_listener_of_its_kind() -> None:
    listeners = (Listener(8883, "SSL", 1883, "TCP", ARN, TLS), Listener(443, "SSL", 1883, "TCP", ARN, TLS))
    half = frozenset({Rule("tcp", 8883, 8883, "10.0.0.0/8")})
    view = replace(
        VIEW, load_balancer=replace(BALANCER, listeners=listeners), group=replace(GROUP, rules=half)
    )
    assert view_json(view)["allow"] == {"mqtt": []}


@pytest.mark.parametrize(
    ("ports", "expected"), [((), False), ((1883,), [1883]), ((1883, 1884), True), ((1883, 1884, 80), True)]
)
def test_proxy_protocol_is_on_when_every_tcp_port_behind_has_it(
    ports: tuple[int, ...], expected: bool | list[int]
) -> None:
    listeners = (
        Listener(1883, "TCP", 1883, "TCP"),
        Listener(8883, "SSL", 1884, "TCP", ARN, TLS),
        Listener(80, "HTTP", 8080, "HTTP"),
    )
    assert shown(listeners=listeners, proxy_protocol_ports=frozenset(ports))["proxy_protocol"] == expected


def test_proxy_protocol_is_off_where_nothing_speaks_tcp() -> None:
    assert shown(listeners=(Listener(80, "HTTP", 80, "HTTP"),))["proxy_protocol"] is False


def test_a_member_on_its_way_out_is_draining() -> None:
    leaving = Member("i-01234567", "InService", "N/A", "Instance deregistration currently in progress.")
    assert view_json(replace(VIEW, members=(leaving,)))["instances"] == [
        {"id": "i-01234567", "state": "Draining", "reason": "Instance deregistration currently in progress."}
    ]


def test_a_certificate_that_nobody_could_read_is_its_arn_and_source() -> None:
    assert view_json(replace(VIEW, certificate=None))["certificate"] == {"arn": ARN, "source": "pem"}
    other = replace(CERTIFICATE, arn=ARN + "-2")
    assert view_json(replace(VIEW, certificate=other))["certificate"] == {"arn": ARN, "source": "pem"}


@pytest.mark.parametrize("tags", [{}, {CERTIFICATE_TAG: "somewhere"}])
def test_a_certificate_without_a_known_source_has_none(tags: dict[str, str]) -> None:
    assert "source" not in shown(tags=tags)["certificate"]


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (timedelta(days=1), 1),
        (timedelta(hours=23, minutes=59), 0),
        (timedelta(0), 0),
        (timedelta(seconds=-1), -1),
        (timedelta(days=-3), -3),
    ],
)
def test_days_left_are_whole_days_and_below_zero_once_expired(left: timedelta, days: int) -> None:
    view = replace(VIEW, certificate=replace(CERTIFICATE, not_after=NOW + left))
    certificate = view_json(view)["certificate"]
    assert isinstance(certificate, dict)
    assert certificate["days_left"] == days


def test_times_are_shown_in_utc() -> None:
    later = datetime(2027, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    certificate = view_json(replace(VIEW, certificate=replace(CERTIFICATE, not_after=later)))["certificate"]
    assert isinstance(certificate, dict)
    assert certificate["not_after"] == "2026-12-31T23:30:00Z"


def test_a_policy_of_ones_own_is_shown_in_full() -> None:
    policy = CustomPolicy(frozenset({"TLSv1.2", "TLSv1.1"}), frozenset({"AES256-SHA", "AES128-SHA"}), False)
    assert shown(listeners=(Listener(8883, "SSL", 1883, "TCP", ARN, policy),))["ssl_policy"] == {
        "protocols": ["TLSv1.1", "TLSv1.2"],
        "ciphers": ["AES128-SHA", "AES256-SHA"],
        "server_defined_order": False,
    }


def test_the_list_says_what_reading_load_balancers_and_tags_alone_can_say() -> None:
    other = replace(
        BALANCER, name="another", dns_name=None, tags={PENDING_TAG: "x", CLUSTER_TAG: "demo"}, listeners=()
    )
    assert list_json([BALANCER, other]) == {
        "load_balancers": [
            {
                "name": "another",
                "type": "classic",
                "state": "pending",
                "cluster": "demo",
                "scheme": "internet-facing",
                "listeners": [],
                "instances": ["i-01234567"],
            },
            {
                "name": "demo",
                "type": "classic",
                "dns_name": "demo-1.eu-central-1.elb.amazonaws.com",
                "state": "ready",
                "cluster": "demo",
                "scheme": "internet-facing",
                "listeners": view_json(VIEW)["listeners"],
                "instances": ["i-01234567"],
            },
        ]
    }


def test_a_report_has_steps_warnings_and_what_there_is_now() -> None:
    report = Report(
        name="demo",
        state="ready",
        steps=(Step(action="RegisterInstances", reason="tagged", fields={"instances": ["i-01234567"]}),),
        warnings=(ReviewWarning("single-zone", "all is in one zone"),),
        view=VIEW,
    )
    assert report_json(report) == {
        "name": "demo",
        "dns_name": "demo-1.eu-central-1.elb.amazonaws.com",
        "state": "ready",
        "changed": True,
        "actions": [{"action": "RegisterInstances", "reason": "tagged", "instances": ["i-01234567"]}],
        "warnings": [{"code": "single-zone", "message": "all is in one zone"}],
        "load_balancer": view_json(VIEW),
    }


def test_a_report_of_a_load_balancer_that_is_gone_has_none() -> None:
    report = report_json(Report(name="demo", state="pending", steps=()))
    assert (report["dns_name"], report["load_balancer"], report["changed"]) == (None, None, False)


def view_of(declaration: Declaration) -> View:
    """What AWS would show once the declaration holds."""
    certificate = declaration.certificate
    assert certificate is None or isinstance(certificate, GivenArn)
    own = declaration.security_groups is None
    ours = {
        OWNER_TAG: "app-prod",
        CLUSTER_TAG: declaration.cluster,
        CERTIFICATE_TAG: certificate and certificate.source,
        HOSTNAME_TAG: declaration.hostname,
        MEMBERS_TAG: members_tag(declaration.members),
        PROBE_TAG: probe_tag(declaration.probe),
    }
    balancer = LoadBalancer(
        name=declaration.name,
        scheme=declaration.scheme,
        vpc="vpc-1",
        subnets=frozenset(declaration.subnets),
        zones=frozenset(),
        listeners=tuple(
            replace(
                one, certificate=certificate.arn if certificate else None, ssl_policy=declaration.ssl_policy
            )
            if one.secure
            else one
            for one in declaration.listeners
        ),
        security_groups=frozenset(declaration.security_groups or {GROUP.id or ""}),
        health_check=declaration.health_check,
        idle_timeout=idle_timeout(declaration.keepalive),
        connection_draining=declaration.connection_draining,
        cross_zone=declaration.cross_zone,
        access_logs=declaration.access_logs,
        proxy_protocol_ports=frozenset(
            one.instance_port
            for one in declaration.listeners
            if declaration.proxy_protocol and one.protocol in {"TCP", "SSL"}
        ),
        tags={**declaration.tags, **{key: value for key, value in ours.items() if value}},
        instances=frozenset(declaration.instances),
        dns_name="demo-1.eu-central-1.elb.amazonaws.com",
    )
    rules = frozenset(
        Rule("tcp", one.port, one.port, cidr)
        for one in declaration.listeners
        for cidr in (declaration.allow.mqtt if one.secure else declaration.allow.dashboard)
    )
    return View(
        load_balancer=balancer,
        group=replace(GROUP, rules=rules) if own else None,
        certificate=replace(CERTIFICATE, arn=certificate.arn) if certificate else None,
        members=tuple(Member(id_, "InService") for id_ in declaration.instances),
        now=NOW,
    )


def in_order(declaration: Declaration) -> Declaration:
    """The same declaration as GET shows things: in its order, since AWS keeps none, and with the cluster."""
    return replace(
        declaration,
        subnets=tuple(sorted(declaration.subnets)),
        cluster=declaration.serves,
        listeners=tuple(sorted(declaration.listeners, key=lambda one: one.port)),
        security_groups=declaration.security_groups and tuple(sorted(declaration.security_groups)),
        allow=replace(
            declaration.allow,
            mqtt=tuple(sorted(declaration.allow.mqtt)),
            dashboard=tuple(sorted(declaration.allow.dashboard)),
        ),
        instances=tuple(sorted(declaration.instances)),
    )


@given(declarations(certificates=given_arns))
def test_what_get_shows_can_be_sent_back_and_says_the_same(declaration: Declaration) -> None:
    body = json.loads(json.dumps(view_json(view_of(declaration))))
    assert read_put(declaration.name, body) == (in_order(declaration), ())
