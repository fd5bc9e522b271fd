"""A PUT that AWS refuses for good: nothing is left of it, or the answer says what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config

from chalicelib.model.errors import AwsError, Denied, InvalidRequest, QuotaReached, Refused, Theirs
from tests.world.kinds import CLASSIC, Kind, each_kind
from tests.world.network import network_snapshot
from tests.world.provisioning import WATCHED, Account, granted, issued, pem


def body_of(here: Account, kind: Kind = CLASSIC) -> dict[str, Any]:
    return {
        "type": kind.type,
        "subnets": here.subnets[:2],
        "certificate": {"pem": pem(issued())},
        "instances": here.launch("node-1"),
        "access_logs": {"bucket": "logs"},
    }


def refuse(operation: str, code: str, *, naming: str | None = None) -> None:
    def refused(asked: str, parameters: Mapping[str, str]) -> str | None:
        named = naming is None or naming in parameters.values()
        return code if asked == operation and named else None

    WATCHED.refuse = refused


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidConfigurationRequest", Refused),  # a zone that classic load balancers cannot use, for one
        ("ValidationError", Refused),
        ("InvalidSubnet", Refused),
        ("TooManyLoadBalancers", QuotaReached),
        ("ResourceInUse", Theirs),  # somebody took an address of a network one
        ("AccessDenied", Denied),
    ],
)
@each_kind
def test_what_was_made_for_one_that_aws_does_not_make_is_gone_again(
    here: Account, kind: Kind, code: str, error: type[AwsError]
) -> None:
    body = body_of(here, kind)
    before = network_snapshot(here)
    refuse("CreateLoadBalancer", code)
    with pytest.raises(error, match="demo was not made, and what was made for it was deleted again"):
        here.put(body)
    after = network_snapshot(here)
    assert after == before
    WATCHED.refuse = granted
    assert here.put(body).created


def test_what_a_private_ca_signed_goes_and_the_ca_stays(here: Account) -> None:
    body = {**body_of(here), "certificate": {"issuer": "private-ca", "domains": ["mqtt.example.com"]}}
    refuse("CreateLoadBalancer", "ValidationError")
    with pytest.raises(Refused):
        here.put(body)
    assert here.certificates() == []
    assert here.secrets()


@each_kind
def test_a_bucket_that_elb_may_not_write_to_keeps_nothing_else_from_being_done(
    here: Account, kind: Kind
) -> None:
    body = body_of(here, kind)
    refuse("ModifyLoadBalancerAttributes", "InvalidConfigurationRequest", naming="logs")
    with pytest.raises(Refused, match="demo was made and is pending: fix this and send the request again"):
        here.put(body)
    shown = here.get()
    assert shown["state"] == "pending"
    assert [one["id"] for one in shown["instances"]] == body["instances"]
    assert shown["connection_draining"] == 300
    WATCHED.refuse = granted
    here.put(body)
    # Within the same second the `pending` tag is this request's already.
    assert here.calls.writes[-2:] == ["ModifyLoadBalancerAttributes", "RemoveTags"]
    assert here.get()["state"] == "ready"


@each_kind
@pytest.mark.parametrize(("bucket", "warned"), [("logs", False), ("elsewhere", True)])
def test_logs_that_go_into_the_bucket_of_another_account_are_a_warning(
    here: Account, kind: Kind, bucket: str, warned: bool
) -> None:
    s3 = boto3.client("s3", region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
    s3.create_bucket(Bucket="logs")
    report = here.put({**body_of(here, kind), "access_logs": {"bucket": bucket}})
    assert ("foreign-bucket" in {one.code for one in report.warnings}) is warned
    # A bucket that gets the logs already is not asked for again.
    with here.counted() as calls:
        here.put(here.get())
    assert "ListBuckets" not in calls.made


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "ServiceUnavailable"])
def test_a_bucket_that_s3_does_not_speak_of_is_no_warning_and_stops_nothing(here: Account, code: str) -> None:
    refuse("ListBuckets", code)
    report = here.put(body_of(here))
    assert report.state == "ready"
    assert "foreign-bucket" not in {one.code for one in report.warnings}


def test_of_a_change_that_is_refused_in_the_middle_is_said_what_was_done(here: Account) -> None:
    body = body_of(here)
    here.put(body)
    refuse("ModifyLoadBalancerAttributes", "InvalidConfigurationRequest", naming="elsewhere")
    changed = {**body, "access_logs": {"bucket": "elsewhere"}, "health_check": {"target": "TCP:8883"}}
    with pytest.raises(
        Refused, match=r"Done before that: ConfigureHealthCheck\. Fix this and send the request again"
    ):
        here.put(changed)
    assert here.get()["health_check"]["target"] == "TCP:8883"


@pytest.mark.parametrize("prefix", ["a b", "ä", "a+b", "logs?", "AWSLogs/x"])
def test_a_prefix_that_elb_refuses_is_a_fault_before_anything_is_made(here: Account, prefix: str) -> None:
    with pytest.raises(InvalidRequest, match=r"access_logs\.prefix"):
        here.put({**body_of(here), "access_logs": {"bucket": "logs", "prefix": prefix}})
    assert here.calls.made == [] or here.calls.writes == []


def private_vpc(here: Account) -> tuple[str, str]:
    """A VPC with one subnet and no way out."""
    ec2 = here.world.ec2
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="eu-central-1a")["Subnet"]
    return vpc, subnet["SubnetId"]


@each_kind
def test_without_an_internet_gateway_it_is_a_fault_and_without_a_route_a_warning(
    here: Account, kind: Kind
) -> None:
    vpc, subnet = private_vpc(here)
    arn = here.world.upload("by-hand")
    body = {"type": kind.type, "subnets": [subnet], "certificate": {"arn": arn}}
    with pytest.raises(InvalidRequest, match="no internet gateway"):
        here.put(body)
    assert here.calls.writes == []
    gateway = here.world.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    here.world.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    report = here.put(body)
    assert report.created
    assert "private-subnet" in {warning.code for warning in report.warnings}
    here.put(body)
    assert here.calls.writes == []
    assert "DescribeInternetGateways" not in here.calls.made


def test_a_put_reads_no_more_than_its_budget(here: Account) -> None:
    body = here.article
    here.put(body)
    assert len(here.calls.reads) <= 11
    assert len(here.calls.writes) == 8
    here.put(body)
    assert len(here.calls.reads) <= 11
    assert here.calls.writes == []
