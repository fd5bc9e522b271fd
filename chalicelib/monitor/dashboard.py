"""The one dashboard of a deployment in a region, derived from all of its load balancers.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.model.metrics import DAYS_TO_EXPIRY, NAMESPACE, SUCCESS
from chalicelib.probe.metrics import PHASE_TIMES

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
METRICS_ON_A_DASHBOARD = 2500
METRICS_ON_A_GRAPH = 500
_WIDTH = 24
_HALF = 12
_TITLES = {
    "tcp": "TCP connect, ms",
    "tls": "TLS handshake, ms",
    "connack": "CONNECT to CONNACK, ms",
    "echo": "Own message back, ms",
}

Body = dict[str, object]


def dashboard_name(owner: str, region: str) -> str:
    """Its name: dashboards are global to an account."""
    return f"{owner}-{region}"


def body(region: str, load_balancers: Sequence[str], widget_arn: str) -> Body:
    """The dashboard's body: the status table, the latency per phase, success, days left, instances."""
    names = sorted(load_balancers)
    graphs = [
        *(_graph(region, _TITLES[phase], _Shown(metric), names) for phase, metric in PHASE_TIMES.items()),
        _graph(region, "Probe success", _Shown(SUCCESS, lowest=True), names, low=0, high=1),
        _graph(region, "Days to the certificate's end", _Shown(DAYS_TO_EXPIRY, lowest=True), names, low=0),
        _graph(region, "Instances in service", _HEALTHY, names, low=0),
    ]
    table = {
        "type": "custom",
        "properties": {
            "title": "Load balancers",
            "endpoint": widget_arn,
            "updateOn": {"refresh": True, "resize": False, "timeRange": False},
        },
    }
    height = min(20, 4 + len(names))
    placed = [{**table, "x": 0, "y": 0, "width": _WIDTH, "height": height}]
    for number, graph in enumerate(graphs):
        row, column = divmod(number, 2)
        placed.append({**graph, "x": column * _HALF, "y": height + 6 * row, "width": _HALF, "height": 6})
    return {"widgets": placed}


@dataclass(frozen=True)
class _Shown:
    """What a graph shows; the worst are the lowest or the highest."""

    metric: str
    namespace: str = NAMESPACE
    dimension: str = "LoadBalancer"
    lowest: bool = False


_HEALTHY = _Shown("HealthyHostCount", "AWS/ELB", "LoadBalancerName", lowest=True)
_GRAPHS = len(PHASE_TIMES) + 3
MOST_NAMED = METRICS_ON_A_DASHBOARD // _GRAPHS
"""Up to so many load balancers each has its line in each graph; beyond, a graph shows the worst of them."""

_WORST = 50


def _lines(shown: _Shown, names: Sequence[str]) -> list[object]:
    """A line for each load balancer, or a query for the worst of more than a dashboard may name.

    The query knows neither owner nor tag, so that it also finds other deployments of the region, and for
    AWS's own metric other load balancers.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    """
    if len(names) <= MOST_NAMED:
        return [[shown.namespace, shown.metric, shown.dimension, name] for name in names]
    function, order = ("MIN", "ASC") if shown.lowest else ("MAX", "DESC")
    query = (
        f'SELECT {function}({shown.metric}) FROM SCHEMA("{shown.namespace}", {shown.dimension})'  # noqa: S608 - no SQL
        f" GROUP BY {shown.dimension} ORDER BY {function}() {order} LIMIT {_WORST}"
    )
    return [[{"expression": query, "id": "worst"}]]


def _graph(
    region: str,
    title: str,
    shown: _Shown,
    names: Sequence[str],
    *,
    low: float | None = None,
    high: float | None = None,
) -> Body:
    axis = {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    stat = "Minimum" if shown.lowest and shown != _HEALTHY else "Maximum"
    return {
        "type": "metric",
        "properties": {
            "title": title if len(names) <= MOST_NAMED else f"{title}: the worst {_WORST}",
            "region": region,
            "view": "timeSeries",
            "stat": stat,
            "period": 60,
            "metrics": _lines(shown, names),
            **({"yAxis": {"left": axis}} if axis else {}),
        },
    }
