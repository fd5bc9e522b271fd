"""The lab as a whole, without the app: a load balancer made at AWS's API carries real MQTT over TLS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.demo import client
from lab.demo.client import publish, subscribe
from lab.demo.story import DidNotHoldError, Step, counted, hold, play, summary
from lab.lab import Lab, directory_of_its_own, open_lab
from lab.machine.processes import until
from lab.nodes import brokers
from lab.nodes.brokers import MQTT
from tests.world.certificates import authority, leaf

TOPIC = "t"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with two nodes, shared: no test here changes what another one needs."""
    with open_lab(app=False) as lab:
        yield lab


def front(lab: Lab, name: str) -> list[str]:
    """Put a load balancer before the nodes and return mosquitto's options for its TLS listener."""
    root = authority()
    address, *_ = lab.addresses(name).values()
    issued = leaf("mqtt.example.com", signed_by=root, addresses=[address])
    uploaded = lab.aws.iam().upload_server_certificate(
        ServerCertificateName=name,
        CertificateBody=issued.certificate_pem,
        PrivateKey=issued.private_key_pem,
    )
    elb = lab.aws.elb()
    elb.create_load_balancer(
        LoadBalancerName=name,
        Subnets=list(lab.vpc.subnets.values()),
        Listeners=[
            {
                "Protocol": "SSL",
                "LoadBalancerPort": 8883,
                "InstanceProtocol": "TCP",
                "InstancePort": MQTT,
                "SSLCertificateId": uploaded["ServerCertificateMetadata"]["Arn"],
            }
        ],
    )
    elb.configure_health_check(
        LoadBalancerName=name,
        HealthCheck={
            "Target": "HTTP:18083/status",
            "Interval": 5,
            "Timeout": 2,
            "UnhealthyThreshold": 2,
            "HealthyThreshold": 2,
        },
    )
    elb.modify_load_balancer_attributes(
        LoadBalancerName=name, LoadBalancerAttributes={"CrossZoneLoadBalancing": {"Enabled": True}}
    )
    elb.register_instances_with_load_balancer(
        LoadBalancerName=name, Instances=[{"InstanceId": node.instance_id} for node in lab.nodes]
    )
    until(lambda: set(states(lab, name).values()) == {"InService"}, 30, "in service", pause=0.1)
    trusted = lab.directory / f"{name}-root.pem"
    trusted.write_text(issued.root_pem)
    return client.through_tls(address, 8883, trusted)


def states(lab: Lab, name: str) -> dict[str, str]:
    """Return what DescribeInstanceHealth says."""
    answer = lab.aws.elb().describe_instance_health(LoadBalancerName=name)
    return {one["InstanceId"]: one["State"] for one in answer["InstanceStates"]}


def test_a_message_goes_through_tls_with_certificate_and_name_verified(lab: Lab) -> None:
    where = front(lab, "verified")
    subscriber = subscribe(
        lab.processes, client.plainly(*lab.nodes[0].endpoints[MQTT]), TOPIC, name="verified"
    )
    done = publish(where, TOPIC, "hello")
    for packet in ("sending CONNECT", "received CONNACK (0)", "sending PUBLISH", "sending DISCONNECT"):
        assert packet in done.stdout
    until(lambda: "hello" in subscriber.log.read_text().splitlines(), 10, "it arrives")
    other = list(lab.addresses("verified").values())[1]
    refused = publish([part.replace(where[1], other) for part in where], TOPIC, "hello")
    assert refused.returncode != 0  # the certificate does not name that address


def test_a_frozen_node_goes_out_of_service_and_comes_back(lab: Lab) -> None:
    front(lab, "frozen")
    node = lab.nodes[-1]
    brokers.freeze(node)
    until(lambda: states(lab, "frozen")[node.instance_id] == "OutOfService", 30, "noticed", pause=0.1)
    brokers.thaw(node)
    until(lambda: states(lab, "frozen")[node.instance_id] == "InService", 30, "back", pause=0.1)


def test_a_broker_that_runs_already_takes_a_nodes_place(lab: Lab) -> None:
    host, port = lab.nodes[0].endpoints[MQTT]
    with open_lab(app=False, brokers_running=f"{host}:{port}") as second:
        (node,) = second.nodes
        assert node.endpoints[MQTT] == (host, port)
        assert second.network != lab.network


def test_the_labs_directory_goes_with_it() -> None:
    with open_lab(app=False, nodes=0) as lab:
        assert lab.directory.exists()
    assert not lab.directory.exists()


def test_after_a_failure_the_directory_stays_for_its_logs_without_keys() -> None:
    directory = Path()

    def fail() -> None:
        nonlocal directory
        with directory_of_its_own() as directory:
            (directory / "8883.pem").write_text("a key")
            (directory / "api.log").write_text("what went wrong")
            hold(False, "a failure")

    with pytest.raises(DidNotHoldError):
        fail()
    assert [path.name for path in directory.iterdir()] == ["api.log"]
    shutil.rmtree(directory)


def test_a_story_ends_at_the_step_that_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> str:
        hold(False, "the sky is green")
        return "never"

    steps = play([("one", lambda: "seen"), ("two", fails), ("three", lambda: "never")], [])
    assert [(step.title, step.held, step.note) for step in steps] == [
        ("one", True, "seen"),
        ("two", False, "the sky is green"),
    ]
    assert "the sky is green" in capsys.readouterr().out


def test_the_summary_counts_the_apps_calls() -> None:
    from lab.aws import Call

    calls = tuple(
        Call(0.0, "app", "elasticloadbalancing", operation, 200)
        for operation in ("DescribeTags", "CreateLoadBalancer", "DescribeTags")
    )
    assert counted(calls) == "DescribeTags x2, CreateLoadBalancer"
    _, made, *called = summary([Step("made", 1.0, calls, "", held=True)], columns=30).splitlines()
    assert made.split()[2:] == ["1.0", "2", "1"]
    assert [line.strip() for line in called] == ["DescribeTags x2,", "CreateLoadBalancer"]
