"""Alarms and the dashboard follow the load balancers of ours: made, converged and deleted with them.

Not within a PUT: see `docs/decisions/0005-alarms-follow-provisioning.md`. After a PUT or a DELETE that
changed something the function `provision` does it in the background, and `reconcile` every ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib import observe, telemetry
from chalicelib.apply import Progress, apply
from chalicelib.aws import cloudwatch, iam
from chalicelib.aws.certificate import read_certificate
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.errors import AwsError, Throttled
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.metrics import Metric
from chalicelib.model.names import CERTIFICATE_TAG
from chalicelib.model.step import Step
from chalicelib.monitor.dashboard import body, dashboard_name
from chalicelib.monitor.in_service import healthy_hosts
from chalicelib.monitor.plan import alarm_changes, desired, listed_life

_EVERY_MINUTES = 10
# What fits into the seconds that a function keeps for its last calls: every run gets further.
_ALWAYS = 10


def alarms_due(now: datetime) -> bool:
    """Whether the `reconcile` of this minute converges."""
    return now.minute % _EVERY_MINUTES == 0


def widget_arn(function_arn: str, owner: str) -> str:
    """The ARN of the function `widget`, from that of any other function of the deployment."""
    return f"{function_arn.partition(':function:')[0]}:function:{owner}-widget"


def converge_alarms(invocation: Invocation, function_arn: str, api: str) -> tuple[Step, ...]:
    """Make alarms and dashboard match the load balancers that there are; return what was changed.

    `function_arn` is that of the function that runs, `api` the API's name at API Gateway. When nothing
    changes it is ceil(N/400) + ceil(N/20) calls for the N load balancers of each kind, one for each network
    one and each 400 target groups, one for each 100 alarms, and one for the dashboard. Where there are secure
    listeners it is one for each 1,000 server certificates, and one for each certificate that has to be read.

    CloudWatch takes three PutMetricAlarm a second: by the deadline as many are put as fit, and the next run
    puts the others.
    """
    clients, settings = invocation.clients, invocation.settings
    balancers = observe.ours_with_listeners(invocation)
    wanted = desired(
        settings.owner,
        balancers,
        api=api,
        renew_before=settings.renew_before,
        topic=settings.alarm_topic_arn,
        lives=_lives(balancers, invocation),
    )
    there = cloudwatch.alarms(clients.cloudwatch, f"{settings.owner}/")
    in_service = {balancer.name: healthy_hosts(balancer) for balancer in balancers}
    widget = widget_arn(function_arn, settings.owner)
    progress = Progress()
    left = _as_many_as_fit([*alarm_changes(wanted, there, invocation.now())], progress, invocation)
    if left:
        telemetry.alarms_left(left)
    apply("", _dashboard(in_service, widget, invocation), progress, invocation)
    return progress.steps


def _as_many_as_fit(plan: list[do.Action], progress: Progress, invocation: Invocation) -> int:
    """Make the calls until the deadline or a throttle; return how many are left."""
    for made, action in enumerate(plan):
        if made >= _ALWAYS and invocation.now() >= invocation.deadline:
            return len(plan) - made
        try:
            apply("", [action], progress, invocation)
        except Throttled:
            return len(plan) - made
    return 0


def _lives(balancers: Sequence[LoadBalancer], invocation: Invocation) -> dict[str, timedelta]:
    """How long the certificate of each load balancer lives: of several the shortest life."""
    served = {
        one.name: {listener.certificate for listener in one.listeners if listener.certificate}
        for one in balancers
    }
    if not any(served.values()):
        return {}
    clients, renew_before = invocation.clients, invocation.settings.renew_before
    listed = {one.arn: one for one in iam.list_certificates(clients.iam, "/")}
    sources = {one.name: one.tags.get(CERTIFICATE_TAG, "") for one in balancers}
    read: dict[str, timedelta | None] = {}
    lives: dict[str, timedelta] = {}
    for name, arns in served.items():
        for arn in sorted(arns):
            life = listed_life(listed.get(arn), sources[name], renew_before)
            if life is None:
                life = read[arn] = read[arn] if arn in read else _life(arn, invocation)
            if life is not None:
                lives[name] = min(life, lives.get(name, life))
    return lives


def _life(arn: str, invocation: Invocation) -> timedelta | None:
    """How long a certificate lives, as it says itself; None where it cannot be read."""
    try:
        found = read_certificate(arn, invocation.clients)
    except AwsError as error:
        telemetry.failed("alarms", error, certificate=arn)
        return None
    return found.not_after - found.not_before if found and found.not_before else None


def _dashboard(
    in_service: Mapping[str, Metric | None], widget: str, invocation: Invocation
) -> Iterator[do.Action]:
    clients = invocation.clients
    name = dashboard_name(invocation.settings.owner, clients.region)
    there = cloudwatch.dashboard(clients.cloudwatch, name)
    wanted = body(clients.region, in_service, widget) if in_service else None
    if there == wanted:
        return
    if wanted is None:
        yield do.DeleteDashboards(reason="there is no load balancer left", dashboard=name)
    else:
        yield do.PutDashboard(reason="it is not as it is to be", dashboard=name, body=wanted)
