"""What was asked of AWS is counted by operation and caller, reads apart from writes."""

from __future__ import annotations

import pytest

from lab.aws import Aws, Call
from lab.counting import Tally, counted, tally


def call(operation: str, caller: str = "app", status: int = 200) -> Call:
    return Call(0.0, caller, "elasticloadbalancing", operation, status)


@pytest.mark.parametrize(
    ("operation", "reads", "writes"),
    [
        ("DescribeLoadBalancers", 1, 0),
        ("ListServerCertificates", 1, 0),
        ("GetServerCertificate", 1, 0),
        ("AssumeRole", 1, 0),
        ("CreateLoadBalancer", 0, 1),
        ("SetLoadBalancerListenerSSLCertificate", 0, 1),
        ("RegisterInstancesWithLoadBalancer", 0, 1),
        ("PutEvents", 0, 1),
    ],
)
def test_an_operation_is_a_read_or_a_write_by_its_name(operation: str, reads: int, writes: int) -> None:
    counted_once = Tally({operation: 1})
    assert (counted_once.reads, counted_once.writes, counted_once.total) == (reads, writes, 1)


def test_only_the_calls_of_that_caller_count_and_refused_ones_do_too() -> None:
    calls = [call("DescribeTags"), call("DescribeTags"), call("AddTags", status=400), call("AddTags", "lab")]
    assert tally(calls, "app") == Tally({"DescribeTags": 2, "AddTags": 1}, refused=1)


def test_only_the_calls_of_the_block_count() -> None:
    aws = Aws("http://127.0.0.1:1", calls=[call("DescribeTags")])
    with counted(aws, "app") as found:
        aws.calls.append(call("AddTags"))
    assert found == [Tally({"AddTags": 1})]
