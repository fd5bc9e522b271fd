"""The one dashboard of a deployment in a region, derived from all of its load balancers.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.model.metrics import DAYS_TO_EXPIRY, NAMESPACE, SUCCESS
from chalicelib.probe.metrics import PHASE_TIMES

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
        *(_graph(region, _TITLES[phase], _ours(metric, names)) for phase, metric in PHASE_TIMES.items()),
        _graph(region, "Probe success", _ours(SUCCESS, names), stat="Minimum", low=0, high=1),
        _graph(region, "Days to the certificate's end", _ours(DAYS_TO_EXPIRY, names), stat="Minimum", low=0),
        _graph(
            region,
            "Instances in service",
            [["AWS/ELB", "HealthyHostCount", "LoadBalancerName", name] for name in names],
            low=0,
        ),
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


def _ours(metric: str, names: Sequence[str]) -> list[list[str]]:
    return [[NAMESPACE, metric, "LoadBalancer", name] for name in names]


def _graph(
    region: str,
    title: str,
    metrics: list[list[str]],
    *,
    stat: str = "Maximum",
    low: float | None = None,
    high: float | None = None,
) -> Body:
    axis = {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": region,
            "view": "timeSeries",
            "stat": stat,
            "period": 60,
            "metrics": metrics,
            **({"yAxis": {"left": axis}} if axis else {}),
        },
    }
