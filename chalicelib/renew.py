"""Have a new certificate from the load balancer's issuer, examine it, upload it, install it.

An ACME CA takes its time: what this run of a function has too little of is left to a later one, which the
`emq-elb:pending` tag tells of it, and so it does of a CA that wants to be left alone.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.acme.challenges import Work
from chalicelib.acme.order import time_enough
from chalicelib.apply import apply
from chalicelib.core.holding import Holding
from chalicelib.core.renewal import Renew
from chalicelib.core.rotation import Rotation
from chalicelib.model import actions as do
from chalicelib.model.errors import IssuerLimited
from chalicelib.model.load_balancer import age, uploaded
from chalicelib.model.names import ACME, pending_since
from chalicelib.model.pending import ISSUING, awaited, limited, waits_for
from chalicelib.offers import Offers, bundle_for, chosen_of
from chalicelib.swap import Swap, install, postponed


def renewed(decision: Renew, swap: Swap, offers: Offers) -> Rotation:
    """Upload it under its content's name, and install it.

    Pending when this run is too short for the issuer. IssuerLimited is told on the load balancer first.
    """
    holding, invocation = swap.holding, swap.invocation
    if holding.source == ACME and not time_enough(invocation):
        return postponed(swap, ISSUING, f"{decision.reason}; the CA needs longer than this run has left")
    quota = offers.quota()
    try:
        bundle, warnings = bundle_for(
            holding, decision.domains, offers, Work(holding.load_balancer, swap.progress, invocation)
        )
    except IssuerLimited as error:
        postponed(swap, limited(ISSUING, error.until), str(error))
        raise
    certificate, chosen = chosen_of(holding, bundle, invocation)
    upload = do.UploadServerCertificate(reason=decision.reason, certificate=certificate.arn)
    apply(holding.load_balancer, [upload], swap.progress, invocation, chosen)
    offers.uploaded()
    known = replace(certificate, arn=swap.progress.bound[certificate.arn], uploaded=invocation.now())
    return install(replace(swap, warnings=(*swap.warnings, *warnings, *quota)), known, decision.reason)


def unfinished(holding: Holding, pending: str | None) -> bool:
    """Whether somebody asked for a new certificate, and it is not there or waits to be installed."""
    what, served = waits_for(pending), holding.served
    if what.startswith(ISSUING):
        since = pending_since(pending)
        # Whole seconds, both; an order takes longer than one.
        return served is None or since is None or uploaded(served) <= since
    name = awaited(pending)
    waiting = next((one for one in holding.certificates if one.name == name), None)
    return waiting is not None and (served is None or age(waiting) > age(served))
