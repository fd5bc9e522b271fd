"""A bench's memory of DescribeInstances answers the same question the same, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import boto3
import pytest

from bench.crowd import Remembered, populate
from lab.fidelity.knobs import KNOBS


class Counting:
    """A WSGI application that answers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, _environ: Any, start_response: Any) -> Iterable[bytes]:
        self.asked += 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{self.asked}".encode()]


def ask(application: Any, body: bytes, region: str = "eu-central-1") -> bytes:
    environ = {
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=app/20261122/{region}/ec2/aws4_request, …",
        "wsgi.input": BytesIO(body),
    }
    answer: list[str] = []
    text = b"".join(application(environ, lambda status, *_: answer.append(status)))
    assert answer == ["200 OK"]
    return text


def test_the_same_question_has_the_same_answer_in_whatever_order_it_is_put() -> None:
    application = Remembered(Counting())
    first = ask(application, b"Action=DescribeInstances&MaxResults=1000")
    assert ask(application, b"MaxResults=1000&Action=DescribeInstances") == first


@pytest.mark.parametrize(
    ("body", "region"),
    [
        (b"Action=DescribeInstances&NextToken=a", "eu-central-1"),
        (b"Action=DescribeInstances", "eu-west-1"),
    ],
)
def test_another_question_is_asked(body: bytes, region: str) -> None:
    application = Remembered(Counting())
    first = ask(application, b"Action=DescribeInstances")
    assert ask(application, body, region) != first


def test_other_operations_are_asked_each_time() -> None:
    application = Remembered(Counting())
    assert ask(application, b"Action=DescribeTags") != ask(application, b"Action=DescribeTags")


@pytest.mark.usefixtures("aws")
def test_a_crowd_is_as_if_made_through_the_api() -> None:
    KNOBS.load_balancers_quota = 30
    elb, ec2 = boto3.client("elb"), boto3.client("ec2")
    ec2.describe_subnets()
    populate("eu-central-1", 25, 2, "emq-elb:cluster", ("emq-elb:owner", "us"))
    described = elb.describe_load_balancers()["LoadBalancerDescriptions"]
    assert len(described) == 25
    for one in described[:3]:
        name = one["LoadBalancerName"]
        tags = elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]["Tags"]
        assert tags == [{"Key": "emq-elb:owner", "Value": "us"}]
        tagged = ec2.describe_instances(Filters=[{"Name": "tag:emq-elb:cluster", "Values": [name]}])
        ids = {each["InstanceId"] for found in tagged["Reservations"] for each in found["Instances"]}
        assert ids == {each["InstanceId"] for each in one["Instances"]}
        assert len(ids) == 2
