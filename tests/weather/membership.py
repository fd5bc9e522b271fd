"""The stories of `register`, `drain` and `reconcile`, of both kinds of load balancers at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from chalicelib.model.errors import Absent, AwsError, InvalidInstance, QuotaReached, Refused, Unserved
from chalicelib.register import story as register
from lab.fidelity import autoscaling
from tests.register.test_drain import DRAIN, READY, group, states
from tests.weather.refusals import Refusal
from tests.weather.stories import Failures, Scene, Story

NETWORK = "demo-network"
"""It serves the cluster of the classic `demo`."""


def _balancers(scene: Scene) -> None:
    """`demo` of each kind, a neighbour of ours whose member is still to be registered, and a stranger's."""
    fleet = scene.fleet
    fleet.balancer("demo")
    fleet.network(NETWORK, cluster="demo")
    fleet.balancer("neighbour")
    scene.node("neighbour-1", "neighbour")
    fleet.balancer("theirs", owner=None)
    fleet.by_hand("theirs", add=[scene.node("theirs-1", None)])


def _members(scene: Scene, *names: str, spot: bool = False) -> None:
    ids = [scene.node(name, "demo", spot=spot) for name in names]
    scene.fleet.by_hand("demo", add=ids)
    scene.fleet.targeted(NETWORK, add=ids)


def _drifted(scene: Scene) -> None:
    """One joins, which is a Spot instance; one of four leaves, which is in an Auto Scaling group."""
    _balancers(scene)
    _members(scene, "stays-1", "stays-2", "stays-3")
    client = group()
    (leaves,) = states(client)
    scene.here.tag([leaves], "Name", "leaves")
    scene.its += [leaves, "nodes"]
    scene.fleet.by_hand("demo", add=[leaves])
    scene.fleet.targeted(NETWORK, add=[leaves])
    scene.fleet.untag(leaves)
    scene.node("joins", "demo", spot=True)


def _seen(look: Any) -> Failures:
    return tuple(error for _, error in look.failures) if isinstance(look, register.Look) else ()


def _register(scene: Scene) -> Failures:
    scene.here.sleep(60)
    return _seen(scene.fleet.answer(scene.fleet.event("tag-cluster-set", scene.nodes["joins"])))


def _changed(scene: Scene) -> Failures:
    """A change of state, which is asked for one by one."""
    scene.here.sleep(60)
    return _seen(scene.fleet.answer(scene.fleet.event("ec2-instance-running", scene.nodes["joins"])))


def _reconcile(scene: Scene) -> Failures:
    scene.here.sleep(60)
    return _seen(scene.fleet.reconcile())


def _drain(scene: Scene) -> Failures:
    """What Lambda gets again while it fails, and what `reconcile` does meanwhile."""
    try:
        scene.fleet.drain(scene.more["event"])
    except Unserved as error:
        return tuple(one for _, one in error.failures)
    except AwsError as error:
        return (error,)
    return ()


def _looks(scene: Scene) -> Failures:
    """The looks of three minutes: an instance that a group holds is let in, then let go on."""
    return (*_reconcile(scene), *_reconcile(scene), *_reconcile(scene))


def _looks_later(scene: Scene) -> Failures:
    """A look, and those of three minutes once connections have had their time to drain."""
    first = _reconcile(scene)
    scene.here.sleep(300)
    return (*first, *_looks(scene))


def _drain_again(scene: Scene) -> Failures:
    return (*_drain(scene), *_looks(scene))


def _interrupted(scene: Scene) -> None:
    _balancers(scene)
    _members(scene, "stays-1")
    _members(scene, "leaves", spot=True)
    scene.more["event"] = scene.fleet.event("ec2-spot-interruption", scene.nodes["leaves"])


def _marked(scene: Scene) -> object:
    text = scene.fleet.draining(scene.nodes["leaves"]) or ""
    return text.partition(" ")[2]


def _held(scene: Scene) -> dict[str, Any]:
    """The event of the one instance that a group launches and holds."""
    held: list[dict[str, Any]] = []
    autoscaling.on_lifecycle_action.append(held.append)
    try:
        scene.more["groups"] = group(READY, DRAIN)
    finally:
        autoscaling.on_lifecycle_action.remove(held.append)
    (event,) = held
    scene.nodes["grouped"] = id_ = event["detail"]["EC2InstanceId"]
    scene.here.tag([id_], "Name", "grouped")
    scene.its += [id_, "nodes"]
    return event


def _raw(scene: Scene, event: dict[str, Any]) -> None:
    kind = "launch" if "launch" in event["detail-type"] else "terminate"
    scene.more["event"] = scene.fleet.event(
        f"autoscaling-{kind}-lifecycle", scene.nodes["grouped"], **event["detail"]
    )


def _launching(scene: Scene) -> None:
    _balancers(scene)
    _members(scene, "stays-1")
    _raw(scene, _held(scene))


def _terminating(scene: Scene) -> None:
    """It has drained from `demo`, and is still registered with the network one."""
    _launching(scene)
    grouped = scene.nodes["grouped"]
    scene.fleet.by_hand("demo", add=[grouped])
    scene.fleet.targeted(NETWORK, add=[grouped])
    scene.fleet.reconcile()
    scene.fleet.by_hand("neighbour", remove=[scene.nodes["neighbour-1"]])
    held: list[dict[str, Any]] = []
    autoscaling.on_lifecycle_action.append(held.append)
    try:
        scene.more["groups"].set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    finally:
        autoscaling.on_lifecycle_action.remove(held.append)
    _raw(scene, held[0])


def _lifecycle(scene: Scene) -> object:
    return [*states(scene.more["groups"]).values()]


LOOK = """
    DescribeAutoScalingInstances of it
    DescribeInstances
    DescribeInstances of it
    DescribeLoadBalancers
    DescribeTags
    PutEvents
    RegisterInstancesWithLoadBalancer
    v2 DescribeLoadBalancers
    v2 DescribeLoadBalancers of it
    v2 DescribeTags of it
    v2 DescribeTargetGroups of it
    v2 DescribeTargetHealth of it
"""
CHANGES = """
    DeregisterInstancesFromLoadBalancer of it
    DescribeAutoScalingGroups of it
    DescribeInstanceHealth of it
    DescribeLoadBalancers of it
    DescribeSpotInstanceRequests of it
    DescribeTags of it
    RegisterInstancesWithLoadBalancer of it
    v2 DeregisterTargets of it
    v2 RegisterTargets of it
"""
AT_ONCE = """
    DescribeInstances of it
    DescribeLoadBalancers
    DescribeTags
    PutEvents
    v2 DescribeLoadBalancers
    v2 DescribeLoadBalancers of it
    v2 DescribeTags of it
    v2 DescribeTargetGroups of it
    v2 DescribeTargetHealth of it
"""
LEAVES = """
    CreateTags of it
    DeregisterInstancesFromLoadBalancer of it
    DescribeLoadBalancers of it
    DescribeTags of it
    v2 DeregisterTargets of it
"""
HELD = """
    DescribeAutoScalingInstances of it
    RegisterInstancesWithLoadBalancer of it
    v2 RegisterTargets of it
"""
RETIRED = """
    DescribeAutoScalingInstances of it
    DeregisterInstancesFromLoadBalancer of it
    v2 DeregisterTargets of it
"""
LET_IN = """
    DescribeInstanceHealth of it
    RegisterInstancesWithLoadBalancer of it
    v2 RegisterTargets of it
"""
LET_GO = """
    DescribeInstanceHealth of it
    DeregisterInstancesFromLoadBalancer of it
    v2 DeregisterTargets of it
"""
NICE = ("PutEvents", "DescribeSpotInstanceRequests of it")
LEFT: Mapping[str, Collection[type[AwsError]]] = {
    # Its group may attach the load balancer, and would register it again.
    "DescribeAutoScalingGroups of it": [AwsError],
    # Not registered any more, or vanished since it was listed.
    "DeregisterInstancesFromLoadBalancer of it": [InvalidInstance],
    "v2 DeregisterTargets of it": [InvalidInstance],
    "DescribeInstances of it": [Absent],
    "DescribeTags": [Absent],
    "v2 DescribeTags of it": [Absent],
    "v2 DescribeTargetHealth of it": [Absent],
}


def _story(  # noqa: PLR0917 - a table's columns
    name: str,
    arrange: Callable[[Scene], object],
    act: Callable[[Scene], Failures],
    again: Callable[[Scene], Failures],
    calls: str,
    state: Callable[[Scene], object] = lambda _: None,
    answer: Callable[[Refusal], type[Exception] | None] = lambda refusal: refusal.error,
    left: Mapping[str, Collection[type[AwsError]]] = LEFT,
) -> Story:
    return Story(
        name=name,
        arrange=arrange,
        act=act,
        again=again,
        calls=calls,
        nice=NICE,
        left=left,
        state=state,
        answer=answer,
    )


DRAINS: Mapping[str, Collection[type[AwsError]]] = {
    **LEFT,
    "DescribeLoadBalancers of it": [Absent],
    "DescribeTags of it": [Absent],
    "v2 DescribeLoadBalancers of it": [Absent],
}
"""Who drains one instance has nothing to do at a load balancer that vanished."""


def _drained(refusal: Refusal) -> type[Exception] | None:
    """An instance leaves although its mark is refused; what another try may mend fails all the same."""
    in_vain = refusal.call == "CreateTags of it" and issubclass(
        refusal.error, QuotaReached | Absent | Refused
    )
    return None if in_vain else refusal.error


def _after_asking(refusal: Refusal) -> type[Exception] | None:
    """Where EC2 cannot say whether the instance is tagged, there is a look."""
    asked = refusal.call == "DescribeInstances of it" and refusal.lasting == "once"
    return None if asked else refusal.error


STORIES = (
    _story("register", _drifted, _register, _reconcile, LOOK + CHANGES),
    _story("state change", _drifted, _changed, _reconcile, LOOK + CHANGES, answer=_after_asking),
    _story("reconcile", _drifted, _reconcile, _reconcile, LOOK + CHANGES),
    _story("interruption", _interrupted, _drain, _drain_again, AT_ONCE + LEAVES, _marked, _drained, DRAINS),
    _story("launching", _launching, _drain, _drain_again, AT_ONCE + HELD, _lifecycle, left=DRAINS),
    _story("let in", _launching, _reconcile, _looks, LOOK + LET_IN, _lifecycle),
    _story("terminating", _terminating, _drain, _drain_again, AT_ONCE + RETIRED, _lifecycle, left=DRAINS),
    _story("let go", _terminating, _reconcile, _looks_later, LOOK + LET_GO, _lifecycle),
)
