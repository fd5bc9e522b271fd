"""Which uploaded certificate waits to be installed: it is, before another one is issued."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.core.holding import Holding
from chalicelib.model.load_balancer import Certificate, age
from chalicelib.model.names import ACME
from chalicelib.x509.domains import covers
from chalicelib.x509.facts import AuthorityFacts
from chalicelib.x509.preflight import renew_from


def waiting(
    holding: Holding,
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
        for one in holding.certificates
        if _never_installed(one, holding, now, before)
        and (
            one.name == awaited
            or (
                one.source == ACME
                if holding.source == ACME
                else _same_authority(one, holding.served, authority, trusted=trusted)
            )
        )
    ]
    return max(found, key=age, default=None)


def wanted(holding: Holding) -> tuple[str, ...]:
    """The names for a new one: all that the old one covered, and the name that clients use.

    Where the old one is lost, whatever was uploaded last says what it covered.
    """
    names = holding.served.domains if holding.served else _last_known(holding)
    hostname = holding.hostname
    return names if hostname is None or covers(names, hostname) else (hostname, *names)


def _last_known(holding: Holding) -> tuple[str, ...]:
    named = max((one for one in holding.certificates if one.domains), key=age, default=None)
    return named.domains if named else ()


def due_from(one: Certificate, before: timedelta) -> datetime:
    """From when a certificate is due; a lifetime that is not known counts as long."""
    return renew_from(one.not_before, one.not_after, before) if one.not_before else one.not_after - before


def _never_installed(one: Certificate, holding: Holding, now: datetime, before: timedelta) -> bool:
    served = holding.served
    names = {*wanted(holding)}
    return (
        one.name != holding.rejected
        and (served is None or (one.arn != served.arn and age(one) > age(served)))
        and (served is None or one.not_after > served.not_after)
        and now < due_from(one, before)
        and (not names or all(covers(one.domains, name) for name in names))
    )


def _same_authority(
    one: Certificate, served: Certificate | None, authority: AuthorityFacts | None, *, trusted: bool
) -> bool:
    """Whether whoever trusts what is served trusts this one: a former upload has the same names perhaps."""
    keys = {served.issuer_key} if served else set()
    if authority and (trusted or served is None):
        keys = {authority.key_id}
    return one.issuer_key is not None and one.issuer_key in keys
