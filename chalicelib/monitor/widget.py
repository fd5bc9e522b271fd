"""The dashboard's widget: how all load balancers are, at a glance, and two buttons for each.

It reads what the listing, tags and CloudWatch show: nothing is probed for a glance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from chalicelib import background, observe
from chalicelib.aws import cloudwatch
from chalicelib.invocation import Invocation
from chalicelib.model.errors import EmqElbError
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.metrics import DAYS_TO_EXPIRY, NAMESPACE, SUCCESS, Metric
from chalicelib.model.names import ACM_RENEWS, CERTIFICATE_TAG, PENDING_TAG, WATCHED
from chalicelib.monitor.in_service import healthy_hosts, unhealthy_hosts
from chalicelib.monitor.page import DESCRIPTION, Row, answer_page, table, verdict_page
from chalicelib.probe.story import probe_one

_WITHIN = timedelta(hours=3)


def describes(event: Mapping[str, object]) -> bool:
    """Whether CloudWatch asks for the widget's description only."""
    return bool(event.get("describe"))


def widget_documentation() -> dict[str, object]:
    """The description, as CloudWatch wants it."""
    return {"markdown": DESCRIPTION}


def status_table(invocation: Invocation, widget_arn: str) -> str:
    """The table as HTML.

    In ceil(N/400) + ceil(N/20) calls for the N load balancers of each kind, one for each network one and each
    400 target groups, and one for each 500 metrics: three of a classic load balancer, four of a network one.
    """
    balancers = observe.ours_with_listeners(invocation)
    now = invocation.now()
    asked = {(one.name, column): metric for one in balancers for column, metric in _metrics(one)}
    client = invocation.clients.cloudwatch
    values = cloudwatch.latest(client, asked.values(), now=now, within=_WITHIN) if asked else ()
    found = {key: value for key, value in zip(asked, values, strict=True) if value}
    rows = []
    for one in balancers:
        success, days, healthy = (found.get((one.name, column)) for column in ("success", "days", "healthy"))
        rows.append(
            Row(
                name=one.name,
                cluster=one.cluster,
                state="pending" if PENDING_TAG in one.tags else "ready",
                healthy=int(healthy[1]) if healthy else None,
                registered=_registered(one, healthy, found.get((one.name, "unhealthy"))),
                days_left=days[1] if days else None,
                succeeded=success[1] >= 1 if success else None,
                probed=success[0] if success else None,
            )
        )
    return table(rows, widget_arn=widget_arn, now=now)


_Value = tuple[datetime, float]


def _registered(balancer: LoadBalancer, healthy: _Value | None, unhealthy: _Value | None) -> int | None:
    """How many are registered: as the listing shows it, else as AWS counts them; None where nobody knows."""
    if balancer.arn is None:
        return len(balancer.instances)
    return int(healthy[1] + unhealthy[1]) if healthy and unhealthy else None


def _metrics(balancer: LoadBalancer) -> Iterator[tuple[str, Metric]]:
    ours = (("LoadBalancer", balancer.name),)
    yield "success", Metric(NAMESPACE, SUCCESS, ours, "Minimum", 60)
    yield "days", Metric(NAMESPACE, DAYS_TO_EXPIRY, ours, "Minimum", 60)
    for column, count in (("healthy", healthy_hosts), ("unhealthy", unhealthy_hosts)):
        if metric := count(balancer):
            yield column, metric


def probe_button(name: str, invocation: Invocation) -> str:
    """Probe now, and return how that went as HTML."""
    try:
        return verdict_page(probe_one(name, invocation))
    except EmqElbError as error:
        return answer_page(str(error))


def rotate_button(name: str, invocation: Invocation) -> str:
    """Have the certificate replaced in the background, and say so as HTML, or why not."""
    try:
        source = observe.one_of_ours(name, invocation).tags.get(CERTIFICATE_TAG)
        if source is None:
            return answer_page(f"{name} has no certificate of its own: there is nothing to replace.")
        if source in WATCHED:
            return answer_page(
                f"{name}: its certificate is {source}, which rotate does not renew: PUT another one."
                f" If it is in ACM: {ACM_RENEWS}."
            )
        background.ask("rotate", name, invocation, asked=invocation.now().isoformat())
    except EmqElbError as error:
        return answer_page(str(error))
    return answer_page(f"{name}: asked for; the log of the function rotate says how it went.")
