"""Alarms, dashboards and ELB's own metrics in CloudWatch."""

from __future__ import annotations

import json
from typing import Any

from conformance.account import Account
from conformance.answer import hold, refused, same
from conformance.needs import BALANCER
from conformance.rule import question, rule

METRICS = {"HealthyHostCount", "UnHealthyHostCount"}


def alarm(aws: Account, **changes: Any) -> dict[str, Any]:
    """Return the parameters of PutMetricAlarm, with changes."""
    return {
        "AlarmName": aws.name("alm"),
        "Namespace": "EmqElbConformance",
        "MetricName": "Nothing",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "Tags": aws.tags,
        **changes,
    }


def new_alarm(aws: Account) -> str:
    """Make an alarm that goes when the rule ends, and return its name."""
    cloudwatch, request = aws.client("cloudwatch"), alarm(aws)
    aws.defer(cloudwatch.delete_alarms, AlarmNames=[request["AlarmName"]])
    cloudwatch.put_metric_alarm(**request)
    return str(request["AlarmName"])


def state(aws: Account, name: str) -> str:
    """Return an alarm's state."""
    (found,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    value: str = found["StateValue"]
    return value


@rule(code="monitor/plan", corrects="cloudwatch", dollars=0.001)
def a_new_alarm_has_not_enough_data(aws: Account) -> None:
    """A new alarm is in INSUFFICIENT_DATA.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    same(state(aws, new_alarm(aws)), "INSUFFICIENT_DATA", "its state")


@rule(code="monitor/apply", corrects="cloudwatch", dollars=0.001)
def a_changed_alarm_keeps_its_state(aws: Account) -> None:
    """An alarm that is changed keeps its state.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    cloudwatch, name = aws.client("cloudwatch"), new_alarm(aws)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="conformance")
    cloudwatch.put_metric_alarm(**alarm(aws, AlarmName=name, Threshold=2.0))
    same(state(aws, name), "ALARM", "its state")


@rule(code="monitor/plan", corrects="cloudwatch", dollars=0.002)
def an_alarms_math_takes_ten_metrics(aws: Account) -> str:
    """An alarm on a metric math expression takes up to ten metrics.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
    """
    cloudwatch = aws.client("cloudwatch")
    plain = {"Namespace", "MetricName", "Statistic", "Period"}

    def summing(metrics: int) -> dict[str, Any]:
        request = {key: value for key, value in alarm(aws).items() if key not in plain}
        stat = {
            "Metric": {"Namespace": "EmqElbConformance", "MetricName": "Nothing"},
            "Period": 60,
            "Stat": "Sum",
        }
        queries: list[dict[str, Any]] = [
            {"Id": f"m{number}", "MetricStat": stat, "ReturnData": False} for number in range(metrics)
        ]
        return request | {
            "Metrics": [*queries, {"Id": "all", "Expression": "SUM(METRICS())", "ReturnData": True}]
        }

    request = summing(10)
    aws.defer(cloudwatch.delete_alarms, AlarmNames=[request["AlarmName"]])
    cloudwatch.put_metric_alarm(**request)
    return refused(cloudwatch.put_metric_alarm, "ValidationError", **summing(11))


@rule(code="monitor/dashboard", corrects="cloudwatch")
def dashboards_are_global(aws: Account) -> None:
    """Dashboards are global to the account: one that is put in a region is listed in another.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html
    """
    cloudwatch, name = aws.client("cloudwatch"), aws.name("das")
    elsewhere = aws.client("cloudwatch", "eu-west-1" if aws.place.region != "eu-west-1" else "us-east-1")
    aws.defer(cloudwatch.delete_dashboards, DashboardNames=[name])
    body = {"widgets": [{"type": "text", "properties": {"markdown": aws.run.name}}]}
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))
    aws.until(
        lambda: elsewhere.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"],
        60,
        "the dashboard is listed in another region",
    )


@question(
    BALANCER,
    code="monitor/dashboard",
    minutes=3,
    left_out="moto measures no load balancer; lab/cloudwatch/metrics.py makes the lab's metrics",
)
def metrics_of_a_load_balancer(aws: Account) -> str:
    """Namespace AWS/ELB has HealthyHostCount, UnHealthyHostCount and others by LoadBalancerName.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-cloudwatch-metrics.html
    """
    cloudwatch = aws.client("cloudwatch")
    by_name = [{"Name": "LoadBalancerName", "Value": aws.need(BALANCER)}]

    def metrics() -> set[str]:
        answer = cloudwatch.list_metrics(Namespace="AWS/ELB", Dimensions=by_name)
        return {one["MetricName"] for one in answer["Metrics"]}

    aws.until(lambda: metrics() >= METRICS, 540, "the metrics are listed")
    hold(metrics() >= METRICS, f"there are {metrics()}")
    return ", ".join(sorted(metrics()))
