"""Random histories: requests, changes by hand, events as they come, bad weather, kills, two at once.

After each step the ground rules hold; after a last quiet hour, a `reconcile` and the last request once more,
the state is the declared one and nothing is left over. `make storm SECONDS=600` looks for longer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chalicelib.model.errors import EmqElbError
from chalicelib.model.names import CLUSTER_TAG
from chalicelib.provision.sweep import sweep
from chalicelib.register.events import Event, StateChange, TagChange
from tests.weather.refusals import Refusal, Sky, operation_of, refusals
from tests.world.by_hand import NAME
from tests.world.provisioning import WATCHED, Account, Killed, account, granted, issued, pem
from tests.world.register import Fleet

CALLS = (
    "DescribeLoadBalancers",
    "DescribeTags",
    "DescribeInstances",
    "DescribeSecurityGroups",
    "DescribeInstanceHealth",
    "GetServerCertificate",
    "UploadServerCertificate",
    "CreateSecurityGroup",
    "CreateLoadBalancer",
    "CreateLoadBalancerListeners",
    "DeleteLoadBalancerListeners",
    "SetLoadBalancerListenerSSLCertificate",
    "CreateLoadBalancerPolicy",
    "SetLoadBalancerPoliciesOfListener",
    "AttachLoadBalancerToSubnets",
    "ConfigureHealthCheck",
    "ModifyLoadBalancerAttributes",
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "RegisterInstancesWithLoadBalancer",
    "DeregisterInstancesFromLoadBalancer",
    "CreateTags",
    "AddTags",
    "RemoveTags",
    "DeleteLoadBalancer",
    "DeleteServerCertificate",
    "DeleteSecurityGroup",
    "v2 DescribeLoadBalancers",
    "v2 DescribeTags",
    "v2 DescribeTargetHealth",
    "v2 RegisterTargets",
    "v2 DeregisterTargets",
)
REFUSALS = [one for call in CALLS for one in refusals(call)]
BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"health_check": {"target": "TCP:8883"}, "connection_draining": 0},
    {"allow": {"dashboard": ["192.168.0.0/16"]}, "keepalive": 60},
    {"access_logs": {"bucket": "logs"}, "proxy_protocol": True, "tags": {"team": "iot"}},
    {
        "listeners": [
            {"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883},
            {"protocol": "TCP", "port": 8884, "instance_protocol": "SSL", "instance_port": 8883},
        ]
    },
    {
        "listeners": [{"protocol": "SSL", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883}],
        "certificate": {"pem": pem(issued())},
    },
)
PLAIN = [{"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883}]
BY_HAND: tuple[Callable[[Account], object], ...] = (
    lambda here: here.world.elb.delete_load_balancer_listeners(**NAME, LoadBalancerPorts=[1883]),
    lambda here: here.world.elb.detach_load_balancer_from_subnets(**NAME, Subnets=here.subnets[1:2]),
    lambda here: here.world.elb.modify_load_balancer_attributes(
        **NAME, LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": 5}}
    ),
    lambda here: here.world.elb.remove_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "team"}]),
    lambda here: here.world.ec2.authorize_security_group_ingress(
        GroupId=here.world.describe()["SecurityGroups"][0],
        IpPermissions=[
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ],
    ),
    lambda here: here.world.elb.deregister_instances_from_load_balancer(
        **NAME, Instances=here.world.describe()["Instances"][:1]
    ),
    lambda here: here.world.elb.delete_load_balancer(**NAME),
)
indices = st.integers(0, 3)
kills = st.none() | st.integers(1, 4)


class Storm(RuleBasedStateMachine):
    """One account with the load balancer `demo`, and one of a stranger's that is never to be touched.

    `beside` and the network one `nets` serve the cluster of `demo` all the time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.here = self.stack.enter_context(account())
        self.here.stop_clock()
        self.fleet = Fleet(self.here)
        self.wanted: dict[str, Any] | None = None
        self.nodes: list[str] = []
        self.events: list[Event] = []
        self.pending: list[tuple[Any, dict[str, Any]]] = []

    @initialize()
    def begin(self) -> None:
        """Four nodes of the cluster, and what is a stranger's."""
        self.here.world.create("theirs", Subnets=self.here.subnets[:1])
        self.nodes = self.fleet.nodes("demo", 4, subnet=self.here.subnets[0])
        self.here.put(self.body({"cluster": "demo", "scheme": "internal"}), name="beside")
        self.fleet.network("nets", cluster="demo")
        self.stranger = self.fleet.nodes("theirs", 1)[0]
        self.fleet.by_hand("theirs", add=[self.stranger])
        self.theirs = self.snapshot_of_theirs()

    def snapshot_of_theirs(self) -> Any:
        """The stranger's load balancer."""
        return {
            key: value for key, value in self.here.world.describe("theirs").items() if key != "CreatedTime"
        }

    def attempt(self, act: Callable[[], Any], kill_after: int | None = None) -> Any:
        """Act, and be killed or refused."""
        self.here.calls.kill_after = kill_after
        try:
            return act()
        except (EmqElbError, Killed):
            return None
        finally:
            self.here.calls.kill_after = None

    def body(self, which: Mapping[str, Any]) -> dict[str, Any]:
        """A declaration without a certificate: making keys takes longer than everything else."""
        return {"subnets": self.here.subnets[:2], "listeners": PLAIN, **which}

    @rule(which=st.sampled_from(BODIES), kill_after=kills)
    def put(self, which: dict[str, Any], kill_after: int | None) -> None:
        """PUT; what is pending afterwards waits for the background."""
        self.wanted = self.body(which)
        body = self.wanted
        report = self.attempt(lambda: self.here.put(body), kill_after)
        if report is not None and report.state == "pending":
            self.pending.append((report, body))

    @rule(kill_after=kills)
    def delete(self, kill_after: int | None) -> None:
        """DELETE."""
        self.wanted = None
        self.attempt(lambda: self.here.delete(force=True), kill_after)

    @rule(kill_after=kills)
    def background(self, kill_after: int | None) -> None:
        """Let the background go on with one that is pending."""
        if self.pending:
            report, body = self.pending.pop(0)
            self.attempt(lambda: self.here.carry_on(report, body), kill_after)

    @rule(kill_after=kills)
    def reconcile(self, kill_after: int | None) -> None:
        """The look of every minute."""
        self.here.sleep(60)
        self.attempt(self.fleet.reconcile, kill_after)

    @rule(which=indices, step=st.sampled_from(("stop", "start", "terminate", "untag", "tag", "interrupt")))
    def node(self, which: int, step: str) -> None:
        """Something happens to a node, and AWS announces it."""
        id_, ec2 = self.nodes[which], self.here.world.ec2
        state = self.state(id_)
        self.here.sleep(5)
        match step:
            case "stop" if state == "running":
                ec2.stop_instances(InstanceIds=[id_])
                self.note("ec2-instance-stopped", id_)
            case "start" if state == "stopped":
                ec2.start_instances(InstanceIds=[id_])
                self.note("ec2-instance-running", id_)
            case "terminate" if state != "terminated":
                ec2.terminate_instances(InstanceIds=[id_])
                self.note("ec2-instance-terminated", id_)
                (self.nodes[which],) = self.fleet.nodes("demo", 1, subnet=self.here.subnets[0])
                self.note("tag-cluster-set", self.nodes[which])
            case "untag" if state != "terminated":
                self.fleet.untag(id_)
                self.note("tag-cluster-removed", id_)
            case "tag" if state != "terminated":
                self.here.tag([id_], CLUSTER_TAG, "demo")
                self.note("tag-cluster-set", id_)
            case "interrupt" if state == "running":
                self.note("ec2-spot-interruption", id_)

    def state(self, id_: str) -> str:
        """The instance's state."""
        (reservation,) = self.here.world.ec2.describe_instances(InstanceIds=[id_])["Reservations"]
        return str(reservation["Instances"][0]["State"]["Name"])

    def belongs(self, id_: str) -> bool:
        """Whether it runs and is tagged into the cluster: nothing else keeps a node of this world out."""
        return self.state(id_) == "running" and self.fleet.tags(id_).get(CLUSTER_TAG) == "demo"

    def note(self, sample: str, id_: str) -> None:
        """Keep the event; whether and when it comes is another matter."""
        self.events.append(self.fleet.event(sample, id_))

    @rule(which=st.integers(0, 99), kill_after=kills)
    def event(self, which: int, kill_after: int | None) -> None:
        """An event comes: late, again, or before an earlier one."""
        if self.events:
            event = self.events[which % len(self.events)]
            urgent = not isinstance(event, StateChange | TagChange)
            self.attempt(lambda: self.fleet.drain(event) if urgent else self.fleet.answer(event), kill_after)

    @rule(change=st.sampled_from(BY_HAND))
    def by_hand(self, change: Callable[[Account], object]) -> None:
        """Somebody changes something at AWS, where AWS takes it."""
        from botocore.exceptions import ClientError

        try:
            change(self.here)
        except (ClientError, IndexError):
            return

    @rule(refusal=st.sampled_from(REFUSALS))
    def weather(self, refusal: Refusal) -> None:
        """From now on AWS refuses a kind of calls, or carries one out and says that it did not."""
        WATCHED.refuse = Sky(self.here, refusal=refusal).refuse

    @rule(operation=st.sampled_from([operation_of(one) for one in CALLS]), which=st.sampled_from(BODIES))
    def meanwhile(self, operation: str, which: dict[str, Any]) -> None:
        """A second function runs when the first is about to make a call."""
        body = self.body(which)

        def both(asked: str, _: Mapping[str, str]) -> str | None:
            if asked == operation:
                WATCHED.refuse = granted
                made, self.here.calls.kill_after = self.here.calls, None
                self.attempt(lambda: self.here.put(body) if self.wanted else self.fleet.reconcile())
                self.here.calls = WATCHED.calls = made
            return None

        WATCHED.refuse = both
        if self.wanted:
            self.wanted = body
        self.reconcile(None)

    @invariant()
    def nothing_of_a_strangers_is_touched(self) -> None:
        """Ground rule 4."""
        if self.nodes:
            assert self.snapshot_of_theirs() == self.theirs

    def teardown(self) -> None:
        """After the storm: a quiet hour, the last request once more, and what must be so then."""
        try:
            if self.nodes:
                self.calm()
        finally:
            self.stack.close()

    def calm(self) -> None:
        """See that the state is the declared one, and that nothing is left over."""
        WATCHED.refuse = granted
        self.here.sleep(3601)
        for report, body in self.pending:
            self.attempt(lambda report=report, body=body: self.here.carry_on(report, body))  # type: ignore[misc]
        self.fleet.reconcile().complain()
        if self.wanted is None:
            self.attempt(lambda: self.here.delete(force=True))
        else:
            self.here.put(self.wanted)
        for _ in range(2):
            sweep(self.here.invocation(300))
            self.here.passed += timedelta(hours=2)
        quiet = 0
        for _ in range(5):  # no look takes out more than half
            self.fleet.reconcile().complain()
            quiet = 0 if self.fleet.calls.writes else quiet + 1
            if quiet == 2:
                break
        assert quiet, "it is at its end"
        listed = self.here.world.elb.describe_load_balancers()["LoadBalancerDescriptions"]
        ours = {"beside", *(["demo"] if self.wanted else [])}
        assert {one["LoadBalancerName"] for one in listed} == {"theirs", *ours}
        groups = self.here.world.ec2.describe_security_groups()["SecurityGroups"]
        assert {one["GroupName"] for one in groups} == {"default", *(f"{name}-elb" for name in ours)}
        belong = {id_ for id_ in self.nodes if self.belongs(id_)}
        registrations = {
            **{name: self.fleet.registered(name) for name in ours},
            "nets": self.fleet.in_each("nets"),
        }
        for name, registered in registrations.items():
            assert belong <= registered, f"{name} has every member of the cluster"
            assert len(registered - belong) <= 1, "but for the last one in service"
        if self.wanted is not None:
            self.here.put(self.wanted)
            assert self.here.calls.writes == []
            assert self.here.get()["state"] == "ready"
            self.here.put(self.here.get())
            assert self.here.calls.writes == [], "what GET shows can be sent back"


SHARES, HISTORIES, STEPS = 12, 11, 8
"""The histories, of so many steps, are shared out to so many tests, so that they spread over the workers."""
QUICK = settings(
    max_examples=HISTORIES,
    stateful_step_count=STEPS,
    deadline=None,
    # To look for a shorter history is for `make storm`.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("share", range(SHARES))
def test_after_any_storm_the_state_is_the_declared_one_and_nothing_is_left_over(share: int) -> None:
    # A name of its own, so that CI tries other histories in each share.
    run_state_machine_as_test(type(f"Storm{share}", (Storm,), {}), settings=QUICK)


@pytest.mark.timeout(0)
def test_a_longer_storm() -> None:
    """As many histories as fit into SECONDS; `make storm` sets it."""
    until = time.monotonic() + float(os.environ.get("SECONDS", "0"))
    while time.monotonic() < until:
        longer = settings(QUICK, stateful_step_count=20, phases=tuple(Phase))
        run_state_machine_as_test(Storm, settings=longer)
