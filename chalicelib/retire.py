"""Delete superseded certificates, those under our own path only, and only what no listener anywhere uses.

IAM's page warns that ELB may not notice a deletion and stop taking traffic, so that users are looked for
first; a server certificate is the account's, and a listener of any region can use it.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from chalicelib.adapters import ec2, elb
from chalicelib.apply import Progress, apply
from chalicelib.core import actions as do
from chalicelib.core import errors
from chalicelib.core.retirement import Retire, retire
from chalicelib.core.rotation import Rotation
from chalicelib.core.step import Step
from chalicelib.holdings import Estate
from chalicelib.invocation import Invocation

_REGIONS_AT_ONCE = 8


def retire_superseded(
    estate: Estate, rotations: Sequence[Rotation], invocation: Invocation
) -> tuple[Step, ...]:
    """Delete for each rotation that is settled; return what was deleted.

    Without anything to delete there is no call. What AWS still holds on to is left to the next run.
    """
    planned = [
        (one.name, goes)
        for one in rotations
        if one.state != "pending"
        for goes in _superseded(estate, one, invocation)
    ]
    if not planned:
        return ()
    used = _used_anywhere(invocation)
    progress = Progress()
    for name, goes in planned:
        if goes.certificate.arn not in used and goes.certificate.name:
            delete = do.DeleteServerCertificate(reason=goes.reason, certificate=goes.certificate.name)
            try:
                apply(name, [delete], progress, invocation)
            except (errors.InUse, errors.Absent):
                continue
    return tuple(progress.steps)


def _superseded(estate: Estate, rotation: Rotation, invocation: Invocation) -> Iterable[Retire]:
    holding = next(one for one in estate.holdings if one.load_balancer == rotation.name)
    served = rotation.certificate
    moved = rotation.state in {"rotated", "rolled-back"}
    left = {place.certificate for place in holding.places} if moved else set()
    rejected = holding.rejected
    if rotation.state == "rolled-back" and holding.served and served and holding.served.arn != served.arn:
        rejected = holding.served.name
    return retire(
        holding.certificates,
        served,
        (estate.in_use - left) | ({served.arn} if served else set()),
        invocation.now(),
        keep=invocation.settings.keep_certificates,
        rejected=rejected,
    )


def _used_anywhere(invocation: Invocation) -> frozenset[str]:
    """The certificates on every listener of every region that the account can use."""
    clients = invocation.clients
    with ThreadPoolExecutor(_REGIONS_AT_ONCE) as pool:
        regions = pool.map(lambda region: elb.describe_all(clients.elb_in(region)), ec2.regions(clients.ec2))
        return frozenset(
            listener.certificate
            for described in regions
            for one in described
            for listener in elb.listeners(one, {})
            if listener.certificate
        )
