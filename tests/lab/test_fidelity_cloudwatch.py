"""CloudWatch as AWS answers: the states of alarms that are put, and how much one computes."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

KNOWN: dict[str, Any] = {
    "AlarmName": "ours",
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 0,
    "EvaluationPeriods": 1,
}
PLAIN: dict[str, Any] = {"Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60}


@pytest.fixture
def cloudwatch(aws: None) -> Any:  # noqa: ARG001 - within the account
    return boto3.client("cloudwatch")


def state(cloudwatch: Any) -> str:
    (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
    return str(alarm["StateValue"])


def test_a_new_alarm_has_not_enough_data_and_a_changed_one_keeps_its_state(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**KNOWN, **PLAIN)
    assert state(cloudwatch) == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName="ours", StateValue="ALARM", StateReason="so")
    cloudwatch.put_metric_alarm(**KNOWN, **PLAIN, AlarmDescription="another")
    assert state(cloudwatch) == "ALARM"


@pytest.mark.parametrize(("count", "taken"), [(10, True), (11, False)])
def test_a_sum_takes_ten_metrics(cloudwatch: Any, count: int, taken: bool) -> None:
    stats = [
        {
            "Id": f"e{number}",
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "N", "MetricName": f"M{number}"},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for number in range(count)
    ]
    queries = [*stats, {"Id": "sum", "Expression": "SUM(METRICS())", "ReturnData": True}]
    if taken:
        cloudwatch.put_metric_alarm(**KNOWN, Metrics=queries)
    else:
        with pytest.raises(ClientError, match="ValidationError"):
            cloudwatch.put_metric_alarm(**KNOWN, Metrics=queries)
    assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == int(taken)


def test_dashboards_are_the_accounts_in_every_region(cloudwatch: Any) -> None:
    elsewhere = boto3.client("cloudwatch", "us-west-2")
    cloudwatch.put_dashboard(DashboardName="ours", DashboardBody="{}")
    assert [one["DashboardName"] for one in elsewhere.list_dashboards()["DashboardEntries"]] == ["ours"]
    elsewhere.delete_dashboards(DashboardNames=["ours"])
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
