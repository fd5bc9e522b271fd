"""CloudWatch: alarms, dashboards and the latest of a metric."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from chalicelib.aws.errors import translated
from chalicelib.model import errors
from chalicelib.model.batches import batches
from chalicelib.model.metrics import Alarm, FoundAlarm, Metric, Query

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# DeleteAlarms takes at most 100 names
# (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html).
_NAMES = 100
# GetMetricData takes at most 500 queries
# (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html).
_QUERIES = 500


def alarms(client: CloudWatchClient, prefix: str) -> Mapping[str, FoundAlarm]:
    """The alarms whose names begin so, one call for each 100."""
    with translated("DescribeAlarms"):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"], PaginationConfig={"PageSize": 100}
        )
        found = [alarm for page in pages for alarm in page["MetricAlarms"]]
    return {
        alarm.get("AlarmName", ""): FoundAlarm(
            alarm=_read(cast("Mapping[str, Any]", alarm)),
            without_data=alarm.get("StateUpdatedTimestamp")
            if alarm.get("StateValue") == "INSUFFICIENT_DATA"
            else None,
        )
        for alarm in found
    }


def _read(found: Mapping[str, Any]) -> Alarm | None:
    actions = [*found.get("AlarmActions", [])]
    made = found.get("ActionsEnabled", True) and actions == [*found.get("OKActions", [])] and len(actions) < 2
    if not made or found.get("DatapointsToAlarm", found["EvaluationPeriods"]) != found["EvaluationPeriods"]:
        return None
    queries = found.get("Metrics") or []
    return Alarm(
        name=found["AlarmName"],
        description=found.get("AlarmDescription", ""),
        watched=tuple(_query(one) for one in queries) if queries else _metric(found, found.get("Statistic")),
        comparison=found["ComparisonOperator"],
        threshold=float(found["Threshold"]),
        datapoints=int(found["EvaluationPeriods"]),
        missing=found.get("TreatMissingData", "missing"),
        topic=next(iter(actions), None),
    )


def _query(found: Mapping[str, Any]) -> Query:
    stat = found.get("MetricStat")
    if stat is None:
        return Query(found["Id"], expression=found.get("Expression"))
    return Query(found["Id"], _metric({**stat["Metric"], "Period": stat["Period"]}, stat["Stat"]))


def _metric(found: Mapping[str, Any], statistic: Any) -> Metric:
    # In which order AWS returns them no page says.
    dimensions = tuple(sorted((one["Name"], one["Value"]) for one in found.get("Dimensions", [])))
    return Metric(
        found.get("Namespace", ""), found.get("MetricName", ""), dimensions, statistic, int(found["Period"])
    )


def put_alarm(client: CloudWatchClient, alarm: Alarm) -> None:
    """Create the alarm, or replace the one of that name, whose state stays."""
    actions = [alarm.topic] if alarm.topic else []
    with translated("PutMetricAlarm"):
        client.put_metric_alarm(
            AlarmName=alarm.name,
            AlarmDescription=alarm.description,
            ComparisonOperator=alarm.comparison,
            Threshold=alarm.threshold,
            EvaluationPeriods=alarm.datapoints,
            DatapointsToAlarm=alarm.datapoints,
            TreatMissingData=alarm.missing,
            AlarmActions=actions,
            OKActions=actions,
            **_watched(alarm.watched),
        )


def _watched(watched: Metric | tuple[Query, ...]) -> Any:
    if isinstance(watched, Metric):
        return {**_named(watched), "Statistic": watched.statistic, "Period": watched.period}
    return {"Metrics": [_asked(query) for query in watched]}


def _asked(query: Query) -> dict[str, object]:
    if query.metric is None:
        return {"Id": query.id, "Expression": query.expression, "ReturnData": True}
    stat = {"Metric": _named(query.metric), "Period": query.metric.period, "Stat": query.metric.statistic}
    return {"Id": query.id, "MetricStat": stat, "ReturnData": False}


def _named(metric: Metric) -> dict[str, object]:
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }


def delete_alarms(client: CloudWatchClient, names: Sequence[str]) -> None:
    """Delete at most a hundred alarms; AWS ignores one that is gone already."""
    with translated("DeleteAlarms"):
        client.delete_alarms(AlarmNames=list(names))


def dashboard(client: CloudWatchClient, name: str) -> dict[str, object] | None:
    """A dashboard's body, or None when there is no such dashboard."""
    try:
        with translated("GetDashboard"):
            found = client.get_dashboard(DashboardName=name)
    except errors.Absent:
        return None
    body: dict[str, object] = json.loads(found["DashboardBody"])
    return body


def put_dashboard(client: CloudWatchClient, name: str, body: Mapping[str, object]) -> None:
    """Create a dashboard, or replace its body."""
    with translated("PutDashboard"):
        client.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))


def delete_dashboard(client: CloudWatchClient, name: str) -> None:
    """Delete a dashboard that is there."""
    with translated("DeleteDashboards"):
        client.delete_dashboards(DashboardNames=[name])


def latest(
    client: CloudWatchClient, metrics: Iterable[Metric], *, now: datetime, within: timedelta
) -> tuple[tuple[datetime, float] | None, ...]:
    """The latest value of each metric with its time, None without one: one call for each 500 metrics."""
    asked = list(metrics)
    found: dict[str, tuple[datetime, float]] = {}
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {"Metric": _named(metric), "Period": metric.period, "Stat": metric.statistic},
        }
        for number, metric in enumerate(asked)
    ]
    for some in batches(queries, _QUERIES):
        with translated("GetMetricData"):
            pages = client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=cast("Any", some),
                StartTime=now - within,
                EndTime=now,
                ScanBy="TimestampDescending",
            )
            results = [result for page in pages for result in page["MetricDataResults"]]
        for result in results:
            for time, value in zip(result.get("Timestamps", []), result.get("Values", []), strict=True):
                known = found.get(result.get("Id", ""))
                if known is None or known[0] < time:
                    found[result.get("Id", "")] = time, value
    return tuple(found.get(f"m{number}") for number in range(len(asked)))
