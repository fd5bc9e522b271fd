"""Rotate: no load balancer of ours serves an expired certificate, and no client notices a rotation.

observe (load balancers, tags, certificates; a closer look only at what may be due) → plan → apply: issue a
new one, examined before it is uploaded, install it in place on every listener that serves the old one, verify
it in TLS handshakes → report. A certificate that fails there leads to a second plan, the roll-back; the
schedule also deletes what is superseded. `docs/rotate.md` has the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from chalicelib.acme import challenges
from chalicelib.apply import Progress
from chalicelib.aws.certificate import read_certificate
from chalicelib.invocation import Invocation
from chalicelib.model import errors
from chalicelib.model.load_balancer import Certificate, uploaded
from chalicelib.model.names import ACME, PENDING_TAG, PRIVATE_CA, SECRET, WATCHED
from chalicelib.model.pending import Pending, parse_pending
from chalicelib.model.report import ReviewWarning
from chalicelib.model.same_name import left_alone, unserved
from chalicelib.model.syntax import name_fault, shown_name
from chalicelib.rotate.delete_superseded import retire_superseded
from chalicelib.rotate.install import Failed, Swap, endpoints, install, reject, roll_back
from chalicelib.rotate.issue import Issuers, renewed, unfinished
from chalicelib.rotate.model import LoadBalancerCertificates, Rotation
from chalicelib.rotate.observe import FRESH, Region, detailed, observe_region
from chalicelib.rotate.plan import (
    Decision,
    Install,
    Keep,
    Renew,
    RollBack,
    RotationFacts,
    Wait,
    authority_ends,
    decide_rotation,
    is_due,
    who_renews,
)
from chalicelib.rotate.proof import Handshakes
from chalicelib.rotate.recheck import keep, kept, mended
from chalicelib.rotate.report import report_rotations
from chalicelib.rotate.verify import TlsClient, handshakes
from chalicelib.x509.facts import AuthorityFacts
from chalicelib.x509.preflight import LOOKED_AT_EVERY


@dataclass(frozen=True, kw_only=True)
class Run:
    """What all rotations of one run share."""

    region: Region
    issuers: Issuers
    client: TlsClient
    invocation: Invocation


def rotate_all(invocation: Invocation, client: TlsClient | None = None) -> tuple[Rotation, ...]:
    """Look at every load balancer of ours, the one that ends first before the others.

    Raises Unserved at the end with all that went wrong, when everything else is done.
    """
    first = run = _run(invocation, client)
    failures: list[tuple[str, Exception]] = [
        *run.region.unread.items(),
        *left_alone(run.region.same_name),
    ]
    rotations = []
    for name in [one.name for one in sorted(run.region.balancers, key=_end)]:
        try:
            run = _refreshed(run)
            rotations += [_rotate(one, run) for one in run.region.balancers if one.name == name]
        except Exception as error:  # noqa: BLE001 - one that is bad never stops the others; raised at the end
            failures.append((name, error))
    first.issuers.keep_authority_apart()
    rotations, failed = _retire(rotations, first)
    failures += failed
    failures += _sweep_challenges(rotations, run)
    report_rotations(rotations, run.region.balancers, run.invocation)
    failures += [(one.name, errors.Conflict(one.reason)) for one in rotations if one.failing]
    if failures:
        raise errors.Unserved(failures)
    return tuple(rotations)


def rotate_one(
    name: str,
    invocation: Invocation,
    client: TlsClient | None = None,
    *,
    dry_run: bool = False,
    trusted: bool = False,
) -> Rotation:
    """Replace the certificate now, due or not; `dry_run` only says what would be.

    `trusted` says that devices trust a private CA that changed. Raises NotFound, Conflict when there is
    nothing to replace it with, an IssuerError or an AwsError. A rotation that is `pending` is for `carry_on`
    to finish; what is superseded is retired by the schedule, since that asks every region.
    """
    run = _run(invocation, client)
    balancer = _balancer(name, run)
    try:
        rotation = _rotate(balancer, run, asked=True, trusted=trusted, dry_run=dry_run)
    except errors.InvalidRequest as error:
        # The request was right: it is what the secret holds that is not.
        raise errors.Conflict(f"{name}: {error}") from None
    if rotation.state == "kept" and rotation.failing:
        raise errors.Conflict(f"{name}: {rotation.reason}")
    if not dry_run:
        report_rotations([rotation], [balancer], run.invocation)
    return replace(rotation, name=name)


def carry_on(
    name: str, invocation: Invocation, client: TlsClient | None = None, *, asked: str | None = None
) -> Rotation:
    """Go on, in the background, with what `rotate_one` left pending; raises when AWS needs even longer.

    `asked` is since when (RFC 3339) somebody wants it replaced, due or not: once, however often Lambda tries.
    """
    run = _run(invocation, client)
    balancer = _balancer(name, run)
    # The pending tag names the certificate of the earlier request, so this is that request and not a new one.
    pending = _pending(balancer, run)
    served_later = pending is not None and pending.certificate is not None
    again = asked is not None and not served_later and _older(balancer, datetime.fromisoformat(asked))
    rotation = _rotate(balancer, run, asked=again)
    report_rotations([rotation], [balancer], run.invocation)
    if rotation.state == "pending":
        raise errors.NotYet("rotate", "StillPending", "AWS needs even longer; to be tried again")
    return rotation


def _pending(balancer: LoadBalancerCertificates, run: Run) -> Pending | None:
    return parse_pending(run.region.load_balancers[balancer.name].tags.get(PENDING_TAG))


def _older(balancer: LoadBalancerCertificates, asked: datetime) -> bool:
    """Whether what is served was there by then, and is one that we can replace."""
    served = balancer.served
    return balancer.source not in WATCHED and (
        served is None or uploaded(served) < asked.replace(microsecond=0)
    )


def _end(balancer: LoadBalancerCertificates) -> float:
    """By when something has to be done; at once, for one that has lost its certificate."""
    return balancer.served.not_after.timestamp() if balancer.served else 0.0


def _run(invocation: Invocation, client: TlsClient | None) -> Run:
    region = observe_region(invocation)
    return Run(
        region=region,
        issuers=Issuers(invocation, len(region.certificates)),
        client=client or TlsClient(),
        invocation=invocation,
    )


def _refreshed(run: Run) -> Run:
    """The same run, with what is at AWS read again where that was read some time ago."""
    if run.invocation.now() - run.region.since < FRESH:
        return run
    return replace(run, region=observe_region(run.invocation))


def _balancer(name: str, run: Run) -> LoadBalancerCertificates:
    if name_fault(name) or name not in run.region.load_balancers:
        raise errors.NotFound(f"there is no load balancer {shown_name(name)} of ours")
    serving = [
        one
        for one in run.region.balancers
        if any(listener.load_balancer == name for listener in one.listeners)
    ]
    if not serving and name in run.region.unread:
        raise run.region.unread[name]
    if not serving:
        foreign = next(
            (warning for one in run.region.balancers if one.name == name for warning in _foreign(one)), None
        )
        why = foreign.message if foreign else "it has no secure listener, so it has no certificate"
        raise errors.Conflict(f"{name}: {why}")
    return next((one for one in serving if one.name == name), serving[0])


def _rotate(
    balancer: LoadBalancerCertificates,
    run: Run,
    *,
    asked: bool = False,
    trusted: bool = False,
    dry_run: bool = False,
) -> Rotation:
    """Observe, plan, apply; the caller reports."""
    facts, swap = _observe(balancer, run, asked=asked, trusted=trusted)
    decision = decide_rotation(facts)
    return _foreseen(decision, swap) if dry_run else _apply(decision, swap, run.issuers)


def _observe(
    balancer: LoadBalancerCertificates, run: Run, *, asked: bool, trusted: bool
) -> tuple[RotationFacts, Swap]:
    """Ask the issuer, and take a closer look at a certificate that may be due."""
    invocation, now = run.invocation, run.invocation.now()
    before_its_end = invocation.settings.renew_before
    offered = run.issuers.secret(balancer) if balancer.source.startswith(SECRET) else None
    authority = run.issuers.authority() if balancer.source == PRIVATE_CA else None
    client = run.client.trusting(run.issuers.anchors()) if balancer.source == PRIVATE_CA else run.client
    pending = _pending(balancer, run)
    before: Handshakes = {}
    window = None
    if balancer.source == ACME:
        before = handshakes(endpoints(balancer, run.region.load_balancers, ()), client)
        window = run.issuers.window(balancer.served, before)
    if balancer.source in WATCHED:
        balancer = balancer if balancer.served else detailed(balancer, {}, invocation)
        if asked:
            source = balancer.source or "of unknown source"
            raise errors.Conflict(f"its certificate is {source}: {who_renews(balancer)}")
    elif (asked := asked or unfinished(balancer, pending)) or (
        is_due(balancer, now, before_its_end, window)
        if offered is None
        else not _serves(balancer, offered.name)
    ):
        before = before or handshakes(endpoints(balancer, run.region.load_balancers, ()), client)
        balancer = detailed(balancer, before, invocation)
    facts = RotationFacts(
        balancer=balancer,
        now=now,
        renew_before=before_its_end,
        offered=offered,
        authority=authority,
        window=window,
        limited=pending.limited(now) if pending else None,
        asked=asked,
        trusted=trusted,
        awaited=pending.certificate if pending else None,
    )
    swap = Swap(
        balancer=balancer,
        load_balancers=run.region.load_balancers,
        since=run.region.since,
        before=before,
        client=client,
        invocation=invocation,
        progress=Progress(),
        warnings=(*_warnings(authority, now), *_foreign(balancer), *_same_name(balancer, run.region)),
    )
    return facts, swap


def _apply(decision: Decision, swap: Swap, issuers: Issuers) -> Rotation:
    """Carry out the plan; where its certificate fails in TLS handshakes, the plan of the way back."""
    outcome = _carried_out(decision, swap, issuers)
    return roll_back(*reject(outcome)) if isinstance(outcome, Failed) else outcome


def _carried_out(decision: Decision, swap: Swap, issuers: Issuers) -> Rotation | Failed:
    match decision:
        case Keep():
            return kept(decision, swap)
        case Wait(reason=reason, until=until):
            raise errors.IssuerLimited(until, reason)
        case Install(reason=reason, certificate=certificate):
            known = _known(certificate, swap.invocation)
            return install(_with_handshakes(swap), known, reason)
        case RollBack(certificate=certificate):
            known = _known(certificate, swap.invocation)
            if well := mended(swap, known):
                return well
            return roll_back(_with_handshakes(swap), replace(decision, certificate=known))
        case Renew():
            return renewed(decision, swap, issuers)
        case _:
            assert_never(decision)


def _known(certificate: Certificate, invocation: Invocation) -> Certificate:
    """The certificate with what a listing does not show of it."""
    if certificate.serial:
        return certificate
    return read_certificate(certificate.arn, invocation.clients) or certificate


def _with_handshakes(swap: Swap) -> Swap:
    """Whether clients trust what is served now: what comes in its place is held against that."""
    before = swap.before or handshakes(endpoints(swap.balancer, swap.load_balancers, ()), swap.client)
    return replace(swap, before=before)


def _serves(balancer: LoadBalancerCertificates, name: str | None) -> bool:
    return balancer.served is not None and balancer.served.name == name


def _foreseen(decision: Decision, swap: Swap) -> Rotation:
    """What would be, as far as a dry run can say without doing it."""
    match decision:
        case Keep():
            return keep(decision, swap)
        case Wait(reason=reason, until=until):
            raise errors.IssuerLimited(until, reason)
        case Install(reason=reason) | RollBack(reason=reason) | Renew(reason=reason):
            return swap.rotation("rotated", reason, swap.balancer.served)
        case _:
            assert_never(decision)


def _warnings(authority: AuthorityFacts | None, now: datetime) -> tuple[ReviewWarning, ...]:
    if authority is None or not authority_ends(authority, now):
        return ()
    end = f"{authority.not_after:%Y-%m-%d}"
    message = f"the private CA ends {end}: give devices the next one (docs/rotate.md)"
    return (ReviewWarning("private-ca-expires", message),)


def _foreign(balancer: LoadBalancerCertificates) -> tuple[ReviewWarning, ...]:
    """Say which secure listeners are left alone, since they do not carry our owner tag."""
    if not balancer.foreign:
        return ()
    ports = ", ".join(str(port) for port in balancer.foreign)
    message = (
        f"the secure listeners on port {ports} do not carry our owner tag, so their certificates are left"
        " alone: a PUT of what GET shows tags them"
    )
    return (ReviewWarning("foreign-listener", message),)


def _same_name(balancer: LoadBalancerCertificates, region: Region) -> tuple[ReviewWarning, ...]:
    """Say which of its load balancers have a namesake that is left alone."""
    return tuple(
        ReviewWarning("same-name", unserved(name))
        for name in sorted(region.same_name & {one.load_balancer for one in balancer.listeners})
    )


def _retire(rotations: list[Rotation], run: Run) -> tuple[list[Rotation], list[tuple[str, Exception]]]:
    """Return the rotations with what retiring has to warn of, and what went wrong."""
    try:
        retired = retire_superseded(run.region, rotations, run.invocation)
    except Exception as error:  # noqa: BLE001 - raised at the end, after all that was done
        return rotations, [("retiring certificates", error)]
    warned = [
        replace(one, warnings=(*one.warnings, *retired.warnings))
        if one.name in retired.load_balancers
        else one
        for one in rotations
    ]
    return warned, []


def _sweep_challenges(rotations: Iterable[Rotation], run: Run) -> list[tuple[str, Exception]]:
    """Take away records of killed functions: at each run in the zones of our names, once a week in all zones.

    An order that was killed and never repeated may have left one in a zone of which we have no name.
    """
    invocation = run.invocation
    if invocation.settings.acme_contact is None:
        return []
    domains = None if everywhere(invocation.now()) else _names_of_acme(rotations, run)
    if domains is not None and not domains:
        return []
    try:
        return [
            (f"sweeping challenges in {zone}", error)
            for zone, error in challenges.sweep_challenges(domains, invocation)
        ]
    except Exception as error:  # noqa: BLE001 - raised at the end, after all that was done
        return [("sweeping challenges", error)]


def everywhere(now: datetime) -> bool:
    """Whether this run looks into every zone: the schedule's first one of each Monday."""
    return now.weekday() == 0 and timedelta(hours=now.hour) < LOOKED_AT_EVERY


def _names_of_acme(rotations: Iterable[Rotation], run: Run) -> frozenset[str]:
    """Every name that an ACME CA certifies for us, or is to certify."""
    served = {one.name: one.certificate.domains for one in rotations if one.certificate}
    names = {
        name
        for one in run.region.balancers
        if one.source == ACME
        for name in (*served.get(one.name, ()), one.hostname or "")
    }
    return frozenset(filter(None, names))
