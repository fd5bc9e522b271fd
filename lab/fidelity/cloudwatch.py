"""Corrections to moto's CloudWatch: the state of a new alarm and of a changed one, and how much it sums."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend

METRICS_IN_MATH = 10

_put_metric_alarm = CloudWatchBackend.put_metric_alarm


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for name, correction in {"put_metric_alarm": _put}.items():
        setattr(CloudWatchBackend, name, correction)


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
