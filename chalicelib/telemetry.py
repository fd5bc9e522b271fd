"""The log and the metrics: one JSON log record per action, one canonical record per invocation."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from chalicelib.model.step import Step


@cache
def logger() -> Logger:
    """The one logger; made when first used, since it is not needed to import the app."""
    from aws_lambda_powertools import Logger

    return Logger(service="emq-elb")


def record_name(step: Step) -> str:
    """The record of an action: `elb.register-instances`, `iam.upload-server-certificate` …"""
    kebab = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", step.action).lower()
    return f"{step.service}.{kebab}"


def action(load_balancer: str, step: Step) -> None:
    """Log one action that was done."""
    logger().info(
        record_name(step),
        extra={"load_balancer": load_balancer, "reason": step.reason, "fields": dict(step.fields)},
    )


def canonical(function: str, **fields: object) -> None:
    """Log one invocation: what it was for, how it ended, how long it took."""
    logger().info("invocation", extra={"function": function, **fields})


def counted(found: Sequence[str], *kinds: str) -> dict[str, int]:
    """Count each kind: the result has the fields of a canonical record."""
    return {kind: found.count(kind) for kind in kinds}


def failed(function: str, error: BaseException, **fields: object) -> None:
    """Log an unexpected error, with its traceback."""
    logger().error("unexpected", extra={"function": function, **fields}, exc_info=error)


def dropped(function: str, event: str, reason: str) -> None:
    """Log an event that could not be read: trying it again would not help."""
    logger().warning("event dropped", extra={"function": function, "event": event, "reason": reason})


def left_behind(load_balancer: str, records: Sequence[str], error: str) -> None:
    """Log that records of a challenge could not be deleted; a later run deletes them."""
    logger().warning(
        "challenge left behind", extra={"load_balancer": load_balancer, "records": [*records], "error": error}
    )


def no_renewal_info(error: str) -> None:
    """Log that the CA suggests no time for renewal, so that the certificate's age decides."""
    logger().warning("no renewal information", extra={"error": error})


def issuer_limited(load_balancer: str, until: datetime, error: str) -> None:
    """Log that the CA takes no order for a load balancer before a time, so that nothing was ordered."""
    logger().warning(
        "issuer limited",
        extra={"load_balancer": load_balancer, "until": until.isoformat(), "error": error},
    )


def unmarked(load_balancer: str, instance: str, reason: str, error: str) -> None:
    """Log that AWS refused the `emq-elb:draining` tag on an instance, which drains without it."""
    logger().warning(
        "draining tag not written",
        extra={"load_balancer": load_balancer, "instance": instance, "reason": reason, "error": error},
    )


def unconfirmed(load_balancer: str, instance: str, event: str, reason: str) -> None:
    """Log an event that AWS does not confirm about an instance, so that nothing follows from it."""
    logger().warning(
        "event not confirmed",
        extra={"load_balancer": load_balancer, "instance": instance, "event": event, "reason": reason},
    )


def spot_unknown(load_balancer: str, instances: Collection[str], error: str) -> None:
    """Log that EC2 could not be asked whether it takes Spot instances back: they are registered."""
    logger().warning(
        "spot requests not read",
        extra={"load_balancer": load_balancer, "instances": [*instances], "error": error},
    )


def authority_not_apart(error: str) -> None:
    """Log that the private CA's certificate is not kept apart from its key yet; a later run tries again."""
    logger().warning("private CA not kept apart", extra={"error": error})


def groups_unknown(load_balancer: str, groups: Collection[str], error: str) -> None:
    """Log that Auto Scaling could not be asked what these groups attach: their instances stay registered."""
    logger().warning(
        "auto scaling groups not read",
        extra={"load_balancer": load_balancer, "groups": sorted(groups), "error": error},
    )


def group_not_ours(load_balancer: str, group: str, error: str) -> None:
    """Log that a group whose hook holds instances carries no cluster's tag, so that it is left alone."""
    logger().info(
        "auto scaling group not ours", extra={"load_balancer": load_balancer, "group": group, "error": error}
    )


def regions_skipped(error: str) -> None:
    """Log that other regions could not be asked whether they use a certificate that is to be deleted."""
    logger().warning("regions skipped", extra={"error": error})


def certificate_kept(load_balancer: str, certificate: str) -> None:
    """Log that a certificate of a deleted load balancer stays, since a listener of another one serves it."""
    logger().warning("certificate kept", extra={"load_balancer": load_balancer, "certificate": certificate})


def same_name(names: Collection[str]) -> None:
    """Warn of names that a classic and a network load balancer of ours have: the latter is not served."""
    logger().warning("two of one name", extra={"load_balancers": sorted(names)})


def unannounced(error: str) -> None:
    """Log that a change was made and could not be put on EventBridge."""
    logger().warning("change not announced", extra={"error": error})


def alarms_left(count: int) -> None:
    """Log how many alarms the next run has to put or delete."""
    logger().info("alarms left", extra={"count": count})


def unwatched(load_balancer: str, error: str) -> None:
    """Log that the members' health could not be read after a PUT changed the health check."""
    logger().info("health check not read", extra={"load_balancer": load_balancer, "error": error})


def health_check_unanswered(load_balancer: str, target: str, members: Mapping[str, str]) -> None:
    """Warn that no member passes the health check that was set; `members` are AWS's reasons by instance."""
    logger().warning(
        "health check unanswered",
        extra={"load_balancer": load_balancer, "target": target, "members": {**members}},
    )


def emit(load_balancer: str, at: datetime | None = None, /, **metrics: float) -> None:
    """Put metrics of one load balancer, by the names of the design: `emit("demo", RegisteredInstances=2)`.

    They are of now, or of `at`, up to two weeks ago. A name that ends in `Time` is in milliseconds.
    """
    _put("LoadBalancer", load_balancer, at, metrics)


def emit_total(owner: str, /, **metrics: float) -> None:
    """Put metrics of a whole deployment, which an alarm for all of its load balancers looks at."""
    _put("Owner", owner, None, metrics)


def _put(dimension: str, value: str, at: datetime | None, metrics: Mapping[str, float]) -> None:
    """Print one line of CloudWatch's embedded metric format, which Lambda hands to CloudWatch.

    It has the one dimension that the alarms look at: with an empty name of the service Powertools does not
    add another. Written at once, since several threads write.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    record = EphemeralMetrics(namespace="EmqElb", service="")
    record.add_dimension(dimension, value)
    for name, number in metrics.items():
        unit = MetricUnit.Milliseconds if name.endswith("Time") else MetricUnit.NoUnit
        record.add_metric(name, unit, number)
    if at is not None:
        record.set_timestamp(at)
    sys.stdout.write(json.dumps(record.serialize_metric_set()) + "\n")
