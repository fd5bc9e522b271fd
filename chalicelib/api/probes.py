"""A probe's verdict as JSON: the answer of `POST /load-balancers/{name}/probe`."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.model.moments import rfc3339
from chalicelib.probe.plan import Outcome, Verdict


def verdict_json(verdict: Verdict, now: datetime) -> dict[str, object]:
    """Return the verdict with every address that was tried; times are milliseconds."""
    return {
        "name": verdict.load_balancer,
        "verdict": verdict.grade,
        "targets": [_outcome_json(outcome, now) for outcome in verdict.outcomes],
    }


def _outcome_json(outcome: Outcome, now: datetime) -> dict[str, object]:
    failure, served = outcome.failure, outcome.served
    return {
        "address": outcome.address,
        "port": outcome.port,
        "verdict": "failed" if failure else "ok",
        "phase": failure.phase if failure else None,
        "cause": failure.cause if failure else None,
        "detail": (failure.detail or None) if failure else None,
        "times_ms": {phase: round(spent, 2) for phase, spent in outcome.times_ms.items()},
        "tls": {"version": outcome.tls_version, "cipher": outcome.cipher} if outcome.tls_version else None,
        "certificate": {
            "serial": served.leaf.serial,
            "not_after": rfc3339(served.ends),
            "days_left": (served.ends - now) // timedelta(days=1),
        }
        if served
        else None,
    }
