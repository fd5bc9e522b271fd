"""Alarms and dashboard: made, converged and deleted with the load balancers, and about what is emitted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.model.metrics import NAMESPACE, Alarm, Metric
from chalicelib.monitor.apply import converge_alarms, widget_arn
from chalicelib.monitor.dashboard import (
    METRICS_ON_A_DASHBOARD,
    METRICS_ON_A_GRAPH,
    MOST_NAMED,
    body,
)
from chalicelib.monitor.plan import FUNCTIONS, desired, failures
from chalicelib.observe import ours_with_listeners as ours
from chalicelib.probe.metrics import metrics
from chalicelib.probe.plan import Outcome, judge_outcomes
from tests.probe.test_story import create, listener
from tests.world.emitted import emitted
from tests.world.provisioning import OWNER, WATCHED, Account, account
from tests.world.rotating import bundle

ROOT = Path(__file__).parents[2]
ARN = f"arn:aws:lambda:eu-central-1:123456789012:function:{OWNER}-provision"
API = "emq-elb"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"


@pytest.fixture
def here() -> Iterator[Account]:
    with account() as found:
        yield found


@pytest.fixture
def cloudwatch(here: Account) -> Any:  # noqa: ARG001 - within the account
    return boto3.client("cloudwatch")


def names(cloudwatch: Any) -> set[str]:
    return {alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}


def changed(here: Account) -> list[str]:
    return [step.action for step in converge_alarms(here.invocation(), ARN, API)]


def three(name: str) -> set[str]:
    return {f"{OWNER}/{name}/{kind}" for kind in ("probe", "certificate", "nodes")}


BOTH = {f"{OWNER}/rollbacks", f"{OWNER}/functions"}


def test_three_alarms_for_each_load_balancer_two_for_all_and_one_dashboard(
    here: Account, cloudwatch: Any
) -> None:
    arn = here.world.upload()
    for name in ("a", "b"):
        create(here, name, listener(8883, "SSL", arn))
    create(here, "theirs", listener(8883, "SSL", arn), owner="somebody")
    assert changed(here) == ["PutMetricAlarm"] * 8 + ["PutDashboard"]
    assert names(cloudwatch) == three("a") | three("b") | BOTH
    (dashboard,) = cloudwatch.list_dashboards()["DashboardEntries"]
    assert dashboard["DashboardName"] == f"{OWNER}-eu-central-1"


def test_a_second_look_writes_nothing(here: Account) -> None:
    create(here, "demo", listener(8883, "SSL", here.world.upload()))
    converge_alarms(here.invocation(), ARN, API)
    with here.counted() as calls:
        assert changed(here) == []
    assert sorted(calls.made[:3]) + calls.made[3:] == [
        "DescribeLoadBalancers",
        "DescribeLoadBalancers",
        "DescribeTags",
        "ListServerCertificates",
        "DescribeAlarms",
        "GetDashboard",
    ]


@pytest.mark.parametrize(
    ("life", "source", "days"),
    [
        ((90, 90), "private-ca", 15),
        ((45, 45), "acme", 7.5),
        ((6, 6), "acme", 1),
        ((2, 2), "acme", 0.5),
        ((398, 398), "pem", 15),
        ((398, 20), "pem", 15),  # uploaded late in its life: it is read
        ((45, 20), "external", 7.5),
        ((6, 5), "secret:mqtt", 1),
    ],
)
def test_the_certificates_alarm_is_relative_to_its_life(
    here: Account, cloudwatch: Any, life: tuple[float, float], source: str, days: float
) -> None:
    """`life` is how many days it lives, and how many of them are left when it is uploaded."""
    one = bundle(life[1], life=life[0])
    arn = here.world.iam.upload_server_certificate(
        ServerCertificateName="mqtt", CertificateBody=one.certificate_pem, PrivateKey=one.private_key_pem
    )["ServerCertificateMetadata"]["Arn"]
    create(here, "demo", listener(8883, "SSL", arn), certificate=source)
    assert "PutMetricAlarm" in changed(here)
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[f"{OWNER}/demo/certificate"])["MetricAlarms"]
    assert alarm["Threshold"] == days
    assert changed(here) == []


def test_the_shortest_life_behind_a_load_balancer_counts_and_each_certificate_is_read_once(
    here: Account, cloudwatch: Any
) -> None:
    arns = [
        boto3.client("acm").import_certificate(
            Certificate=one.certificate_pem.encode(), PrivateKey=one.private_key_pem.encode()
        )["CertificateArn"]
        for one in (bundle(300, life=398), bundle(10, life=45))
    ]
    for name in ("a", "b"):
        create(here, name, listener(8883, "SSL", arns[0]), listener(8884, "SSL", arns[1]))
    with here.counted() as calls:
        converge_alarms(here.invocation(), ARN, API)
    assert calls.made.count("DescribeCertificate") == 2
    found = cloudwatch.describe_alarms(AlarmNames=[f"{OWNER}/{name}/certificate" for name in "ab"])
    assert [alarm["Threshold"] for alarm in found["MetricAlarms"]] == [7.5, 7.5]


def test_a_certificate_that_cannot_be_read_keeps_no_alarm_from_being_made(
    here: Account, cloudwatch: Any
) -> None:
    one = bundle(10, life=45)
    imported = boto3.client("acm").import_certificate(
        Certificate=one.certificate_pem.encode(), PrivateKey=one.private_key_pem.encode()
    )
    create(here, "demo", listener(8883, "SSL", imported["CertificateArn"]))
    WATCHED.refuse = lambda asked, _: "AccessDeniedException" if asked == "DescribeCertificate" else None
    converge_alarms(here.invocation(), ARN, API)
    assert names(cloudwatch) == three("demo") | BOTH


def test_what_does_not_fit_before_the_deadline_is_left_to_the_next_run(
    here: Account, cloudwatch: Any
) -> None:
    """PutMetricAlarm is three calls a second: each takes as long here."""
    for number in range(15):
        create(here, f"lb-{number}", listener(1883))
    limited = here.invocation(within=4)
    slow = replace(limited, log=lambda *_: setattr(here, "passed", here.passed + timedelta(seconds=1 / 3)))
    *first, dashboard = [step.action for step in converge_alarms(slow, ARN, API)]
    assert dashboard == "PutDashboard", "one call, whatever is left of the alarms"
    assert 10 <= first.count("PutMetricAlarm") == len(first) <= 12
    assert changed(here) == ["PutMetricAlarm"] * (15 * 2 + 2 - len(first))
    assert len(names(cloudwatch)) == 15 * 2 + 2


def test_a_run_that_begins_after_its_deadline_gets_further_too(here: Account) -> None:
    for number in range(15):
        create(here, f"lb-{number}", listener(1883))
    counts: list[int] = []
    while not counts or counts[-1]:
        steps = converge_alarms(here.invocation(within=-1), ARN, API)
        counts.append(sum(step.action == "PutMetricAlarm" for step in steps))
    assert counts == [10, 10, 10, 2, 0]


def test_alarms_that_are_throttled_are_left_to_the_next_run(here: Account, cloudwatch: Any) -> None:
    create(here, "demo", listener(1883))
    seen = []

    def throttle(**_: Any) -> None:
        seen.append(1)
        if len(seen) == 3:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "PutMetricAlarm")

    work = here.invocation()
    work.clients.cloudwatch.meta.events.register("before-call.cloudwatch.PutMetricAlarm", throttle)
    steps = converge_alarms(work, ARN, API)
    assert [step.action for step in steps] == ["PutMetricAlarm"] * 2 + ["PutDashboard"]
    assert changed(here) == ["PutMetricAlarm"] * 2
    assert len(names(cloudwatch)) == 4


def test_what_was_changed_by_hand_is_put_back(here: Account, cloudwatch: Any) -> None:
    create(here, "demo", listener(1883))
    converge_alarms(here.invocation(), ARN, API)
    name = f"{OWNER}/demo/probe"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    kept = ("AlarmName", "MetricName", "Namespace", "Dimensions", "Statistic", "Period", "ComparisonOperator")
    cloudwatch.put_metric_alarm(**{key: alarm[key] for key in kept}, EvaluationPeriods=10, Threshold=1)
    cloudwatch.put_dashboard(DashboardName=f"{OWNER}-eu-central-1", DashboardBody='{"widgets": []}')
    assert changed(here) == ["PutMetricAlarm", "PutDashboard"]
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["EvaluationPeriods"] == 3
    assert changed(here) == []


def test_a_load_balancer_that_is_gone_takes_its_alarms_along(here: Account, cloudwatch: Any) -> None:
    for name in ("a", "b"):
        create(here, name, listener(1883))
    converge_alarms(here.invocation(), ARN, API)
    here.world.elb.delete_load_balancer(LoadBalancerName="a")
    assert changed(here) == ["DeleteAlarms", "PutDashboard"]
    assert names(cloudwatch) == {f"{OWNER}/b/probe", f"{OWNER}/b/nodes"} | BOTH
    here.world.elb.delete_load_balancer(LoadBalancerName="b")
    assert changed(here) == ["DeleteAlarms", "DeleteDashboards"]
    assert names(cloudwatch) == set()
    assert changed(here) == []


def test_alarms_of_others_are_left_alone(here: Account, cloudwatch: Any) -> None:
    for name in (f"{OWNER}-two/demo/probe", "somebody"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, MetricName="m", Namespace="n", Statistic="Sum", Period=60,
            ComparisonOperator="LessThanThreshold", EvaluationPeriods=1, Threshold=1,
        )  # fmt: skip
    assert changed(here) == []
    assert names(cloudwatch) == {f"{OWNER}-two/demo/probe", "somebody"}


WAITING = {f"{OWNER}/demo/probe", f"{OWNER}/demo/nodes"}


def missing(cloudwatch: Any) -> dict[str, str]:
    """How the alarms that wait for first data treat missing ones by now."""
    found = cloudwatch.describe_alarms(AlarmNames=sorted(WAITING))["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["TreatMissingData"] for alarm in found}


@pytest.mark.parametrize("state", ["OK", "ALARM"])
def test_an_alarm_takes_missing_data_for_bad_once_it_has_seen_some(
    here: Account, cloudwatch: Any, state: str
) -> None:
    create(here, "demo", listener(8883, "SSL", here.world.upload()))
    converge_alarms(here.invocation(), ARN, API)
    assert missing(cloudwatch) == dict.fromkeys(WAITING, "ignore")
    cloudwatch.set_alarm_state(AlarmName=f"{OWNER}/demo/probe", StateValue=state, StateReason="data came")
    assert changed(here) == ["PutMetricAlarm"]
    assert missing(cloudwatch) == {f"{OWNER}/demo/probe": "breaching", f"{OWNER}/demo/nodes": "ignore"}
    assert changed(here) == []


def test_an_alarm_that_no_data_reach_takes_that_for_bad_after_five_minutes(
    here: Account, cloudwatch: Any
) -> None:
    create(here, "demo", listener(1883))
    converge_alarms(here.invocation(), ARN, API)
    here.sleep(290)
    assert changed(here) == []
    here.sleep(20)
    assert changed(here) == ["PutMetricAlarm"] * 2
    assert missing(cloudwatch) == dict.fromkeys(WAITING, "breaching")
    assert changed(here) == [], "it does not begin to wait again"


@pytest.mark.parametrize("tag", ["enabled=false", "enabled=true"])
def test_no_probe_no_probe_alarm(here: Account, cloudwatch: Any, tag: str) -> None:
    create(here, "demo", listener(1883), probe=tag)
    converge_alarms(here.invocation(), ARN, API)
    assert (f"{OWNER}/demo/probe" in names(cloudwatch)) is (tag == "enabled=true")


def test_the_topic_hears_of_both_ends(here: Account, cloudwatch: Any) -> None:
    create(here, "demo", listener(1883))
    converge_alarms(here.invocation(), ARN, API)
    here.settings = replace(here.settings, alarm_topic_arn=TOPIC)
    assert set(changed(here)) == {"PutMetricAlarm"}
    for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    assert changed(here) == []


def test_alarms_look_at_exactly_what_is_emitted(here: Account, capsys: pytest.CaptureFixture[str]) -> None:
    create(here, "demo", listener(8883, "SSL", here.world.upload()))
    converge_alarms(here.invocation(), ARN, API)
    looked = {
        (alarm["Namespace"], alarm["MetricName"], tuple(one["Name"] for one in alarm["Dimensions"]))
        for alarm in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
        if alarm.get("Namespace") == NAMESPACE
    }
    verdict = judge_outcomes("demo", [Outcome(port=8883)])
    now = datetime.now(UTC)
    telemetry.emit("demo", **metrics(verdict, now), CertificateDaysToExpiry=1)
    telemetry.emit_total(OWNER, CertificateRollbacks=0)
    put = {
        (directive["Namespace"], one["Name"], tuple(dimensions))
        for record in emitted(capsys.readouterr().out)
        for directive in record["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for one in directive["Metrics"]
    }
    assert looked
    assert looked <= put


def test_every_function_of_the_app_is_watched() -> None:
    text = (ROOT / "app.py").read_text()
    assert set(re.findall(r'name="([a-z_]+)"\)?$', text, re.MULTILINE)) == set(FUNCTIONS)
    assert f'Chalice(app_name="{API}"' in text


@pytest.mark.parametrize(("count", "parts"), [(1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_no_alarm_computes_with_more_than_ten_metrics_and_none_is_left_out(
    count: int, parts: list[int]
) -> None:
    counted = [
        Metric("AWS/Lambda", "Errors", (("FunctionName", f"function-{number}"),), "Sum", 300)
        for number in range(count)
    ]
    alarms = list(failures("ours/functions", counted, None))
    assert [alarm.name for alarm in alarms] == [
        "ours/functions", *(f"ours/functions-{number}" for number in range(2, len(parts) + 1))
    ]  # fmt: skip
    watched = [
        [query.metric for query in alarm.watched if query.metric]
        for alarm in alarms
        if not isinstance(alarm.watched, Metric)
    ]
    assert [len(part) for part in watched] == parts
    assert [one for part in watched for one in part] == counted


def test_deployments_do_not_hear_of_each_others_rollbacks(here: Account, cloudwatch: Any) -> None:
    create(here, "demo", listener(1883))
    converge_alarms(here.invocation(), ARN, API)
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[f"{OWNER}/rollbacks"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "Owner", "Value": OWNER}]


def test_the_dashboard_shows_every_load_balancer_and_the_widget(here: Account, cloudwatch: Any) -> None:
    for name in ("a", "b"):
        create(here, name, listener(1883))
    converge_alarms(here.invocation(), ARN, API)
    body = json.loads(cloudwatch.get_dashboard(DashboardName=f"{OWNER}-eu-central-1")["DashboardBody"])
    table, *graphs = body["widgets"]
    assert table["properties"]["endpoint"] == widget_arn(ARN, OWNER) == ARN.replace("provision", "widget")
    shown = {metric[1] for graph in graphs for metric in graph["properties"]["metrics"]}
    assert shown == {
        "ProbeSuccess",
        "ProbeTcpTime",
        "ProbeTlsTime",
        "ProbeConnackTime",
        "ProbeRoundTripTime",
        "CertificateDaysToExpiry",
        "HealthyHostCount",
    }
    for graph in graphs:
        assert [metric[3] for metric in graph["properties"]["metrics"]] == ["a", "b"]
    cells = {(x, y) for one in body["widgets"] for x, y in [(one["x"], one["y"])]}
    assert len(cells) == len(body["widgets"])


def counted(name: str, *, network: bool = False) -> Metric:
    dimensions = (
        (("LoadBalancer", f"net/{name}/1"), ("TargetGroup", f"targetgroup/{name}/1"))
        if network
        else (("LoadBalancerName", name),)
    )
    namespace = "AWS/NetworkELB" if network else "AWS/ELB"
    return Metric(namespace, "HealthyHostCount", dimensions, "Maximum", 60)


@pytest.mark.parametrize("count", [2, MOST_NAMED, MOST_NAMED + 1, 1000])
def test_no_number_of_load_balancers_is_too_many_for_a_dashboard(count: int) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
    names = [f"load-balancer-{number:04}" for number in range(count)]
    in_service = {name: counted(name, network=number % 2 == 0) for number, name in enumerate(names)}
    shown = body("eu-central-1", in_service, "arn")
    graphs = [one["properties"]["metrics"] for one in cast("list[Any]", shown["widgets"])[1:]]
    queries = [line[0]["expression"] for graph in graphs for line in graph if isinstance(line[0], dict)]
    returned = [len(graph) if isinstance(graph[0][0], str) else 50 * len(graph) for graph in graphs]
    assert max(returned) <= METRICS_ON_A_GRAPH
    assert sum(returned) <= METRICS_ON_A_DASHBOARD
    assert bool(queries) is (count > MOST_NAMED)
    if queries:
        assert (
            'SELECT MAX(ProbeTcpTime) FROM SCHEMA("EmqElb", LoadBalancer) GROUP BY LoadBalancer'
            " ORDER BY MAX() DESC LIMIT 50"
        ) in queries
        assert (
            'SELECT MIN(HealthyHostCount) FROM SCHEMA("AWS/ELB", LoadBalancerName) GROUP BY LoadBalancerName'
            " ORDER BY MIN() ASC LIMIT 50"
        ) in queries
        assert (
            'SELECT MIN(HealthyHostCount) FROM SCHEMA("AWS/NetworkELB", LoadBalancer, TargetGroup)'
            " GROUP BY LoadBalancer, TargetGroup ORDER BY MIN() ASC LIMIT 50"
        ) in queries
        ids = [[line[0]["id"] for line in graph] for graph in graphs]
        assert all(len({*one}) == len(one) for one in ids)


def test_without_a_target_group_a_dashboard_has_nothing_to_count() -> None:
    shown = cast("list[Any]", body("eu-central-1", {"half-made": None}, "arn")["widgets"])
    assert "Instances in service" not in {one["properties"]["title"] for one in shown}


def test_every_alarm_has_its_entry_in_the_runbook() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    entries = set(re.findall(r"^### `<owner>/([^`]+)`$", text, re.MULTILINE))
    assert entries == {"<load balancer>/probe", "<load balancer>/certificate", "<load balancer>/nodes"} | {
        "rollbacks",
        "functions",
    }


def test_without_a_load_balancer_there_is_no_alarm() -> None:
    assert desired(OWNER, [], api=API, renew_before=timedelta(days=30), topic=None) == ()


def test_the_probe_alarm_is_as_the_runbook_says(here: Account) -> None:
    create(here, "demo", listener(1883))
    found = desired(OWNER, ours(here.invocation()), api=API, renew_before=timedelta(days=30), topic=None)
    (probe,) = [alarm for alarm in found if alarm.name.endswith("/probe")]
    assert isinstance(probe, Alarm)
    assert isinstance(probe.watched, Metric)
    assert (probe.watched.statistic, probe.watched.period, probe.datapoints) == ("Minimum", 60, 3)
    assert (probe.comparison, probe.threshold, probe.missing) == ("LessThanThreshold", 1, "breaching")
