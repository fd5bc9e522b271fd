"""The dashboard's widget: how all load balancers are, at a glance, and two buttons for each.

It reads what the listing, tags and CloudWatch show: nothing is probed for a glance.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from chalicelib import background, observe
from chalicelib.aws import cloudwatch
from chalicelib.invocation import Invocation
from chalicelib.model.errors import EmqElbError
from chalicelib.model.metrics import DAYS_TO_EXPIRY, NAMESPACE, SUCCESS, Metric
from chalicelib.model.names import CERTIFICATE_TAG, PENDING_TAG, WATCHED
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
    """The table as HTML, in ceil(N/400) + ceil(N/20) calls for N load balancers and one for 166 of them."""
    balancers = tuple(observe.list_all(invocation).ours.values())
    now = invocation.now()
    asked = [metric for one in balancers for metric in _metrics(one.name)]
    found = cloudwatch.latest(invocation.clients.cloudwatch, asked, now=now, within=_WITHIN) if asked else ()
    rows = []
    for number, one in enumerate(balancers):
        success, days, healthy = found[3 * number : 3 * number + 3]
        rows.append(
            Row(
                name=one.name,
                cluster=one.cluster,
                state="pending" if PENDING_TAG in one.tags else "ready",
                healthy=int(healthy[1]) if healthy else None,
                registered=len(one.instances),
                days_left=days[1] if days else None,
                succeeded=success[1] >= 1 if success else None,
                probed=success[0] if success else None,
            )
        )
    return table(rows, widget_arn=widget_arn, now=now)


def _metrics(name: str) -> tuple[Metric, Metric, Metric]:
    ours = (("LoadBalancer", name),)
    return (
        Metric(NAMESPACE, SUCCESS, ours, "Minimum", 60),
        Metric(NAMESPACE, DAYS_TO_EXPIRY, ours, "Minimum", 60),
        Metric("AWS/ELB", "HealthyHostCount", (("LoadBalancerName", name),), "Maximum", 60),
    )


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
                f"{name}: its certificate is {source}, and nobody renews it but you, with a PUT."
            )
        background.ask("rotate", name, invocation, asked=invocation.now().isoformat())
    except EmqElbError as error:
        return answer_page(str(error))
    return answer_page(f"{name}: asked for; the log of the function rotate says how it went.")
