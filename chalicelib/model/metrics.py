"""The alarms of a deployment: three for each load balancer, two for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

NAMESPACE = "EmqElb"


ROLLBACKS = "CertificateRollbacks"


@dataclass(frozen=True)
class Metric:
    """One metric, aggregated over a period in seconds."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: Literal["Minimum", "Maximum", "Sum"]
    period: int


@dataclass(frozen=True)
class Query:
    """One line of what an alarm computes: a metric, or an expression over the metrics, which it looks at."""

    id: str
    metric: Metric | None = None
    expression: str | None = None


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One CloudWatch alarm; it rings after `datapoints` bad periods in a row."""

    name: str
    description: str
    watched: Metric | tuple[Query, ...]
    comparison: Literal["LessThanThreshold", "GreaterThanThreshold"]
    threshold: float
    datapoints: int
    missing: Literal["breaching", "notBreaching", "ignore"]
    topic: str | None = None


@dataclass(frozen=True, kw_only=True)
class FoundAlarm:
    """An alarm that is there; `alarm` None is one that we could not have made like that.

    `without_data` is since when it has had too few to have a state; None when it has one.
    """

    alarm: Alarm | None
    without_data: datetime | None = None


SUCCESS = "ProbeSuccess"


DAYS_TO_EXPIRY = "CertificateDaysToExpiry"
