"""Alarms and the dashboard follow the load balancers of ours: made, converged and deleted with them.

Not within a PUT: see `docs/decisions/0005-alarms-follow-provisioning.md`. After a PUT or a DELETE that
changed something the function `provision` does it in the background, and `reconcile` every ten minutes.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib import observe
from chalicelib.aws import cloudwatch
from chalicelib.invocation import Invocation
from chalicelib.model.step import Step
from chalicelib.monitor.dashboard import body, dashboard_name
from chalicelib.monitor.plan import changes, desired

_EVERY_MINUTES = 10


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
    """
    clients, settings = invocation.clients, invocation.settings
    balancers = observe.ours(invocation)
    wanted = desired(
        settings.owner, balancers, renew_before=settings.renew_before, topic=settings.alarm_topic_arn
    )
    there = cloudwatch.alarms(clients.cloudwatch, f"{settings.owner}/")
    found = changes(wanted, there, invocation.now())
    steps = []
    for alarm in found.put:
        cloudwatch.put_alarm(clients.cloudwatch, alarm)
        steps.append(
            Step(action="PutMetricAlarm", reason="it is not as it is to be", fields={"alarm": alarm.name})
        )
    if found.delete:
        cloudwatch.delete_alarms(clients.cloudwatch, found.delete)
        reason = "what they watched is gone"
        steps.append(Step(action="DeleteAlarms", reason=reason, fields={"alarms": [*found.delete]}))
    names = [balancer.name for balancer in balancers]
    steps += _dashboard(names, widget_arn(function_arn, settings.owner), invocation)
    for step in steps:
        invocation.told("", step)
    return tuple(steps)


def _dashboard(names: list[str], widget: str, invocation: Invocation) -> list[Step]:
    clients = invocation.clients
    name = dashboard_name(invocation.settings.owner, clients.region)
    there = cloudwatch.dashboard(clients.cloudwatch, name)
    wanted = body(clients.region, names, widget) if names else None
    if there == wanted:
        return []
    fields = {"dashboard": name}
    if wanted is None:
        cloudwatch.delete_dashboard(clients.cloudwatch, name)
        return [Step(action="DeleteDashboards", reason="there is no load balancer left", fields=fields)]
    cloudwatch.put_dashboard(clients.cloudwatch, name, wanted)
    return [Step(action="PutDashboard", reason="it is not as it is to be", fields=fields)]
