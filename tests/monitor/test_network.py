"""Alarms, dashboard and status table of network load balancers, beside and like those of classic ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.model.errors import Throttled
from chalicelib.model.metrics import Metric
from chalicelib.monitor import widget
from chalicelib.monitor.apply import converge_alarms
from chalicelib.monitor.in_service import healthy_hosts, unhealthy_hosts
from chalicelib.observe import one_of_ours
from lab.cloudwatch.alarms import evaluate
from lab.cloudwatch.metrics import Point, put
from tests.monitor.test_alarms import API, ARN, BOTH, changed, names, three
from tests.probe.test_story import create, listener
from tests.world.network import create_network, elbv2
from tests.world.provisioning import OWNER, WATCHED, Account

MAKING: dict[str, Callable[[Account, str], object]] = {
    "classic": lambda here, name: create(here, name, listener(8883, "SSL", here.world.upload(name))),
    "network": lambda here, name: create_network(
        here, name, (8883, 1883), certificate=here.world.upload(name)
    ),
}


@pytest.fixture
def cloudwatch(here: Account) -> Any:  # noqa: ARG001 - within the account
    return boto3.client("cloudwatch")


def alarm(cloudwatch: Any, name: str) -> dict[str, Any]:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[f"{OWNER}/{name}"])["MetricAlarms"]
    return dict(found)


def group_of(arn: str, port: int) -> str:
    groups = elbv2().describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    return next(str(one["TargetGroupArn"]) for one in groups if one["Port"] == port)


def dimensions(found: dict[str, Any]) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in found["Dimensions"]}


@pytest.mark.parametrize("kind", MAKING)
def test_each_kind_has_its_three_alarms_and_a_second_look_writes_nothing(
    here: Account, cloudwatch: Any, kind: str
) -> None:
    MAKING[kind](here, "demo")
    assert changed(here) == ["PutMetricAlarm"] * 5 + ["PutDashboard"]
    assert names(cloudwatch) == three("demo") | BOTH
    assert alarm(cloudwatch, "demo/certificate")["Threshold"] == 15
    assert changed(here) == []


@pytest.mark.parametrize("kind", MAKING)
def test_alarms_and_dashboard_go_with_the_last_of_either_kind(
    here: Account, cloudwatch: Any, kind: str
) -> None:
    made = MAKING[kind](here, "demo")
    converge_alarms(here.invocation(), ARN, API)
    if kind == "network":
        elbv2().delete_load_balancer(LoadBalancerArn=made)
    else:
        here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    assert changed(here) == ["DeleteAlarms", "DeleteDashboards"]
    assert names(cloudwatch) == set()


def test_the_nodes_alarm_is_about_the_group_of_the_first_listener_for_mqtt(
    here: Account, cloudwatch: Any
) -> None:
    arn = create_network(here, "demo", (443, 18083), (1883, 1883), (1884, 18083))
    converge_alarms(here.invocation(), ARN, API)
    found = alarm(cloudwatch, "demo/nodes")
    assert (found["Namespace"], found["MetricName"]) == ("AWS/NetworkELB", "HealthyHostCount")
    assert dimensions(found) == {
        "LoadBalancer": arn.partition(":loadbalancer/")[2],
        "TargetGroup": group_of(arn, 1883).rpartition(":")[2],
    }
    assert found["Statistic"] == "Maximum"


def test_the_nodes_alarm_follows_when_the_listener_gets_another_group(here: Account, cloudwatch: Any) -> None:
    arn = create_network(here, "demo", (1883, 1883))
    converge_alarms(here.invocation(), ARN, API)
    before = dimensions(alarm(cloudwatch, "demo/nodes"))
    own = elbv2().describe_listeners(LoadBalancerArn=arn)["Listeners"][0]
    elbv2().delete_listener(ListenerArn=own["ListenerArn"])
    (other,) = elbv2().create_target_group(
        Name="other", Protocol="TCP", Port=1883, VpcId=vpc(arn), TargetType="instance"
    )["TargetGroups"]
    elbv2().create_listener(
        LoadBalancerArn=arn,
        Port=1883,
        Protocol="TCP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": other["TargetGroupArn"]}],
    )
    assert changed(here) == ["PutMetricAlarm", "PutDashboard"]
    after = dimensions(alarm(cloudwatch, "demo/nodes"))
    assert after["LoadBalancer"] == before["LoadBalancer"]
    assert after["TargetGroup"] == other["TargetGroupArn"].rpartition(":")[2] != before["TargetGroup"]


def vpc(arn: str) -> str:
    return str(elbv2().describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["VpcId"])


def test_one_that_has_no_listener_yet_has_nothing_to_ring_for(here: Account, cloudwatch: Any) -> None:
    create_network(here, "half-made")
    assert changed(here) == ["PutDashboard"]
    assert names(cloudwatch) == set()
    found = one_of_ours("half-made", here.invocation())
    assert (healthy_hosts(found), unhealthy_hosts(found)) == (None, None)


@pytest.mark.parametrize(("counts", "state"), [([2, 1, 1, 1], "OK"), ([2, 0, 0, 0], "ALARM")])
def test_no_healthy_target_rings(here: Account, cloudwatch: Any, counts: list[int], state: str) -> None:
    create_network(here, "demo", (1883, 1883))
    converge_alarms(here.invocation(), ARN, API)
    cloudwatch.set_alarm_state(AlarmName=f"{OWNER}/demo/nodes", StateValue="OK", StateReason="data came")
    converge_alarms(here.invocation(), ARN, API)
    metric = healthy_hosts(one_of_ours("demo", here.invocation()))
    assert metric is not None
    began = here.now()
    points = [point(metric, count, began + timedelta(minutes=at)) for at, count in enumerate(counts)]
    after = began + timedelta(minutes=len(counts))
    assert evaluate(alarm(cloudwatch, "demo/nodes"), points, after) == state


def point(metric: Metric, value: float, at: Any) -> Point:
    return Point(metric.namespace, metric.name, metric.dimensions, at, value)


def test_what_cannot_be_read_costs_no_alarm(here: Account, cloudwatch: Any) -> None:
    create_network(here, "demo", (1883, 1883))
    converge_alarms(here.invocation(), ARN, API)
    before = names(cloudwatch)
    WATCHED.refuse = lambda name, _: "Throttling" if name == "DescribeListeners" else None
    with pytest.raises(Throttled):
        converge_alarms(here.invocation(), ARN, API)
    assert names(cloudwatch) == before


def test_the_dashboard_counts_both_kinds_in_one_graph(here: Account, cloudwatch: Any) -> None:
    arn = create_network(here, "b", (1883, 1883))
    create(here, "a", listener(1883))
    converge_alarms(here.invocation(), ARN, API)
    body = json.loads(cloudwatch.get_dashboard(DashboardName=f"{OWNER}-eu-central-1")["DashboardBody"])
    graphs = {one["properties"]["title"]: one["properties"] for one in body["widgets"]}
    assert graphs["Instances in service"]["metrics"] == [
        ["AWS/ELB", "HealthyHostCount", "LoadBalancerName", "a"],
        [
            "AWS/NetworkELB",
            "HealthyHostCount",
            "LoadBalancer",
            arn.partition(":loadbalancer/")[2],
            "TargetGroup",
            group_of(arn, 1883).rpartition(":")[2],
            {"label": "b"},
        ],
    ]
    assert [line[3] for line in graphs["Probe success"]["metrics"]] == ["a", "b"]


def test_the_table_counts_the_targets_of_the_group_that_speaks_mqtt(here: Account) -> None:
    create_network(here, "known", (443, 18083), (1883, 1883), cluster="fleet")
    create_network(here, "unknown", (1883, 1883))
    found = one_of_ours("known", here.invocation())
    for metric, value in ((healthy_hosts(found), 2), (unhealthy_hosts(found), 1)):
        assert metric is not None
        put(boto3.client("cloudwatch"), [point(metric, value, here.now() - timedelta(minutes=2))])
    with here.counted() as calls:
        page = widget.status_table(here.invocation(), ARN)
    assert Counter(calls.made) == {
        "DescribeLoadBalancers": 2,
        "DescribeTags": 1,
        "DescribeTargetGroups": 1,
        "DescribeListeners": 2,
        "GetMetricData": 1,
    }
    assert ">2 of 3<" in page
    assert ">? of ?<" in page
    assert "of fleet" in page


def test_the_buttons_know_network_ones(here: Account) -> None:
    create_network(here, "pages", (443, 18083))
    assert "carries MQTT" in widget.probe_button("pages", here.invocation())
    assert "has no certificate" in widget.rotate_button("pages", here.invocation())
