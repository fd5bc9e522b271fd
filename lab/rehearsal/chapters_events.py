"""The rehearsal's steps on rules and schedules: what is deployed decides who hears of what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lab.certificates import issuer
from lab.cloudwatch.metrics import embedded
from lab.demo import chapters_rotate, client
from lab.demo.chapters_register import CLUSTER, registered
from lab.demo.declaration import NAME, declaration
from lab.demo.steps import owner, refusal, watch
from lab.demo.story import hold
from lab.events import Delivery
from lab.lambda_.api import ROOT
from lab.machine.processes import until
from lab.nodes import brokers
from lab.rehearsal.rehearsal import Rehearsal

ACM_WARNS = ROOT / "events" / "acm-approaching-expiration.json"


def chapters(rehearsal: Rehearsal) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    return [
        ("Schedules fire", lambda: scheduled(rehearsal)),
        ("A certificate with five days left, replaced by its schedule", lambda: rotated(rehearsal)),
        ("An event that a rule routes, and some that none does", lambda: routed(rehearsal)),
        ("Spot takes an instance back", lambda: drained(rehearsal)),
        ("ACM warns of a certificate of its own", lambda: warned(rehearsal)),
    ]


def scheduled(rehearsal: Rehearsal) -> str:
    """Let each schedule of a minute fire, and see what the probe measured."""
    fired(rehearsal, "reconcile")
    fired(rehearsal, "probe")
    measured = probed(rehearsal)
    hold(measured == [1.0], f"ProbeSuccess is 1, not {measured}")
    fired(rehearsal, "rotate")
    every = {
        f"{rule.function}: {rule.minutes} min" for rule in rehearsal.story.lab.events.rules if rule.minutes
    }
    for one in sorted(every):
        print(f"   {one}")
    return "reconcile, probe and rotate answered; ProbeSuccess 1"


def fired(rehearsal: Rehearsal, function: str) -> Delivery:
    """Let a function's schedule fire, and return the delivery once it succeeded."""
    bridge, name = rehearsal.story.lab.events, f"{rehearsal.owner}-{function}"
    (rule,) = [rule for rule in bridge.rules if rule.function == name and rule.minutes]
    before = len(bridge.delivered)

    def answered() -> list[Delivery]:
        return [one for one in bridge.delivered[before:] if one.function == name]

    bridge.fire(rule)
    (delivery,) = until(answered, 120, f"{name} answers its schedule")
    hold(delivery.error is None, f"{name} succeeds: {delivery.error}")
    return delivery


def probed(rehearsal: Rehearsal) -> list[float]:
    """Return what the scheduled probe measured as `ProbeSuccess`, by its own log."""
    log = (rehearsal.story.lab.directory / f"{rehearsal.owner}-probe.log").read_text()
    points = [point for line in log.splitlines() for point in embedded(line)]
    return [point.value for point in points if point.name == "ProbeSuccess"]


def rotated(rehearsal: Rehearsal) -> str:
    """Serve a certificate that ends soon, renew it in its secret, and let the schedule find it."""
    story = rehearsal.story
    print(f"   {chapters_rotate.nearly_over(story)}")
    before = chapters_rotate.serials(story)
    signer = issuer.authority(story.lab.aws, owner(story))
    renewed = issuer.bundle(signer, chapters_rotate.domains(story), 89)
    issuer.keep(story.lab.aws, chapters_rotate.SECRET, renewed)
    fired(rehearsal, "rotate")
    serials = until(lambda: chapters_rotate.serials(story) - before, 30, "the new serial is on the wire")
    hold(serials == {chapters_rotate.serial(story)}, "it is the one that AWS says is served")
    reply = client.request("PUT", story.url, declaration(story.lab))
    hold(reply.status in {200, 202}, f"the private CA serves again, not {refusal(reply)}")
    until(lambda: chapters_rotate.source(story) == "private-ca", 60, "the private CA serves again", pause=0.2)
    until(lambda: chapters_rotate.serials(story) == {chapters_rotate.serial(story)}, 60, "it is on the wire")
    secrets = story.lab.aws.secretsmanager()
    secrets.delete_secret(SecretId=chapters_rotate.SECRET, ForceDeleteWithoutRecovery=True)
    return f"{rehearsal.owner}-rotate installed it, seen at {len(story.lab.addresses(NAME))} addresses"


def routed(rehearsal: Rehearsal) -> str:
    """Start an instance and tag it: only that it runs, and the cluster's tag, are let through."""
    story, ec2 = rehearsal.story, rehearsal.aws.ec2()
    heard = len(story.lab.events.delivered)
    node = story.lab.run_node("third", spot=True)
    ec2.create_tags(Resources=[node.instance_id], Tags=[{"Key": "colour", "Value": "blue"}])
    until(lambda: about(rehearsal, heard, "state") == ["running"], 60, "register hears of it running")
    # One look may be under way; the next has seen the colour, so that the other tag is an event of its own.
    bridge = story.lab.events
    looks = bridge.looks + 2
    until(lambda: bridge.looks >= looks, 60, "the colour is seen")
    ec2.create_tags(Resources=[node.instance_id], Tags=[CLUSTER])
    watch(story, lambda seen: seen[node.name] == "InService", f"{node.name} is in service")
    tags = about(rehearsal, heard, "changed-tag-keys")
    hold(tags == [["emq-elb:cluster"]], f"of its tags only the cluster's is heard of, not {tags}")
    states = about(rehearsal, heard, "state")
    hold(states == ["running"], f"of its states only running is heard of, not {states}")
    return f"{node.name} is in service; neither its other tag nor another state woke anybody"


def about(rehearsal: Rehearsal, heard: int, key: str) -> list[Any]:
    """Return what the delivered events since say under a key of their details."""
    events = [one.event for one in rehearsal.story.lab.events.delivered[heard:]]
    return [event["detail"][key] for event in events if key in event["detail"]]


def drained(rehearsal: Rehearsal) -> str:
    """Warn of an interruption: `drain` hears of it, `register` does not, and the instance leaves."""
    story = rehearsal.story
    node = next(node for node in story.lab.nodes if node.name == "third")
    heard = len(story.lab.events.delivered)
    story.lab.events.interrupt(node.instance_id)
    until(lambda: node.instance_id not in registered(story), 30, f"{node.name} is deregistered", pause=0.1)
    who = answered_by(rehearsal, heard, "drain")
    brokers.terminate(story.lab.cluster, node)
    return f"{who} took {node.name} out before its end"


def warned(rehearsal: Rehearsal) -> str:
    """Warn of a certificate that serves nowhere here: that is heard, and is nothing to do about."""
    heard = len(rehearsal.story.lab.events.delivered)
    rehearsal.story.lab.events.put(json.loads(ACM_WARNS.read_text()))
    return f"{answered_by(rehearsal, heard, 'expiring')} heard of it"


def answered_by(rehearsal: Rehearsal, heard: int, function: str) -> str:
    """Wait for the answer to the one event since; hold that it is this function's; return its name."""
    bridge, name = rehearsal.story.lab.events, f"{rehearsal.owner}-{function}"
    until(lambda: len(bridge.delivered) > heard, 30, "the event is answered")
    who = [one.function for one in bridge.delivered[heard:]]
    hold(who == [name], f"{name} answers it, not {', '.join(who)}")
    return name
