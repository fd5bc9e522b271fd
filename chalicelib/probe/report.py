"""The log records of the probe and of the deep probe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chalicelib.telemetry import logger

if TYPE_CHECKING:
    from chalicelib.probe.deep_plan import Finding
    from chalicelib.probe.plan import Verdict


def log_verdict(verdict: Verdict) -> None:
    """Log a verdict; one that is not good is a warning, with every address that failed and why."""
    log = logger().info if verdict.grade == "ok" else logger().warning
    log(
        "probe",
        extra={
            "load_balancer": verdict.load_balancer,
            "verdict": verdict.logged,
            "failed": [
                {
                    "address": one.address,
                    "port": one.port,
                    "phase": one.failure.phase,
                    "cause": one.failure.cause,
                    "detail": one.failure.detail,
                }
                for one in verdict.outcomes
                if one.failure
            ],
        },
    )


def log_deep_verdict(load_balancer: str, result: str, findings: Iterable[Finding]) -> None:
    """Log what the deep probe found, each check with its sentence; a failure is a warning."""
    log = logger().warning if result == "failed" else logger().info
    log(
        "deep-probe",
        extra={
            "load_balancer": load_balancer,
            "result": result,
            "findings": [
                {
                    "check": one.check,
                    "port": one.port,
                    "result": one.result,
                    "note": one.note,
                    **({"cause": one.cause} if one.cause else {}),
                    **one.counts,
                }
                for one in findings
            ],
        },
    )
