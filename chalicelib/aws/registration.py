"""Register or deregister instances, although AWS refuses some of them.

AWS refuses a whole call for one instance that does not exist or does not run (`InvalidInstance`, of a target
group `InvalidTarget`). After such a refusal EC2 is asked which of the instances still exist, and the call is
made again for those. A call that AWS refuses even so is split into halves.

    of n instances                     calls               reads
    AWS takes all                      1                   0
    all have ended                     1                   1
    some have ended                    2                   1
    one of them is refused even so     + 2 ⌈log2 n⌉        1

EC2 takes 200 ids in a read; more than that take one read for each 200.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chalicelib.aws import ec2
from chalicelib.aws.clients import Clients
from chalicelib.aws.load_balancers import perform
from chalicelib.model.actions import (
    DeregisterInstances,
    DeregisterTargets,
    RegisterInstances,
    RegisterTargets,
)
from chalicelib.model.errors import InvalidInstance
from chalicelib.model.load_balancer import Instance

MembershipAction = RegisterInstances | DeregisterInstances | RegisterTargets | DeregisterTargets


@dataclass(frozen=True)
class NotTaken:
    """One instance for which AWS took no call, and why.

    `error` is None where nothing is left to do: the instance has ended or does not run, or it was to be
    deregistered and is not registered any more. `target_group` is the ARN of the one that it was to be
    registered in.
    """

    instance: str
    reason: str
    error: InvalidInstance | None = None
    target_group: str | None = None


def register_or_deregister(
    clients: Clients, name: str, change: MembershipAction
) -> Iterator[MembershipAction | NotTaken]:
    """Make the change at the load balancer `name`; yield each call that AWS took and each instance refused.

    A call is yielded as soon as it is made, so that an error in a later one hides nothing.
    """

    def call(part: MembershipAction) -> None:
        perform(clients, name, part)

    refused = _refusal(call, change)
    if refused is None:
        yield change
        return
    found = ec2.instances(clients.ec2, change.instances)
    ended = {id_: why for id_ in change.instances if (why := _nothing_to_do(change, found.get(id_)))}
    yield from (NotTaken(id_, why) for id_, why in ended.items())
    if rest := tuple(id_ for id_ in change.instances if id_ not in ended):
        yield from by_halves(call, replace(change, instances=rest), None if ended else refused)


def by_halves(
    call: Callable[[MembershipAction], None], change: MembershipAction, refused: InvalidInstance | None = None
) -> Iterator[MembershipAction | NotTaken]:
    """Make the call; where AWS refuses it, make one for each half.

    `refused` is AWS's refusal of this very call: then the halves are tried at once.
    """
    refused = refused or _refusal(call, change)
    if refused is None:
        yield change
        return
    middle = len(change.instances) // 2
    if not middle:
        # Of one that is not registered any more, and so is deregistered, AWS says the same.
        leaving = isinstance(change, DeregisterInstances | DeregisterTargets)
        group = change.arn if isinstance(change, RegisterTargets) else None
        yield NotTaken(change.instances[0], refused.message, None if leaving else refused, group)
        return
    for half in (change.instances[:middle], change.instances[middle:]):
        yield from by_halves(call, replace(change, instances=half))


def _refusal(call: Callable[[MembershipAction], None], change: MembershipAction) -> InvalidInstance | None:
    """Make the call, and return AWS's refusal of one of its instances; None where AWS takes the call."""
    try:
        call(change)
    except InvalidInstance as error:
        return error
    return None


def _nothing_to_do(change: MembershipAction, instance: Instance | None) -> str | None:
    """Why no further call is made for the instance; None when one is."""
    if instance is None:
        return "it no longer exists"
    if instance.state == "terminated":
        return "it is terminated"
    registering = isinstance(change, RegisterInstances | RegisterTargets)
    return f"it is {instance.state}" if registering and instance.state != "running" else None
