"""Keep a certificate; one that is new, or was waited for, is verified again in TLS handshakes.

A run that was killed may have left it unproven, or waited for in the `emq-elb:pending` tag.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.aws.certificate import read_certificate
from chalicelib.invocation import Invocation
from chalicelib.model.load_balancer import Certificate, uploaded
from chalicelib.model.names import REJECTED_TAG, WATCHED, certificate_name_of
from chalicelib.model.report import ReviewWarning
from chalicelib.rotate.install import Failed, Swap, endpoints, verified
from chalicelib.rotate.model import Rotation
from chalicelib.rotate.observe import detailed
from chalicelib.rotate.plan import FAILING, Keep, fallbacks
from chalicelib.rotate.proof import Handshakes, TimedHandshakes, judge_proof
from chalicelib.rotate.verify import handshakes

RECENT = timedelta(days=1)
"""For so long after its upload every run verifies a certificate again: the run that installed it may have
been killed first."""


def keep(decision: Keep, swap: Swap) -> Rotation:
    """Leave it, and return the reason."""
    warnings = (ReviewWarning(decision.code, decision.reason),) if decision.code else ()
    failing = decision.code in FAILING
    return swap.rotation("kept", decision.reason, swap.balancer.served, *warnings, failing=failing)


def kept(decision: Keep, swap: Swap) -> Rotation | Failed:
    """Keep it, and verify it again in TLS handshakes where it is new or was waited for."""
    balancer, invocation = swap.balancer, swap.invocation
    served = balancer.served
    left = keep(decision, swap)
    pending = swap.pending()
    waited = pending is not None and pending.of_rotation
    renewed = balancer.source not in WATCHED and served is not None and served.name is not None
    if served is None or not renewed or not (waited or invocation.now() - uploaded(served) < RECENT):
        return left
    seen = handshakes(endpoints(balancer, swap.load_balancers, served.domains), swap.client)
    if not waited and not seen:
        return left
    known = detailed(balancer, seen, invocation)
    if known.served is None:
        return left
    proven = verified(replace(swap, balancer=known), known.served, decision.reason)
    if isinstance(proven, Failed) or proven.state != "rotated":
        return proven
    left = replace(left, verified=proven.verified, steps=proven.steps, certificate=known.served)
    older = next(iter(fallbacks(known, known.served.name, invocation.now())), None)
    if not _untrusted(seen) or older is None or _same_issuer(known.served, older, invocation):
        return left
    # A PUT may have wanted just that, so that nothing is rolled back here.
    doubt = ReviewWarning(
        "unverified",
        "its issuer is not trusted here, and is not the issuer of the certificate before it: devices that"
        " trust only that one refuse it",
    )
    return replace(left, verified=False, warnings=(*left.warnings, doubt))


def mended(swap: Swap, older: Certificate) -> Rotation | None:
    """Keep what failed in TLS handshakes, if it does well by now: the cause was mended, perhaps by a PUT.

    None when it does not, everywhere; also when its issuer is not trusted and not that of `older`, the one to
    go back to: that may be why it failed.
    """
    balancer, invocation = swap.balancer, swap.invocation
    listeners = tuple(
        one for one in balancer.listeners if certificate_name_of(one.certificate) == balancer.rejected
    )
    failed = read_certificate(listeners[0].certificate, invocation.clients) if listeners else None
    if failed is None:
        return None
    seen = handshakes(
        endpoints(replace(balancer, listeners=listeners), swap.load_balancers, failed.domains), swap.client
    )
    proof = judge_proof([TimedHandshakes(invocation.now(), seen)], failed, {}, invocation.now(), last=True)
    if proof is None or not proof.complete:
        return None
    if _untrusted(seen) and not _same_issuer(failed, older, invocation):
        return None
    reason = "TLS handshakes with it failed before, and succeed now"
    swap.unmark(reason, REJECTED_TAG)
    return swap.rotation("kept", f"{reason}; {proof.detail}", failed, verified=True)


def _untrusted(seen: Handshakes) -> bool:
    return any(one.cause == "tls-untrusted" for one in seen.values())


def _same_issuer(one: Certificate, older: Certificate, invocation: Invocation) -> bool:
    """Whether one key signed both: then every client that trusts the older one trusts this one."""
    known = older if older.issuer_key else read_certificate(older.arn, invocation.clients)
    return one.issuer_key is not None and known is not None and one.issuer_key == known.issuer_key
