"""The verdict: what outcomes say together, which listeners are targets, which name counts."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.load_balancer import HealthCheck, Leaf, Listener, LoadBalancer
from chalicelib.model.names import HOSTNAME_TAG, PROBE_TAG
from chalicelib.probe.metrics import metrics
from chalicelib.probe.plan import (
    CAUSES,
    PHASES,
    UNTRIED,
    Failure,
    HostnameRecord,
    Outcome,
    Phase,
    enabled,
    first_turn,
    hostname_records,
    judge_outcomes,
    led_elsewhere,
    name_to_verify,
    targets,
)
from chalicelib.tls.handshake import Served

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED = Failure("tcp", "tcp-refused")

FAILURES = st.sampled_from([Failure(phase, cause) for cause, phases in CAUSES.items() for phase in phases])
OUTCOMES = st.lists(
    st.builds(
        Outcome,
        port=st.sampled_from([1883, 8883]),
        address=st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        failure=st.none() | FAILURES,
    ),
    min_size=1,
    max_size=8,
)


def outcome(failure: Failure | None = None, port: int = 8883, address: str = "192.0.2.1") -> Outcome:
    return Outcome(port=port, address=address, failure=failure)


@pytest.mark.parametrize(
    ("outcomes", "grade"),
    [
        ([outcome()], "ok"),
        ([outcome(), outcome(address="192.0.2.2")], "ok"),
        ([outcome(), outcome(REFUSED, address="192.0.2.2")], "degraded"),
        ([outcome(REFUSED), outcome(REFUSED, address="192.0.2.2")], "failed"),
        ([outcome(), outcome(REFUSED, port=1883)], "failed"),
        ([outcome(), outcome(REFUSED, address="192.0.2.2"), outcome(port=1883)], "degraded"),
    ],
)
def test_a_load_balancer_is_as_good_as_its_worst_listener(outcomes: list[Outcome], grade: str) -> None:
    assert judge_outcomes("demo", outcomes).grade == grade


@given(OUTCOMES)
def test_it_is_ok_exactly_when_nothing_failed(outcomes: list[Outcome]) -> None:
    verdict = judge_outcomes("demo", outcomes)
    failures = [one.failure for one in outcomes if one.failure]
    assert (verdict.grade == "ok") is (not failures)
    assert (verdict.failure is None) is (not failures)
    if verdict.failure:
        assert all(PHASES.index(verdict.failure.phase) <= PHASES.index(one.phase) for one in failures)


@given(OUTCOMES, st.randoms())
def test_the_order_in_which_outcomes_came_does_not_count(outcomes: list[Outcome], random: object) -> None:
    shuffled = list(outcomes)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis's Random
    assert judge_outcomes("demo", shuffled).grade == judge_outcomes("demo", outcomes).grade


@given(OUTCOMES)
def test_another_failure_never_makes_it_better(outcomes: list[Outcome]) -> None:
    order = ("ok", "degraded", "failed")
    worse = [replace(outcomes[0], failure=outcomes[0].failure or REFUSED), *outcomes[1:]]
    assert order.index(judge_outcomes("demo", worse).grade) >= order.index(
        judge_outcomes("demo", outcomes).grade
    )


def test_where_the_hostname_leads_elsewhere_no_listener_is_good_enough() -> None:
    elsewhere = Outcome(port=8883, failure=Failure("dns", "dns-elsewhere"))
    verdict = judge_outcomes("demo", [outcome(), outcome(address="192.0.2.2"), elsewhere])
    assert (verdict.grade, verdict.success, verdict.failure) == ("failed", False, elsewhere.failure)


def test_what_nobody_tried_has_no_verdict() -> None:
    with pytest.raises(ValueError, match="was not tried"):
        judge_outcomes("demo", [])


@pytest.mark.parametrize(
    ("phase", "cause"), [("tcp", "tls-expired"), ("connack", "suback-timeout"), ("tls", "made-up")]
)
def test_a_cause_outside_the_list_is_a_defect(phase: Phase, cause: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        Failure(phase, cause)


def test_every_cause_has_its_line_in_the_runbook() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    table = text.partition("## Causes")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z-]+)`(?: …)? \| [^|]{20,} \| [^|]{20,} \|$", table, re.MULTILINE)
    assert sorted(documented) == sorted(CAUSES)


BALANCER = LoadBalancer(
    name="demo",
    scheme="internet-facing",
    vpc="vpc-1",
    subnets=frozenset(),
    zones=frozenset(),
    listeners=(),
    security_groups=frozenset(),
    health_check=HealthCheck(),
    idle_timeout=450,
    connection_draining=0,
    cross_zone=True,
    access_logs=None,
    proxy_protocol_ports=frozenset(),
    tags={},
    instances=frozenset(),
    dns_name="demo.example.com",
)


def named(name: str, hostname: str = "mqtt.example.com", **tags: str) -> LoadBalancer:
    own = {f"emq-elb:{key}": value for key, value in tags.items()}
    given = own | ({HOSTNAME_TAG: hostname} if hostname else {})
    return replace(BALANCER, name=name, dns_name=f"{name}.elb.example.com", tags=given)


def record(*names: str, shared: bool = False) -> HostnameRecord:
    return HostnameRecord("mqtt.example.com", frozenset(f"{name}.elb.example.com" for name in names), shared)


RECORDS: dict[str, tuple[list[LoadBalancer], dict[str, HostnameRecord]]] = {
    "a record of its own": ([named("a", dns="zone=Z1")], {"a": record("a")}),
    "a name that somebody else points": ([named("a")], {}),
    "no name": ([named("a", "", dns="zone=Z1")], {}),
    "a tag that nobody can read": ([named("a", dns="zone=")], {}),
    "in capitals": ([named("a", "MQTT.Example.com", dns="zone=Z1")], {"a": record("a")}),
    "a wildcard": ([named("a", "*.example.com", dns="zone=Z1")], {}),
    "not there yet": ([named("a", dns="zone=Z1", pending="2026-01-01T00:00:00Z creating")], {}),
    "by weight": (
        [named("a", dns="zone=Z1 weight=1"), named("b", dns="zone=Z1 weight=0"), named("c")],
        {"a": record("a", "b", shared=True), "b": record("a", "b", shared=True)},
    ),
    "by weight, one of them pending": (
        [named("a", dns="zone=Z1 weight=1"), named("b", dns="zone=Z1 weight=1", pending="since")],
        {"a": record("a", "b", shared=True)},
    ),
    "names of their own": (
        [named("a", dns="zone=Z1 weight=1"), named("b", "other.example.com", dns="zone=Z1")],
        {
            "a": record("a", shared=True),
            "b": HostnameRecord("other.example.com", frozenset({"b.elb.example.com"})),
        },
    ),
}


@pytest.mark.parametrize(("ours", "records"), RECORDS.values(), ids=RECORDS)
def test_which_names_have_to_lead_where(ours: list[LoadBalancer], records: dict[str, HostnameRecord]) -> None:
    assert hostname_records(ours) == records


ADDRESSES = st.frozensets(st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]), min_size=1)


@given(ADDRESSES, ADDRESSES)
def test_one_address_in_common_is_enough(found: frozenset[str], here: frozenset[str]) -> None:
    failure = led_elsewhere(record("a"), found, here)
    assert (failure is None) is bool(found & here)
    if failure:
        assert failure.cause == "dns-elsewhere"
        assert min(found) in failure.detail


@pytest.mark.parametrize(
    ("listeners", "ports"),
    [
        ([Listener(8883, "SSL", 1883, "TCP")], [(8883, True)]),
        ([Listener(8883, "SSL", 8883, "SSL")], [(8883, True)]),
        ([Listener(1883, "TCP", 1883, "TCP")], [(1883, False)]),
        ([Listener(8883, "TLS", 1883, "TCP")], [(8883, True)]),
        ([Listener(8883, "TLS", 8883, "TLS"), Listener(443, "TCP", 18083, "TCP")], [(8883, True)]),
        (
            [Listener(8883, "SSL", 1884, "TCP"), Listener(1883, "TCP", 1883, "TCP")],
            [(8883, True), (1883, False)],
        ),
        (
            [Listener(8883, "SSL", 1884, "TCP"), Listener(1884, "TCP", 1884, "TCP")],
            [(8883, True), (1884, False)],
        ),
        ([Listener(8883, "SSL", 1883, "TCP"), Listener(4370, "TCP", 4370, "TCP")], [(8883, True)]),
        ([Listener(18083, "HTTP", 18083, "HTTP"), Listener(443, "HTTPS", 18084, "HTTP")], []),
    ],
)
def test_the_listeners_that_carry_mqtt_are_targets(
    listeners: list[Listener], ports: list[tuple[int, bool]]
) -> None:
    found = targets(replace(BALANCER, listeners=tuple(listeners)))
    assert [(target.port, target.secure) for target in found] == ports


def test_a_target_carries_what_the_tags_say() -> None:
    tags = {HOSTNAME_TAG: "mqtt.example.com", PROBE_TAG: "qos=2 protocol=5"}
    arn = "arn:aws:iam::123456789012:server-certificate/emq-elb/o/r/demo/r-demo-0123456789abcdef"
    listener = Listener(8883, "SSL", 1883, "TCP", certificate=arn)
    (target,) = targets(replace(BALANCER, tags=tags, listeners=(listener,)))
    assert (target.host, target.hostname) == ("demo.example.com", "mqtt.example.com")
    assert target.certificate == "r-demo-0123456789abcdef"
    assert (target.options.qos, target.options.protocol) == (2, "5")


@pytest.mark.parametrize(
    ("scheme", "tag", "expected"),
    [
        ("internet-facing", None, True),
        ("internet-facing", "enabled=false", False),
        ("internal", None, False),
        ("internal", "enabled=true", True),
    ],
)
def test_the_schedule_leaves_out_what_is_internal_or_not_enabled(
    scheme: str, tag: str | None, expected: bool
) -> None:
    tags = {PROBE_TAG: tag} if tag else {}
    assert enabled(replace(BALANCER, scheme=scheme, tags=tags)) is expected  # type: ignore[arg-type] # a scheme


@pytest.mark.parametrize(
    ("hostname", "domains", "name"),
    [
        ("mqtt.example.com", ["other.example.com"], "mqtt.example.com"),
        (None, ["*.example.com", "mqtt.example.com"], "mqtt.example.com"),
        (None, ["*.example.com"], "lb.amazonaws.com"),
        (None, ["192.0.2.1", "mqtt.example.com"], "mqtt.example.com"),
        (None, ["*.example.com", "192.0.2.1"], "lb.amazonaws.com"),
        (None, [], "lb.amazonaws.com"),
    ],
)
def test_the_name_that_clients_use(hostname: str | None, domains: list[str], name: str) -> None:
    assert name_to_verify(hostname, domains, "lb.amazonaws.com") == name


def test_metrics_are_of_the_slowest_address_and_the_first_certificate_to_end() -> None:
    def seen(days: int, **times: float) -> Outcome:
        end = NOW + timedelta(days=days)
        leaf = Leaf(serial="01", not_before=NOW, not_after=end, domains=("mqtt.example.com",))
        return Outcome(port=8883, address=f"192.0.2.{days}", times_ms=times, served=Served(leaf=leaf))

    fast, slow = seen(30, tcp=1, tls=2, connack=3, echo=4), seen(20, tcp=5, tls=6, connack=7, echo=8)
    assert metrics(judge_outcomes("demo", [fast, slow]), NOW) == {
        "ProbeSuccess": 1,
        "ProbeTcpTime": 5,
        "ProbeTlsTime": 6,
        "ProbeConnackTime": 7,
        "ProbeRoundTripTime": 8,
        "CertificateDaysToExpiry": 20,
    }


def test_a_failure_is_a_zero_and_not_a_silence() -> None:
    assert metrics(judge_outcomes("demo", [outcome(REFUSED)]), NOW) == {"ProbeSuccess": 0}
    assert (
        metrics(judge_outcomes("demo", [outcome(), outcome(REFUSED, address="192.0.2.2")]), NOW)[
            "ProbeSuccess"
        ]
        == 0
    )


def test_what_had_no_turn_is_neither_good_nor_bad() -> None:
    untried = outcome(UNTRIED, address="192.0.2.2")
    for outcomes, success in (
        ([untried], None),
        ([outcome(), untried], None),
        ([outcome(REFUSED), untried], False),
        ([outcome()], True),
    ):
        verdict = judge_outcomes("demo", outcomes)
        assert verdict.success is success
        assert ("ProbeSuccess" in metrics(verdict, NOW)) is (success is not None)
        assert (verdict.logged == "untried") is (success is None)


@given(st.integers(0, 10**9), st.integers(2, 1000), st.floats(0, 0.6))
def test_nobody_is_left_out_three_minutes_in_a_row(minute: int, count: int, share: float) -> None:
    """The last `share` of the order has no turn."""
    reached = count - int(share * count)
    left_out = [
        {(first_turn(one, count) + place) % count for place in range(reached, count)}
        for one in range(minute, minute + 3)
    ]
    assert not left_out[0] & left_out[1] & left_out[2]


@given(st.integers(0, 10**9), st.integers(0, 1000))
def test_a_turn_is_a_place_in_the_order(minute: int, count: int) -> None:
    assert 0 <= first_turn(minute, count) < max(count, 1)
