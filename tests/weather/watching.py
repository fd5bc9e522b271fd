"""The stories that watch: alarms and the dashboard, the probe, and the sweep of what was left behind."""

from __future__ import annotations

from typing import Any

import boto3

from chalicelib.aws.refusals import Meaning
from chalicelib.model.errors import Absent, AwsError, NotYet, Throttled, Unserved
from chalicelib.monitor.apply import converge_alarms
from chalicelib.probe.story import probe_all
from chalicelib.provision.sweep import sweep
from tests.monitor.test_alarms import API, ARN
from tests.provision import test_crash as classic
from tests.weather.refusals import Refusal
from tests.weather.stories import Failures, Scene, Story, configured
from tests.world.provisioning import OWNER, issued, pem
from tests.world.rotating import PRIVATE, body, keep_secret


def _watched(scene: Scene) -> None:
    """Two of ours, of which one has no alarms yet; one that is gone has some."""
    here = scene.here
    here.world.create("theirs", Subnets=here.subnets[:1])
    here.put(body(here, 8883, {"pem": pem(issued())}), "gone")
    here.put(body(here, 8883, {"pem": pem(issued())}), "neighbour")
    converge_alarms(here.invocation(50), ARN, API)
    here.delete("gone")
    here.put(body(here, 8883, {"arn": here.world.upload("by-hand")}))


def _alarms(scene: Scene) -> Failures:
    try:
        converge_alarms(scene.here.invocation(50), ARN, API)
    except AwsError as error:
        return (error,)
    return ()


def _ringing(_: Scene) -> object:
    client: Any = boto3.client("cloudwatch")
    dashboards = client.list_dashboards()["DashboardEntries"]
    return (
        sorted(one["AlarmName"] for one in client.describe_alarms()["MetricAlarms"]),
        [client.get_dashboard(DashboardName=one["DashboardName"])["DashboardBody"] for one in dashboards],
    )


def _probed(scene: Scene) -> None:
    """One of the private CA's with credentials, and a neighbour without."""
    here = scene.here
    here.world.create("theirs", Subnets=here.subnets[:1])
    keep_secret('{"username": "probe", "password": "made-up"}', f"{OWNER}/probe")
    options = {"credentials_secret_id": f"{OWNER}/probe"}
    here.put({**body(here, 8883, PRIVATE), "probe": options})
    here.put(body(here, 8883, {"pem": pem(issued())}), "neighbour")
    scene.its.append(f"{OWNER}/")


def _probe(scene: Scene) -> Failures:
    """No name resolves; what is not looked at at all is missing."""

    def nowhere(host: str) -> tuple[str, ...]:
        raise OSError(host)

    try:
        verdicts = probe_all(scene.here.invocation(50), resolve=nowhere)
    except AwsError as error:
        return (error,)
    if [one.load_balancer for one in verdicts] != ["demo", "neighbour"]:
        return (Unprobed(),)
    scene.more["seen"] = {
        one.load_balancer: sorted({each.failure.cause for each in one.outcomes if each.failure})
        for one in verdicts
    }
    assert scene.more["seen"]["neighbour"] == ["dns"]
    return ()


class Unprobed(Exception):
    """A load balancer was not probed."""


def _probing(refusal: Refusal) -> type[Exception] | None:
    """Load balancers that vanish are not probed."""
    if refusal.call == "DescribeTags" and refusal.meaning is Meaning.GONE:
        return Unprobed if refusal.lasting == "for ever" else None
    return refusal.error


def _left_behind(scene: Scene) -> None:
    """Somebody deleted `demo`, two hours ago; its group was seen alone since."""
    here = scene.here
    here.world.create("theirs", Subnets=here.subnets[:1])
    here.put({**classic.nothing_there(here), "certificate": {"pem": pem(issued())}})
    here.put(body(here, 8883, {"pem": pem(issued())}), "neighbour")
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    sweep(here.invocation(50))
    here.sleep(2 * 3600)
    here.put({**body(here, 8883, {"pem": pem(issued())})}, "second")
    here.world.elb.delete_load_balancer(LoadBalancerName="second")


def _sweep(scene: Scene) -> Failures:
    try:
        sweep(scene.here.invocation(50))
    except Unserved as error:
        return tuple(one for _, one in error.failures)
    except AwsError as error:
        return (error,)
    return ()


STORIES = (
    Story(
        name="alarms",
        arrange=_watched,
        act=_alarms,
        again=_alarms,
        calls="""
            DeleteAlarms
            DescribeAlarms
            DescribeLoadBalancers
            DescribeTags
            v2 DescribeLoadBalancers
            GetDashboard
            ListServerCertificates
            PutDashboard
            PutMetricAlarm of it
        """,
        # CloudWatch takes a few a second: the others are put in ten minutes.
        left={
            "PutMetricAlarm of it": [Throttled],
            "DeleteAlarms": [Throttled],
            "GetDashboard": [Absent],
            "DescribeTags": [Absent],
        },
        state=_ringing,
    ),
    Story(
        name="probe",
        arrange=_probed,
        act=_probe,
        again=_probe,
        calls="""
            DescribeLoadBalancers
            DescribeTags
            v2 DescribeLoadBalancers
            GetSecretValue
        """,
        nice=("GetSecretValue",),
        answer=_probing,
        state=lambda scene: scene.more["seen"],
    ),
    Story(
        name="sweep",
        arrange=_left_behind,
        act=_sweep,
        again=_sweep,
        calls="""
            CreateTags
            DescribeRegions
            DeleteSecurityGroup
            DeleteServerCertificate
            DescribeLoadBalancers
            DescribeSecurityGroups
            ListServerCertificates
            v2 DescribeLoadBalancers
        """,
        also="""
            DeleteServerCertificate of it
            DescribeLoadBalancers of it
            v2 DescribeLoadBalancers of it
            v2 DescribeTargetGroups
        """,
        # Held on to, or taken away by somebody quicker.
        left={"DeleteSecurityGroup": [NotYet, Absent], "DeleteServerCertificate": [NotYet, Absent]},
        state=configured,
    ),
)
