"""CloudWatch's part that moto leaves out: alarms are evaluated, and each change of a state is an event.

moto keeps alarms and computes none. How AWS does it, with the tables that the tests hold this to:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, cast

from lab.aws import ACCOUNT, REGION
from lab.cloudwatch.metrics import Point
from lab.events import envelope

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Alarm = Mapping[str, Any]
"""An alarm as DescribeAlarms returns it."""

# Beyond its evaluation periods an alarm looks this much farther back, for data where some is missing. AWS
# says only that it depends on the period; in its own examples, of three periods, it is two more.
FARTHER = 2
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Minimum": min,
    "Maximum": max,
    "Sum": sum,
    "SampleCount": len,
    "Average": lambda values: sum(values) / len(values),
}


@dataclass(frozen=True)
class Change:
    """One alarm's change of state."""

    time: datetime
    alarm: Alarm
    after: State

    @property
    def name(self) -> str:
        """The alarm's name."""
        return str(self.alarm["AlarmName"])


def evaluate(alarm: Alarm, points: Iterable[Point], now: datetime, minute: float = 60) -> State:
    """Return the state of an alarm by what CloudWatch has by now; `minute` is how many seconds one takes.

    Whatever its period it is evaluated every minute, over windows that end with the last whole minute.
    """
    periods = alarm["EvaluationPeriods"]
    seen = series(alarm, list(points), now, periods + FARTHER, minute)
    breaches, threshold = COMPARISONS[alarm["ComparisonOperator"]], alarm["Threshold"]
    return judge(
        [None if value is None else breaches(value, threshold) for value in seen],
        periods=periods,
        to_alarm=alarm.get("DatapointsToAlarm", periods),
        missing=alarm.get("TreatMissingData", "missing"),
        before=alarm["StateValue"],
    )


def judge(
    breaching: Sequence[bool | None], *, periods: int, to_alarm: int, missing: str, before: State
) -> State:
    """Decide on the data points of the evaluation range, oldest first; None is one that is missing."""
    real = [one for one in breaching if one is not None]
    if len(real) >= periods or missing in {"breaching", "notBreaching"}:
        filled = [missing == "breaching"] * (periods - len(real))
        return "ALARM" if sum(real[-periods:]) + sum(filled) >= to_alarm else "OK"
    if not real:
        return before if missing == "ignore" else "INSUFFICIENT_DATA"
    if sum(real) >= to_alarm:
        return "ALARM"
    if not all(real):
        return "OK"
    # All that is there breaches, and it is too little: a premature alarm, unless it has been so for long.
    oldest = len(breaching) - breaching.index(True)
    return "ALARM" if oldest >= to_alarm and missing == "missing" else before


def series(
    alarm: Alarm, points: Sequence[Point], now: datetime, count: int, minute: float
) -> list[float | None]:
    """Return the most recent data points that an alarm looks at, oldest first."""
    end = now.timestamp() // minute * minute

    def of(metric: Mapping[str, Any], statistic: str, period: float) -> list[float | None]:
        wanted = metric["Namespace"], metric["MetricName"], _dimensions(metric)
        ours = [one for one in points if (one.namespace, one.name, tuple(sorted(one.dimensions))) == wanted]
        windows = _windows(ours, end, period / 60 * minute, count)
        return [STATISTICS[statistic](values) if values else None for values in windows]

    queries = alarm.get("Metrics") or []
    if not queries:
        return of(alarm, alarm["Statistic"], alarm["Period"])
    (expression,) = [query["Expression"] for query in queries if query.get("ReturnData", True)]
    if expression != "SUM(METRICS())":
        raise ValueError(f"the lab does not compute {expression}")
    stats = [query["MetricStat"] for query in queries if "MetricStat" in query]
    metrics = [of(stat["Metric"], stat["Stat"], stat["Period"]) for stat in stats]
    known = [[value for value in values if value is not None] for values in zip(*metrics, strict=True)]
    return [sum(values) if values else None for values in known]


def _windows(points: Iterable[Point], end: float, period: float, count: int) -> list[list[float]]:
    """Return the values in each of the last windows; a window's first moment is in it, its end is not."""
    windows: list[list[float]] = [[] for _ in range(count)]
    for point in points:
        back = ceil((end - point.time.timestamp()) / period)
        if 1 <= back <= count:
            windows[-back].append(point.value)
    return windows


def _dimensions(metric: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((one["Name"], one["Value"]) for one in metric.get("Dimensions", [])))


def look(client: CloudWatchClient, points: Sequence[Point], now: datetime, minute: float) -> list[Change]:
    """Evaluate every alarm, note its state at AWS's API, and return those that changed."""
    found = [
        cast("Alarm", alarm)
        for page in client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
        for alarm in page["MetricAlarms"]
    ]
    changes = [
        Change(now, alarm, after)
        for alarm in found
        if (after := evaluate(alarm, points, now, minute)) != alarm["StateValue"]
    ]
    for change in changes:
        client.set_alarm_state(
            AlarmName=change.name, StateValue=change.after, StateReason=reason(change), StateReasonData="{}"
        )
    return changes


def reason(change: Change) -> str:
    """Say why, in short: AWS lists the data points too."""
    crossed = "Threshold Crossed" if change.after == "ALARM" else "Threshold not crossed"
    return f"{crossed} ({change.alarm['ComparisonOperator']} {change.alarm['Threshold']})"


def change_event(change: Change) -> dict[str, Any]:
    """Return the event of a change.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """
    at = f"{change.time:%Y-%m-%dT%H:%M:%S.000+0000}"
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{change.name}"
    detail = {
        "alarmName": change.name,
        "state": {"value": change.after, "reason": reason(change), "reasonData": "{}", "timestamp": at},
        "previousState": {"value": change.alarm["StateValue"]},
        "configuration": {"description": change.alarm.get("AlarmDescription", "")},
    }
    return envelope("CloudWatch Alarm State Change", "aws.cloudwatch", detail, [arn])


def ringing(
    client: CloudWatchClient, changes: list[Change], put: Callable[[dict[str, Any]], None], minute: float
) -> Callable[[Sequence[Point]], None]:
    """Return what evaluates, given the points; it adds the changes, and calls `put` with each one's event."""

    def ring(points: Sequence[Point]) -> None:
        for change in look(client, points, datetime.now(UTC), minute):
            changes.append(change)
            put(change_event(change))

    return ring
