"""How the demo's chapters ask the app to probe, and bring back what they broke."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lab.demo import client
from lab.demo.declaration import NAME, declaration
from lab.demo.steps import Story, owner, refusal, watch
from lab.demo.story import hold
from lab.machine.processes import until
from lab.nodes import brokers


def revive(story: Story) -> None:
    """Start every broker that is not there, and wait until AWS says that it serves."""
    for node in story.lab.nodes:
        if not node.processes:
            brokers.revive(story.lab.cluster, node.instance_id)
    watch(story, lambda seen: set(seen.values()) == {"InService"}, "all are in service")


def put_back(story: Story) -> None:
    """Ask for the load balancer as it was declared: the plan is the way back; wait until all is well."""
    reply = client.request("PUT", story.url, declaration(story.lab))
    hold(reply.status in {200, 202}, f"the PUT answers 200 or 202, not {refusal(reply)}")
    for action in reply.body["actions"]:
        print(f"   {action['action']}: {action['reason']}")
    probed(story, "ok")


def named(story: Story, cause: str) -> str:
    """Probe until that is the cause, and return what the probe said of it."""
    found: list[Any] = []

    def seen() -> bool:
        answer = ask(story)
        found[:] = [one for one in answer["targets"] if one["cause"] == cause]
        show_verdict(answer)
        return bool(found)

    until(seen, 90, f"a probe says {cause}", pause=0.3, seen=lambda: story.probes[-1][1])
    return f"phase {found[0]['phase']}, cause {found[0]['cause']}"


def show_verdict(answer: Any) -> None:
    """Print the verdict, and of each address how far a device comes and why no farther."""
    seen = [
        f"{one['address']} {one['phase']}: {one['cause']}" if one["cause"] else f"{one['address']} ok"
        for one in answer["targets"]
    ]
    print(f"   {answer['verdict']}: {', '.join(seen)}", flush=True)


def probed(story: Story, verdict: str) -> Any:
    """Probe until the verdict is so, and return the answer."""
    answers: list[Any] = []

    def seen() -> bool:
        answers.append(ask(story))
        return bool(answers[-1]["verdict"] == verdict)

    until(seen, 60, f"a probe says {verdict}", pause=0.3, seen=lambda: story.probes[-1][1])
    return answers[-1]


def rings(story: Story, kind: str, state: str) -> datetime:
    """Wait until an alarm of the load balancer is in a state, by AWS's word; return since when."""
    name = f"{owner(story)}/{NAME}/{kind}"

    def now() -> str:
        (alarm,) = story.lab.aws.cloudwatch().describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return alarm["StateValue"]

    until(lambda: now() == state, 8 * story.lab.minute, f"the alarm {name} says {state}", pause=0.3, seen=now)
    changes = [change for change in story.lab.alarms if change.name == name]
    since = changes[-1].time
    print(f"   {since:%H:%M:%S} {name}: {state}", flush=True)
    return since


def minutes(story: Story, spent: timedelta) -> float:
    """Return a time in minutes as the lab's schedules and alarms count them."""
    return spent.total_seconds() / story.lab.minute


def ask(story: Story) -> Any:
    """Ask the app to probe; what it answers is kept for the report."""
    reply = client.request("POST", f"{story.url}/probe")
    hold(reply.status == 200, f"a probe answers 200, not {refusal(reply)}")
    story.probes.append((datetime.now(UTC), reply.body))
    return reply.body
