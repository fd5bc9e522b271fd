"""Alarms in the lab do what CloudWatch's own tables say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from lab.cloudwatch.alarms import Change, State, change_event, evaluate, judge, look
from lab.cloudwatch.metrics import Point

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MARKS = {"0": False, "X": True, "-": None}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
KEPT = "what it was"

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html: the range is
# five data points, the newest on the right; a state for each of TREATMENTS.
THREE_OF_THREE = [
    ("0-X-X", ["OK", "OK", "OK", "OK"]),
    ("0----", ["OK", "OK", "OK", "OK"]),
    ("-----", ["INSUFFICIENT_DATA", KEPT, "ALARM", "OK"]),
    ("0XX-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    ("--X--", ["ALARM", KEPT, "ALARM", "OK"]),
]
TWO_OF_THREE = [
    ("0-X-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    ("00X0X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    ("0-X--", ["OK", "OK", "ALARM", "OK"]),
    ("----0", ["OK", "OK", "ALARM", "OK"]),
    ("---X-", ["ALARM", KEPT, "ALARM", "OK"]),
]
# The same page, on alarms that would be premature: not at once.
PREMATURE = [(seen, [KEPT, KEPT]) for seen in ("----X", "---X-")]


@pytest.mark.parametrize("before", ["OK", "ALARM"])
@pytest.mark.parametrize(
    ("to_alarm", "seen", "states"),
    [
        *((3, *row) for row in THREE_OF_THREE),
        *((2, *row) for row in TWO_OF_THREE),
        *((3, *row) for row in PREMATURE),
    ],
)
def test_missing_data_is_treated_as_cloudwatchs_tables_say(
    to_alarm: int, seen: str, states: list[str], before: State
) -> None:
    breaching = [MARKS[mark] for mark in seen]
    for missing, state in zip(TREATMENTS, states, strict=False):
        found = judge(breaching, periods=3, to_alarm=to_alarm, missing=missing, before=before)
        assert found == (before if state is KEPT else state), missing


def alarm(**other: Any) -> dict[str, Any]:
    return {
        "AlarmName": "ours",
        "Namespace": "N",
        "MetricName": "M",
        "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}],
        "Statistic": "Minimum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "missing",
        "StateValue": "OK",
        **other,
    }


def point(value: float, ago: float, **other: Any) -> Point:
    """A value of the alarm's metric, so many seconds before noon."""
    known = {"namespace": "N", "name": "M", "dimensions": (("b", "2"), ("a", "1"))} | other
    return Point(time=NOON - timedelta(seconds=ago), value=value, **known)


@pytest.mark.parametrize(
    ("changed", "points", "state"),
    [
        ({}, [point(1, 30), point(0, 20)], "ALARM"),
        ({"Statistic": "Maximum"}, [point(1, 30), point(0, 20)], "OK"),
        ({"Statistic": "Average", "Threshold": 0.4}, [point(1, 30), point(0, 20)], "OK"),
        ({"Statistic": "Sum", "Threshold": 2.5}, [point(1, 30), point(1, 20)], "ALARM"),
        ({"Statistic": "SampleCount", "Threshold": 3}, [point(9, 30), point(9, 20)], "ALARM"),
        ({"ComparisonOperator": "GreaterThanThreshold"}, [point(2, 1)], "ALARM"),
        ({"ComparisonOperator": "GreaterThanThreshold"}, [point(1, 1)], "OK"),
        ({"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, [point(1, 1)], "ALARM"),
        ({"ComparisonOperator": "LessThanOrEqualToThreshold"}, [point(1, 1)], "ALARM"),
        # A window begins with its first moment and ends before the next one's.
        ({}, [point(0, 0), point(1, 60)], "OK"),
        ({"Statistic": "Maximum"}, [point(0, 60), point(1, 61)], "ALARM"),
        # The windows of a longer period end with the last minute too.
        ({"Period": 300}, [point(0, 299)], "ALARM"),
        ({}, [point(0, 1, namespace="other"), point(1, 1)], "OK"),
        ({}, [point(0, 1, name="other"), point(1, 1)], "OK"),
        ({}, [point(0, 1, dimensions=(("a", "1"),)), point(1, 1)], "OK"),
        ({}, [], "INSUFFICIENT_DATA"),
    ],
)
def test_a_metric_is_aggregated_by_windows_and_held_against_the_threshold(
    changed: dict[str, Any], points: list[Point], state: State
) -> None:
    assert evaluate(alarm(**changed), points, NOON) == state


def test_the_minute_that_is_not_over_does_not_count() -> None:
    late = NOON + timedelta(seconds=59)
    assert evaluate(alarm(), [point(1, 30), point(0, -30)], late) == "OK"
    assert evaluate(alarm(), [point(1, 30), point(0, -30)], NOON + timedelta(seconds=60)) == "ALARM"


def test_where_a_minute_takes_less_a_period_does() -> None:
    found = [evaluate(alarm(), [point(1, 15), point(0, 5)], NOON, minute=minute) for minute in (10, 20)]
    assert found == ["ALARM", "ALARM"]
    assert evaluate(alarm(), [point(1, 5), point(0, 15)], NOON, minute=10) == "OK"


def math(*names: str, expression: str = "SUM(METRICS())") -> dict[str, Any]:
    stats = [
        {
            "Id": f"e{number}",
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": name}, "Period": 60, "Stat": "Sum"},
        }
        for number, name in enumerate(names)
    ]
    kept = ("AlarmName", "EvaluationPeriods", "StateValue")
    return {
        **{key: alarm()[key] for key in kept},
        "Metrics": [*stats, {"Id": "sum", "Expression": expression, "ReturnData": True}],
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
        "TreatMissingData": "notBreaching",
    }


@pytest.mark.parametrize(
    ("points", "state"),
    [
        ([], "OK"),
        ([("first", 0), ("second", 0)], "OK"),
        ([("first", 0), ("second", 1)], "ALARM"),
        ([("second", 1)], "ALARM"),
        ([("third", 1)], "OK"),
    ],
)
def test_the_sum_of_several_metrics_counts(points: list[tuple[str, float]], state: State) -> None:
    seen = [point(value, 5, name=name, dimensions=()) for name, value in points]
    assert evaluate(math("first", "second"), seen, NOON) == state


def test_an_expression_that_the_lab_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not compute"):
        evaluate(math("first", expression="FILL(e0, 0)"), [], NOON)


@pytest.mark.usefixtures("aws")
def test_a_change_is_noted_at_the_api_and_returned_once() -> None:
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="ours", Namespace="N", MetricName="M", Statistic="Minimum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="LessThanThreshold", TreatMissingData="breaching",
    )  # fmt: skip
    bad, good = point(0, 5, dimensions=()), point(1, 5, dimensions=())
    (first,) = look(cloudwatch, [bad], NOON, 60)
    assert (first.name, first.alarm["StateValue"], first.after) == ("ours", "INSUFFICIENT_DATA", "ALARM")
    assert look(cloudwatch, [bad], NOON, 60) == []
    (second,) = look(cloudwatch, [good], NOON, 60)
    assert (second.alarm["StateValue"], second.after) == ("ALARM", "OK")


def test_the_event_of_a_change_is_shaped_as_cloudwatchs() -> None:
    event = change_event(Change(NOON, alarm(), "ALARM"))
    assert (event["source"], event["detail-type"]) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert event["detail"]["alarmName"] == "ours"
    assert event["detail"]["state"]["value"] == "ALARM"
    assert event["detail"]["previousState"]["value"] == "OK"
