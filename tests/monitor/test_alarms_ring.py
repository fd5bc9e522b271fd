"""When the alarms ring: they and the metrics that are put, evaluated as CloudWatch does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import telemetry
from chalicelib.model.metrics import NAMESPACE, ROLLBACKS, SUCCESS
from chalicelib.monitor.apply import converge_alarms
from chalicelib.probe.story import probe_all
from chalicelib.rotate.model import Rotation
from chalicelib.rotate.report import report_rotations
from lab.cloudwatch.alarms import Change, State, change_event, evaluate
from lab.cloudwatch.metrics import Point, embedded
from lab.events import Rule
from tests.monitor.test_alarms import API, ARN
from tests.probe.test_story import create, listener
from tests.world.mqtt_broker import broker
from tests.world.provisioning import OWNER, Account
from tests.world.servers import ADDRESS, serving

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
FIVE = timedelta(minutes=5)
BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOWHERE = "127.83.4.9"

seconds = st.integers(0, 59)


@pytest.fixture(scope="module")
def lives() -> list[dict[str, dict[str, Any]]]:
    """The alarms of a deployment with one load balancer: just made, after first data, and without any.

    As DescribeAlarms returns them, without the deployment's name.
    """
    from tests.world.provisioning import account

    with account() as here:
        cloudwatch = boto3.client("cloudwatch", "eu-central-1")

        def converged() -> dict[str, dict[str, Any]]:
            converge_alarms(here.invocation(), ARN, API)
            found = cloudwatch.describe_alarms()["MetricAlarms"]
            return {alarm["AlarmName"].removeprefix(f"{OWNER}/"): dict(alarm) for alarm in found}

        create(here, "demo", listener(8883, "SSL", here.world.upload()))
        new = converged()
        here.sleep(FIVE.total_seconds())
        silent = converged()
        cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"] for alarm in new.values()])
        for alarm in converged().values():
            cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="data came")
        return [new, converged(), silent]


@pytest.fixture(scope="module")
def alarms(lives: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The alarms of one that has been there for a while."""
    return lives[1]


@pytest.fixture(scope="module")
def totals() -> dict[str, list[float]]:
    """What a run of `rotate` puts for the deployment, by what became of its one certificate."""
    from tests.world.provisioning import account

    found: dict[str, list[float]] = {}
    states: tuple[Literal["rotated", "rolled-back"], ...] = ("rotated", "rolled-back")
    with account() as here:
        for state in states:
            with redirect_stdout(StringIO()) as out:
                report_rotations([Rotation(name="demo", state=state, reason="so")], (), here.invocation())
            points = [point for line in out.getvalue().splitlines() for point in embedded(line)]
            found[state] = [one.value for one in points if one.dimensions == (("Owner", OWNER),)]
    return found


def printed(capsys: pytest.CaptureFixture[str]) -> list[Point]:
    """What was printed for CloudWatch since the last time."""
    return [point for line in capsys.readouterr().out.splitlines() for point in embedded(line)]


@dataclass
class Watched:
    """One alarm, evaluated once a minute at a second of its own, by the points that have arrived by then."""

    alarm: dict[str, Any]
    second: int = 0
    state: State = "OK"
    arriving: list[tuple[datetime, Point]] = field(default_factory=list)

    def put(self, value: float, at: datetime, *, after: float = 0, name: str = SUCCESS) -> None:
        """Put a value of a metric of the load balancer, which arrives so many seconds later."""
        point = Point(NAMESPACE, name, (("LoadBalancer", "demo"),), at, value)
        self.arriving.append((at + timedelta(seconds=after), point))

    def states(self, minutes: int) -> Iterator[tuple[datetime, State]]:
        """Yield the state after each evaluation."""
        state = self.state
        for minute in range(minutes):
            now = BEGAN + timedelta(minutes=minute, seconds=self.second)
            known = [point for arrived, point in self.arriving if arrived <= now]
            state = evaluate({**self.alarm, "StateValue": state}, known, now)
            yield now, state

    def first(self, wanted: State, since: datetime) -> datetime:
        """Return when the state is first so."""
        return next(at for at, state in self.states(60) if at >= since and state == wanted)


@given(probed=seconds, taking=st.integers(0, 50), evaluated=seconds, failing=st.integers(1, 60))
def test_a_failure_rings_within_five_minutes_whenever_it_happens(
    alarms: dict[str, dict[str, Any]], probed: int, taking: int, evaluated: int, failing: int
) -> None:
    """Whatever second the schedule, CloudWatch and the fault have, and however long all probes take."""
    watched = Watched(alarms["demo/probe"], evaluated)
    failed = BEGAN + timedelta(minutes=9, seconds=probed + failing)
    for minute in range(20):
        began = BEGAN + timedelta(minutes=minute, seconds=probed)
        watched.put(int(began < failed), began, after=taking)
    assert watched.first("ALARM", BEGAN + FIVE) - failed <= FIVE


@given(probed=seconds, evaluated=seconds)
def test_a_prober_that_stopped_is_heard_within_six_minutes_of_the_first_probe_that_is_missing(
    alarms: dict[str, dict[str, Any]], probed: int, evaluated: int
) -> None:
    watched = Watched(alarms["demo/probe"], evaluated)
    for minute in range(10):
        watched.put(1, BEGAN + timedelta(minutes=minute, seconds=probed))
    missing = BEGAN + timedelta(minutes=10, seconds=probed)
    heard = watched.first("ALARM", BEGAN + FIVE)
    # CloudWatch looks two minutes farther back than it is asked, before it takes missing data for bad.
    assert timedelta(minutes=3) < heard - missing < timedelta(minutes=6)


@given(probed=seconds, evaluated=seconds)
def test_the_alarm_of_one_that_is_well_again_ends_within_two_minutes_of_its_first_good_probe(
    alarms: dict[str, dict[str, Any]], probed: int, evaluated: int
) -> None:
    watched = Watched(alarms["demo/probe"], evaluated)
    for minute in range(20):
        watched.put(int(minute >= 10), BEGAN + timedelta(minutes=minute, seconds=probed))
    well = BEGAN + timedelta(minutes=10, seconds=probed)
    assert watched.first("OK", BEGAN + 2 * FIVE) - well <= timedelta(minutes=2)


@given(probed=seconds, found=st.integers(600, 659), evaluated=seconds)
def test_what_only_the_deep_probe_finds_rings_beside_the_probes_own_success(
    alarms: dict[str, dict[str, Any]], probed: int, found: int, evaluated: int
) -> None:
    watched = Watched(alarms["demo/probe"], evaluated)
    for minute in range(20):
        watched.put(1, BEGAN + timedelta(minutes=minute, seconds=probed))
    at = BEGAN + timedelta(seconds=found)
    for back in range(3):
        earlier = timedelta(minutes=back)
        watched.put(0, at - earlier, after=earlier.total_seconds())
    assert watched.first("ALARM", BEGAN + FIVE) - at <= timedelta(minutes=2)
    assert watched.first("OK", at + timedelta(minutes=2)) - at <= FIVE


@pytest.mark.parametrize("lost", range(4))
def test_single_probes_that_fail_or_get_lost_wake_nobody(
    alarms: dict[str, dict[str, Any]], lost: int
) -> None:
    watched = Watched(alarms["demo/probe"])
    for minute in range(20):
        if not 8 <= minute < 8 + lost:
            watched.put(int(minute not in {3, 4, 14}), BEGAN + timedelta(minutes=minute, seconds=7))
    assert {state for at, state in watched.states(20) if at > BEGAN + FIVE} == {"OK"}


NONE: State = "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("seen", "states"),
    [
        ("-------", [NONE] * 7),
        ("----111", [NONE] * 4 + ["OK"] * 3),
        ("---0111", [NONE] * 4 + ["OK"] * 3),
        ("--00011", [NONE] * 4 + ["ALARM", "OK", "OK"]),
        ("1------", ["OK"] * 7),
    ],
)
def test_the_alarms_of_a_new_load_balancer_wait_for_its_first_data_and_then_ring_as_ever(
    lives: list[dict[str, dict[str, Any]]], seen: str, states: list[State]
) -> None:
    watched = Watched(lives[0]["demo/probe"], state=NONE)
    for minute, value in enumerate(seen):
        if value != "-":
            watched.put(int(value), BEGAN + timedelta(minutes=minute - 1, seconds=30))
    assert [state for _, state in watched.states(len(seen))] == states


@pytest.mark.parametrize("kind", ["probe", "nodes"])
def test_a_new_load_balancer_that_nobody_probes_rings_after_all(
    lives: list[dict[str, dict[str, Any]]], kind: str
) -> None:
    new, _, silent = (alarms[f"demo/{kind}"] for alarms in lives)
    assert (evaluate(new, [], BEGAN), evaluate(silent, [], BEGAN)) == (NONE, "ALARM")


@pytest.mark.parametrize(
    ("days", "state"), [([80, 79.9], "OK"), ([15, 15], "OK"), ([80, 14.9], "ALARM"), ([-1, -1], "ALARM")]
)
def test_a_certificate_that_ends_soon_rings_the_alarm(
    alarms: dict[str, dict[str, Any]], days: Sequence[float], state: State
) -> None:
    watched = Watched(alarms["demo/certificate"])
    for minute, left in enumerate(days):
        watched.put(left, BEGAN + timedelta(minutes=minute), name="CertificateDaysToExpiry")
    assert [after for _, after in watched.states(4)][-1] == state


@pytest.mark.parametrize(("owner", "state"), [(OWNER, "ALARM"), ("somebody", "OK")])
def test_a_rollback_rings_for_its_own_deployment_only(
    alarms: dict[str, dict[str, Any]], owner: str, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.emit_total(owner, CertificateRollbacks=1)
    points = printed(capsys)
    after = datetime.now(UTC) + timedelta(minutes=1)
    assert evaluate(alarms["rollbacks"], points, after) == state
    assert evaluate({**alarms["rollbacks"], "StateValue": "ALARM"}, points, after + 4 * FIVE) == "OK"


@given(evaluated=seconds, replaced=st.integers(6, 59))
def test_a_certificate_that_nobody_probes_rings_once_and_ends_when_it_was_replaced(
    alarms: dict[str, dict[str, Any]], evaluated: int, replaced: int
) -> None:
    """Only `rotate` puts its days then: twice a day, and when somebody has it replaced."""
    watched = Watched(alarms["demo/certificate"], evaluated)
    for minute, days in ((10, 14), (10 + replaced, 89)):
        watched.put(days, BEGAN + timedelta(minutes=minute), name="CertificateDaysToExpiry")
    states = [state for _, state in watched.states(300)]
    assert [state for state, _ in groupby(states)] == ["OK", "ALARM", "OK"]
    assert states.count("ALARM") in {replaced, replaced + 1}


@given(evaluated=seconds, others=st.lists(st.integers(0, 1800), max_size=4))
def test_a_rollback_rings_once_whoever_else_rotates_afterwards(
    alarms: dict[str, dict[str, Any]],
    totals: dict[str, list[float]],
    evaluated: int,
    others: list[int],
) -> None:
    """CloudWatch looks farther back where data are missing, past what another run of `rotate` put."""
    began = BEGAN + 2 * FIVE
    runs = [(0, "rolled-back"), *((after, "rotated") for after in others)]
    watched = Watched(alarms["rollbacks"], evaluated)
    for after, state in runs:
        for value in totals[state]:
            at = began + timedelta(seconds=after)
            watched.arriving.append((at, Point(NAMESPACE, ROLLBACKS, (("Owner", OWNER),), at, value)))
    states = [state for _, state in watched.states(60)]
    assert [state for state, _ in groupby(states)] == ["OK", "ALARM", "OK"]


@pytest.mark.parametrize(
    ("function", "state"),
    [("-probe", "ALARM"), ("-deep_probe", "ALARM"), ("-widget", "ALARM"), ("-two", "OK")],
)
def test_a_function_that_fails_rings(alarms: dict[str, dict[str, Any]], function: str, state: State) -> None:
    failed = Point("AWS/Lambda", "Errors", (("FunctionName", f"{OWNER}{function}"),), BEGAN, 1)
    fine = Point("AWS/Lambda", "Errors", (("FunctionName", f"{OWNER}-reconcile"),), BEGAN, 0)
    assert evaluate(alarms["functions"], [failed, fine], BEGAN + timedelta(minutes=1)) == state


@pytest.mark.parametrize(
    ("api", "metric", "state"),
    [(API, "5XXError", "ALARM"), (API, "4XXError", "OK"), ("somebody's", "5XXError", "OK")],
)
def test_an_answer_of_5xx_rings(
    alarms: dict[str, dict[str, Any]], api: str, metric: str, state: State
) -> None:
    answered = Point("AWS/ApiGateway", metric, (("ApiName", api),), BEGAN, 1)
    fine = Point("AWS/Lambda", "Errors", (("FunctionName", f"{OWNER}-reconcile"),), BEGAN, 0)
    assert evaluate(alarms["functions"], [answered, fine], BEGAN + timedelta(minutes=1)) == state


@given(failing=seconds, evaluated=seconds)
def test_a_prober_that_fails_is_heard_within_two_minutes(
    alarms: dict[str, dict[str, Any]], failing: int, evaluated: int
) -> None:
    watched = Watched(alarms["functions"], evaluated)
    for minute in range(20):
        at = BEGAN + timedelta(minutes=minute, seconds=failing)
        watched.arriving.append(
            (at, Point("AWS/Lambda", "Errors", (("FunctionName", f"{OWNER}-probe"),), at, int(minute >= 10)))
        )
    failed = BEGAN + timedelta(minutes=10, seconds=failing)
    assert watched.first("ALARM", BEGAN + FIVE) - failed <= timedelta(minutes=2)


@pytest.mark.parametrize(
    ("counts", "state"), [([2, 1, 1, 1], "OK"), ([2, 0, 0, 0], "ALARM"), ([0, 0, 0, 1], "OK")]
)
def test_no_instance_in_service_rings_the_alarm(
    alarms: dict[str, dict[str, Any]], counts: Sequence[int], state: State
) -> None:
    dimensions = (("LoadBalancerName", "demo"),)
    points = [
        Point("AWS/ELB", "HealthyHostCount", dimensions, BEGAN + timedelta(minutes=minute), count)
        for minute, count in enumerate(counts)
    ]
    assert evaluate(alarms["demo/nodes"], points, BEGAN + timedelta(minutes=len(counts))) == state


def test_from_the_broken_wire_to_the_alarm_and_back(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """The prober itself, once a minute of a passed clock, against a broker that goes and comes back."""
    states: list[State] = []
    points: list[Point] = []
    where: list[str] = []
    with serving(broker()) as server:
        create(here, "demo", listener(server.port))
        converge_alarms(here.invocation(), ARN, API)
        (alarm,) = boto3.client("cloudwatch").describe_alarms(AlarmNames=[f"{OWNER}/demo/probe"])[
            "MetricAlarms"
        ]
        for minute in range(12):
            where[:] = [NOWHERE if 4 <= minute < 8 else ADDRESS]
            probe_all(here.invocation(), resolve=lambda _: tuple(where))
            points += printed(capsys)
            here.sleep(60)
            before = states[-1] if states else "INSUFFICIENT_DATA"
            states.append(evaluate({**alarm, "StateValue": before}, points, here.now()))
    assert states[2:6] == ["OK"] * 4
    assert states[6:8] == ["ALARM"] * 2, "three bad minutes are over"
    assert states[8:] == ["OK"] * 4


def rule() -> Rule:
    """The rule that the runbook shows."""
    (pattern,) = re.findall(r"```json\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    return Rule("alarms", json.loads(pattern))


@pytest.mark.parametrize(
    ("name", "state", "caught"),
    [
        ("emq-elb-prod/demo/probe", "ALARM", True),
        ("emq-elb-prod/demo/probe", "OK", True),
        ("emq-elb-prod/rollbacks", "ALARM", True),
        ("emq-elb-prod/demo/probe", "INSUFFICIENT_DATA", False),
        ("emq-elb-production/demo/probe", "ALARM", False),
        ("cpu", "ALARM", False),
    ],
)
def test_the_rule_of_the_runbook_catches_our_alarms_and_no_others(
    name: str, state: State, caught: bool
) -> None:
    event = change_event(Change(BEGAN, {"AlarmName": name, "StateValue": "OK", **CROSSED}, state))
    assert rule().matches(event) is caught
    assert not rule().matches({**event, "detail-type": "CloudWatch Alarm Configuration Change"})
    assert not rule().matches({**event, "source": "emq-elb"})


CROSSED = {"ComparisonOperator": "LessThanThreshold", "Threshold": 1.0}
# As AWS's page has it, in this order and with what else comes along:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
AT = "2026-01-01T12:04:10.000+0000"
SAMPLE: dict[str, Any] = {
    "version": "0",
    "id": "c2f1c7f2-57f7-4d0f-9d12-0d4a9c1f7f10",
    "detail-type": "CloudWatch Alarm State Change",
    "source": "aws.cloudwatch",
    "account": "123456789012",
    "time": "2026-01-01T12:04:10Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:emq-elb-prod/demo/probe"],
    "detail": {
        "alarmName": "emq-elb-prod/demo/probe",
        "configuration": {"description": "Devices cannot use demo", "metrics": [{"id": "m1"}]},
        "previousState": {"value": "OK", "reason": "so", "timestamp": AT},
        "state": {"value": "ALARM", "reason": "so", "reasonData": "{}", "timestamp": AT},
    },
}


def test_the_rule_of_the_runbook_catches_an_event_as_aws_shows_it() -> None:
    assert rule().matches(SAMPLE)
    lab = change_event(
        Change(BEGAN, {"AlarmName": "emq-elb-prod/demo/probe", "StateValue": "OK", **CROSSED}, "ALARM")
    )
    assert lab.keys() == SAMPLE.keys()
    assert lab["detail"].keys() == SAMPLE["detail"].keys()
