"""The nodes: real brokers in a cluster, with the page that a health check asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from lab import aws as api
from lab.lambda_.api import OPENER
from lab.machine.addresses import Network, answers
from lab.machine.processes import Processes, until
from lab.nodes import brokers
from lab.nodes.brokers import DASHBOARD, MQTT, Cluster, Node
from lab.nodes.statuspage import page


@pytest.mark.parametrize(
    ("path", "running", "status", "body"),
    [
        ("/status", True, 200, "Node emqx@n is started\nemqx is running"),
        ("/status?format=text", True, 200, "Node emqx@n is started\nemqx is running"),
        ("/status", False, 503, "Node emqx@n is stopped\nemqx is not_running"),
        ("/nowhere", True, 404, "Not Found"),
    ],
)
def test_the_status_page_answers_as_emqx_does(path: str, running: bool, status: int, body: str) -> None:
    assert page(path, "emqx@n", running) == (status, "text/plain", body)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", []),
        ("127.0.0.1:1883", [("127.0.0.1", 1883)]),
        (" 127.0.0.1:1883, 127.0.0.2:11883,", [("127.0.0.1", 1883), ("127.0.0.2", 11883)]),
    ],
)
def test_lab_brokers_is_a_list_of_addresses(setting: str, expected: list[tuple[str, int]]) -> None:
    assert brokers.external_brokers(setting) == expected


@pytest.mark.parametrize(
    "setting", ["127.0.0.1", ":1883", "127.0.0.1:mqtt", "127.0.0.1:0", "127.0.0.1:99999"]
)
def test_a_bad_lab_brokers_is_refused_by_name(setting: str) -> None:
    with pytest.raises(ValueError, match="LAB_BROKERS"):
        brokers.external_brokers(setting)


@pytest.fixture
def cluster(network: Network, processes: Processes, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without nodes yet."""
    with api.serve(network.aws) as aws:
        cluster = Cluster(aws.ec2(), processes, network, tmp_path)
        brokers.start_backplane(cluster)
        yield cluster


def subnet(cluster: Cluster) -> str:
    """Return one of the default VPC's subnets."""
    return cluster.ec2.describe_subnets()["Subnets"][0]["SubnetId"]


@contextmanager
def client(node: Node) -> Iterator[Client]:
    """A connected MQTT client."""
    found = Client(CallbackAPIVersion.VERSION2)
    found.connect(*node.endpoints[MQTT])
    found.loop_start()
    try:
        yield found
    finally:
        found.disconnect()
        found.loop_stop()


@contextmanager
def subscriber(node: Node) -> Iterator[list[str]]:
    """The payloads that arrive at a node for the topic `t`."""
    payloads: list[str] = []
    subscribed = threading.Event()

    def arrived(_client: Client, _data: object, message: MQTTMessage) -> None:
        payloads.append(message.payload.decode())

    with client(node) as found:
        found.on_message = arrived
        found.on_subscribe = lambda *_: subscribed.set()
        found.subscribe("t", qos=1)
        assert subscribed.wait(5)
        yield payloads


def test_a_message_reaches_every_node_exactly_once(cluster: Cluster) -> None:
    nodes = [brokers.run(cluster, f"n{number}", subnet(cluster)) for number in range(3)]
    with ExitStack() as stack:
        received = [stack.enter_context(subscriber(node)) for node in nodes]
        with client(nodes[0]) as publisher:
            publisher.publish("t", "first", qos=1).wait_for_publish(5)
            until(lambda: all("first" in payloads for payloads in received), 10, "all received")
            publisher.publish("t", "last", qos=1).wait_for_publish(5)
            until(lambda: all("last" in payloads for payloads in received), 10, "all received")
    assert received == [["first", "last"]] * 3


def test_the_others_stay_clustered_when_a_node_dies(cluster: Cluster) -> None:
    first, second, third = (brokers.run(cluster, f"n{number}", subnet(cluster)) for number in range(3))
    first = brokers.kill(cluster, first)
    assert not answers(*first.endpoints[MQTT])
    with subscriber(third) as received, client(second) as publisher:
        publisher.publish("t", "still", qos=1).wait_for_publish(5)
        until(lambda: received == ["still"], 10, "it arrives")


def status(node: Node) -> int | None:
    """Return what the status page says; None when it does not answer."""
    host, port = node.endpoints[DASHBOARD]
    try:
        with OPENER.open(f"http://{host}:{port}/status", timeout=1) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code
    except (URLError, OSError):
        return None


def test_a_frozen_node_accepts_connections_but_answers_nothing_until_it_is_thawed(cluster: Cluster) -> None:
    node = brokers.run(cluster, "n0", subnet(cluster))
    assert status(node) == 200
    brokers.freeze(node)
    assert answers(*node.endpoints[MQTT])
    assert status(node) is None
    brokers.thaw(node)
    until(lambda: status(node) == 200, 10, "it answers again")


def test_stopping_starting_and_terminating_a_node_is_seen_at_ec2(cluster: Cluster) -> None:
    def state(instance_id: str) -> str:
        (found,) = cluster.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return found["Instances"][0]["State"]["Name"]

    node = brokers.run(cluster, "n0", subnet(cluster), tags={"colour": "blue"})
    assert state(node.instance_id) == "running"
    node = brokers.stop(cluster, node)
    assert (state(node.instance_id), answers(*node.endpoints[MQTT])) == ("stopped", False)
    node = brokers.start(cluster, node)
    assert (state(node.instance_id), answers(*node.endpoints[MQTT])) == ("running", True)
    brokers.terminate(cluster, node)
    assert (state(node.instance_id), answers(*node.endpoints[MQTT])) == ("terminated", False)
    assert cluster.nodes == {}


def test_brokers_that_run_already_take_the_place_of_nodes(cluster: Cluster) -> None:
    cluster.external = [("127.0.0.9", 11883)]
    node = brokers.run(cluster, "n0", subnet(cluster))
    endpoints = cluster.endpoints(node.instance_id)
    assert endpoints[MQTT] == ("127.0.0.9", 11883)
    for port in (8081, 8883, 18083):
        assert endpoints.get(port) == ("127.0.0.9", port), "any other port is the same port of its host"
    assert node.processes == ()
    assert cluster.endpoints("i-unknown") == {}
