"""A classic and a network load balancer of one cluster and one name: a fleet of devices moves between them.

Exit status 0 only if every step held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.aws import Aws
from lab.demo import client, devices
from lab.demo.declaration import HEALTH_CHECK, write_yaml
from lab.demo.demo import quick, run
from lab.demo.steps import SECURE, Story
from lab.demo.story import hold, play
from lab.elb.network import key
from lab.inventory import of_load_balancers
from lab.machine.processes import until

CLASSIC, NETWORK = "devices-classic", "devices-network"
CLUSTER, DOMAIN, HOSTNAME = "devices", "devices.example", "mqtt.devices.example"
ALL, HALF, NONE = 255, 128, 0
"""Weights in Route 53: shares of the answers."""


@dataclass
class Move:
    """What the steps share."""

    story: Story
    weights: dict[str, int] = field(default_factory=dict)
    """By load balancer, those of the record; empty while it has none."""

    fleet: devices.Fleet = field(init=False)

    def sessions(self) -> dict[str, int]:
        """Return how many devices have a session at each load balancer."""
        lab = self.story.lab
        addresses = {CLASSIC: lab.addresses(CLASSIC), NETWORK: lab.addresses(key(NETWORK))}
        return self.fleet.seen().by_load_balancer(addresses)


def demo_network() -> int:
    """Play the story and return the exit status."""
    return run(
        "A fleet of devices moves from a classic to a network load balancer, by its name",
        lambda lab: play(chapters(Story(lab)), lab.aws.calls),
        with_a_zone,
    )


def with_a_zone(aws: Aws) -> dict[str, str]:
    """Make a hosted zone, and return the settings by which the app may keep records in it."""
    made = aws.route53().create_hosted_zone(Name=DOMAIN, CallerReference="demo")
    return {**quick(aws), "DNS_ZONES": made["HostedZone"]["Id"].rpartition("/")[2]}


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    move = Move(story)
    return [
        ("A classic load balancer, and a name for it", lambda: named(move)),
        ("A fleet of devices that knows the name alone", lambda: connected(move)),
        ("A network load balancer for the same nodes", lambda: beside(move)),
        ("A node joins both", lambda: joined(move)),
        ("The name has weights", lambda: weighted(move)),
        ("Half of the new sessions go to the network one", lambda: half(move)),
        ("Back again", lambda: moved(move, CLASSIC)),
        ("All new sessions go to the network one", lambda: moved(move, NETWORK)),
        ("Another certificate for the network one", lambda: rotated(move)),
        ("The classic one is deleted", lambda: without_classic(move)),
        ("The network one is deleted, and nothing left", lambda: nothing_left(move)),
    ]


def body(move: Move, name: str) -> dict[str, Any]:
    """Return the declaration of one of the two."""
    lab = move.story.lab
    return {
        "name": name,
        "type": "network" if name == NETWORK else "classic",
        "cluster": CLUSTER,
        "subnets": list(lab.vpc.subnets.values()),
        "listeners": [
            {
                "protocol": "TLS" if name == NETWORK else "SSL",
                "port": SECURE,
                "instance_protocol": "TCP",
                "instance_port": 1883,
            }
        ],
        "instances": [node.instance_id for node in lab.nodes],
        "certificate": {"issuer": "private-ca", "domains": [HOSTNAME]},
        "hostname": HOSTNAME,
        "dns": {"weight": move.weights[name]} if name in move.weights else name == CLASSIC,
        "keepalive": 60,
        "health_check": HEALTH_CHECK,
    }


def apply(move: Move, name: str) -> str:
    """Declare it as it should be now, wait until it is, and return what was said last."""
    file = f"{name}.yaml"
    write_yaml(move.story.lab, file, body(move, name))
    said = client.emq_elb(move.story.lab, "apply", file, "--yes", "--wait")
    client.show(said)
    return said.strip().splitlines()[-1]


def weigh(move: Move, **weights: int) -> None:
    """Give the name's records these weights, the greater first: never does none have a share."""
    for name, weight in sorted(weights.items(), key=lambda one: -one[1]):
        named = {"classic": CLASSIC, "network": NETWORK}[name]
        if move.weights.get(named) != weight:
            move.weights[named] = weight
            apply(move, named)


def healthy(aws: Aws) -> dict[str, set[str]]:
    """Return the instances that each of the two calls healthy."""
    states = aws.elb().describe_instance_health(LoadBalancerName=CLASSIC)["InstanceStates"]
    in_service = {one["InstanceId"] for one in states if one["State"] == "InService"}
    return {CLASSIC: in_service, NETWORK: healthy_targets(aws)}


def healthy_targets(aws: Aws) -> set[str]:
    """Return the instances that are healthy in any target group."""
    elbv2 = aws.elbv2()
    return {
        described["Target"]["Id"]
        for group in elbv2.describe_target_groups()["TargetGroups"]
        for described in elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
            "TargetHealthDescriptions"
        ]
        if described["TargetHealth"]["State"] == "healthy"
    }


def wait_until_healthy(move: Move, *names: str) -> None:
    """Wait until every node is healthy at these load balancers."""
    nodes = {node.instance_id for node in move.story.lab.nodes}
    until(
        lambda: all(healthy(move.story.lab.aws)[name] == nodes for name in names),
        90,
        f"all nodes are healthy at {', '.join(names)}",
        pause=0.3,
        seen=lambda: healthy(move.story.lab.aws),
    )


def named(move: Move) -> str:
    """Make the classic load balancer, with an alias record for its name."""
    move.story.before = of_load_balancers(move.story.lab.aws)
    apply(move, CLASSIC)
    wait_until_healthy(move, CLASSIC)
    shown = client.request("GET", f"{move.story.lab.api_url}/load-balancers/{CLASSIC}").body["dns"]
    hold(bool(shown["answers"]), f"Route 53 answers for {HOSTNAME}, not {shown}")
    return f"{HOSTNAME} leads to {', '.join(shown['answers'])}"


def connected(move: Move) -> str:
    """Start the devices."""
    authority = move.story.lab.directory / "private-ca.pem"
    authority.write_text(client.emq_elb(move.story.lab, "private-ca"))
    move.fleet = devices.start(move.story.lab, HOSTNAME, SECURE, authority)
    hold(move.sessions() == {CLASSIC: devices.COUNT, NETWORK: 0}, "all sessions are at the classic one")
    return f"{devices.COUNT} devices, all with a session at the classic one"


def beside(move: Move) -> str:
    """Make the network load balancer; nothing leads a device to it yet."""
    apply(move, NETWORK)
    wait_until_healthy(move, NETWORK)
    return "the same nodes are healthy at both, and no device has noticed"


def joined(move: Move) -> str:
    """Launch a node with the cluster's tag."""
    node = move.story.lab.run_node("node-joined", {"emq-elb:cluster": CLUSTER})
    wait_until_healthy(move, CLASSIC, NETWORK)
    return f"{node.name} is healthy at both, by its tag alone"


def weighted(move: Move) -> str:
    """Exchange the simple record for a weighted one, under open sessions."""
    weigh(move, classic=ALL)
    weigh(move, network=NONE)
    move.fleet.start_again()
    hold(move.sessions()[NETWORK] == 0, f"a share of 0 gets no session, not {move.sessions()}")
    return f"{CLASSIC} {ALL}, {NETWORK} {NONE}; new sessions still go to the classic one"


def half(move: Move) -> str:
    """Share the answers evenly, and let devices start again until both have sessions."""
    weigh(move, network=HALF, classic=HALF)
    for _ in range(12):
        move.fleet.start_again()
        if all(move.sessions().values()):
            break
    hold(all(move.sessions().values()), f"both have sessions, not {move.sessions()}")
    return ", ".join(f"{count} at {name}" for name, count in move.sessions().items())


def moved(move: Move, name: str) -> str:
    """Give one of the two all answers, and let every device start again once."""
    one, other = ("classic", "network") if name == CLASSIC else ("network", "classic")
    weigh(move, **{one: ALL, other: NONE})
    move.fleet.start_again()
    move.fleet.start_again()
    hold(move.sessions()[name] == devices.COUNT, f"all sessions are at {name}, not {move.sessions()}")
    return f"{devices.COUNT} of {devices.COUNT} at {name}; {devices.unharmed(move.fleet)}"


def rotated(move: Move) -> str:
    """Replace the certificate of the network load balancer while the fleet is connected to it."""
    before = move.fleet.seen()
    client.show(client.emq_elb(move.story.lab, "rotate", NETWORK))
    move.fleet.start_again()
    hold(move.fleet.seen().drops == before.drops, "no session is dropped by another certificate")
    return devices.unharmed(move.fleet)


def without_classic(move: Move) -> str:
    """Delete the load balancer that the fleet has left."""
    del move.weights[CLASSIC]
    client.show(client.emq_elb(move.story.lab, "delete", CLASSIC, "--force", "--yes"))
    url = f"{move.story.lab.api_url}/load-balancers/{CLASSIC}"
    until(lambda: client.request("GET", url).status == 404, 120, f"{CLASSIC} is gone", pause=1)
    move.fleet.start_again()
    members = healthy_targets(move.story.lab.aws)
    hold(len(members) == len(move.story.lab.nodes), f"the nodes stay at {NETWORK}, not {members} alone")
    return devices.unharmed(move.fleet)


def nothing_left(move: Move) -> str:
    """Delete the other one too, and find AWS as it was."""
    move.story.lab.processes.end(move.fleet.process)
    client.show(client.emq_elb(move.story.lab, "delete", NETWORK, "--force", "--yes"))
    until(
        lambda: of_load_balancers(move.story.lab.aws) == move.story.before,
        120,
        "AWS is as it was before",
        pause=1,
        seen=lambda: of_load_balancers(move.story.lab.aws) ^ move.story.before,
    )
    return "no load balancer, target group, certificate, security group or record that was not there before"
