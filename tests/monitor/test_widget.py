"""The widget's story: it shows what the listing, tags and CloudWatch hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.monitor import widget
from tests.probe.test_story import create, listener
from tests.world.provisioning import Account, account

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:emq-elb-test-widget"


@pytest.fixture
def here() -> Iterator[Account]:
    with account() as found:
        yield found


def put(here: Account, name: str, **values: float) -> None:
    """Put metrics as CloudWatch has them a minute after they were emitted."""
    data: list[Any] = [
        {
            "MetricName": metric,
            "Value": value,
            "Timestamp": here.now() - timedelta(minutes=2),
            "Dimensions": [{"Name": "LoadBalancer", "Value": name}],
        }
        for metric, value in values.items()
    ]
    boto3.client("cloudwatch").put_metric_data(Namespace="EmqElb", MetricData=data)


def test_the_table_shows_what_cloudwatch_knows(here: Account) -> None:
    create(here, "well", listener(1883))
    create(here, "ill", listener(1883), pending="2026-01-01T00:00:00Z creating")
    create(here, "theirs", listener(1883), owner="somebody")
    put(here, "well", ProbeSuccess=1, CertificateDaysToExpiry=42)
    put(here, "ill", ProbeSuccess=0)
    with here.counted() as calls:
        page = widget.status_table(here.invocation(), ARN)
    assert Counter(calls.made) == {"DescribeLoadBalancers": 2, "DescribeTags": 1, "GetMetricData": 1}
    ill, well = page[page.index(">ill<") : page.index(">well<")], page[page.index(">well<") :]
    assert ">failed<" in ill
    assert ">pending<" in ill
    assert ">unknown<" in ill
    assert ">ok<" in well
    assert ">42 days<" in well
    assert ">ready<" in well
    assert "theirs" not in page


def test_without_load_balancers_nothing_is_asked_of_cloudwatch(here: Account) -> None:
    with here.counted() as calls:
        assert "no load balancer" in widget.status_table(here.invocation(), ARN)
    assert calls.made == ["DescribeLoadBalancers"] * 2


def test_a_probe_of_nobody_is_said_and_no_error(here: Account) -> None:
    assert "there is no load balancer nobody of ours" in widget.probe_button("nobody", here.invocation())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "there is no load balancer nobody of ours"),
        ("-no-name-", "there is no load balancer"),
        ("theirs", "there is no load balancer theirs of ours"),
        ("plain", "has no certificate"),
        ("given", "its certificate is pem, which rotate does not renew"),
    ],
)
def test_nobody_is_asked_to_rotate_what_cannot_be(here: Account, name: str, said: str) -> None:
    create(here, "theirs", listener(1883), owner="somebody")
    create(here, "plain", listener(1883))
    create(here, "given", listener(1883), certificate="pem")
    with here.counted() as calls:
        assert said in widget.rotate_button(name, here.invocation())
    assert "Invoke" not in calls.made


def test_the_description_is_markdown() -> None:
    assert widget.describes({"describe": True})
    assert not widget.describes({"widgetContext": {}})
    assert widget.widget_documentation()["markdown"]
