"""What the chapters of the demo share: the lab they run in, and how they ask, watch and print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.demo import client
from lab.demo.client import Reply
from lab.demo.declaration import NAME
from lab.demo.story import hold
from lab.lab import Lab
from lab.machine.processes import until

TOPIC = "article/demo"
SECURE = 8883


@dataclass
class Story:
    """What the steps share: the lab, and what there was before."""

    lab: Lab
    callers: set[str] = field(default_factory=lambda: {"app"})
    """The access key ids that the app's own calls carry."""

    before: frozenset[str] = frozenset()
    sent: list[str] = field(default_factory=list)
    probes: list[tuple[datetime, Any]] = field(default_factory=list)
    """What the app answered when it was asked to probe, and when."""

    @property
    def url(self) -> str:
        """The load balancer's place in the app's API."""
        return f"{self.lab.api_url}/load-balancers/{NAME}"


def send(story: Story, where: list[str], payload: str) -> str:
    """Publish a message, wait until the subscriber has it, and return what `mosquitto_pub` said."""
    story.sent.append(payload)
    done = client.publish(where, TOPIC, payload)
    hold(done.returncode == 0, f"mosquitto_pub succeeds: {done.stdout}{done.stderr}")
    log = story.lab.directory / "subscriber.log"
    until(lambda: payload in log.read_text().splitlines(), 10, f"{payload!r} arrives")
    return done.stdout


def watch(story: Story, wanted: Callable[[dict[str, str]], bool], what: str) -> None:
    """Print each change of the nodes' states, by AWS's word, until they are as wanted."""
    printed: list[dict[str, str]] = []

    def looked() -> bool:
        seen = health(story)
        if seen not in printed[-1:]:
            printed.append(seen)
            print(f"   {', '.join(f'{name} {state}' for name, state in seen.items())}", flush=True)
        return wanted(seen)

    until(looked, 60, what, pause=0.2, seen=lambda: health(story))


def health(story: Story) -> dict[str, str]:
    """Return AWS's word on each node."""
    answer = story.lab.aws.elb().describe_instance_health(LoadBalancerName=NAME)
    states = {one["InstanceId"]: one["State"] for one in answer["InstanceStates"]}
    return {node.name: states.get(node.instance_id, "not registered") for node in story.lab.nodes}


def state(story: Story) -> str:
    """Return the app's word on the load balancer; empty while there is none."""
    reply = client.request("GET", story.url)
    return str(reply.body["state"]) if reply.status == 200 else ""


def owner(story: Story) -> str:
    """Return the deployment's name, by the load balancer's own tag."""
    (found,) = story.lab.aws.elb().describe_tags(LoadBalancerNames=[NAME])["TagDescriptions"]
    return next(tag.get("Value", "") for tag in found["Tags"] if tag["Key"] == "emq-elb:owner")


def show(body: dict[str, Any]) -> None:
    """Print actions and warnings."""
    for action in body["actions"]:
        print(f"   {action['action']}: {action['reason']}")
    for warning in body["warnings"]:
        print(f"   warning: {warning['message']}")


def refusal(reply: Reply) -> str:
    """Return an unexpected answer in one line."""
    detail = reply.body.get("detail", reply.body) if isinstance(reply.body, dict) else reply.body
    return f"{reply.status} {detail}"
