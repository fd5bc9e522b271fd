"""Every rule of a declaration, as a table: what is changed in a sound one, and the faults that it makes.

What holds of one value is judged where the body is read, so the tables go through the reader.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.api.requests import read_put
from chalicelib.model.ciphers import CIPHERS
from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import (
    AccessLogs,
    CustomPolicy,
    HealthCheck,
    Listener,
    PredefinedPolicy,
    idle_timeout,
    keepalive_of,
)
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.provision.declaration import Allow, Declaration, GivenArn, GivenIssuer, GivenSecret
from chalicelib.provision.declaration_checks import faults
from chalicelib.x509.pem import GivenPem
from tests.world.bodies import body_of
from tests.world.strategies import declarations

SUBNET = "subnet-0123456789abcdef0"
IAM = "arn:aws:iam::123456789012:server-certificate/emq-elb/prod/demo"
ACM = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
SOUND = Declaration(name="demo", subnets=(SUBNET,), certificate=GivenArn(IAM))
TLS = Listener(8883, "SSL", 1883, "TCP")
PLAIN = Listener(1883, "TCP", 1883, "TCP")
WEB = Listener(18083, "HTTP", 18083, "HTTP")


def read(declaration: Declaration, region: str | None = None) -> tuple[Fault, ...]:
    return read_put(declaration.name, body_of(declaration), region=region)[1]


def fields_of(**changes: Any) -> list[str]:
    declaration = replace(SOUND, **changes)
    body = {**body_of(declaration), "type": "classic"}
    return [fault.field for fault in read_put(declaration.name, body)[1]]


def test_the_articles_own_declaration_has_no_fault() -> None:
    assert read(SOUND) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a"},
        {"name": "A-1" + "x" * 29},
        {"certificate": GivenSecret("prod/mqtt")},
        {"certificate": GivenSecret("arn:aws:secretsmanager:eu-central-1:123456789012:secret:mqtt-AbCdEf")},
        {
            "certificate": GivenIssuer(
                "private-ca", ("mqtt.example.com", "*.example.com", "127.0.0.1", "localhost")
            )
        },
        {"certificate": GivenArn(ACM, "external")},
        {"certificate": GivenPem("no PEM is read here", "nor here")},
        {"certificate": None, "listeners": (PLAIN, WEB)},
        {"listeners": (TLS, replace(TLS, port=443), Listener(1, "SSL", 65535, "SSL"))},
        {"security_groups": ("sg-01234567",)},
        {"allow": Allow(("10.0.0.0/8", "192.0.2.1/32"), ())},
        {"keepalive": 0.1},
        {"keepalive": 2400},
        {"connection_draining": 0},
        {"health_check": HealthCheck("HTTP:18083/status", 5, 4, 10, 2)},
        {"health_check": HealthCheck("HTTPS:65535/" + "a" * 1023)},
        {"ssl_policy": CustomPolicy(frozenset({"TLSv1.2"}), frozenset({"AES128-SHA"}))},
        {"access_logs": AccessLogs("my.bucket-1", "a/b", 5)},
        {"tags": {"team": "iot", "Größe": ""}},
        {"hostname": "mqtt.example.com"},
        {"probe": ProbeOptions(False, 2, "5", "a/b", "c")},
        {"proxy_protocol": True},
    ],
)
def test_what_a_classic_load_balancer_takes_has_no_fault(changes: dict[str, Any]) -> None:
    assert fields_of(**changes) == []


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "-a"}, ["name"]),
        ({"name": "a-"}, ["name"]),
        ({"name": "a_b"}, ["name"]),
        ({"name": "a\n"}, ["name"]),
        ({"name": "a" * 33}, ["name"]),
        ({"name": "internal-demo"}, ["name"]),
        ({"name": "sg-demo"}, ["name"]),
        ({"name": "SG-demo"}, ["name"]),
        ({"subnets": ()}, ["subnets"]),
        ({"subnets": (SUBNET, "subnet-", SUBNET)}, ["subnets[1]", "subnets[2]"]),
        ({"listeners": ()}, ["listeners"]),
        ({"listeners": (replace(TLS, port=0),)}, ["listeners[0].port"]),
        (
            {"listeners": (replace(TLS, port=65536, instance_port=-1),)},
            ["listeners[0].port", "listeners[0].instance_port"],
        ),
        ({"listeners": (TLS, replace(TLS, instance_port=2))}, ["listeners[1].port"]),
        ({"listeners": (replace(TLS, instance_protocol="HTTP"),)}, ["listeners[0].instance_protocol"]),
        ({"listeners": (TLS, replace(WEB, instance_protocol="SSL"))}, ["listeners[1].instance_protocol"]),
        ({"listeners": (TLS, Listener(443, "SSL", 1883, "SSL"))}, ["listeners[1].instance_protocol"]),
        ({"certificate": None}, ["certificate"]),
        ({"listeners": (PLAIN,)}, ["certificate"]),
        (
            {
                "listeners": (PLAIN,),
                "certificate": None,
                "ssl_policy": PredefinedPolicy("ELBSecurityPolicy-2016-08"),
            },
            ["ssl_policy"],
        ),
        ({"listeners": (WEB,), "certificate": None, "proxy_protocol": True}, ["proxy_protocol"]),
        ({"listeners": (WEB,), "certificate": None, "allow": Allow(("10.0.0.0/8",))}, ["allow.mqtt"]),
        ({"listeners": (TLS,), "allow": Allow(dashboard=("10.0.0.0/8",))}, ["allow.dashboard"]),
        ({"certificate": GivenArn("arn:aws:iam::1:server-certificate/x")}, ["certificate.arn"]),
        ({"certificate": GivenArn("arn:aws:iam::123456789012:role/x")}, ["certificate.arn"]),
        ({"certificate": GivenArn("Invalid-Certificate")}, ["certificate.arn"]),
        ({"certificate": GivenArn(IAM, "found it")}, ["certificate.source"]),
        ({"certificate": GivenSecret("")}, ["certificate.secret_id"]),
        ({"certificate": GivenSecret("a b")}, ["certificate.secret_id"]),
        ({"certificate": GivenSecret("a" * 249)}, ["certificate.secret_id"]),
        (
            {
                "certificate": GivenIssuer(
                    "private-ca", ("a.*.com", "*", "*.com", "a..b", "1.2.3", "A.b", "a.B")
                )
            },
            [f"certificate.domains[{index}]" for index in (0, 1, 2, 3, 4, 6)],
        ),
        ({"ssl_policy": PredefinedPolicy("ELBSecurityPolicy-TLS13-1-2-2021-06")}, ["ssl_policy"]),
        (
            {"ssl_policy": CustomPolicy(frozenset(), frozenset())},
            ["ssl_policy.protocols", "ssl_policy.ciphers"],
        ),
        (
            {
                "ssl_policy": CustomPolicy(
                    frozenset({"TLSv1.3"}), frozenset({"TLS_AES_128_GCM_SHA256", CIPHERS[0]})
                )
            },
            ["ssl_policy.protocols", "ssl_policy.ciphers"],
        ),
        ({"security_groups": ()}, ["security_groups"]),
        (
            {"security_groups": ("sg-01234567", "sg-01234567", "web")},
            ["security_groups[1]", "security_groups[2]"],
        ),
        (
            {"allow": Allow(("10.0.0.1/8", "::/0", "10.0.0.0", "all", "10.0.0.0/33", "10.0.0.0/255.0.0.0"))},
            [f"allow.mqtt[{n}]" for n in range(6)],
        ),
        ({"allow": Allow(("10.0.0.0/8", "10.0.0.0/8"))}, ["allow.mqtt[1]"]),
        ({"keepalive": 0}, ["keepalive"]),
        ({"keepalive": 2400.5}, ["keepalive"]),
        ({"keepalive": float("inf")}, ["keepalive"]),
        ({"keepalive": float("nan")}, ["keepalive"]),
        ({"connection_draining": -1}, ["connection_draining"]),
        ({"connection_draining": 3601}, ["connection_draining"]),
        ({"health_check": HealthCheck("TCP:0")}, ["health_check.target"]),
        ({"health_check": HealthCheck("TCP:65536")}, ["health_check.target"]),
        ({"health_check": HealthCheck("tcp:1883")}, ["health_check.target"]),
        ({"health_check": HealthCheck("TCP:1883/")}, ["health_check.target"]),
        ({"health_check": HealthCheck("HTTP:18083")}, ["health_check.target"]),
        ({"health_check": HealthCheck("HTTP:18083/a b")}, ["health_check.target"]),
        ({"health_check": HealthCheck("HTTP:18083/" + "a" * 1024)}, ["health_check.target"]),
        (
            {"health_check": HealthCheck("TCP:1", 4, 1, 1, 11)},
            [
                f"health_check.{one}"
                for one in ("interval", "timeout", "unhealthy_threshold", "healthy_threshold")
            ],
        ),
        ({"health_check": HealthCheck("TCP:1", 30, 30)}, ["health_check.timeout"]),
        (
            {"access_logs": AccessLogs("My_Bucket", "x/AWSLogs", 10)},
            ["access_logs.bucket", "access_logs.prefix", "access_logs.interval"],
        ),
        ({"access_logs": AccessLogs("10.0.0.1")}, ["access_logs.bucket"]),
        ({"access_logs": AccessLogs("a..b")}, ["access_logs.bucket"]),
        ({"instances": ("i-01234567", "i-0123456G", "i-01234567")}, ["instances[1]", "instances[2]"]),
        ({"hostname": "10.0.0.1"}, ["hostname"]),
        ({"hostname": "*.example.com"}, ["hostname"]),
        ({"hostname": "mqtt.example.com."}, ["hostname"]),
        ({"hostname": "a" * 64 + ".com"}, ["hostname"]),
        ({"hostname": "a." * 127 + "com"}, ["hostname"]),
        (
            {"probe": ProbeOptions(qos=cast("Any", 3), credentials_secret_id="a b")},
            ["probe.credentials_secret_id", "probe.qos"],
        ),
        ({"probe": ProbeOptions(credentials_secret_id="a" * 200, ca_secret_id="b" * 200)}, ["probe"]),
        (
            {"tags": {"": "", "k" * 128: "v" * 256, "AWS:x": "", "emq-elb:owner": "me", "a,b": "<"}},
            ["tags"] * 7,
        ),
    ],
)
def test_what_it_does_not_take_is_a_fault_under_its_field(changes: dict[str, Any], fields: list[str]) -> None:
    assert sorted(fields_of(**changes)) == sorted(fields)


def test_where_no_group_is_made_its_name_does_not_matter() -> None:
    assert fields_of(name="sg-demo", security_groups=("sg-01234567",)) == []


def test_the_certificates_of_acm_are_taken_in_their_own_region_only() -> None:
    given_acm = replace(SOUND, certificate=GivenArn(ACM))
    assert read(given_acm, region="eu-central-1") == ()
    assert [fault.field for fault in read(given_acm, region="eu-west-1")] == ["certificate.arn"]


def test_a_certificate_of_iam_is_global() -> None:
    assert read(SOUND, region="eu-west-1") == ()


@pytest.mark.parametrize(
    ("unsound", "left"),
    [
        ({"listeners"}, ["health_check.timeout"]),
        ({"certificate"}, ["listeners[1].port", "health_check.timeout"]),
        ({"health_check"}, ["listeners[1].port", "certificate"]),
    ],
)
def test_a_field_known_to_be_wrong_spoils_no_judgement_about_others(
    unsound: set[str], left: list[str]
) -> None:
    broken = replace(SOUND, certificate=None, listeners=(TLS, TLS), health_check=HealthCheck("TCP:1", 30, 30))
    assert [fault.field for fault in faults(broken, unsound=unsound)] == left


@given(declarations())
def test_declarations_within_the_limits_have_no_fault(declaration: Declaration) -> None:
    assert read(declaration, "eu-central-1") == ()


_TEXTS = st.text(max_size=20) | st.sampled_from(
    ("*.", "1.1.1.1/", "arn:aws:acm:", "\ud800", "TCP:", "HTTP:/")
)
_NUMBERS = st.integers() | st.just(10**5000)


@given(
    st.builds(
        Declaration,
        name=_TEXTS,
        subnets=st.lists(_TEXTS, max_size=3).map(tuple),
        listeners=st.lists(
            st.builds(
                Listener,
                _NUMBERS,
                st.sampled_from(("TCP", "SSL", "HTTP", "HTTPS")),
                _NUMBERS,
                st.sampled_from(("TCP", "SSL", "HTTP", "HTTPS")),
            ),
            max_size=4,
        ).map(tuple),
        certificate=st.none()
        | st.builds(GivenArn, _TEXTS, st.none() | _TEXTS)
        | st.builds(GivenSecret, _TEXTS)
        | st.builds(GivenIssuer, st.just("private-ca"), st.lists(_TEXTS, max_size=3).map(tuple)),
        ssl_policy=st.builds(PredefinedPolicy, _TEXTS)
        | st.builds(CustomPolicy, st.frozensets(_TEXTS, max_size=3), st.frozensets(_TEXTS, max_size=3)),
        security_groups=st.none() | st.lists(_TEXTS, max_size=3).map(tuple),
        allow=st.builds(
            Allow, st.lists(_TEXTS, max_size=3).map(tuple), st.lists(_TEXTS, max_size=3).map(tuple)
        ),
        health_check=st.builds(HealthCheck, _TEXTS, _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS),
        keepalive=st.floats() | _NUMBERS,
        connection_draining=_NUMBERS,
        access_logs=st.none() | st.builds(AccessLogs, _TEXTS, _TEXTS, _NUMBERS),
        instances=st.lists(_TEXTS, max_size=3).map(tuple),
        hostname=st.none() | _TEXTS,
        probe=st.builds(
            ProbeOptions, st.none(), _NUMBERS, st.just("5"), st.none() | _TEXTS, st.none() | _TEXTS
        ),
        tags=st.dictionaries(_TEXTS, _TEXTS, max_size=3),
    )
)
def test_nothing_makes_the_rules_raise(declaration: Declaration) -> None:
    for fault in read(declaration, "eu-central-1"):
        assert fault.field
        assert 0 < len(fault.message) < 500


@given(st.integers(1, 3600))
def test_every_idle_timeout_has_a_keepalive_that_leads_back_to_it(seconds: int) -> None:
    assert idle_timeout(keepalive_of(seconds)) == seconds


@given(st.floats(0, 2400, exclude_min=True) | st.integers(1, 2400))
@example(5e-324)
@example(2400)
def test_the_idle_timeout_is_no_shorter_than_one_and_a_half_keepalives(keepalive: float) -> None:
    assert 1.5 * keepalive <= idle_timeout(keepalive) <= 1.5 * keepalive + 1
    assert 1 <= idle_timeout(keepalive) <= 3600


@pytest.mark.parametrize(
    ("keepalive", "seconds"), [(300, 450), (60, 90), (40, 60), (2400, 3600), (1, 2), (0.5, 1)]
)
def test_keepalives_and_their_idle_timeouts(keepalive: float, seconds: int) -> None:
    assert idle_timeout(keepalive) == seconds
    assert keepalive_of(seconds) == keepalive


@given(st.integers(1, 2400))
def test_a_whole_keepalive_is_shown_as_it_was_given(keepalive: int) -> None:
    shown = keepalive_of(idle_timeout(keepalive))
    assert shown == keepalive
    assert isinstance(shown, int)
