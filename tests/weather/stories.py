"""What a story of the weather test is, and what is asked of an account before and after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.model.errors import AwsError
from tests.weather.refusals import Refusal, Sky
from tests.world.network import elbv2, network_snapshot
from tests.world.provisioning import WATCHED, Account, granted
from tests.world.register import Fleet

Failures = tuple[Exception, ...]


@dataclass
class Scene:
    """An account in which a story is about to happen.

    `nodes` are its instances by name; `its` and `others` are parts of the parameters that tell a call about
    `demo` from one about another load balancer; `old` are the ARNs of the certificates that are there before;
    `more` is what only this story needs.
    """

    fleet: Fleet
    nodes: dict[str, str] = field(default_factory=dict)
    its: list[str] = field(default_factory=lambda: ["demo"])
    others: list[str] = field(default_factory=lambda: ["neighbour", "theirs"])
    more: dict[str, Any] = field(default_factory=dict)
    old: Collection[str] = ()

    @property
    def here(self) -> Account:
        """The account."""
        return self.fleet.here

    def node(self, name: str, cluster: str | None, *, spot: bool = False) -> str:
        """Run an instance of that name, launched an hour ago."""
        (id_,) = self.fleet.spot(cluster or "") if spot else self.fleet.nodes(cluster)
        self.here.tag([id_], "Name", name)
        self.nodes[name] = id_
        (self.others if name.startswith(("neighbour", "theirs")) else self.its).append(id_)
        return id_


@dataclass(frozen=True, kw_only=True, eq=False)
class Story:
    """One that is run in good weather, and once for each class of refusal of each of its `calls`.

    `arrange` makes what there is before; `act` returns what failed, nothing when all is well; `again` is what
    comes afterwards by itself, or with the next request. `calls` are the kinds of calls that it makes, as
    `weather/refusals.py` writes them; those that it makes `also` are refused in other stories.

    `nice` are those that it can do without: what must happen happens although AWS refuses them. `left` has
    answers, by call, after which nothing fails and something waits for the next run: what cannot be asked is
    taken for somebody's, what is gone for gone; not of calls that are `needed` and refused for ever. `answer`
    is the one failure that a refusal leads to, else. `moved` are ports that are taken away before they come
    again, and that ELB makes with a policy of its own.
    `state` adds to what is compared at last; `configured`, where more than who is served how changes, is all
    that is compared.
    """

    name: str
    arrange: Callable[[Scene], object]
    act: Callable[[Scene], Failures]
    again: Callable[[Scene], Failures]
    calls: str
    also: str = ""
    nice: Collection[str] = ()
    moved: Collection[int] = ()
    state: Callable[[Scene], object] = lambda _: None
    left: Mapping[str, Collection[type[AwsError]]] = field(default_factory=dict)
    needed: Collection[str] = ()
    answer: Callable[[Refusal], type[Exception] | Collection[type[Exception]] | None] = lambda refusal: (
        refusal.error
    )

    def __str__(self) -> str:
        return self.name

    def expected(self, refusal: Refusal) -> set[type[Exception]]:
        """Which failures the refusal leads to."""
        if refusal.call in self.nice or self.leaves(refusal):
            return set()
        answer = self.answer(refusal)
        return {answer} if isinstance(answer, type) else {*(answer or ())}

    def leaves(self, refusal: Refusal) -> bool:
        """Whether something waits for the next run, and nothing fails."""
        needed = refusal.call in self.needed and refusal.lasting == "for ever"
        return not needed and issubclass(refusal.error, tuple(self.left.get(refusal.call, ())))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The calls that are refused, one by one."""
        return listed(self.calls)

    def end(self, scene: Scene) -> object:
        """What is at AWS, as far as the story may change it."""
        return self.state(scene) if self.state is configured else (serving(scene), self.state(scene))


def listed(calls: str) -> tuple[str, ...]:
    """The kinds of calls, one on a line."""
    return tuple(" ".join(line.split()) for line in calls.splitlines() if line.strip())


Listeners = Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class Serving:
    """What clients of one load balancer meet: the protocol, certificate and policies of each port, and who
    is registered, of a network one with the target group of each listener."""

    ports: Listeners
    members: Collection[str]


def serving(scene: Scene) -> dict[str, Serving]:
    """Every load balancer, by names that are the same in every account."""
    here = scene.here
    instances = {
        one["InstanceId"]: {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}.get("Name", "")
        for reservation in here.world.ec2.describe_instances()["Reservations"]
        for one in reservation["Instances"]
    }
    uploaded = certificates(scene)
    found: dict[str, Serving] = {}
    for one in here.world.elb.describe_load_balancers()["LoadBalancerDescriptions"]:
        ports = {
            listener["Listener"]["LoadBalancerPort"]: (
                listener["Listener"]["Protocol"],
                uploaded.get(listener["Listener"].get("SSLCertificateId", ""), ""),
                *sorted(listener["PolicyNames"]),
            )
            for listener in one["ListenerDescriptions"]
        }
        members = {instances[member["InstanceId"]] for member in one["Instances"]}
        found[one["LoadBalancerName"]] = Serving(ports, members)
    for one in elbv2().describe_load_balancers()["LoadBalancers"]:
        listeners = elbv2().describe_listeners(LoadBalancerArn=one["LoadBalancerArn"])["Listeners"]
        ports = {
            each["Port"]: (
                each["Protocol"],
                *(uploaded.get(c["CertificateArn"], "") for c in each.get("Certificates", [])),
                each.get("SslPolicy", ""),
            )
            for each in listeners
        }
        members = {
            f"{instances[target['Target']['Id']]} for {each['Port']}"
            for each in listeners
            for target in elbv2().describe_target_health(
                TargetGroupArn=each["DefaultActions"][0]["TargetGroupArn"]
            )["TargetHealthDescriptions"]
            if target["TargetHealth"]["State"] != "draining"
        }
        found[f"network {one['LoadBalancerName']}"] = Serving(ports, members)
    return found


def certificates(scene: Scene) -> dict[str, str]:
    """A name for each certificate by its ARN.

    The keys of ours differ in every account: whose it is, and whether it was there before the story.
    """
    return {
        one["Arn"]: f"{'old' if one['Arn'] in scene.old else 'new'} {one['Path']}"
        if one["Path"] != "/"
        else one["ServerCertificateName"]
        for one in scene.here.certificates()
    }


def _between(now: tuple[str, ...] | None, was: tuple[str, ...], end: tuple[str, ...]) -> bool:
    """Whether protocol, certificate and policy are each as before, or as they are to be."""
    return now is not None and all(one in pair for one, *pair in zip(now, was, end, strict=False))


def harm(
    before: Mapping[str, Serving],
    now: Mapping[str, Serving],
    good: Mapping[str, Serving],
    moved: Collection[int] = (),
) -> list[str]:
    """What is worse than before, and than it is to be: `good` is how the story ends in good weather."""
    found: list[str] = []
    for name, was in before.items():
        if name not in good:
            continue
        if name not in now:
            found.append(f"{name} is gone")
            continue
        there, end = now[name], good[name]
        for port in was.ports.keys() & end.ports.keys():
            is_, allowed = there.ports.get(port), (was.ports[port], end.ports[port])
            if port not in moved and not _between(is_, *allowed):
                found.append(f"{name}: port {port} is {is_}, of {allowed}")
        if lost := {*was.members} & {*end.members} - {*there.members}:
            found.append(f"{name}: {lost} lost")
    return found


def configured(scene: Scene) -> object:
    """Everything that is at AWS."""
    return network_snapshot(scene.here)


def arranged(story: Story, here: Account) -> Scene:
    """The scene of a story; its clock goes when somebody sleeps."""
    here.stop_clock()
    scene = Scene(Fleet(here))
    story.arrange(scene)
    scene.old = {one["Arn"] for one in here.certificates()}
    return scene


def busy(here: Account) -> None:
    """Let the machine oversleep, so that a wait for ever is over after a few looks."""
    here.stop_clock()
    here.oversleep = 3


def under(sky: Sky, act: Callable[[Scene], Failures], scene: Scene) -> Failures:
    """Act in this weather."""
    WATCHED.refuse = sky.refuse
    try:
        return act(scene)
    finally:
        WATCHED.refuse = granted


@dataclass(frozen=True)
class Good:
    """How a story goes in good weather."""

    before: Mapping[str, Serving]
    calls: Collection[str]
    failures: Collection[str]
    serving: Mapping[str, Serving]
    at_last: object


def in_good_weather(story: Story, scene: Scene) -> Good:
    """Run a story, and what comes after it."""
    busy(scene.here)
    sky, before = Sky(scene.here, scene.its, scene.others), serving(scene)
    failures = under(sky, story.act, scene)
    met = serving(scene)
    failures += story.again(scene)
    return Good(before, sky.calls, tuple(map(repr, failures)), met, story.end(scene))
