"""Delete superseded certificates, those under our own path only, and only what no listener anywhere uses.

IAM's page warns that ELB may not notice a deletion and stop taking traffic, so that users are looked for
first; a server certificate is the account's, and a listener of any region can use it. Another region that is
denied to us, or does not answer, is left out with a warning.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chalicelib.apply import Progress, apply
from chalicelib.aws import ec2, elb
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.report import ReviewWarning
from chalicelib.model.step import Step
from chalicelib.rotate.model import Rotation
from chalicelib.rotate.observe import Region
from chalicelib.rotate.plan import Retire, retire, skippable, skipped

_REGIONS_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Retired:
    """What was deleted, and what is to be said to the `load_balancers` whose certificates were to go."""

    steps: tuple[Step, ...] = ()
    load_balancers: frozenset[str] = frozenset()
    warnings: tuple[ReviewWarning, ...] = ()


def retire_superseded(region: Region, rotations: Sequence[Rotation], invocation: Invocation) -> Retired:
    """Delete for each rotation that is settled.

    Without anything to delete there is no call. What AWS still holds on to is left to the next run.
    """
    planned = [
        (one.name, goes)
        for one in rotations
        if one.state != "pending"
        for goes in _superseded(region, one, invocation)
    ]
    if not planned:
        return Retired()
    used, warnings = _used_anywhere(invocation)
    progress = Progress()
    for name, goes in planned:
        if goes.certificate.arn not in used and goes.certificate.name:
            delete = do.DeleteServerCertificate(reason=goes.reason, certificate=goes.certificate.name)
            try:
                apply(name, [delete], progress, invocation)
            except (errors.NotYet, errors.Absent):
                continue
    names = frozenset(name for name, _ in planned)
    return Retired(steps=progress.steps, load_balancers=names, warnings=warnings)


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


def _used_anywhere(invocation: Invocation) -> tuple[frozenset[str], tuple[ReviewWarning, ...]]:
    """The certificates on every listener of every region that the account can use and that answers us."""
    regions = ec2.regions(invocation.clients.ec2)
    with ThreadPoolExecutor(_REGIONS_AT_ONCE) as pool:
        answers = dict(zip(regions, pool.map(lambda one: _used_in(one, invocation), regions), strict=True))
    silent = {region: answer for region, answer in answers.items() if isinstance(answer, errors.AwsError)}
    used = (answer for answer in answers.values() if not isinstance(answer, errors.AwsError))
    return frozenset().union(*used), skipped(silent)


def _used_in(region: str, invocation: Invocation) -> frozenset[str] | errors.AwsError:
    """The certificates on every listener of a region, or why another region than ours is left out."""
    try:
        described = elb.describe_all(invocation.clients.elb_in(region))
    except errors.AwsError as error:
        if region == invocation.clients.region or not skippable(error):
            raise
        return error
    return frozenset(
        listener.certificate
        for one in described
        for listener in elb.parse_listeners(one, {})
        if listener.certificate
    )
