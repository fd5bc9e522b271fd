"""The rehearsal's steps on what goes on after an answer: one deployed function invokes another."""

from __future__ import annotations

from collections.abc import Callable

from lab.demo import chapters_deep, client, demo
from lab.demo.client import Reply
from lab.demo.declaration import NAME, declaration
from lab.demo.steps import refusal, show, state
from lab.demo.story import hold
from lab.fidelity.knobs import KNOBS
from lab.machine.processes import until
from lab.rehearsal.chapters_events import fired
from lab.rehearsal.inventory import inventory
from lab.rehearsal.rehearsal import NEVER, Rehearsal


def created(rehearsal: Rehearsal) -> str:
    """Ask for the load balancer while ELB does not know its certificate: `provision` makes it in the end."""
    story, provision = rehearsal.story, f"{rehearsal.owner}-provision"
    reply = handed_over(
        rehearsal,
        lambda: client.request("PUT", story.url, declaration(story.lab)),
        held_up_by="certificate_propagation_seconds",
        at="CreateLoadBalancer",
    )
    until(lambda: state(story) == "ready", 60, "the load balancer is ready", pause=0.2)
    ended = until(lambda: outcomes(rehearsal, provision), 30, f"{provision} ends")
    hold(ended == ["ready"], f"{provision} says that it is ready, not {ended}")
    return f"{reply.status}; {provision} made the load balancer, and it is ready"


def handed_over(rehearsal: Rehearsal, ask: Callable[[], Reply], *, held_up_by: str, at: str) -> Reply:
    """Ask while AWS holds on to something; let go once `provision`, not the API, is kept waiting at a call.

    `held_up_by` is the knob. The call succeeds in the end, and it is `provision` that makes it.
    """
    provision, called = f"{rehearsal.owner}-provision", len(rehearsal.aws.calls)

    def who(operation: str, status: int) -> set[str]:
        calls = rehearsal.aws.calls[called:]
        return {call.caller for call in calls if (call.operation, call.status) == (operation, status)}

    setattr(KNOBS, held_up_by, NEVER)
    reply = ask()
    pending = reply.status == 202 and reply.body["state"] == "pending"
    hold(pending, f"the answer is 202, pending, not {refusal(reply)}")
    show(reply.body)
    asked = who(f"POST /2015-03-31/functions/{provision}/invocations", 202)
    hold(asked == {rehearsal.owner}, f"the API's function invokes {provision}, not {asked or 'nobody'}")
    until(lambda: provision in who(at, 400), 30, f"AWS keeps {provision} waiting")
    setattr(KNOBS, held_up_by, 0.0)
    made = until(lambda: who(at, 200), 60, f"{at} succeeds")
    hold(made == {provision}, f"it is {provision} whose {at} succeeds, not {made}")
    return reply


def outcomes(rehearsal: Rehearsal, function: str) -> list[str]:
    """Return how each invocation of a function ended, by its own word or its error."""
    return [
        outcome.error or outcome.payload["outcome"]
        for name, outcome in rehearsal.functions.outcomes
        if name == function
    ]


def watched(rehearsal: Rehearsal) -> str:
    """See that `provision`, which the API's function invokes, made what watches the load balancer."""

    def made() -> list[str]:
        there = inventory(rehearsal.aws)
        return sorted(one for one in there if one.startswith(("alarm", "dashboard")))

    until(lambda: any(one.startswith("dashboard") for one in made()), 60, "there is a dashboard", pause=0.2)
    for one in made():
        print(f"   {one}")
    hold(sum(NAME in one for one in made()) == 3, "three alarms watch the load balancer")
    return f"{len(made())} made by {rehearsal.owner}-provision"


def deep(rehearsal: Rehearsal) -> str:
    """Let the schedule of the hour fire, and read what it found; a session is left idle for seconds only."""
    story, name = rehearsal.story, f"{rehearsal.owner}-deep_probe"
    put(rehearsal, keepalive=chapters_deep.KEEPALIVE)
    fired(rehearsal, "deep_probe")
    (report,) = chapters_deep.records(story.lab.directory / f"{name}.log")
    chapters_deep.show(report)
    hold(report["result"] == "passed", f"all of it passes, not {report['result']}")
    put(rehearsal)
    return f"{name} found nothing wrong in {len(report['findings'])} checks"


def put(rehearsal: Rehearsal, **changes: object) -> None:
    """Ask for the load balancer as it was declared, but for the changes."""
    reply = client.request("PUT", rehearsal.story.url, declaration(rehearsal.story.lab) | changes)
    hold(reply.status == 200, f"the PUT answers 200, not {refusal(reply)}")


def deleted(rehearsal: Rehearsal, before: frozenset[str]) -> str:
    """Delete the load balancer over the API while AWS holds on to its interfaces: `provision` finishes it."""
    story = rehearsal.story
    handed_over(
        rehearsal,
        lambda: client.request("DELETE", f"{story.url}?force=true"),
        held_up_by="interface_linger_seconds",
        at="DeleteSecurityGroup",
    )
    said = demo.gone(story)
    ours = ("load balancer", "server certificate", "security group", "alarm", "dashboard")

    def left() -> set[str]:
        return {one for one in inventory(rehearsal.aws) - before if one.startswith(ours)}

    until(lambda: not left(), 60, "alarms and dashboard are gone too", pause=0.2)
    return f"{said}, no alarm and no dashboard"
