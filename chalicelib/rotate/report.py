"""What is told of rotations: metrics, events, log records; and what ACM tells of its own certificates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.telemetry import logger

if TYPE_CHECKING:
    from chalicelib.rotate.model import Rotation


from datetime import timedelta

from chalicelib import announce, observe, telemetry
from chalicelib.aws.eventbridge import Announcement
from chalicelib.invocation import Invocation
from chalicelib.model.metrics import ROLLBACKS
from chalicelib.model.report import ReviewWarning
from chalicelib.rotate.model import LoadBalancerCertificates, Rotation


def report_rotations(
    rotations: Sequence[Rotation], holdings: Sequence[LoadBalancerCertificates], invocation: Invocation
) -> None:
    """Count, announce, log."""
    _count(rotations, holdings, invocation)
    changed = {"rotated": "Certificate Rotated", "rolled-back": "Certificate Rolled Back"}
    announce.announce(
        [Announcement(changed[one.state], _told(one)) for one in rotations if one.state in changed],
        invocation.clients,
    )
    for one in rotations:
        log_rotation(one)


def _told(rotation: Rotation) -> dict[str, object]:
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
    rotations: Sequence[Rotation], holdings: Sequence[LoadBalancerCertificates], invocation: Invocation
) -> None:
    """Put the metrics of every load balancer that was looked at, zeros included; of all together, roll-backs.

    No zero for all together: it would end the alarm, and where data are missing after it CloudWatch looks
    back at the roll-back, and rings again.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    known = {one.name: one for one in rotations}
    for holding in holdings:
        rotation = known.get(holding.load_balancer)
        certificate = rotation.certificate if rotation else holding.served
        state = rotation.state if rotation else "kept"
        metrics = {
            "CertificatesRotated": int(state == "rotated"),
            ROLLBACKS: int(state == "rolled-back"),
        }
        if certificate:
            left = certificate.not_after - invocation.now()
            metrics["CertificateDaysToExpiry"] = left // timedelta(days=1)
        for name in sorted({place.load_balancer for place in holding.places}):
            telemetry.emit(name, **metrics)
    if rolled_back := sum(one.state == "rolled-back" for one in rotations):
        telemetry.emit_total(invocation.settings.owner, **{ROLLBACKS: rolled_back})


def report_expiring(arn: str, days: float, invocation: Invocation) -> tuple[str, ...]:
    """Tell, as ACM did, that a certificate of its own ends soon; return the load balancers that serve it."""
    serving = sorted(
        one.name
        for one in observe.ours(invocation)
        if any(listener.certificate == arn for listener in one.listeners)
    )
    for name in serving:
        telemetry.emit(name, CertificateDaysToExpiry=days)
        warning = ReviewWarning("expires-soon", f"ACM says that {arn} ends in {days:g} days")
        told = Rotation(name=name, state="kept", reason="ACM renews it, or you do", warnings=(warning,))
        log_rotation(told)
    return tuple(serving)


def log_rotation(told: Rotation) -> None:
    """Tell what became of a certificate; what a person has to look at is a warning."""
    certificate = told.certificate
    tell = logger().warning if told.failing or told.warnings else logger().info
    tell(
        "rotate",
        extra={
            "load_balancer": told.name,
            "state": told.state,
            "verified": told.verified,
            "reason": told.reason,
            "certificate": certificate.arn if certificate else None,
            "not_after": certificate.not_after.isoformat() if certificate else None,
            "warnings": [{"code": one.code, "message": one.message} for one in told.warnings],
        },
    )
