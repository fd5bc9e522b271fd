"""The demo's chapters on membership: instances come and go, and nobody calls anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cloudwatch import metrics
from lab.demo import client
from lab.demo.declaration import NAME
from lab.demo.steps import SECURE, Story, send, watch
from lab.demo.story import hold
from lab.machine.processes import Process, until
from lab.nodes import brokers
from lab.nodes.brokers import IMAGE, Node

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef

KEY = "emq-elb:cluster"
CLUSTER: TagTypeDef = {"Key": KEY, "Value": NAME}
SESSIONS_TOPIC = "sessions/demo"
BURST = 40


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    return [
        ("A third instance takes traffic, by its tag alone", lambda: joined(story)),
        ("A fourth one comes, and loses its tag", lambda: untagged(story)),
        (
            "Spot takes the third one back, and its open session lives on meanwhile",
            lambda: interrupted(story),
        ),
        ("An instance is terminated", lambda: terminated(story)),
        (f"{BURST} instances at once, answered with few looks", lambda: burst(story)),
    ]


def joined(story: Story) -> str:
    """Start an instance that carries the tag; wait until it is in service, and publish until it gets some."""
    node = story.lab.run_node("third", {KEY: NAME}, spot=True)
    watch(story, lambda seen: seen[node.name] == "InService", f"{node.name} is in service")
    before = accepted(story, node)
    for number in range(20):
        send(story, through(story), f"for the {node.name} {number}")
        if accepted(story, node) > before:
            return f"{node.name} took message {number + 1}"
    hold(False, f"{node.name} takes a message")
    return ""


def untagged(story: Story) -> str:
    """Tag a running instance, take the tag off again, and see it follow."""
    node, ec2 = story.lab.run_node("fourth"), story.lab.aws.ec2()
    ec2.create_tags(Resources=[node.instance_id], Tags=[CLUSTER])
    watch(story, lambda seen: seen[node.name] == "InService", f"{node.name} is in service")
    ec2.delete_tags(Resources=[node.instance_id], Tags=[{"Key": KEY}])
    until(lambda: node.instance_id not in registered(story), 60, f"{node.name} is deregistered", pause=0.1)
    return f"{node.name} came with its tag and went with it"


def interrupted(story: Story) -> str:
    """Warn of an interruption; the node drains, its session still receives, and then it is gone."""
    node = named(story, "third")
    log = session_on(story, node)
    story.lab.events.interrupt(node.instance_id)
    until(lambda: node.instance_id not in registered(story), 30, f"{node.name} is deregistered", pause=0.1)
    print(f"   {node.name} is deregistered, and drains")
    said = client.publish(through(story), SESSIONS_TOPIC, "still there")
    hold(said.returncode == 0, "the others take messages")
    until(lambda: "still there" in log.read_text(), 10, "the open session receives while its node drains")
    brokers.terminate(story.lab.cluster, node)
    return f"{node.name} was drained before it ended, and its open session received meanwhile"


def terminated(story: Story) -> str:
    """Terminate the fourth instance, a member again, as a person would."""
    node, ec2 = named(story, "fourth"), story.lab.aws.ec2()
    ec2.create_tags(Resources=[node.instance_id], Tags=[CLUSTER])
    until(lambda: node.instance_id in registered(story), 60, f"{node.name} is a member again", pause=0.1)
    brokers.terminate(story.lab.cluster, node)
    until(lambda: node.instance_id not in registered(story), 60, f"{node.name} is gone", pause=0.1)
    send(story, through(story), "after the end")
    return f"{node.name} is gone, messages flow"


def burst(story: Story) -> str:
    """Start many instances in one call, end them in another, and count the looks and the changes."""
    ec2, events = story.lab.aws.ec2(), story.lab.events
    heard, looked, called = len(events.delivered), looks(story), len(story.lab.aws.calls)
    reconciled = looks(story, "reconcile")
    members = registered(story)
    started = ec2.run_instances(
        ImageId=IMAGE,
        InstanceType="t3.small",
        MinCount=BURST,
        MaxCount=BURST,
        SubnetId=next(iter(story.lab.vpc.subnets.values())),
        TagSpecifications=[{"ResourceType": "instance", "Tags": [CLUSTER]}],
    )
    ids = {one["InstanceId"] for one in started["Instances"]}
    until(lambda: ids <= registered(story), 60, "all of them are registered", pause=0.1)
    ec2.terminate_instances(InstanceIds=sorted(ids))

    def answered() -> bool:
        about = [one.event["detail"].get("instance-id") for one in events.delivered[heard:]]
        return sum(id_ in ids for id_ in about) >= 2 * BURST

    until(answered, 60, "every event is answered", pause=0.1)
    until(lambda: registered(story) == members, 60, "all of them are gone", pause=0.1)
    calls = [
        call
        for call in story.lab.aws.calls[called:]
        if call.caller == "app" and call.operation.startswith("RegisterInstances")
    ]
    refused = sum(call.status >= 400 for call in calls)
    few = looks(story) - looked
    # `reconcile` looks as well, and one look may be under way.
    all_looks = few + looks(story, "reconcile") - reconciled + 1
    hold(few <= 8, f"few looks, not {few}")
    # A look makes one call. AWS refuses it when it raced with the end of the instances; one more is for those
    # that are still there.
    hold(refused <= all_looks, f"at most one call refused a look, not {refused} in {all_looks} looks")
    hold(
        len(calls) - refused <= all_looks,
        f"at most one call taken a look, not {len(calls) - refused} in {all_looks} looks",
    )
    hold(len(calls) < BURST / 2, f"few calls, not {len(calls)}")
    return f"{2 * BURST} events, {few} looks, {len(calls)} RegisterInstances for {BURST} instances"


def through(story: Story) -> list[str]:
    """Return mosquitto's options for the load balancer's TLS listener."""
    address = next(iter(story.lab.addresses(NAME).values()))
    return client.through_tls(address, SECURE, story.lab.directory / "private-ca.pem")


def registered(story: Story) -> set[str]:
    """Return the registered instances, by AWS's word."""
    (found,) = story.lab.aws.elb().describe_load_balancers(LoadBalancerNames=[NAME])[
        "LoadBalancerDescriptions"
    ]
    return {instance["InstanceId"] for instance in found["Instances"]}


def named(story: Story, name: str) -> Node:
    """Return the node of that name."""
    return next(node for node in story.lab.nodes if node.name == name)


def accepted(story: Story, node: Node) -> int:
    """Return how many MQTT clients the node's broker has taken so far, by its own log."""
    return (story.lab.directory / f"{node.name}.log").read_text().count("New client connected")


def session_on(story: Story, node: Node) -> Path:
    """Open sessions through the load balancer until one is on that node; return its log."""
    others: list[Process] = []
    try:
        for number in range(20):
            name = f"session-{number}"
            where = [*through(story), "-i", name, "-k", "30"]
            opened = client.subscribe(story.lab.processes, where, SESSIONS_TOPIC, name)
            if f" as {name} " in (story.lab.directory / f"{node.name}.log").read_text():
                print(f"   {name} is open, on {node.name}")
                return opened.log
            others.append(opened)
    finally:
        for other in others:
            story.lab.processes.end(other)
    hold(False, f"a session is on {node.name}")
    return Path()


def looks(story: Story, function: str = "register") -> int:
    """Return how many looks the function has taken, by its own log; an event answered already took none."""
    counted = 0
    for line in (story.lab.directory / "functions.log").read_text().splitlines():
        if f'"function":"{function}"' in line:
            about = (one for one in metrics.records(line) if one.get("function") == function)
            counted += sum("left_out" in one for one in about)
    return counted
