"""What a verdict says in CloudWatch: at most six metrics a load balancer, since each costs money."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from chalicelib.model.metrics import DAYS_TO_EXPIRY, SUCCESS
from chalicelib.probe.plan import Verdict

PHASE_TIMES: Mapping[str, str] = {
    "tcp": "ProbeTcpTime",
    "tls": "ProbeTlsTime",
    "connack": "ProbeConnackTime",
    "echo": "ProbeRoundTripTime",
}
"""The phases whose times are metrics, in milliseconds."""


def metrics(verdict: Verdict, now: datetime) -> dict[str, float]:
    """Return the metrics by name: success as 0 or 1, times of the slowest address, days of the first to end.

    Degraded is no success: some devices fail. What had no turn has no success, and a phase that no address
    passed no time.
    """
    found: dict[str, float] = {} if verdict.success is None else {SUCCESS: float(verdict.success)}
    for phase, name in PHASE_TIMES.items():
        times = [outcome.times_ms[phase] for outcome in verdict.outcomes if phase in outcome.times_ms]
        if times:
            found[name] = round(max(times), 2)
    ends = [outcome.served.ends for outcome in verdict.outcomes if outcome.served]
    if ends:
        found[DAYS_TO_EXPIRY] = round((min(ends) - now) / timedelta(days=1), 2)
    return found
