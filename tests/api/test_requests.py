"""What a body becomes, and every way in which it can be wrong."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no stubs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.api.body import put_body
from chalicelib.api.query import read_flags
from chalicelib.api.requests import BODY_MAX, read_json, read_name, read_put
from chalicelib.model.errors import Fault, InvalidRequest
from chalicelib.model.load_balancer import AccessLogs, CustomPolicy, HealthCheck, Listener
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.provision.declaration import Allow, Declaration, GivenArn, GivenIssuer, GivenSecret
from chalicelib.x509.pem import GivenPem
from tests.world.bodies import body_of
from tests.world.strategies import declarations

SUBNET = "subnet-0123456789abcdef0"
ARN = "arn:aws:iam::123456789012:server-certificate/demo"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0IGtleSBieXRlcw==\n-----END RSA PRIVATE KEY-----\n"
SOUND: dict[str, Any] = {"subnets": [SUBNET], "certificate": {"arn": ARN}}


def fields_of(body: object) -> list[str]:
    return [fault.field for fault in read_put("demo", body)[1]]


def message_of(body: object) -> str:
    (fault,) = read_put("demo", body)[1]
    return fault.message


def test_a_body_says_only_what_differs_from_the_defaults() -> None:
    assert read_put("demo", SOUND) == (
        Declaration(name="demo", subnets=(SUBNET,), certificate=GivenArn(ARN)),
        (),
    )


def test_a_body_can_say_everything() -> None:
    body = {
        "subnets": [SUBNET],
        "cluster": "mqtt/prod",
        "scheme": "internal",
        "listeners": [{"protocol": "HTTPS", "port": 443, "instance_protocol": "HTTP", "instance_port": 8080}],
        "certificate": {"pem": {"certificate": "leaf", "private_key": KEY, "chain": "chain"}},
        "ssl_policy": {"protocols": ["TLSv1.2"], "ciphers": ["AES128-SHA"], "server_defined_order": False},
        "allow": {"mqtt": ["10.0.0.0/8"]},
        "health_check": {"target": "HTTP:8080/", "interval": 10},
        "keepalive": 60.5,
        "connection_draining": 0,
        "cross_zone": False,
        "access_logs": {"bucket": "logs"},
        "instances": ["i-01234567"],
        "hostname": "mqtt.example.com",
        "probe": {"enabled": False, "qos": 2, "protocol": "5"},
        "tags": {"team": "iot"},
    }
    expected = Declaration(
        name="demo",
        subnets=(SUBNET,),
        cluster="mqtt/prod",
        scheme="internal",
        listeners=(Listener(443, "HTTPS", 8080, "HTTP"),),
        certificate=GivenPem("leaf", KEY, "chain"),
        ssl_policy=CustomPolicy(
            frozenset({"TLSv1.2"}), frozenset({"AES128-SHA"}), server_defined_order=False
        ),
        allow=Allow(mqtt=("10.0.0.0/8",)),
        health_check=HealthCheck("HTTP:8080/", interval=10),
        keepalive=60.5,
        connection_draining=0,
        cross_zone=False,
        access_logs=AccessLogs("logs"),
        instances=("i-01234567",),
        hostname="mqtt.example.com",
        probe=ProbeOptions(enabled=False, qos=2, protocol="5"),
        tags={"team": "iot"},
    )
    assert read_put("demo", body) == (expected, ())


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        ({"arn": ARN, "source": "secret:mqtt"}, GivenArn(ARN, "secret:mqtt")),
        (
            {
                "arn": ARN,
                "source": "acme",
                "not_after": "2027-01-01T00:00:00Z",
                "days_left": 9,
                "domains": ["a.b"],
            },
            GivenArn(ARN, "acme"),
        ),
        ({"secret_id": "prod/mqtt"}, GivenSecret("prod/mqtt")),
        ({"issuer": "private-ca"}, GivenIssuer("private-ca")),
        ({"issuer": "private-ca", "domains": ["a.b"]}, GivenIssuer("private-ca", ("a.b",))),
    ],
)
def test_a_certificate_comes_from_one_place(certificate: object, expected: object) -> None:
    declaration, faults = read_put("demo", {**SOUND, "certificate": certificate})
    assert (declaration.certificate, faults) == (expected, ())


def test_members_as_get_shows_them_are_instances_but_those_on_their_way_out() -> None:
    members = [
        {"id": "i-01234567", "state": "InService", "reason": ""},
        {"id": "i-89abcdef", "state": "Draining", "reason": "Instance deregistration currently in progress."},
    ]
    declaration, faults = read_put("demo", {**SOUND, "instances": members})
    assert (declaration.instances, faults) == (("i-01234567",), ())


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"subnets": "x"}, ["subnets"]),
        ({"subnets": [5]}, ["subnets[0]"]),
        ({"subnets": None}, ["subnets"]),
        ({"cluster": None}, ["cluster"]),
        ({"cluster": 5}, ["cluster"]),
        ({"cluster": ["demo"], "keepalive": 0}, ["cluster", "keepalive"]),
        ({"scheme": "Internal"}, ["scheme"]),
        ({"listeners": {}}, ["listeners"]),
        ({"listeners": ["SSL"]}, ["listeners[0]"]),
        (
            {"listeners": [{"protocol": "ssl", "port": "8883", "instance_port": True, "back": 1}]},
            [
                f"listeners[0].{name}"
                for name in ("protocol", "port", "instance_protocol", "instance_port", "back")
            ],
        ),
        (
            {"listeners": [{"protocol": "SSL", "port": 1.0, "instance_protocol": "TCP", "instance_port": 1}]},
            ["listeners[0].port"],
        ),
        ({"certificate": "arn"}, ["certificate"]),
        ({"certificate": None}, ["certificate"]),
        ({"certificate": {}}, ["certificate"]),
        ({"certificate": {"arn": ARN, "secret_id": "x"}}, ["certificate"]),
        ({"certificate": {"arn": ARN, "days_left": "9"}}, ["certificate.days_left"]),
        ({"certificate": {"secret_id": "x", "source": "y"}}, ["certificate.source"]),
        (
            {"certificate": {"pem": {"certificate": 1}}},
            ["certificate.pem.certificate", "certificate.pem.private_key"],
        ),
        ({"certificate": {"issuer": "lets-encrypt"}}, ["certificate.issuer"]),
        ({"ssl_policy": 5}, ["ssl_policy"]),
        ({"ssl_policy": {"protocols": ["TLSv1.2"]}}, ["ssl_policy.ciphers"]),
        ({"security_groups": {}}, ["security_groups"]),
        ({"allow": {"mqtt": "10.0.0.0/8"}}, ["allow.mqtt"]),
        ({"allow": {"everybody": []}}, ["allow.everybody"]),
        ({"health_check": {"interval": "30"}}, ["health_check.interval"]),
        ({"keepalive": True}, ["keepalive"]),
        ({"keepalive": "300"}, ["keepalive"]),
        ({"connection_draining": 1.5}, ["connection_draining"]),
        ({"cross_zone": 1}, ["cross_zone"]),
        ({"cross_zone": "true"}, ["cross_zone"]),
        ({"access_logs": {"prefix": "x"}}, ["access_logs.bucket"]),
        ({"instances": [5]}, ["instances[0]"]),
        ({"instances": [{"state": "InService"}]}, ["instances[0].id"]),
        ({"probe": {"qos": True}}, ["probe.qos"]),
        ({"probe": {"qos": 1.0}}, ["probe.qos"]),
        ({"probe": {"protocol": 5}}, ["probe.protocol"]),
        ({"tags": {"a": 1}}, ["tags.a"]),
        ({"name": 5}, ["name"]),
        ({"name": "other"}, ["name"]),
        ({"state": "fine"}, ["state"]),
        ({"allow": {}, "security_groups": ["sg-01234567"]}, ["allow"]),
    ],
)
def test_a_wrong_shape_is_a_fault_under_its_field(changes: dict[str, object], fields: list[str]) -> None:
    assert fields_of({**SOUND, **changes}) == fields


def test_faults_of_every_kind_are_returned_at_once() -> None:
    body = {
        "listener": [],
        "keepalive": "long",
        "listeners": [
            {"protocol": "SSL", "port": 70000, "instance_protocol": "HTTP", "instance_port": 1883},
            {"protocol": "TCP", "port": 70000, "instance_protocol": "TCP", "instance_port": 1883},
        ],
        "health_check": {"timeout": 31},
    }
    assert sorted(fields_of(body)) == [
        "certificate",
        "health_check.timeout",
        "keepalive",
        "listener",
        "listeners[0].instance_protocol",
        "listeners[0].port",
        "listeners[1].port",
        "listeners[1].port",
        "subnets",
    ]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (
            {
                "certificate": None,
                "listeners": [
                    {"protocol": "SSL"},
                    {"protocol": "SSL", "port": 0, "instance_protocol": "HTTP", "instance_port": 1883},
                    "HTTP",
                    {"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883},
                    {"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883},
                ],
            },
            [
                "certificate",
                "listeners[0].instance_port",
                "listeners[0].instance_protocol",
                "listeners[0].port",
                "listeners[1].instance_protocol",
                "listeners[1].port",
                "listeners[2]",
                "listeners[4].port",
            ],
        ),
        # Whether anything would use the certificate is not known: the listener that cannot be read might.
        (
            {
                "listeners": [
                    {"protocol": "TCP", "port": 1, "instance_protocol": "TCP", "instance_port": 1},
                    {"protocol": "SSL", "port": "8883", "instance_protocol": "TCP", "instance_port": 1883},
                ]
            },
            ["listeners[1].port"],
        ),
        ({"subnets": [5, SUBNET, "subnet-x", SUBNET]}, ["subnets[0]", "subnets[2]", "subnets[3]"]),
        ({"subnets": [5]}, ["subnets[0]"]),
        (
            {"security_groups": [None, "sg-x"], "allow": {"mqtt": ["10.0.0.0/8"]}},
            ["allow", "security_groups[0]", "security_groups[1]"],
        ),
        (
            {"instances": [{"state": "InService"}, "i-x", {"id": "i-y"}]},
            ["instances[0].id", "instances[1]", "instances[2]"],
        ),
        ({"instances": [["x"], *["i-01234567"] * 2]}, ["instances[0]", "instances[2]"]),
        (
            {"allow": {"mqtt": [5, "10.0.0.1/8"], "dashboard": ["all"]}},
            ["allow.dashboard[0]", "allow.mqtt[0]", "allow.mqtt[1]"],
        ),
        (
            {"certificate": {"issuer": "private-ca", "domains": [5, "*", "a.b", "A.b"]}},
            ["certificate.domains[0]", "certificate.domains[1]", "certificate.domains[3]"],
        ),
        (
            {"listeners": [{"protocol": "ssl", "port": 0, "instance_protocol": "TCP", "instance_port": 1}]},
            ["listeners[0].port", "listeners[0].protocol"],
        ),
        ({"tags": {"a": 1, "aws:b": ""}}, ["tags", "tags.a"]),
        # The place is the body's, also beside an instance that is on its way out.
        (
            {"instances": [{"id": "i-01234567", "state": "Draining"}, "i-x"]},
            ["instances[1]"],
        ),
    ],
)
def test_what_is_wrong_with_the_other_elements_of_a_list_is_a_fault_beside_one_that_cannot_be_read(
    changes: dict[str, object], fields: list[str]
) -> None:
    body = {key: value for key, value in {**SOUND, **changes}.items() if value is not None}
    assert sorted(fields_of(body)) == fields


def test_a_field_that_is_wrong_stands_at_its_default() -> None:
    declaration, _ = read_put("demo", {**SOUND, "subnets": [1], "keepalive": "long", "cross_zone": False})
    assert (declaration.subnets, declaration.keepalive, declaration.cross_zone) == ((), 300, False)


def test_listeners_that_cannot_be_read_do_not_make_a_certificate_wrong() -> None:
    assert fields_of({"subnets": [SUBNET], "listeners": 5}) == ["listeners"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keepalive": "300"}, 'it must be a number, not "300"'),
        ({"connection_draining": 301.5}, "it must be a whole number, not 301.5"),
        ({"connection_draining": 300.0}, "it must be a whole number, not 300.0"),
        (
            {"keepalive": 9000},
            "it must be 4000 or less, not 9000",
        ),
        ({"cross_zone": [1]}, "it must be true or false, not a list"),
        ({"scheme": "public"}, "it must be 'internet-facing' or 'internal', not \"public\""),
        ({"cluster": ""}, "a cluster's name has 1 to 255 characters, as the value of a tag, not 0"),
        ({"cluster": "x" * 256}, "a cluster's name has 1 to 255 characters, as the value of a tag, not 256"),
        ({"cluster": "AWS:mqtt"}, '"AWS:mqtt" begins with aws:, which AWS keeps for itself'),
        ({"cluster": "mqtt "}, '"mqtt " has a space at an end, which nobody would see'),
        (
            {"cluster": "mqtt-*"},
            '"*" cannot be in a tag: letters, digits, spaces and _ . : / = + - @ can',
        ),
        ({"keepalives": 5}, "it is not known; did you mean keepalive?"),
        ({"purple": "rain"}, "it is not known"),
    ],
)
def test_a_message_names_the_value_and_what_would_be_right(changes: dict[str, object], message: str) -> None:
    assert message_of({**SOUND, **changes}) == message


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_a_body_that_is_no_object_is_a_fault(body: object) -> None:
    assert fields_of(body) == ["body"]


def test_the_name_in_the_path_is_judged_with_the_body() -> None:
    assert [fault.field for fault in read_put("no_name", SOUND)[1]] == ["name"]
    assert [fault.field for fault in read_put("no_name", [])[1]] == ["body", "name"]
    assert [fault.field for fault in read_name("no_name")] == ["name"]
    assert read_name("demo") == ()


PLACES_FOR_A_KEY: list[object] = [
    KEY,
    {**SOUND, "certificate": KEY},
    {**SOUND, "certificate": {"pem": KEY}},
    {**SOUND, "certificate": {"pem": [KEY]}},
    {**SOUND, "certificate": {"pem": {"certificate": KEY, "private_key": [KEY], "chain": {"x": KEY}}}},
    {**SOUND, "certificate": {"pem": {"certificate": "", "private_key": KEY, KEY: KEY}}},
    {**SOUND, "certificate": {"arn": KEY}},
    {**SOUND, "certificate": {"secret_id": KEY}},
    {**SOUND, "certificate": {"issuer": KEY, "domains": [KEY]}},
    {**SOUND, "certificate": {"private_key": KEY}},
    {
        **SOUND,
        "private_key": KEY,
        KEY: 1,
        "tags": {KEY: KEY},
        "hostname": KEY,
        "scheme": KEY,
        "keepalive": KEY,
    },
    {**SOUND, "subnets": [KEY], "instances": [KEY], "ssl_policy": KEY, "security_groups": [KEY], "name": KEY},
    {**SOUND, "probe": {"ca_secret_id": KEY, "protocol": KEY}, "access_logs": {"bucket": KEY, "prefix": KEY}},
    {**SOUND, "allow": {"mqtt": [KEY]}, "health_check": {"target": KEY}, "listeners": [{"protocol": KEY}]},
]


@pytest.mark.parametrize("body", PLACES_FOR_A_KEY)
def test_no_fault_quotes_a_private_key_wherever_it_stands(body: object) -> None:
    _, faults = read_put("demo", body)
    text = repr(faults)
    assert faults
    assert "BEGIN" not in text
    assert "c2VjcmV0" not in text


def test_no_repr_of_what_was_read_holds_the_private_key() -> None:
    body = {**SOUND, "certificate": {"pem": {"certificate": "leaf", "private_key": KEY}}}
    declaration, faults = read_put("demo", body)
    assert faults == ()
    assert declaration.certificate == GivenPem("leaf", KEY)
    assert "c2VjcmV0" not in repr(declaration)
    assert "c2VjcmV0" not in repr(put_body().validate_python(body))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "no JSON"),
        (b"{'a': 1}", "no JSON"),
        (b"[1,]", "no JSON"),
        (b"\xff\xfe", "no UTF-8"),
        ("\ud800", "no UTF-8"),
        (b'"\\ud800"', "no UTF-8"),
        (b'{"a": NaN}', "a number"),
        (b'{"a": -Infinity}', "a number"),
        (b"1" * 5000, "a number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', '"c" comes twice'),
        (b'"' + b"a" * BODY_MAX + b'"', "at most 1000000"),
    ],
)
def test_a_body_that_is_no_sound_json_is_refused(raw: bytes | str | None, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_json(raw)
    (fault,) = caught.value.faults
    assert fault.field == "body"
    assert says in fault.message


def test_what_a_decoder_raised_does_not_travel_with_the_refusal() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_json(json.dumps({"private_key": KEY})[:-1])
    assert caught.value.__context__ is None
    assert "c2VjcmV0" not in str(caught.value)


def test_every_key_that_comes_twice_is_a_fault() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_json('{"a": 1, "a": 2, "b": {"c": 1, "c": 2, "c": 3}}')
    assert [fault.message[:3] for fault in caught.value.faults] == ['"c"', '"a"']


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON.filter(lambda value: "\ud800" not in repr(value)))
def test_sound_json_is_read_as_it_was_written(value: object) -> None:
    try:
        raw = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert read_json(raw) == value


@pytest.mark.parametrize(
    ("query", "flags", "faults"),
    [
        ({}, {"dry_run": False, "adopt": False}, ()),
        ({"dry_run": ["true"]}, {"dry_run": True, "adopt": False}, ()),
        ({"dry_run": ["false"], "adopt": ["true"]}, {"dry_run": False, "adopt": True}, ()),
        (
            {"dry_run": ["true", "false"]},
            {"dry_run": False, "adopt": False},
            (Fault("dry_run", "it is given 2 times"),),
        ),
        (
            {"adopt": ["1"]},
            {"dry_run": False, "adopt": False},
            (Fault("adopt", 'it must be true or false, not "1"'),),
        ),
        (
            {"adopt": [""]},
            {"dry_run": False, "adopt": False},
            (Fault("adopt", 'it must be true or false, not ""'),),
        ),
        (
            {"dryrun": ["true"]},
            {"dry_run": False, "adopt": False},
            (Fault("dryrun", "it is not known; did you mean dry_run?"),),
        ),
        ({"force": ["true"]}, {"dry_run": False, "adopt": False}, (Fault("force", "it is not known"),)),
    ],
)
def test_flags_are_true_or_false_and_no_others_are_known(
    query: dict[str, list[str]], flags: dict[str, bool], faults: tuple[Fault, ...]
) -> None:
    assert read_flags(query, "dry_run", "adopt") == (flags, faults)


@given(
    st.dictionaries(
        st.sampled_from(sorted(put_body().json_schema()["properties"])) | st.text(), _JSON, max_size=5
    )
)
@example({"\ud800": 1})
@example({"subnets": ["\ud800"], "keepalive": 10**400})
def test_no_body_makes_reading_it_raise(body: dict[str, Any]) -> None:
    declaration, faults = read_put("demo", body)
    assert isinstance(declaration, Declaration)
    assert all(fault.field and fault.message for fault in faults)
    json.dumps([[fault.field, fault.message] for fault in faults])


VALIDATOR = jsonschema.Draft202012Validator(put_body().json_schema())


@given(declarations())
def test_a_declaration_written_down_is_read_as_it_was(declaration: Declaration) -> None:
    body = json.loads(json.dumps(body_of(declaration)))
    assert read_put(declaration.name, body) == (declaration, ())


@given(declarations())
def test_the_schema_lets_pass_what_the_reader_takes(declaration: Declaration) -> None:
    VALIDATOR.validate(body_of(declaration))


_ODD = st.sampled_from(
    (
        None,
        True,
        0,
        -1,
        1.5,
        10**9,
        "",
        "x",
        "TCP:0",
        "10.0.0.1",
        [],
        [""],
        ["x", "x"],
        {},
        {"": ""},
        {"a": 1},
    )
)


@given(st.data(), declarations())
def test_what_the_schema_refuses_the_reader_refuses(data: st.DataObject, declaration: Declaration) -> None:
    body = body_of(declaration)
    table, keys = body, sorted(body)
    key = data.draw(st.sampled_from([*keys, "unknown"]))
    if isinstance(table.get(key), dict) and table[key] and data.draw(st.booleans()):
        table, keys = table[key], sorted(table[key])
        key = data.draw(st.sampled_from([*keys, "unknown"]))
    if data.draw(st.booleans()):
        table.pop(key, None)
    else:
        table[key] = data.draw(_ODD)
    if not VALIDATOR.is_valid(body):
        assert read_put(declaration.name, body)[1], body
