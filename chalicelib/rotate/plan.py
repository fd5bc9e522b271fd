"""What is to become of a load balancer's certificate: keep, renew, wait or install, each with its reason.

    source            what is found                                      decision
    ----------------  -------------------------------------------------  --------------------
    any               no secure listener of ours                         Keep
    any but watched   what failed in handshakes is served, one is left   RollBack to that one
    pem, external     anything                                           Keep, soon a warning
    secret            what it holds is served, everywhere                Keep
    secret            what it holds is served, one listener left behind  Install
    secret            what it holds failed in handshakes within a day    Keep, warning
    secret            what it holds ends before what is served           Keep, warning
    secret            what it holds is in IAM                            Install
    secret            what it holds is not in IAM                        Renew
    private-ca, acme  not due, and served everywhere                     Keep
    any but watched   … but it failed in handshakes, and none is left    Keep, warning
    private-ca        not due, and the CA is gone                        Keep, warning
    private-ca, acme  not due, one listener left behind                  Install
    private-ca, acme  due, and one was uploaded and never installed      Install
    private-ca        due, and the CA is gone, another, or ends as soon  Keep, warning
    acme              due, not urgent, and the CA takes no order yet     Wait
    private-ca, acme  due                                                Renew

Due is: asked for, `Invalid-Certificate`, expired, close to the end, or not for the name that clients use. An
ACME CA may suggest when (RFC 9773): then that counts in the place of the end. Why the private CA's absence is
never mended here: `docs/rotate.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.acme.renewal_window import Window, suggested
from chalicelib.model.load_balancer import Certificate, age, uploaded
from chalicelib.model.names import (
    ACM_RENEWS,
    ACME,
    PRIVATE_CA,
    SECRET,
    WATCHED,
    certificate_home,
    certificate_name_of,
)
from chalicelib.rotate.model import LoadBalancerCertificates
from chalicelib.x509.domains import covers
from chalicelib.x509.facts import AuthorityFacts
from chalicelib.x509.preflight import renew_from

AUTHORITY_WARNS = timedelta(days=365)
"""How long before its end a private CA is spoken of: every device has to be given the next one."""
FAILING = frozenset({"private-ca-missing", "private-ca-changed", "expired", "rejected"})
"""The codes of a Keep that a person has to look at, so that the run fails at its end."""

_NO_WAY_BACK = "TLS handshakes with the served certificate failed before, and there is no other to go back to"


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Leave it; `code` is the code of a warning, where a person should know."""

    reason: str
    code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Renew:
    """Have a new one for these names, or, without names, the one that the secret holds."""

    reason: str
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Install:
    """Serve one that is in IAM already."""

    reason: str
    certificate: Certificate


@dataclass(frozen=True, kw_only=True)
class RollBack:
    """Serve an older one again in the place of one that failed in TLS handshakes."""

    reason: str
    certificate: Certificate


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Have a new one, but not before the CA takes an order again."""

    reason: str
    until: datetime


Decision = Keep | Renew | Install | RollBack | Wait


@dataclass(frozen=True, kw_only=True)
class RotationFacts:
    """Everything that the decision on one load balancer's certificates rests on.

    `renew_before` is how long before its end a certificate is due. `offered` goes with a secret, `authority`
    with the private CA (None: it is gone), `window` and `limited` with an ACME CA: when it suggests to renew,
    and until when it takes no order. `asked` is whether a person wants a new certificate now, `trusted`
    whether that person says that devices trust a CA that changed; `awaited` is the name of the certificate
    that an earlier run could not install in time.
    """

    balancer: LoadBalancerCertificates
    now: datetime
    renew_before: timedelta
    offered: Certificate | None = None
    authority: AuthorityFacts | None = None
    window: Window | None = None
    limited: datetime | None = None
    asked: bool = False
    trusted: bool = False
    awaited: str | None = None


def is_due(
    balancer: LoadBalancerCertificates, now: datetime, before: timedelta, window: Window | None = None
) -> str | None:
    """Why it has to be replaced, None while it has not. A lifetime that is not known counts as long.

    With a `window` the CA says when, but not later than halfway from when it is due without one to its end.
    """
    served = balancer.served
    if served is None:
        return "a listener has lost its certificate"
    if served.not_after <= now:
        return f"it expired at {served.not_after:%Y-%m-%d %H:%M} UTC"
    if balancer.hostname and served.domains and not covers(served.domains, balancer.hostname):
        return f"it does not cover {balancer.hostname}"
    if window and suggested(window, served.arn, now):
        days = f"{window.start:%Y-%m-%d %H:%M} and {window.end:%Y-%m-%d %H:%M} UTC"
        return f"the CA suggests to renew it between {days}"
    latest = due_from(served, before)
    if window:
        latest = urgent_from(served, now, before)
    if now >= latest:
        return f"it expires at {served.not_after:%Y-%m-%d %H:%M} UTC"
    return None


def decide_rotation(facts: RotationFacts) -> Decision:
    """Decide as the table says."""
    balancer, now, before, authority = facts.balancer, facts.now, facts.renew_before, facts.authority
    if not balancer.listeners:
        return Keep(reason="it has no secure listener of ours")
    if balancer.source in WATCHED:
        return _watched(balancer, now, before)
    if back := _way_back(balancer, now):
        return back
    if balancer.source.startswith(SECRET):
        if facts.offered is None:
            raise ValueError("what a secret holds has to be read before it is decided on")
        return _of_secret(balancer, facts.offered, now, before)
    reason = "a request asks for it" if facts.asked else is_due(balancer, now, before, facts.window)
    if reason is None:
        return _not_due(balancer, authority)
    if uploaded := waiting(balancer, now, before, authority, trusted=facts.trusted, awaited=facts.awaited):
        return Install(reason=f"{reason}; this one was uploaded and never installed", certificate=uploaded)
    if balancer.source == PRIVATE_CA and (
        kept := _without_authority(balancer, reason, now, authority, trusted=facts.trusted)
    ):
        return kept
    until = facts.limited and min(facts.limited, urgent_from(balancer.served, now, before))
    if until and now < until:
        return Wait(reason=f"{reason}, and the CA named this time when it was asked before", until=until)
    return Renew(reason=reason, domains=wanted(balancer))


def _watched(balancer: LoadBalancerCertificates, now: datetime, before: timedelta) -> Keep:
    served = balancer.served
    if served is None:
        return Keep(reason="a listener has lost its certificate, which you renew yourself", code="expired")
    reason = f"it is {balancer.source or 'of unknown source'}: {who_renews(balancer)}"
    if served.not_after <= now:
        return Keep(reason=f"{reason}, and it has expired", code="expired")
    return Keep(reason=reason, code="expires-soon" if is_due(balancer, now, before) else None)


def who_renews(balancer: LoadBalancerCertificates) -> str:
    """Say who renews a certificate that is only watched."""
    acm = balancer.served is not None and certificate_home(balancer.served.arn) == "acm"
    return ACM_RENEWS if acm else "you renew it yourself, with a PUT"


def _way_back(balancer: LoadBalancerCertificates, now: datetime) -> RollBack | None:
    """What an interrupted roll-back was about to do."""
    if not any(
        certificate_name_of(listener.certificate) == balancer.rejected for listener in balancer.listeners
    ):
        return None
    newest = next(iter(fallbacks(balancer, balancer.rejected, now)), None)
    if newest is None:
        return None
    return RollBack(reason=f"TLS handshakes with {balancer.rejected} failed", certificate=newest)


def fallbacks(
    balancer: LoadBalancerCertificates, failed: str | None, now: datetime
) -> tuple[Certificate, ...]:
    """Those that are still valid, to go back to from one that failed: the last uploaded first."""
    good = [one for one in balancer.certificates if one.name != failed and one.not_after > now]
    return tuple(sorted(good, key=age, reverse=True))


def _of_secret(
    balancer: LoadBalancerCertificates, offered: Certificate, now: datetime, before: timedelta
) -> Decision:
    served = balancer.served
    if served and served.name == offered.name:
        if not _everywhere(balancer, served):
            return Install(reason="one listener does not serve it yet", certificate=served)
        if served.not_after <= now:
            return Keep(reason="it has expired, and the secret holds no other", code="expired")
        if served.name == balancer.rejected:
            return Keep(reason=f"{_NO_WAY_BACK}, and the secret holds no other", code="rejected")
        if is_due(balancer, now, before):
            return Keep(reason="it expires soon, and the secret holds no other", code="expires-soon")
        return Keep(reason="the secret holds the served certificate")
    if offered.name == balancer.rejected and balancer.barred:
        return Keep(reason="TLS handshakes with the secret's certificate failed before", code="rejected")
    if served and served.not_after > now and offered.not_after < served.not_after:
        return Keep(reason="the secret's certificate ends before the served one", code="secret-older")
    reason = "the secret holds another certificate than the served one"
    uploaded = next((one for one in balancer.certificates if one.name == offered.name), None)
    return Install(reason=reason, certificate=uploaded) if uploaded else Renew(reason=reason)


def _not_due(balancer: LoadBalancerCertificates, authority: AuthorityFacts | None) -> Decision:
    served = balancer.served
    if served and not _everywhere(balancer, served):
        return Install(reason="one listener does not serve it yet", certificate=served)
    if served and served.name == balancer.rejected:
        return Keep(reason=_NO_WAY_BACK, code="rejected")
    valid = f"it is valid until {served.not_after:%Y-%m-%d}" if served else "it is valid"
    if balancer.source == PRIVATE_CA and authority is None:
        return Keep(reason=f"{valid}, and the private CA is gone", code="private-ca-missing")
    return Keep(reason=valid)


def _without_authority(
    balancer: LoadBalancerCertificates,
    reason: str,
    now: datetime,
    authority: AuthorityFacts | None,
    *,
    trusted: bool,
) -> Keep | None:
    """Why the private CA cannot issue one; None when it can."""
    served = balancer.served
    if authority is None:
        return Keep(reason=f"{reason}, and the private CA is gone", code="private-ca-missing")
    if served and served.leaf is None and not trusted:
        # It vanished since it was listed.
        return Keep(reason=f"{reason}, and IAM does not show who signed it: the next run looks again")
    if served and served.issuer_key != authority.key_id and not trusted:
        return Keep(
            reason=f"{reason}, and the private CA is not the one that signed it: devices may not trust the"
            " new one",
            code="private-ca-changed",
        )
    if served and now < authority.not_after <= served.not_after:
        return Keep(reason=f"{reason}, and the private CA ends no later", code="private-ca-ends")
    return None


def authority_ends(authority: AuthorityFacts, now: datetime) -> bool:
    """Whether it is time to give devices the next private CA."""
    return now >= authority.not_after - AUTHORITY_WARNS


def _everywhere(balancer: LoadBalancerCertificates, served: Certificate) -> bool:
    return all(listener.certificate == served.arn for listener in balancer.listeners)


def waiting(
    balancer: LoadBalancerCertificates,
    now: datetime,
    before: timedelta,
    authority: AuthorityFacts | None,
    *,
    trusted: bool,
    awaited: str | None = None,
) -> Certificate | None:
    """The newest that was uploaded and never installed, if its issuer is the one that it would have now.

    The one that is `awaited` was decided on already, when somebody may have said that devices trust its CA.
    """
    found = [
        one
        for one in balancer.certificates
        if _never_installed(one, balancer, now, before)
        and (
            one.name == awaited
            or (
                one.source == ACME
                if balancer.source == ACME
                else _same_authority(one, balancer.served, authority, trusted=trusted)
            )
        )
    ]
    return max(found, key=age, default=None)


def wanted(balancer: LoadBalancerCertificates) -> tuple[str, ...]:
    """The names for a new one: all that the old one covered, and the name that clients use.

    Where the old one is lost, whatever was uploaded last says what it covered.
    """
    names = balancer.served.domains if balancer.served else _last_known(balancer)
    hostname = balancer.hostname
    return names if hostname is None or covers(names, hostname) else (hostname, *names)


def _last_known(balancer: LoadBalancerCertificates) -> tuple[str, ...]:
    named = max((one for one in balancer.certificates if one.domains), key=age, default=None)
    return named.domains if named else ()


def due_from(one: Certificate, before: timedelta) -> datetime:
    """From when a certificate is due; a lifetime that is not known counts as long."""
    return renew_from(one.not_before, one.not_after, before) if one.not_before else one.not_after - before


def urgent_from(served: Certificate | None, now: datetime, before: timedelta) -> datetime:
    """From when a certificate is due whatever the CA says: halfway from when it is due to its end.

    At once where it is lost.
    """
    if served is None:
        return now
    due = due_from(served, before)
    return due + (served.not_after - due) / 2


def _never_installed(
    one: Certificate, balancer: LoadBalancerCertificates, now: datetime, before: timedelta
) -> bool:
    served = balancer.served
    names = {*wanted(balancer)}
    return (
        one.name != balancer.rejected
        and (served is None or (one.arn != served.arn and age(one) > age(served)))
        and (served is None or one.not_after > served.not_after)
        and now < due_from(one, before)
        and (not names or all(covers(one.domains, name) for name in names))
    )


def _same_authority(
    one: Certificate, served: Certificate | None, authority: AuthorityFacts | None, *, trusted: bool
) -> bool:
    """Whether clients that trust the served one trust this one: a former upload may have the same names."""
    keys = {served.issuer_key} if served else set()
    if authority and (trusted or served is None):
        keys = {authority.key_id}
    return one.issuer_key is not None and one.issuer_key in keys


FORGOTTEN = timedelta(hours=1)
"""An upload older than this that no listener uses was abandoned."""


@dataclass(frozen=True, kw_only=True)
class Retire:
    """Delete a superseded one."""

    reason: str
    certificate: Certificate


def retire(
    certificates: Iterable[Certificate],
    served: Certificate | None,
    in_use: Iterable[str],
    now: datetime,
    *,
    keep: int,
    rejected: str | None = None,
) -> tuple[Retire, ...]:
    """Which of the certificates under one path are to go, so that `keep` are left to roll back to.

    `in_use` are the ARNs on any listener. One that was uploaded after the served one, within the last hour,
    belongs to a run that is still at work. One that failed or expired is no use to roll back to.
    """
    used = {*in_use}
    superseded = sorted(
        (
            one
            for one in certificates
            if one.arn not in used
            and (
                served is None
                or one.name == rejected
                or age(one) < age(served)
                or now - uploaded(one) > FORGOTTEN
            )
        ),
        key=age,
        reverse=True,
    )
    useless = [one for one in superseded if one.not_after <= now or one.name == rejected]
    good = [one for one in superseded if one not in useless]
    return tuple(
        [Retire(reason="it failed or expired", certificate=one) for one in useless]
        + [Retire(reason="newer ones were kept to roll back to", certificate=one) for one in good[keep:]]
    )
