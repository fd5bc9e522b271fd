"""CloudWatch's part: what functions print in its embedded format becomes metrics, and AWS adds its own.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lab.machine.threads import beside

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

PAUSE = 1.0
KEPT = 20_000
DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Point:
    """One value of one metric."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    time: datetime
    value: float


def records(line: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a line of a log.

    There may be several, or other text between: the functions of a lab share one log, and `print` writes a
    line and its end one after the other.
    """
    at = line.find("{")
    while at >= 0:
        try:
            found, end = DECODER.raw_decode(line, at)
        except ValueError:
            end = at + 1
        else:
            yield found
        at = line.find("{", end)


def embedded(line: str) -> list[Point]:
    """Return the metrics in a line of a log; none in a line of another kind."""
    if '"_aws"' not in line:
        return []
    return [point for record in records(line) if "_aws" in record for point in _points(record)]


def _points(record: Mapping[str, Any]) -> list[Point]:
    time = datetime.fromtimestamp(record["_aws"]["Timestamp"] / 1000, UTC)
    return [
        Point(
            directive["Namespace"],
            metric["Name"],
            tuple((key, record[key]) for key in keys),
            time,
            value,
        )
        for directive in record["_aws"]["CloudWatchMetrics"]
        for keys in directive["Dimensions"]
        for metric in directive["Metrics"]
        for value in _values(record[metric["Name"]])
    ]


def _values(found: float | list[float]) -> list[float]:
    """The format takes one value, or a list of them."""
    return found if isinstance(found, list) else [found]


def healthy(elb: ElasticLoadBalancingClient) -> list[Point]:
    """Return AWS's own count of instances in service, for each classic load balancer."""
    now = datetime.now(UTC)
    found = []
    for one in elb.describe_load_balancers()["LoadBalancerDescriptions"]:
        name = one["LoadBalancerName"]
        states = elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
        count = sum(state["State"] == "InService" for state in states)
        found.append(Point("AWS/ELB", "HealthyHostCount", (("LoadBalancerName", name),), now, count))
    return found


def healthy_targets(elbv2: ElasticLoadBalancingv2Client) -> list[Point]:
    """Return AWS's own counts of healthy and unhealthy targets, for each group of a network load balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html
    """
    now = datetime.now(UTC)
    found = []
    for group in elbv2.describe_target_groups()["TargetGroups"]:
        arn = group["TargetGroupArn"]
        described = elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        states = [one["TargetHealth"]["State"] for one in described]
        if not states:
            continue  # AWS reports neither while nobody is registered
        counts = {
            "HealthyHostCount": states.count("healthy"),
            "UnHealthyHostCount": states.count("unhealthy"),
        }
        for balancer in group["LoadBalancerArns"]:
            dimensions = (
                ("LoadBalancer", balancer.partition(":loadbalancer/")[2]),
                ("TargetGroup", arn.rpartition(":")[2]),
            )
            found += [Point("AWS/NetworkELB", name, dimensions, now, count) for name, count in counts.items()]
    return found


def put(client: CloudWatchClient, points: list[Point]) -> None:
    """Put them where GetMetricData finds them."""
    for namespace in {point.namespace for point in points}:
        data: list[Any] = [
            {
                "MetricName": point.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in point.dimensions],
                "Timestamp": point.time,
                "Value": point.value,
            }
            for point in points
            if point.namespace == namespace
        ]
        for start in range(0, len(data), 100):
            client.put_metric_data(Namespace=namespace, MetricData=data[start : start + 100])


def reader(log: Path) -> Callable[[], list[Point]]:
    """Return what reads on in a log that grows, whole lines at a time."""
    at = 0

    def read() -> list[Point]:
        nonlocal at
        if not log.exists():
            return []
        with log.open("rb") as lines:
            lines.seek(at)
            whole, _, _ = lines.read().rpartition(b"\n")
        at += len(whole) + 1 if whole else 0
        return [point for line in whole.decode().splitlines() for point in embedded(line)]

    return read


@contextmanager
def measuring(
    logs: Sequence[Path],
    cloudwatch: CloudWatchClient,
    own: Callable[[], list[Point]],
    then: Callable[[Sequence[Point]], None],
    pause: float = PAUSE,
) -> Iterator[None]:
    """Put metrics as they come, and AWS's `own`, while the block lasts.

    `then` is given the latest of them, oldest first.
    """
    readers = [reader(log) for log in logs]
    points = deque[Point](maxlen=KEPT)

    def follow(stop: Event) -> None:
        while not stop.wait(pause):
            came = [point for read in readers for point in read()]
            with suppress(ClientError):  # a load balancer that is deleted meanwhile
                came += own()
            put(cloudwatch, came)
            points.extend(came)
            then(tuple(points))

    with beside("cloudwatch", follow):
        yield
