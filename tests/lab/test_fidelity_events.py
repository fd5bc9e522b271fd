"""EventBridge gives an event to the rules that wait for it, as AWS's pages say, through boto3."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

pytestmark = pytest.mark.usefixtures("aws")

EVENT = {"Source": "emq-elb", "DetailType": "Load Balancer Provisioned", "Detail": '{"name": "demo"}'}


def heard(rule: dict[str, str]) -> list[Any]:
    """What a queue hears of one event, by a rule that leads to it."""
    queues, events = boto3.client("sqs"), boto3.client("events")
    url = queues.create_queue(QueueName="heard")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="rule", **rule)  # type: ignore[arg-type] # of one table
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[EVENT])  # type: ignore[list-item] # a plain dict
    messages = queues.receive_message(QueueUrl=url).get("Messages", [])
    return [json.loads(message["Body"])["detail"] for message in messages]


@pytest.mark.parametrize(
    ("rule", "details"),
    [
        ({"EventPattern": '{"source": ["emq-elb"]}'}, [{"name": "demo"}]),
        ({"EventPattern": '{"source": ["aws.ec2"]}'}, []),
        ({"ScheduleExpression": "rate(1 minute)"}, []),
        (
            {"ScheduleExpression": "rate(1 minute)", "EventPattern": '{"source": ["emq-elb"]}'},
            [{"name": "demo"}],
        ),
    ],
)
def test_a_rule_hears_what_its_pattern_lets_through_and_a_schedule_alone_nothing(
    rule: dict[str, str], details: list[Any]
) -> None:
    assert heard(rule) == details
