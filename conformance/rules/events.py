"""Events, received through a rule of EventBridge and a queue.

moto emits none of them: `lab/events.py` makes the lab's. Those rules are left out there, by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.account import TAG as CONFORMANCE
from conformance.account import Account, Need
from conformance.answer import DiffersError, hold, refused, same
from conformance.needs import GROUP, INSTANCE_HOUR, QUEUE, VPC, instance_state, run_instance
from conformance.rule import question, rule
from conformance.rules.autoscaling import LAUNCHING, hook, new_group, waiting

NO_EVENTS = "moto emits no events of EC2, Auto Scaling, tags and alarms; lab/events.py makes the lab's"
NO_PATTERNS = "moto has no TestEventPattern; it matches patterns by code of its own"
WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ENVELOPE = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}


def received(aws: Account, enough: Callable[[Any], bool], what: str) -> list[Any]:
    """Take events from the queue until they are enough, and return all of them."""
    sqs, queue, found = aws.client("sqs"), aws.need(QUEUE), list[Any]()

    def looked() -> bool:
        answer = sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in answer.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
        return enough(found)

    try:
        aws.until(looked, 180, what)
    except DiffersError as late:
        seen = [(event["detail-type"], event["detail"]) for event in found]
        raise DiffersError(f"{late}; received are {seen}") from None
    return found


def of_kind(events: list[Any], kind: str, instance: str) -> list[Any]:
    """Return the events of a kind about an instance."""
    return [one for one in events if one["detail-type"] == kind and instance in str(one)]


STATE = "EC2 Instance State-change Notification"
TAG = "Tag Change on Resource"
STATES = {"pending", "running", "stopping", "stopped", "shutting-down", "terminated"}


@dataclass(frozen=True)
class Life:
    """An instance that was run, tagged, stopped and terminated, and the events of its life."""

    instance: str
    events: list[Any]

    def about(self, kind: str) -> list[Any]:
        """Return its events of a kind."""
        return of_kind(self.events, kind, self.instance)


def _life(aws: Account) -> Life:
    aws.need(QUEUE)
    ec2, instance = aws.client("ec2"), run_instance(aws, aws.need(VPC).first)
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "conform", "Value": "changed"}])
    ec2.stop_instances(InstanceIds=[instance])
    aws.until(lambda: instance_state(aws, instance) == "stopped", 240, "stopped")
    ec2.terminate_instances(InstanceIds=[instance])

    def enough(seen: list[Any]) -> bool:
        return {one["detail"]["state"] for one in of_kind(seen, STATE, instance)} >= {"terminated"}

    return Life(instance, received(aws, enough, "an event says that it is terminated"))


LIFE = Need("life of an instance", _life, dollars=INSTANCE_HOUR, minutes=3, of=(VPC, GROUP, QUEUE))


@rule(LIFE, code="register/events", corrects="ec2", left_out=NO_EVENTS)
def an_instance_changes_its_state(aws: Account) -> str:
    """EC2 Instance State-change Notification from aws.ec2 has instance-id and state: pending, running,
    stopping, stopped, shutting-down, terminated. Events are best effort.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
    """
    life = aws.need(LIFE)
    events = life.about(STATE)
    for one in events:
        same(one["source"], "aws.ec2", "the source")
        same(one["detail"]["instance-id"], life.instance, "the instance")
    states = {one["detail"]["state"] for one in events}
    hold({"running", "stopped", "terminated"} <= states <= STATES, f"the states are {sorted(states)}")
    return ", ".join(one["detail"]["state"] for one in sorted(events, key=lambda one: str(one["time"])))


@rule(LIFE, code="register/events", corrects="ec2", left_out=NO_EVENTS)
def an_event_has_an_envelope(aws: Account) -> None:
    """An event has version, id, detail-type, source, account, time, region, resources and detail; its time
    is in whole seconds.

    https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    for one in aws.need(LIFE).events:
        same(one.keys(), ENVELOPE, "the envelope")
        hold(bool(WHOLE_SECONDS.fullmatch(one["time"])), f"the time is {one['time']}")
        same(one["region"], aws.place.region, "the region")


@rule(LIFE, code="register/events", corrects="ec2", left_out=NO_EVENTS)
def a_tag_changes(aws: Account) -> str:
    """Tag Change on Resource from aws.tag has changed-tag-keys, service, resource-type, version and tags,
    all current ones.

    https://docs.aws.amazon.com/tag-editor/latest/userguide/monitor-tag-changes.html
    """
    events = aws.need(LIFE).about(TAG)
    (event, *_) = [one for one in events if "conform" in one["detail"]["changed-tag-keys"]] or [None]
    if event is None:
        raise DiffersError(f"no event for the tag; {len(events)} of the kind")
    same(event["source"], "aws.tag", "the source")
    detail = event["detail"]
    same(set(detail), {"changed-tag-keys", "service", "resource-type", "version", "tags"}, "the detail")
    same((detail["service"], detail["resource-type"]), ("ec2", "instance"), "it is about")
    hold(detail["tags"].keys() >= {"conform", CONFORMANCE}, f"the tags are {detail['tags']}")
    return f"{len(events)} events"


@rule(
    QUEUE,
    VPC,
    GROUP,
    code=("register/events", "register/hooks"),
    corrects="lifecycle",
    minutes=1.5,
    dollars=INSTANCE_HOUR,
    left_out=NO_EVENTS,
)
def a_lifecycle_action_begins(aws: Account) -> str:
    """EC2 Instance-launch Lifecycle Action from aws.autoscaling has LifecycleActionToken,
    AutoScalingGroupName, LifecycleHookName, EC2InstanceId, LifecycleTransition, Origin and Destination, and
    NotificationMetadata where the hook has it.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
    """
    specified = hook(LAUNCHING, NotificationMetadata="conform")
    name = new_group(aws, 1, LifecycleHookSpecificationList=[specified])
    instance = waiting(aws, name, "Pending:Wait")
    kind = "EC2 Instance-launch Lifecycle Action"
    events = received(aws, lambda seen: bool(of_kind(seen, kind, instance)), "the lifecycle action")
    (event, *_) = of_kind(events, kind, instance)
    same(event["source"], "aws.autoscaling", "the source")
    detail = dict(event["detail"])
    hold(bool(detail.pop("LifecycleActionToken", "")), "there is no token")
    wanted = {
        "AutoScalingGroupName": name,
        "LifecycleHookName": specified["LifecycleHookName"],
        "EC2InstanceId": instance,
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "conform",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    hold(wanted.items() <= detail.items(), f"the detail is {detail}")
    aws.client("autoscaling").complete_lifecycle_action(
        AutoScalingGroupName=name,
        LifecycleActionToken=event["detail"]["LifecycleActionToken"],
        LifecycleHookName=specified["LifecycleHookName"],
        LifecycleActionResult="ABANDON",
    )
    return "the token completes the action"


@question(QUEUE, code="monitor/plan", corrects="cloudwatch", minutes=2, dollars=0.001, left_out=NO_EVENTS)
def an_alarm_changes_its_state(aws: Account) -> str:
    """CloudWatch puts the change of an alarm's state on EventBridge by itself.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """
    from conformance.rules.cloudwatch import new_alarm

    cloudwatch, name = aws.client("cloudwatch"), new_alarm(aws)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="conformance")

    def about(events: list[Any]) -> list[Any]:
        return [one for one in events if one["detail"].get("alarmName") == name]

    (event, *_) = about(received(aws, lambda seen: bool(about(seen)), "the change of its state"))
    return f"{event['source']}: {event['detail-type']}, {event['detail']['state']['value']}"


STATE_OR_TAG = {
    "$or": [
        {"detail-type": ["EC2 Instance State-change Notification"]},
        {
            "detail-type": ["Tag Change on Resource"],
            "detail": {"changed-tag-keys": ["emq-elb:cluster"]},
        },
    ]
}


def event(kind: str, **detail: Any) -> str:
    """Return an event that TestEventPattern takes."""
    return json.dumps(
        {
            "version": "0",
            "id": "7bf73129-1428-4cd3-a780-95db273d1602",
            "detail-type": kind,
            "source": "aws.ec2",
            "account": "123456789012",
            "time": "2026-01-01T00:00:00Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": detail,
        }
    )


@rule(code="rules", corrects="events", left_out=NO_PATTERNS)
def one_pattern_for_two_kinds(aws: Account) -> None:
    """A pattern that filters changed-tag-keys rejects every other kind; with $or one pattern takes both.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    call = aws.client("events").test_event_pattern
    state = event("EC2 Instance State-change Notification", state="running")
    tag = event("Tag Change on Resource", **{"changed-tag-keys": ["emq-elb:cluster"]})
    other = event("Tag Change on Resource", **{"changed-tag-keys": ["colour"]})
    both = json.dumps(STATE_OR_TAG)
    narrow = json.dumps({"detail": {"changed-tag-keys": ["emq-elb:cluster"]}})
    seen = [call(EventPattern=both, Event=one)["Result"] for one in (state, tag, other)]
    same(seen, [True, True, False], "with $or it matches state, tag, another tag")
    seen = [call(EventPattern=narrow, Event=one)["Result"] for one in (state, tag, other)]
    same(seen, [False, True, False], "without it")


@rule(code="rules", corrects="events")
def a_rule_takes_such_a_pattern(aws: Account) -> str:
    """PutRule takes a pattern with $or, and refuses what is no pattern with InvalidEventPatternException.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
    """
    events, name = aws.client("events"), aws.name("rul")
    aws.defer(events.delete_rule, Name=name)
    events.put_rule(Name=name, EventPattern=json.dumps(STATE_OR_TAG), State="DISABLED", Tags=aws.tags)
    call = events.put_rule
    return refused(
        call, "InvalidEventPatternException", Name=aws.name("rul"), EventPattern="no pattern", Tags=aws.tags
    )
