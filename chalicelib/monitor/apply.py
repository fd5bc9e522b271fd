"""Alarms and the dashboard follow the load balancers of ours: made, converged and deleted with them.

Not within a PUT: see `docs/decisions/0005-alarms-follow-provisioning.md`. After a PUT or a DELETE that
changed something the function `provision` does it in the background, and `reconcile` every ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from chalicelib import observe, telemetry
from chalicelib.apply import Progress, apply
from chalicelib.aws import cloudwatch
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.errors import Throttled
from chalicelib.model.step import Step
from chalicelib.monitor.dashboard import body, dashboard_name
from chalicelib.monitor.plan import alarm_changes, desired

_EVERY_MINUTES = 10
# What fits into the seconds that a function keeps for its last calls: every run gets further.
_ALWAYS = 10


def alarms_due(now: datetime) -> bool:
    """Whether the `reconcile` of this minute converges."""
    return now.minute % _EVERY_MINUTES == 0


def widget_arn(function_arn: str, owner: str) -> str:
    """The ARN of the function `widget`, from that of any other function of the deployment."""
    return f"{function_arn.partition(':function:')[0]}:function:{owner}-widget"


def converge_alarms(invocation: Invocation, function_arn: str) -> tuple[Step, ...]:
    """Make alarms and dashboard match the load balancers that there are; return what was changed.

    `function_arn` is that of the function that runs. When nothing changes it is ceil(N/400) + ceil(N/20)
    calls for N load balancers, one for each 100 alarms, and one for the dashboard.

    CloudWatch takes three PutMetricAlarm a second: by the deadline as many are put as fit, and the next run
    puts the others.
    """
    clients, settings = invocation.clients, invocation.settings
    balancers = observe.ours(invocation)
    wanted = desired(
        settings.owner, balancers, renew_before=settings.renew_before, topic=settings.alarm_topic_arn
    )
    there = cloudwatch.alarms(clients.cloudwatch, f"{settings.owner}/")
    names = [balancer.name for balancer in balancers]
    widget = widget_arn(function_arn, settings.owner)
    progress = Progress()
    left = _as_many_as_fit([*alarm_changes(wanted, there, invocation.now())], progress, invocation)
    if left:
        telemetry.alarms_left(left)
    apply("", _dashboard(names, widget, invocation), progress, invocation)
    return progress.steps


def _as_many_as_fit(plan: list[do.Action], progress: Progress, invocation: Invocation) -> int:
    """Make the calls until the deadline, or until CloudWatch throttles them; return how many are left."""
    for made, action in enumerate(plan):
        if made >= _ALWAYS and invocation.now() >= invocation.deadline:
            return len(plan) - made
        try:
            apply("", [action], progress, invocation)
        except Throttled:
            return len(plan) - made
    return 0


def _dashboard(names: list[str], widget: str, invocation: Invocation) -> Iterator[do.Action]:
    clients = invocation.clients
    name = dashboard_name(invocation.settings.owner, clients.region)
    there = cloudwatch.dashboard(clients.cloudwatch, name)
    wanted = body(clients.region, names, widget) if names else None
    if there == wanted:
        return
    if wanted is None:
        yield do.DeleteDashboards(reason="there is no load balancer left", dashboard=name)
    else:
        yield do.PutDashboard(reason="it is not as it is to be", dashboard=name, body=wanted)
