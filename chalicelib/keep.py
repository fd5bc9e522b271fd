"""Keep a certificate; one that is new, or was waited for, is looked at again on the wire.

A run that was killed may have left it unproven, or waited for in the `emq-elb:pending` tag.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.core.holding import WATCHED, uploaded
from chalicelib.core.outcome import ReviewWarning
from chalicelib.core.pending import of_rotation
from chalicelib.core.renewal import FAILING, Keep
from chalicelib.core.rotation import Rotation
from chalicelib.holdings import detailed
from chalicelib.swap import Swap, spots, verified
from chalicelib.wire import look

RECENT = timedelta(days=1)
"""So long every run looks at a new certificate again: whoever installed it may not have come so far."""


def kept(decision: Keep, swap: Swap, *, dry_run: bool) -> Rotation:
    """Leave it, and tell why; `dry_run` looks at nothing."""
    holding, invocation = swap.holding, swap.invocation
    served = holding.served
    told = ReviewWarning(decision.code, decision.reason) if decision.code else None
    left = Rotation(
        name=holding.load_balancer,
        state="kept",
        reason=decision.reason,
        certificate=served,
        warnings=(*swap.warnings, told) if told else swap.warnings,
        failing=decision.code in FAILING,
    )
    waited = of_rotation(swap.pending)
    renewed = holding.source not in WATCHED and served is not None and served.name is not None
    if (
        dry_run
        or served is None
        or not renewed
        or not (waited or invocation.now() - uploaded(served) < RECENT)
    ):
        return left
    seen = look(spots(holding, swap.load_balancers, served.domains), swap.wire)
    if not waited and not seen:
        return left
    known = detailed(holding, seen, invocation)
    if known.served is None:
        return left
    proven = verified(replace(swap, holding=known), known.served, decision.reason)
    return (
        proven
        if proven.state != "rotated"
        else replace(left, verified=proven.verified, steps=proven.steps, certificate=known.served)
    )
