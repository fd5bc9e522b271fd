"""What functions print becomes metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib import telemetry
from lab.cloudwatch.metrics import embedded, healthy_targets, reader, records
from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import World, client


def line(**values: float) -> str:
    directive = {
        "Namespace": "EmqElb",
        "Dimensions": [["LoadBalancer"]],
        "Metrics": [{"Name": name} for name in values],
    }
    return json.dumps(
        {
            "_aws": {"Timestamp": 1_700_000_000_000, "CloudWatchMetrics": [directive]},
            "LoadBalancer": "demo",
            **values,
        }
    )


def test_a_line_of_the_format_is_its_metrics_and_no_other_line_is() -> None:
    (first, second) = embedded(line(ProbeSuccess=1, ProbeTcpTime=2.5))
    assert (first.namespace, first.name, first.dimensions) == (
        "EmqElb",
        "ProbeSuccess",
        (("LoadBalancer", "demo"),),
    )
    assert (second.name, second.value) == ("ProbeTcpTime", 2.5)
    assert embedded('{"message": "probe"}') == []


def test_a_metric_may_have_several_values() -> None:
    several = line(ProbeSuccess=1).replace('"ProbeSuccess": 1', '"ProbeSuccess": [1, 0]')
    assert [one.value for one in embedded(several)] == [1, 0]


def test_what_the_app_emits_is_read(capsys: object) -> None:
    telemetry.emit("demo", ProbeSuccess=0)
    printed = capsys.readouterr().out  # type: ignore[attr-defined] # pytest's
    assert [(one.name, one.value) for one in embedded(printed)] == [("ProbeSuccess", 0)]


def test_a_log_that_grows_is_read_on_by_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "functions.log"
    read = reader(log)
    assert read() == []
    half, rest = line(ProbeSuccess=1)[:20], line(ProbeSuccess=1)[20:]
    log.write_text(f"something else\n{half}")
    assert read() == []
    log.write_text(f"something else\n{half}{rest}\n")
    assert [one.value for one in read()] == [1]
    assert read() == []


@pytest.mark.parametrize("between", ["", "Traceback (most recent call last):", "{", '{"half": ', "}"])
def test_functions_that_print_at_once_lose_nothing(between: str) -> None:
    mixed = line(ProbeSuccess=1) + between + line(ProbeSuccess=0) + '{"message": "probe"}'
    assert [one.value for one in embedded(mixed)] == [1, 0]
    assert [one.get("message") for one in records(mixed)][-1] == "probe"


@pytest.mark.usefixtures("aws")
def test_healthy_targets_are_counted_by_target_group() -> None:
    world, api = World(), client("elbv2")
    (made,) = api.create_load_balancer(
        Name="demo", Type="network", Scheme="internal", Subnets=world.subnets[:1]
    )["LoadBalancers"]
    (group,) = api.create_target_group(Name="demo-1883", Protocol="TCP", Port=1883, VpcId=made["VpcId"])[
        "TargetGroups"
    ]
    forward = [{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}]
    assert healthy_targets(api) == []
    api.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="TCP", Port=1883, DefaultActions=forward
    )
    assert healthy_targets(api) == [], "nobody is registered"
    well, ill = world.launch(2)
    api.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": well}, {"Id": ill}])
    KNOBS.target_health = lambda _arn, id_, _port: ("unhealthy", "Target.Timeout", "") if id_ == ill else None
    points = healthy_targets(api)
    assert [(point.namespace, point.name, point.value) for point in points] == [
        ("AWS/NetworkELB", "HealthyHostCount", 1),
        ("AWS/NetworkELB", "UnHealthyHostCount", 1),
    ]
    for point in points:
        assert [(name, value.rpartition("/")[0]) for name, value in point.dimensions] == [
            ("LoadBalancer", "net/demo"),
            ("TargetGroup", "targetgroup/demo-1883"),
        ]
