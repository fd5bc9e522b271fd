"""The article's story, played in the lab: asked for over HTTP, proven by a message, and cleared away.

Exit status 0 only if every step held.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from pathlib import Path

from lab.aws import Aws
from lab.cloudwatch.metrics import reader
from lab.demo import chapters_acme, chapters_deep, chapters_probe, chapters_register, chapters_rotate, client
from lab.demo.declaration import FILE, NAME, declaration, write_declaration
from lab.demo.pictures import Seen
from lab.demo.report import sampling, write
from lab.demo.steps import SECURE, TOPIC, Story, refusal, send, state, watch
from lab.demo.story import DidNotHoldError, Step, bold, hold, play, summary
from lab.inventory import of_load_balancers
from lab.lab import Lab, brokers_setting, open_lab
from lab.machine.processes import slowness, until
from lab.machine.tls import trusting
from lab.nodes import brokers
from lab.nodes.brokers import MQTT

# A minute of the app's schedules, in seconds: nobody waits a minute for a demo. A busy machine wants more.
MINUTE, LONGEST = 6.0, 15.0
REPORT = Path(__file__).parents[2] / ".lab" / "demo.html"


def quick(_aws: Aws) -> dict[str, str]:
    """Return the settings by which the app waits no longer than a demo has to."""
    return {"SETTLE_SECONDS": "2", "PROBE_TIMEOUT_SECONDS": str(min(10, math.ceil(3 * slowness())))}


def demo() -> int:
    """Play the story and return the exit status."""
    status = run("A load balancer for an MQTT cluster, end to end on this machine", reported)
    if status == 0:
        print(f"The pictures: {REPORT.resolve().as_uri()}")
    return status


def run(
    title: str, played: Callable[[Lab], tuple[Step, ...]], settings: Callable[[Aws], dict[str, str]] = quick
) -> int:
    """Open a lab, play a story in it, and return the exit status."""
    print(bold(title), flush=True)
    try:
        with open_lab(
            brokers_running=brokers_setting(),
            minute=min(LONGEST, MINUTE * slowness()),
            settings=settings,
            say=lambda text: print(f"   {text}", flush=True),
        ) as lab:
            steps = played(lab)
            print(f"\n{summary(steps)}\n", flush=True)
            hold(all(step.held for step in steps), f"It did not hold; the logs are in {lab.directory}")
    except DidNotHoldError as error:
        print(error)
        return 1
    print(closing(steps))
    return 0


def reported(lab: Lab) -> tuple[Step, ...]:
    """Play the article's story, and write its report."""
    story = Story(lab)
    with sampling(lab) as samples:
        steps = play(chapters(story), lab.aws.calls)
    points = reader(lab.directory / "functions.log")()
    write(REPORT, Seen(steps, story.probes, samples, points, lab.alarms, lab.minute))
    return steps


def closing(steps: tuple[Step, ...]) -> str:
    """Return the last line of a story that held."""
    seconds = sum(step.seconds for step in steps)
    return f"All {len(steps)} steps held, in {seconds:.0f} seconds; nothing is left running."


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    steps: list[tuple[str, Callable[[], str]]] = [
        ("Two instances, one cluster", lambda: clustered(story)),
        ("The review, before anything is made", lambda: reviewed(story)),
        ("The load balancer, on request", lambda: provisioned(story)),
        ("Read back at AWS's API", lambda: read_back(story)),
        ("Both instances in service", lambda: in_service(story)),
        ("A message through the TLS listener", lambda: delivered(story)),
        ("The same request again", lambda: unchanged(story)),
        *chapters_rotate.chapters(story),
        *chapters_acme.chapters(story),
    ]
    if all(node.processes for node in story.lab.nodes):  # brokers of LAB_BROKERS are not ours to kill
        steps += [
            ("One broker dies", lambda: survived(story)),
            *chapters_register.chapters(story),
            *chapters_probe.chapters(story),
            *chapters_deep.chapters(story),
        ]
    return [*steps, ("Deleted, and nothing left", lambda: deleted(story))]


def clustered(story: Story) -> str:
    """Publish at one node, receive at the other."""
    story.before = of_load_balancers(story.lab.aws)
    first, last = story.lab.nodes[0], story.lab.nodes[-1]
    client.subscribe(story.lab.processes, client.plainly(*first.endpoints[MQTT]), TOPIC)
    send(story, client.plainly(*last.endpoints[MQTT]), "from node to node")
    return f"{last.name} took it, {first.name} delivered it"


def reviewed(story: Story) -> str:
    """Show what would be made, and that showing it changes nothing."""
    write_declaration(story.lab)
    said = client.emq_elb(story.lab, "plan", FILE)
    client.show(said)
    hold(of_load_balancers(story.lab.aws) == story.before, "a plan makes nothing at AWS")
    hold("Plan: 1 to create" in said, "one load balancer is to be created")
    return "planned, and nothing made"


def provisioned(story: Story) -> str:
    """Ask for the load balancer, and wait where AWS makes one wait."""
    said = client.emq_elb(story.lab, "apply", FILE, "--yes", "--wait")
    client.show(said)
    hold(state(story) == "ready", "the load balancer is ready")
    return said.strip().splitlines()[-1]


def read_back(story: Story) -> str:
    """Ask AWS itself, by another client than the app's."""
    (found,) = story.lab.aws.elb().describe_load_balancers(LoadBalancerNames=[NAME])[
        "LoadBalancerDescriptions"
    ]
    for described in found["ListenerDescriptions"]:
        one = described["Listener"]
        behind = f"{one['InstanceProtocol']} {one['InstancePort']}"
        policies = " ".join(described["PolicyNames"])
        print(f"   {one['Protocol']} {one['LoadBalancerPort']} -> {behind}  {policies}")
    print(f"   checked by {found['HealthCheck']['Target']}, in {', '.join(found['AvailabilityZones'])}")
    listeners = {one["Listener"]["LoadBalancerPort"] for one in found["ListenerDescriptions"]}
    hold(SECURE in listeners, f"there is a listener on port {SECURE}")
    registered = {one["InstanceId"] for one in found["Instances"]}
    hold(registered == {node.instance_id for node in story.lab.nodes}, "exactly the nodes are registered")
    return f"{len(listeners)} listeners, {len(registered)} instances"


def in_service(story: Story) -> str:
    """Wait for the load balancer's own health checks."""
    watch(story, lambda seen: set(seen.values()) == {"InService"}, "all are in service")
    return f"{len(story.lab.nodes)} of {len(story.lab.nodes)}, by the load balancer's own checks"


def delivered(story: Story) -> str:
    """The article's own last step: `mosquitto_pub` through TLS, certificate and name verified."""
    authority = story.lab.directory / "private-ca.pem"
    authority.write_text(client.emq_elb(story.lab, "private-ca"))
    dns_name = client.request("GET", story.url).body["dns_name"]
    for address in story.lab.addresses(NAME).values():
        said = send(story, client.through_tls(address, SECURE, authority), f"through {address}")
        print("\n".join(f"   {line}" for line in said.splitlines()))
        for packet in ("sending CONNECT", "received CONNACK (0)", "sending PUBLISH", "sending DISCONNECT"):
            hold(packet in said, f"mosquitto_pub says {packet!r}")
        context = trusting(authority)
        with (
            socket.create_connection((address, SECURE), 10) as plain,
            context.wrap_socket(plain, server_hostname=dns_name) as secure,
        ):
            print(f"   {secure.version()}, certificate valid for {dns_name}")
    return "received behind the load balancer, certificate and host name verified"


def unchanged(story: Story) -> str:
    """The same PUT plans nothing and writes nothing."""
    before = len(story.lab.aws.calls)
    reply = client.request("PUT", story.url, declaration(story.lab))
    hold(reply.status == 200, f"the PUT answers 200, not {refusal(reply)}")
    hold(reply.body["changed"] is False and not reply.body["actions"], "nothing is changed")
    writes = [
        call.operation
        for call in story.lab.aws.calls[before:]
        if call.caller in story.callers and not call.operation.startswith(("Describe", "List", "Get"))
    ]
    hold(not writes, f"no write at AWS, not {', '.join(writes)}")
    return "no change, no write"


def survived(story: Story) -> str:
    """Kill a broker; messages flow on, before and after its instance is out of service."""
    victim = story.lab.nodes[-1]
    brokers.kill(story.lab.cluster, victim)
    print(f"   {victim.name} is killed")
    address = next(iter(story.lab.addresses(NAME).values()))
    where = client.through_tls(address, SECURE, story.lab.directory / "private-ca.pem")
    for number in range(4):
        send(story, where, f"at once {number}")
    watch(story, lambda seen: seen[victim.name] == "OutOfService", f"{victim.name} is out of service")
    for number in range(4):
        send(story, where, f"afterwards {number}")
    return f"{victim.name} out of service, 8 of 8 messages delivered meanwhile"


def deleted(story: Story) -> str:
    """Delete the load balancer, and find AWS as it was."""
    # A member is still in service, and this is the end.
    client.show(client.emq_elb(story.lab, "delete", NAME, "--force", "--yes"))
    return gone(story)


def gone(story: Story) -> str:
    """Wait until AWS is as it was before the load balancer."""
    until(lambda: of_load_balancers(story.lab.aws) == story.before, 60, "AWS is as it was before", pause=0.2)
    hold(client.request("GET", story.url).status == 404, "the load balancer is gone")
    return "no load balancer, certificate or security group that was not there before"
