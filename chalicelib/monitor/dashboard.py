"""The one dashboard of a deployment in a region, derived from all of its load balancers.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from chalicelib.model.metrics import DAYS_TO_EXPIRY, NAMESPACE, SUCCESS, Metric
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


def body(region: str, in_service: Mapping[str, Metric | None], widget_arn: str) -> Body:
    """The dashboard's body: the status table, the latency per phase, success, days left, instances.

    `in_service` has AWS's own count of each load balancer by its name, None where there is none.
    """
    names = sorted(in_service)
    counted = {name: metric for name in names if (metric := in_service[name])}
    graphs = [
        *(_graph(region, _TITLES[phase], _ours(metric, names)) for phase, metric in PHASE_TIMES.items()),
        _graph(region, "Probe success", _ours(SUCCESS, names), lowest=True, low=0, high=1),
        _graph(region, "Days to the certificate's end", _ours(DAYS_TO_EXPIRY, names), lowest=True, low=0),
        *(
            [_graph(region, "Instances in service", counted, lowest=True, stat="Maximum", low=0)]
            if counted
            else []
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


_GRAPHS = len(PHASE_TIMES) + 3
MOST_NAMED = METRICS_ON_A_DASHBOARD // _GRAPHS
"""Up to so many load balancers each has its line in each graph; beyond, a graph shows the worst of them."""

_WORST = 50


def _ours(metric: str, names: Sequence[str]) -> Mapping[str, Metric]:
    return {name: Metric(NAMESPACE, metric, (("LoadBalancer", name),), "Maximum", 60) for name in names}


def _lines(shown: Mapping[str, Metric], *, lowest: bool) -> list[list[object]]:
    """A line for each load balancer, or for each kind a query for the worst of more than may be named.

    The query knows neither owner nor tag, so that it also finds other deployments of the region, and for
    AWS's own metrics other load balancers.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    """
    if len(shown) <= MOST_NAMED:
        return [
            [one.namespace, one.name, *chain(*one.dimensions), *_label(name, one)]
            for name, one in shown.items()
        ]
    function, order = ("MIN", "ASC") if lowest else ("MAX", "DESC")
    kinds = {(one.namespace, one.name, *(key for key, _ in one.dimensions)) for one in shown.values()}
    lines: list[list[object]] = []
    for number, (namespace, metric, *keys) in enumerate(sorted(kinds), 1):
        by = ", ".join(keys)
        query = (
            f'SELECT {function}({metric}) FROM SCHEMA("{namespace}", {by})'  # noqa: S608 - no SQL
            f" GROUP BY {by} ORDER BY {function}() {order} LIMIT {_WORST}"
        )
        lines.append([{"expression": query, "id": "worst" if number == 1 else f"worst{number}"}])
    return lines


def _label(name: str, metric: Metric) -> list[object]:
    """The load balancer's name, where it is not the one dimension, which CloudWatch shows by itself."""
    return [] if metric.dimensions[0][1] == name else [{"label": name}]


def _graph(
    region: str,
    title: str,
    shown: Mapping[str, Metric],
    *,
    lowest: bool = False,
    stat: str = "",
    low: float | None = None,
    high: float | None = None,
) -> Body:
    """One graph; the worst are the lowest or the highest."""
    axis = {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    return {
        "type": "metric",
        "properties": {
            "title": title if len(shown) <= MOST_NAMED else f"{title}: the worst {_WORST}",
            "region": region,
            "view": "timeSeries",
            "stat": stat or ("Minimum" if lowest else "Maximum"),
            "period": 60,
            "metrics": _lines(shown, lowest=lowest),
            **({"yAxis": {"left": axis}} if axis else {}),
        },
    }
