"""Corrections to moto's CloudWatch: alarms' states, how much an alarm sums, and dashboards of all regions."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, Dashboard, cloudwatch_backends
from moto.utilities.utils import get_partition

METRICS_IN_MATH = 10
HOMES = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

_put_metric_alarm = CloudWatchBackend.put_metric_alarm


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for name, correction in {"put_metric_alarm": _put, "dashboards": property(_dashboards, _keep)}.items():
        setattr(CloudWatchBackend, name, correction)


def _dashboards(backend: CloudWatchBackend) -> dict[str, Dashboard]:
    """Dashboards are the account's: every region lists all of them. They are kept in one region's backend.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html
    """
    home = HOMES.get(get_partition(backend.region_name), backend.region_name)
    kept = vars(cloudwatch_backends[backend.account_id][home])
    found: dict[str, Dashboard] = kept.setdefault("all_dashboards", {})
    return found


def _keep(_backend: CloudWatchBackend, _dashboards: dict[str, Dashboard]) -> None:
    """Leave them where they are: each region's backend begins with none of its own."""


def _put(backend: CloudWatchBackend, name: str, **asked: Any) -> Alarm:
    """A new alarm has not enough data, one that is changed keeps its state; a sum takes ten metrics.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
    """
    metrics = [query for query in asked.get("metric_data_queries") or [] if query.metric_stat]
    if len(metrics) > METRICS_IN_MATH:
        raise ValidationError(f"An alarm's math takes {METRICS_IN_MATH} metrics, not {len(metrics)}")
    before = backend.alarms.get(name)
    alarm = _put_metric_alarm(backend, name, **asked)
    alarm.state_value = "INSUFFICIENT_DATA"
    if before is not None:
        for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
            setattr(alarm, kept, getattr(before, kept))
    return alarm
