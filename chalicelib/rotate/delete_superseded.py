"""Delete superseded certificates, those under our own path only, and only what no listener anywhere uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.apply import Progress, apply
from chalicelib.certificates.users import find_users
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.report import ReviewWarning
from chalicelib.model.step import Step
from chalicelib.rotate.model import Rotation
from chalicelib.rotate.observe import Region
from chalicelib.rotate.plan import Retire, retire


@dataclass(frozen=True, kw_only=True)
class Retired:
    """What was deleted, and what is to be said to the `load_balancers` whose certificates were to go."""

    steps: tuple[Step, ...] = ()
    load_balancers: frozenset[str] = frozenset()
    warnings: tuple[ReviewWarning, ...] = ()


def retire_superseded(region: Region, rotations: Sequence[Rotation], invocation: Invocation) -> Retired:
    """Delete the superseded certificates of each rotation that is not pending.

    No call without anything to delete. The next run deletes what AWS does not let go of yet.
    """
    planned = [
        (one.name, goes)
        for one in rotations
        if one.state != "pending"
        for goes in _superseded(region, one, invocation)
    ]
    if not planned:
        return Retired()
    found = find_users(invocation)
    used = found.certificates
    progress = Progress()
    for name, goes in planned:
        if goes.certificate.arn not in used and goes.certificate.name:
            delete = do.DeleteServerCertificate(reason=goes.reason, certificate=goes.certificate.name)
            try:
                apply(name, [delete], progress, invocation)
            except (errors.NotYet, errors.Absent):
                continue
    names = frozenset(name for name, _ in planned)
    return Retired(steps=progress.steps, load_balancers=names, warnings=found.warnings)


def _superseded(region: Region, rotation: Rotation, invocation: Invocation) -> Iterable[Retire]:
    balancer = next(one for one in region.balancers if one.name == rotation.name)
    served = rotation.certificate
    moved = rotation.state in {"rotated", "rolled-back"}
    left = {listener.certificate for listener in balancer.listeners} if moved else set()
    rejected = balancer.rejected
    if rotation.state == "rolled-back" and balancer.served and served and balancer.served.arn != served.arn:
        rejected = balancer.served.name
    return retire(
        balancer.certificates,
        served,
        (region.in_use - left) | ({served.arn} if served else set()),
        invocation.now(),
        keep=invocation.settings.keep_certificates,
        rejected=rejected,
    )
