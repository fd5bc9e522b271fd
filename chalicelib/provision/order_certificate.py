"""Order the certificate of a PUT from the ACME CA, before everything else.

That takes longer than an answer may: the background does it. The certificate is uploaded as soon as it is
there, so that no run needs the key of another run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.acme.order import time_enough
from chalicelib.apply import Progress, apply
from chalicelib.certificates.chosen import Chosen, ToOrder
from chalicelib.certificates.issue import Wanted, issue, upload
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.errors import Conflict, IssuerLimited
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.names import ACME, PENDING_TAG
from chalicelib.model.pending import WAITING_FOR_CA, Pending, parse_pending
from chalicelib.provision.declaration import Declaration, GivenArn

_PAUSE = timedelta(minutes=1)
"""So long a CA is left alone at least, whatever it says."""


def foreseen(chosen: Chosen | None) -> tuple[do.NewOrder, ...]:
    """Return the order as a dry run shows it; the plan has the upload that follows."""
    if not isinstance(chosen, ToOrder):
        return ()
    return (do.NewOrder(reason="there is no certificate for these names yet", domains=chosen.domains),)


def refuse(chosen: Chosen | None, there: LoadBalancer | None, invocation: Invocation) -> None:
    """Raise IssuerLimited while the CA takes no order for this load balancer.

    Conflict for one that is only being adopted: until it is ours the background cannot go on with it.
    """
    if not isinstance(chosen, ToOrder):
        return
    if there and there.owner is None:
        raise Conflict(
            f"{there.name}: adopt it with the certificate that it has, then have one issued by a second PUT"
        )
    pending = parse_pending(there.tags.get(PENDING_TAG)) if there else None
    if until := pending.limited(invocation.now()) if pending else None:
        raise IssuerLimited(until, "it named this time when it was asked before")


def obtained(
    declaration: Declaration,
    chosen: ToOrder,
    there: LoadBalancer | None,
    progress: Progress,
    invocation: Invocation,
    *,
    since: datetime,
) -> Declaration:
    """Order, examine, upload; return the declaration with this very certificate in the place of the issuer.

    Raises what `order` does. A limit of the CA is written on the load balancer, if there is one. A limit that
    ends soon enough for this run is waited for, and the declaration returned as it was.
    """
    name = declaration.name
    wanted = Wanted(source=ACME, domains=chosen.domains, hostnames=chosen.domains)
    try:
        issued = issue(wanted, name, progress, invocation)
    except IssuerLimited as error:
        if there:
            mark = Pending(since, WAITING_FOR_CA, not_before=error.until)
            apply(name, [do.AddTags(reason=str(error), tags=(mark.tag,))], progress, invocation)
        again = max(error.until, invocation.now() + _PAUSE)
        if not time_enough(invocation, again):
            raise
        invocation.sleep((again - invocation.now()).total_seconds())
        return declaration
    certificate = upload(issued, "the CA has issued it", name, progress, invocation)
    return replace(declaration, certificate=GivenArn(certificate.arn, ACME, settled=True))
