"""Put a certificate on the listeners in the place of another, prove it by handshakes; put the old one back.

A swap happens in place: the listener and its policies stay, and so do open sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from chalicelib.apply import Progress, apply
from chalicelib.aws.certificate import read_certificate
from chalicelib.aws.load_balancers import certificate_on, current_tags, swapping
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.load_balancer import Certificate, LoadBalancer, SecureListener
from chalicelib.model.names import PENDING_TAG, REJECTED_TAG
from chalicelib.model.pending import Pending, parse_pending, until_served
from chalicelib.model.rejected import Rejected
from chalicelib.model.report import ReviewWarning
from chalicelib.rotate.model import LoadBalancerCertificates, Rotation, RotationState
from chalicelib.rotate.observe import FRESH
from chalicelib.rotate.plan import RollBack, fallbacks
from chalicelib.rotate.proof import Handshakes, Proof, server_name
from chalicelib.rotate.verify import Endpoint, TlsClient, wait_until_served
from chalicelib.x509.domains import covers


@dataclass(frozen=True, kw_only=True)
class Swap:
    """One load balancer's rotation: what its listeners served before, and what was done so far.

    `since` is when `balancer` and `load_balancers` were read.
    """

    balancer: LoadBalancerCertificates
    load_balancers: Mapping[str, LoadBalancer]
    since: datetime
    before: Handshakes
    client: TlsClient
    invocation: Invocation
    progress: Progress
    warnings: tuple[ReviewWarning, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether it is some time ago that AWS was read: a PUT may have come in between."""
        return self.invocation.now() - self.since >= FRESH

    def pending(self) -> Pending | None:
        """The `emq-elb:pending` tag of its own load balancer, read again where what is known is `stale`."""
        load_balancer = self.load_balancers[self.balancer.name]
        tags = current_tags(self.invocation.clients, load_balancer) if self.stale else load_balancer.tags
        return parse_pending(tags.get(PENDING_TAG))

    def mark(self, reason: str, tag: tuple[str, str]) -> None:
        """Put one of our tags on its own load balancer."""
        self._apply(do.AddTags(reason=reason, tags=(tag,), arn=self.load_balancers[self.balancer.name].arn))

    def unmark(self, reason: str, key: str) -> None:
        """Take one of our tags off its own load balancer."""
        self._apply(
            do.RemoveTags(reason=reason, keys=(key,), arn=self.load_balancers[self.balancer.name].arn)
        )

    def _apply(self, action: do.Action) -> None:
        apply(self.balancer.name, [action], self.progress, self.invocation)

    def rotation(
        self,
        state: RotationState,
        reason: str,
        certificate: Certificate | None = None,
        *warnings: ReviewWarning,
        verified: bool = False,
        failing: bool = False,
    ) -> Rotation:
        """What became of it, with all that was done and warned of so far."""
        return Rotation(
            name=self.balancer.name,
            state=state,
            reason=reason,
            certificate=certificate,
            verified=verified,
            warnings=(*self.warnings, *warnings),
            steps=tuple(self.progress.steps),
            failing=failing,
        )


def endpoints(
    balancer: LoadBalancerCertificates, load_balancers: Mapping[str, LoadBalancer], domains: Iterable[str]
) -> tuple[Endpoint, ...]:
    """The listeners as they are reached, each by the name that its clients use.

    On another load balancer that is a name of the certificate, where that is for none of its clients anyway:
    it says nothing of what comes in its place.
    """
    names = tuple(domains)
    found = []
    for listener in balancer.listeners:
        if load_balancer := load_balancers.get(listener.load_balancer):
            hostname = load_balancer.hostname
            lent = listener.load_balancer != balancer.name and names
            name = None if lent and hostname and not covers(names, hostname) else hostname
            host = load_balancer.dns_name or ""
            found.append(
                Endpoint(listener.load_balancer, listener.port, host, server_name(name, names, host))
            )
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A certificate that is installed and fails in TLS handshakes: the story plans the roll-back.

    `swap` holds the listeners that serve it.
    """

    swap: Swap
    certificate: Certificate
    proof: Proof


def install(swap: Swap, certificate: Certificate, reason: str) -> Rotation | Failed:
    """Put it on every listener that does not serve it yet, and prove it."""
    served = _served_everywhere(swap, certificate, reason)
    return served if isinstance(served, Rotation) else verified(served, certificate, reason)


def verified(swap: Swap, certificate: Certificate, reason: str) -> Rotation | Failed:
    """Verify in TLS handshakes that the listeners serve it."""
    proof = _proof(swap, certificate)
    if proof.verdict == "failed":
        return Failed(swap=swap, certificate=certificate, proof=proof)
    if proof.verdict == "waiting":
        return _pending(swap, certificate, f"{reason}; {proof.detail}")
    return _done(swap, certificate, "rotated", reason, proof)


def roll_back(swap: Swap, plan: RollBack) -> Rotation:
    """Put the older one back on every listener; however it does there, it stays."""
    served = _served_everywhere(swap, plan.certificate, plan.reason)
    if isinstance(served, Rotation):
        return served
    return _done(served, plan.certificate, "rolled-back", plan.reason, _proof(served, plan.certificate))


def reject(failed: Failed) -> tuple[Swap, RollBack]:
    """Plan the way back from a certificate that failed, and mark it on the load balancer.

    The mark comes first, so that the next run goes on from here after a crash. Conflict without a way back.
    """
    swap, certificate = failed.swap, failed.certificate
    balancer = swap.balancer
    reason = f"TLS handshakes with {certificate.name} failed: {failed.proof.detail}"
    old = _way_back(swap, certificate)
    if old is None:
        raise errors.Conflict(f"{reason}; there is no valid one to go back to")
    failure = Rejected(certificate.name or certificate.arn, swap.invocation.now())
    swap.mark(reason, failure.tag)
    listeners = tuple(replace(listener, certificate=certificate.arn) for listener in balancer.listeners)
    swap = replace(swap, balancer=replace(balancer, listeners=listeners), before={})
    return swap, RollBack(reason=reason, certificate=old)


def _served_everywhere(swap: Swap, certificate: Certificate, reason: str) -> Swap | Rotation:
    """Put it on every listener; return the swap with those that serve it, or the rotation if it ends here.

    Listeners that are gone by then, or that got another certificate meanwhile, are left alone.
    """
    ours = []
    for listener in swap.balancer.listeners:
        match "set" if listener.certificate == certificate.arn else _set(swap, listener, certificate, reason):
            case "set":
                ours.append(listener)
            case "unknown":
                return _pending(swap, certificate, f"{reason}; ELB does not know the new certificate yet")
            case "left alone":
                continue
    if not ours:
        return swap.rotation("kept", f"{reason}; its listeners got another certificate meanwhile")
    return replace(swap, balancer=replace(swap.balancer, listeners=tuple(ours)))


def _done(
    swap: Swap,
    certificate: Certificate,
    state: Literal["rotated", "rolled-back"],
    reason: str,
    proof: Proof,
) -> Rotation:
    pending = swap.pending()
    if pending and pending.of_rotation:
        swap.unmark("the rotation waits for nothing any more", PENDING_TAG)
    if proof.verdict == "proven" and certificate.name and certificate.name == swap.balancer.rejected:
        swap.unmark("TLS handshakes with it failed before, and succeed now", REJECTED_TAG)
    unverified = ReviewWarning(
        "unverified", f"no TLS handshake with some addresses showed {certificate.arn}: {proof.detail}"
    )
    return swap.rotation(
        state,
        f"{reason}; {proof.detail}",
        certificate,
        *(() if proof.complete else (unverified,)),
        verified=proof.complete,
        failing=state == "rolled-back" or proof.verdict == "failed",
    )


def _proof(swap: Swap, certificate: Certificate) -> Proof:
    seen = endpoints(swap.balancer, swap.load_balancers, certificate.domains)
    return wait_until_served(seen, certificate, swap.before, swap.client, swap.invocation)


def _set(
    swap: Swap, listener: SecureListener, certificate: Certificate, reason: str
) -> Literal["set", "unknown", "left alone"]:
    """Swap it on one listener as soon as ELB knows it; "unknown" when it does not by the deadline.

    A new certificate may be unknown to ELB for seconds, by AWS's words up to 15 minutes
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ts-elb-error-api-response.html).
    """
    if swap.stale and not _unchanged(listener, swap.invocation):
        return "left alone"
    action = swapping(listener, certificate.arn, reason)
    waits = swap.invocation.waits()
    while True:
        try:
            apply(listener.load_balancer, [action], swap.progress, swap.invocation)
        except errors.NotYet:
            if next(waits, None) is None:
                return "unknown"
            if not _unchanged(listener, swap.invocation):
                return "left alone"
        except errors.Absent:
            return "left alone"
        else:
            return "set"


def _unchanged(listener: SecureListener, invocation: Invocation) -> bool:
    return certificate_on(invocation.clients, listener) == listener.certificate


def postponed(swap: Swap, what: str, reason: str, *, not_before: datetime | None = None) -> Rotation:
    """Leave it to a later run, and say on the load balancer for what, unless a PUT waits there already.

    `not_before` is when the CA takes an order again.
    """
    pending = swap.pending()
    mark = Pending((pending and pending.since) or swap.invocation.now(), what, not_before)
    if pending is None or (pending.of_rotation and str(pending) != str(mark)):
        swap.mark(reason, mark.tag)
    return swap.rotation("pending", reason, swap.balancer.served)


def _pending(swap: Swap, certificate: Certificate, reason: str) -> Rotation:
    """Leave it to a later look whether this one is served."""
    left = postponed(swap, until_served(certificate.name or ""), reason)
    return replace(left, certificate=certificate)


def _way_back(swap: Swap, failed: Certificate) -> Certificate | None:
    """What was served before, or else the last uploaded one; one that was deleted meanwhile is none."""
    now = swap.invocation.now()
    before = [swap.balancer.served] if swap.balancer.served else []
    for one in (*before, *fallbacks(swap.balancer, failed.name, now)):
        if (
            one.arn != failed.arn
            and one.not_after > now
            and (found := read_certificate(one.arn, swap.invocation.clients))
        ):
            return found
    return None
