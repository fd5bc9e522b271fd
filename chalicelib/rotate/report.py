"""Report rotations: metrics, events on EventBridge, log records; and what ACM warns of itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from chalicelib import announce, observe, telemetry
from chalicelib.aws.eventbridge import Announcement
from chalicelib.invocation import Invocation
from chalicelib.model.metrics import DAYS_TO_EXPIRY, ROLLBACKS
from chalicelib.model.names import ACM_RENEWS
from chalicelib.model.report import ReviewWarning
from chalicelib.rotate.events import Expiring
from chalicelib.rotate.model import LoadBalancerCertificates, Rotation
from chalicelib.telemetry import logger


def report_rotations(
    rotations: Sequence[Rotation], balancers: Sequence[LoadBalancerCertificates], invocation: Invocation
) -> None:
    """Count, announce, log."""
    _count(rotations, balancers, invocation)
    changed = {"rotated": "Certificate Rotated", "rolled-back": "Certificate Rolled Back"}
    announce.announce(
        [Announcement(changed[one.state], _announced(one)) for one in rotations if one.state in changed],
        invocation.clients,
    )
    for one in rotations:
        log_rotation(one)


def _announced(rotation: Rotation) -> dict[str, object]:
    certificate = rotation.certificate
    return {
        "load_balancer": rotation.name,
        "certificate": certificate.arn if certificate else None,
        "serial": certificate.serial if certificate else None,
        "not_after": certificate.not_after.isoformat() if certificate else None,
        "verified": rotation.verified,
        "reason": rotation.reason,
    }


def _count(
    rotations: Sequence[Rotation], balancers: Sequence[LoadBalancerCertificates], invocation: Invocation
) -> None:
    """Put the metrics of every load balancer that was looked at, zeros included; of all together, roll-backs.

    No zero for all together: it would end the alarm, and where data are missing after it CloudWatch looks
    back at the roll-back, and rings again.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    known = {one.name: one for one in rotations}
    for balancer in balancers:
        rotation = known.get(balancer.name)
        certificate = rotation.certificate if rotation else balancer.served
        state = rotation.state if rotation else "kept"
        metrics: dict[str, float] = {
            "CertificatesRotated": int(state == "rotated"),
            ROLLBACKS: int(state == "rolled-back"),
        }
        if certificate:
            left = certificate.not_after - invocation.now()
            metrics[DAYS_TO_EXPIRY] = round(left / timedelta(days=1), 2)
        for name in sorted({listener.load_balancer for listener in balancer.listeners}):
            telemetry.emit(name, **metrics)
    if rolled_back := sum(one.state == "rolled-back" for one in rotations):
        telemetry.emit_total(invocation.settings.owner, **{ROLLBACKS: rolled_back})


def report_expiring(expiring: Expiring, invocation: Invocation) -> tuple[str, ...]:
    """Log ACM's warning that certificates of its own end soon; return the load balancers that serve one."""
    serving = {
        one.name: served
        for one in observe.ours_with_listeners(invocation)
        if (served := expiring.arns & {listener.certificate for listener in one.listeners})
    }
    for name, arns in sorted(serving.items()):
        arn = ", ".join(sorted(arns))
        warning = ReviewWarning("expires-soon", f"ACM says that {arn} ends in {expiring.days:g} days")
        telemetry.emit(name, CertificateDaysToExpiry=expiring.days)
        _log(name, warnings=[warning], state="kept", reason=ACM_RENEWS, certificate=arn)
    return tuple(sorted(serving))


def log_rotation(rotation: Rotation) -> None:
    """Log what became of a certificate."""
    certificate = rotation.certificate
    _log(
        rotation.name,
        warnings=rotation.warnings,
        failing=rotation.failing,
        state=rotation.state,
        verified=rotation.verified,
        reason=rotation.reason,
        certificate=certificate.arn if certificate else None,
        not_after=certificate.not_after.isoformat() if certificate else None,
    )


def _log(
    load_balancer: str, *, warnings: Sequence[ReviewWarning], failing: bool = False, **fields: object
) -> None:
    """Log a record `rotate`; a warning where a person has to look."""
    log = logger().warning if failing or warnings else logger().info
    shown = [{"code": one.code, "message": one.message} for one in warnings]
    log("rotate", extra={"load_balancer": load_balancer, **fields, "warnings": shown})
