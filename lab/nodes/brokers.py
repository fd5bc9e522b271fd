"""The nodes: EC2 instances at AWS's API, each with a real mosquitto behind it, bridged into a cluster.

Each node's bridge leads to the *backplane*, one more mosquitto that no load balancer knows. Bridges from
node to node would pass a message round in circles as soon as there are three; a star cannot, and with a
centre that is no node it holds whichever node dies. Freezing the backplane splits the cluster.
"""

from __future__ import annotations

import getpass
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.elb.haproxy import Endpoint
from lab.machine.addresses import NODE_HOSTS, Network, answers, free_port, port_or_free
from lab.machine.processes import Process, Processes, until, with_server_paths

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import TagTypeDef

MQTT = 1883
DASHBOARD = 18083
BRIDGE_STATE = "$SYS/broker/connection/+/state"
IMAGE = "ami-12c6146b"  # one that moto knows: EC2 there starts nothing


@dataclass(frozen=True)
class Node:
    """One broker: its instance, the addresses that stand for its ports, and its processes.

    `processes` is empty for a broker that `LAB_BROKERS` names, and while the node is stopped.
    """

    instance_id: str
    name: str
    endpoints: Mapping[int, Endpoint]
    processes: tuple[Process, ...] = ()

    @property
    def address(self) -> str:
        """Where it accepts MQTT, without the port."""
        return self.endpoints[MQTT][0]


class Broker(Mapping[int, Endpoint]):
    """Where a broker of `LAB_BROKERS` is: MQTT's port as it was given, any other on the same host."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    def __getitem__(self, port: int) -> Endpoint:
        """Return the address and port that stand for an instance port."""
        return self.host, self.port if port == MQTT else port

    def __iter__(self) -> Iterator[int]:
        """Yield the ports that every node has."""
        return iter((MQTT, DASHBOARD))

    def __len__(self) -> int:
        """Return their number."""
        return 2


@dataclass
class Cluster:
    """The nodes of a lab by instance id, and what is needed to start more."""

    ec2: EC2Client
    processes: Processes
    network: Network
    directory: Path
    backplane: Process | None = None
    backplane_port: int = MQTT
    nodes: dict[str, Node] = field(default_factory=dict)
    external: list[Endpoint] = field(default_factory=list)
    """Brokers that run already and have no instance yet."""

    def endpoints(self, instance_id: str) -> Mapping[int, Endpoint]:
        """Return where an instance's ports really are; none for an instance that is no node."""
        node = self.nodes.get(instance_id)
        return node.endpoints if node else {}


def external_brokers(setting: str) -> list[Endpoint]:
    """Read `LAB_BROKERS`: `host:port` pairs between commas; names are resolved: HAProxy wants addresses.

    Raises ValueError, with the pair, for what is none.
    """
    found = []
    for pair in filter(None, (part.strip() for part in setting.split(","))):
        host, _, port = pair.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"LAB_BROKERS: {pair!r} is not host:port")
        try:
            found.append((socket.gethostbyname(host), int(port)))
        except OSError as error:
            raise ValueError(f"LAB_BROKERS: {host!r} does not resolve ({error})") from error
    return found


def start_backplane(cluster: Cluster) -> None:
    """Start the broker that the nodes' bridges meet at."""
    address, port = cluster.network.backplane, free_port(cluster.network.backplane)
    configuration = _write(cluster.directory / "backplane.conf", mosquitto(address, port))
    cluster.backplane_port = port
    cluster.backplane = cluster.processes.start(
        "backplane", ["mosquitto", "-c", str(configuration)], ready=lambda: answers(address, port)
    )


def run(
    cluster: Cluster,
    name: str,
    subnet: str,
    *,
    security_groups: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    spot: bool = False,
) -> Node:
    """Run a new instance with a broker on it, and return it when it is clustered."""
    market: dict[str, Any] = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
    tag_list: list[TagTypeDef] = [
        {"Key": key, "Value": value} for key, value in {"Name": name, **(tags or {})}.items()
    ]
    (instance,) = cluster.ec2.run_instances(
        ImageId=IMAGE,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=list(security_groups),
        TagSpecifications=[{"ResourceType": "instance", "Tags": tag_list}],
        **market,
    )["Instances"]
    instance_id = instance["InstanceId"]
    if cluster.external:
        host, port = cluster.external.pop(0)
        cluster.nodes[instance_id] = Node(instance_id, name, Broker(host, port))
        return cluster.nodes[instance_id]
    taken = {node.address for node in cluster.nodes.values()}
    address = next(at for at in map(cluster.network.host, NODE_HOSTS) if at not in taken)
    endpoints = {port: (address, port_or_free(address, port)) for port in (MQTT, DASHBOARD)}
    cluster.nodes[instance_id] = Node(instance_id, name, endpoints)
    return revive(cluster, instance_id)


def revive(cluster: Cluster, instance_id: str) -> Node:
    """Start the broker of an instance that runs, and wait until its bridge is up."""
    node = cluster.nodes[instance_id]
    address, port = node.endpoints[MQTT]
    page_port = node.endpoints[DASHBOARD][1]
    hub = (cluster.network.backplane, cluster.backplane_port)
    configuration = _write(
        cluster.directory / f"{node.name}.conf", mosquitto(address, port) + bridge(node.name, hub)
    )
    broker = cluster.processes.start(
        node.name, ["mosquitto", "-c", str(configuration)], ready=lambda: answers(address, port)
    )
    page = cluster.processes.start(
        f"{node.name}-status",
        [sys.executable, "-m", "lab.nodes.statuspage", address, str(page_port), f"emqx@{address}", str(port)],
        ready=lambda: answers(address, page_port),
        cwd=Path(__file__).parents[2],
    )
    cluster.nodes[instance_id] = Node(node.instance_id, node.name, node.endpoints, (broker, page))
    until(lambda: bridged(address, port), 20, f"{node.name} is clustered")
    return cluster.nodes[instance_id]


def kill(cluster: Cluster, node: Node) -> Node:
    """Kill the broker and its page at once; EC2 still says that the instance runs."""
    for process in node.processes:
        cluster.processes.kill(process)
    cluster.nodes[node.instance_id] = Node(node.instance_id, node.name, node.endpoints)
    return cluster.nodes[node.instance_id]


def stop(cluster: Cluster, node: Node) -> Node:
    """Stop the instance, and with it the broker."""
    cluster.ec2.stop_instances(InstanceIds=[node.instance_id])
    return kill(cluster, node)


def start(cluster: Cluster, node: Node) -> Node:
    """Start a stopped instance, and the broker on it."""
    cluster.ec2.start_instances(InstanceIds=[node.instance_id])
    return revive(cluster, node.instance_id)


def terminate(cluster: Cluster, node: Node) -> None:
    """Terminate the instance; the node is gone for good."""
    cluster.ec2.terminate_instances(InstanceIds=[node.instance_id])
    kill(cluster, node)
    del cluster.nodes[node.instance_id]


def freeze(node: Node) -> None:
    """Stop the processes in their tracks: connections stay open, nothing answers."""
    for process in node.processes:
        process.signal(signal.SIGSTOP)


def thaw(node: Node) -> None:
    """Let frozen processes go on."""
    for process in node.processes:
        process.signal(signal.SIGCONT)


def mosquitto(address: str, port: int) -> str:
    """Return the configuration of a broker that anyone on this machine may use.

    Without `set_tcp_nodelay` each exchange takes about 45 ms more. https://mosquitto.org/man/mosquitto-conf-5.html
    """
    return _lines(
        f"listener {port} {address}",
        "allow_anonymous true",
        "set_tcp_nodelay true",
        "persistence false",
        "log_dest stderr",  # which is not buffered: the log can be watched
        f"user {getpass.getuser()}",  # started as root it would become a user that may not read this file
    )


def bridge(name: str, hub: Endpoint) -> str:
    """Return the configuration that connects a node to the backplane, both ways, for every topic."""
    return _lines(
        f"connection {name}",
        f"address {hub[0]}:{hub[1]}",
        f"remote_clientid {name}",
        f"local_clientid {name}-bridge",
        "topic # both 1",
        "restart_timeout 1",
        "keepalive_interval 5",
        "bridge_protocol_version mqttv311",
    )


def bridged(address: str, port: int) -> bool:
    """Return whether a node's bridge is connected, as the node itself says."""
    found = subprocess.run(
        ["mosquitto_sub", "-h", address, "-p", str(port), "-C", "1", "-W", "1", "-t", BRIDGE_STATE],
        env=with_server_paths({}),
        capture_output=True,
        check=False,
    )
    return found.stdout.strip() == b"1"


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
