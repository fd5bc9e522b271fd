"""The deep probe through the lab's HAProxy to its real brokers: a split cluster is found by it alone."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.aws.clients import Clients
from chalicelib.invocation import Invocation
from chalicelib.probe.deep import DeepVerdict, deep_probe_one
from chalicelib.probe.story import probe_one
from chalicelib.settings import Settings
from lab.lab import Lab, open_lab
from tests.lab.test_lab import front
from tests.world.emitted import emitted

NAME = "split"
OWNER = "emq-elb-test"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab whose load balancer is ours, with a keepalive of two seconds."""
    with open_lab(app=False) as lab:
        front(lab, NAME)
        root = (lab.directory / f"{NAME}-root.pem").read_text()
        lab.aws.secretsmanager().create_secret(Name="root", SecretString=json.dumps({"certificate": root}))
        tags = {"owner": OWNER, "hostname": "mqtt.example.com", "probe": "ca_secret_id=root"}
        lab.aws.elb().add_tags(
            LoadBalancerNames=[NAME],
            Tags=[{"Key": f"emq-elb:{key}", "Value": value} for key, value in tags.items()],
        )
        lab.aws.elb().modify_load_balancer_attributes(
            LoadBalancerName=NAME, LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": 3}}
        )
        yield lab


class Stories:
    """The probe's two stories against the lab; the pauses between looks only pass on a clock."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.slept: list[float] = []
        self.clients = Clients()

    def resolve(self, _host: str) -> tuple[str, ...]:
        """The load balancer's addresses."""
        return tuple(self.lab.addresses(NAME).values())

    def invocation(self) -> Invocation:
        """A run with Lambda's longest time."""
        return Invocation(
            clients=self.clients,
            settings=Settings(owner=OWNER, private_ca_secret="none", probe_timeout=timedelta(seconds=3)),
            now=lambda: datetime.now(UTC),
            sleep=self.slept.append,
            deadline=datetime.now(UTC) + timedelta(seconds=890),
            log=lambda *_: None,
        )

    def deep(self) -> DeepVerdict:
        """Probe deeply."""
        return deep_probe_one(NAME, self.invocation(), resolve=self.resolve)

    def plain(self) -> set[str]:
        """Probe a few times, and return the grades."""
        return {probe_one(NAME, self.invocation(), resolve=self.resolve).grade for _ in range(4)}


@pytest.fixture
def stories(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Stories:
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.aws.endpoint)
    return Stories(lab)


@contextmanager
def split(lab: Lab) -> Iterator[None]:
    """Freeze what the nodes' bridges meet at: each goes on by itself."""
    assert lab.cluster.backplane
    lab.cluster.backplane.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        lab.cluster.backplane.signal(signal.SIGCONT)


def findings(verdict: DeepVerdict) -> dict[str, set[str]]:
    return {
        check: {one.result for one in verdict.findings if one.check == check}
        for check in {one.check for one in verdict.findings}
    }


def test_a_healthy_cluster_passes_every_check(stories: Stories, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = stories.deep()
    assert findings(verdict) == {"obsolete-tls": {"passed"}, "delivery": {"passed"}, "idle": {"passed"}}
    assert [one.note for one in verdict.findings if one.check == "delivery"] == [
        "8 of 8 sessions received a message of one of them; 2 nodes all covered with a likelihood of 99%"
    ]
    assert (stories.plain(), stories.slept, emitted(capsys.readouterr().out)) == ({"ok"}, [], [])


def test_a_cluster_that_has_split_is_found_by_delivery_and_by_nothing_else(
    stories: Stories, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    with split(lab):
        verdict, plain = stories.deep(), stories.plain()
        health = lab.aws.elb().describe_instance_health(LoadBalancerName=NAME)["InstanceStates"]
    assert findings(verdict) == {"obsolete-tls": {"passed"}, "delivery": {"failed"}, "idle": {"passed"}}
    assert plain == {"ok"}
    assert {one["State"] for one in health} == {"InService"}
    assert stories.slept == [60, 60]
    assert [record["ProbeSuccess"] for record in emitted(capsys.readouterr().out)] == [0, 0, 0]
