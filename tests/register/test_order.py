"""However events are mixed, doubled and lost, one `reconcile` ends in the same state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.model.names import CLUSTER_TAG
from chalicelib.register.events import Event, RebalanceRecommendation, SpotInterruption
from tests.world.provisioning import account
from tests.world.register import Fleet

NODES = 3
# Members that nothing happens to: with them no guard has to hold anybody, so that one `reconcile` suffices.
ANCHORS = 4
BESIDE, NETWORK = "demo-internal", "demo-network"
STEPS = ("start", "stop", "tag", "untag", "retag", "interrupt", "terminate")


@dataclass
class History:
    """A world to which things happen, and the events that AWS sends of it.

    `draining` says whether an interruption was the last that happened to a node: its end follows, as at AWS.
    """

    fleet: Fleet
    nodes: list[str] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    time: datetime = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def begin(self) -> None:
        """Two clusters, one with three load balancers of both kinds, some nodes, and members that stay."""
        here = self.fleet.here
        here.now, here.sleep = lambda: self.time, self.sleep  # type: ignore[method-assign] # its own clock
        for cluster in ("demo", "other"):
            self.fleet.balancer(cluster)
            anchors = self.fleet.nodes(cluster, ANCHORS)
            self.fleet.by_hand(cluster, add=anchors)
            self.anchors += anchors
        self.fleet.balancer(BESIDE, cluster="demo")
        self.fleet.by_hand(BESIDE, add=self.anchors[:ANCHORS])
        self.fleet.network(NETWORK, cluster="demo")
        self.fleet.targeted(NETWORK, add=self.anchors[:ANCHORS])
        self.nodes = self.fleet.spot("demo", NODES)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)

    def happen(self, node: str, step: str) -> None:
        """Let one thing happen, if it can, and note the event."""
        ec2: Any = self.fleet.here.world.ec2
        self.sleep(10)
        state = self.state(node)
        match step:
            case "start" if state == "stopped":
                ec2.start_instances(InstanceIds=[node])
                self.fleet.launched(node, self.time)
                self.note("ec2-instance-running", node)
            case "stop" if state == "running":
                ec2.stop_instances(InstanceIds=[node])
                self.note("ec2-instance-stopped", node)
            case "terminate" if state != "terminated":
                ec2.terminate_instances(InstanceIds=[node])
                self.note("ec2-instance-terminated", node)
            case "interrupt" if state == "running":
                self.note("ec2-spot-interruption", node)
                self.sleep(120)
                ec2.stop_instances(InstanceIds=[node])
                self.note("ec2-instance-stopped", node)
            case "untag" if state != "terminated":
                self.fleet.untag(node)
                self.note("tag-cluster-removed", node)
            case "tag" | "retag" if state != "terminated":
                cluster = "demo" if step == "tag" else "other"
                self.fleet.here.tag([node], CLUSTER_TAG, cluster)
                self.note("tag-cluster-changed", node, tags={CLUSTER_TAG: cluster})

    def note(self, sample: str, node: str, **detail: object) -> None:
        """Keep the event for later."""
        self.events.append(self.fleet.event(sample, node, self.time, **detail))

    def state(self, node: str) -> str:
        """The instance's state."""
        (reservation,) = self.fleet.here.world.ec2.describe_instances(InstanceIds=[node])["Reservations"]
        return str(reservation["Instances"][0]["State"]["Name"])

    def hear(self, event: Event) -> None:
        """Let the function whose rule it matches have the event."""
        if isinstance(event, SpotInterruption | RebalanceRecommendation):
            self.fleet.drain(event)
        else:
            self.fleet.answer(event)

    def end(self) -> dict[str, list[int]]:
        """Who is registered, by number, so that two worlds compare."""
        everyone = [*self.anchors, *self.nodes]
        registered = {name: self.fleet.registered(name) for name in ("demo", BESIDE, "other")}
        registered[NETWORK] = self.fleet.in_each(NETWORK)
        return {name: sorted(everyone.index(id_) for id_ in ids) for name, ids in registered.items()}


def lived(story: Sequence[tuple[int, str]], heard: Sequence[int], at: Sequence[int]) -> dict[str, list[int]]:
    """The end of a story of which some events are heard: the `heard[i]`th after `at[i]` steps."""
    with account() as here:
        history = History(Fleet(here))
        history.begin()
        due = sorted(zip(at, heard, strict=True))
        for number, (node, step) in enumerate(story):
            history.happen(history.nodes[node], step)
            for _, event in [one for one in due if one[0] == number]:
                if history.events:
                    history.hear(history.events[event % len(history.events)])
        for _, event in [one for one in due if one[0] >= len(story)]:
            if history.events:
                history.hear(history.events[event % len(history.events)])
        history.sleep(60)
        history.fleet.reconcile()
        return history.end()


stories = st.lists(st.tuples(st.integers(0, NODES - 1), st.sampled_from(STEPS)), min_size=1, max_size=8)
hearings = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 12)), max_size=8)


# Few, since each lives three lives: every run of the tests tries others.
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories, hearings, st.randoms(use_true_random=False))
def test_one_reconcile_ends_in_the_same_state_whatever_was_heard(
    story: list[tuple[int, str]], hearing: list[tuple[int, int]], random: Any
) -> None:
    silent = lived(story, [], [])
    assert silent["demo"] == silent[BESIDE] == silent[NETWORK], (
        "the load balancers of a cluster have the same members"
    )
    heard, at = [event for event, _ in hearing], [when for _, when in hearing]
    assert lived(story, heard, at) == silent
    random.shuffle(heard)
    assert lived(story, [*heard, *heard], [*at, *at]) == silent
