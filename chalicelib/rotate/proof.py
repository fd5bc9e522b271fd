"""Whether TLS handshakes show the certificate that was just installed: pure, from handshakes.

A look is one handshake with every address of every listener. What counts as failing is positive: the new
certificate is served and clients refuse it, or for a time handshakes break off that went well before. An
address that still serves the old one is waited for, one that cannot be reached says nothing. An issuer that
we do not know may be known to devices, unless the old certificate's was known to us: then trust was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from chalicelib.model.load_balancer import Certificate, Leaf
from chalicelib.tls.handshake import Handshake, HandshakeCause
from chalicelib.x509.domains import address_of, covers

EndpointFinding = Literal["proven", "waiting", "failing", "interrupted", "unreachable"]
ProofVerdict = Literal["proven", "waiting", "failed", "unreachable"]

FAILING_LOOKS = 4
"""A certificate that clients refuse has failed after so many looks in a row: some seconds."""
INTERRUPTED_FOR = timedelta(seconds=90)
"""Handshakes that break off before a certificate comes count when they have gone on for so long.

They may have another cause, which passes: ELB takes an address out of DNS a minute before it is gone.
"""
PASSING_CAUSES = frozenset({"tls-timeout", "tls-closed", "tls-garbage"})
"""What the network can do to a handshake too."""
HANDSHAKE_CAUSES = PASSING_CAUSES | {"tls-protocol", "tls-cipher"}


# A client looks for the issuer first. Where it reports one of these, it has found the issuer.
_ISSUER_KNOWN: frozenset[HandshakeCause | None] = frozenset(
    {None, "tls-name", "tls-expired", "tls-not-yet-valid"}
)


@dataclass(frozen=True, order=True)
class EndpointAddress:
    """One address of one listener; `server_name` is the name that clients ask for."""

    load_balancer: str
    port: int
    address: str
    server_name: str


Handshakes = Mapping[EndpointAddress, Handshake]


@dataclass(frozen=True)
class TimedHandshakes:
    """One handshake with every address of every listener, at a time."""

    at: datetime
    handshakes: Handshakes


@dataclass(frozen=True)
class Proof:
    """How it ended: `detail` says what was seen, `complete` whether every address was seen to be proven."""

    verdict: ProofVerdict
    detail: str
    complete: bool = False


def finding(
    shaken: Handshake, endpoint: EndpointAddress, certificate: Certificate, before: Handshakes, now: datetime
) -> EndpointFinding:
    """What one handshake says of the certificate that should be there."""
    served = shaken.served
    at_first = _at_first(endpoint, before)
    # A serial number is one authority's, and the same leaf may come with another chain than before.
    old = {one.served.leaf.digest for one in at_first if one.served} - {certificate.digest}
    leaf = served.leaf if served else None
    if leaf and leaf.serial == certificate.serial and leaf.digest not in old:
        lost = _lost_trust(shaken, endpoint, certificate, before)
        return "proven" if not lost and _accepted(shaken, leaf, endpoint, certificate, now) else "failing"
    if shaken.cause in HANDSHAKE_CAUSES:
        # What failed in the same way before is not the new certificate's doing.
        if shaken.cause in {one.cause for one in at_first}:
            return "unreachable"
        return "interrupted" if shaken.cause in PASSING_CAUSES else "failing"
    return "waiting" if served is not None else "unreachable"


def _at_first(endpoint: EndpointAddress, before: Handshakes) -> list[Handshake]:
    """What the addresses of the same listener served before."""
    listener = (endpoint.load_balancer, endpoint.port)
    return [one for at, one in before.items() if (at.load_balancer, at.port) == listener]


def _lost_trust(
    shaken: Handshake, endpoint: EndpointAddress, certificate: Certificate, before: Handshakes
) -> bool:
    """Whether we do not know the issuer, and knew that of the certificate that was served before."""
    old = (
        one
        for one in _at_first(endpoint, before)
        if one.served and one.served.leaf.digest != certificate.digest
    )
    return shaken.cause == "tls-untrusted" and any(one.cause in _ISSUER_KNOWN for one in old)


def _accepted(
    shaken: Handshake, leaf: Leaf, endpoint: EndpointAddress, certificate: Certificate, now: datetime
) -> bool:
    """Whether clients go on: for us, or, since devices may trust a root that we do not know, as installed."""
    if shaken.cause == "tls-untrusted" and leaf.digest == certificate.digest:
        return leaf.not_before <= now < leaf.not_after and covers(leaf.domains, endpoint.server_name)
    return shaken.verified


def judge_proof(
    looks: Sequence[TimedHandshakes],
    certificate: Certificate,
    before: Handshakes,
    now: datetime,
    *,
    last: bool,
) -> Proof | None:
    """Judge the looks so far; None when another is needed, which after the `last` one it is not."""
    found = [
        {
            endpoint: finding(shaken, endpoint, certificate, before, now)
            for endpoint, shaken in look.handshakes.items()
        }
        for look in looks
    ]
    newest = found[-1]
    for endpoint, what in newest.items():
        row = [look.get(endpoint) for look in found[-FAILING_LOOKS:]]
        often = len(row) == FAILING_LOOKS or (last and len(row) > 1)
        refused = what == "failing" and often and {*row} == {"failing"}
        if refused or _broken_for(endpoint, looks, found) >= INTERRUPTED_FOR:
            shaken = looks[-1].handshakes[endpoint]
            why = f"{shaken.cause or 'it does not verify'} {shaken.detail}".strip()
            if _lost_trust(shaken, endpoint, certificate, before):
                why += ", and the issuer of the certificate before it was trusted"
            return Proof("failed", f"{endpoint.address}:{endpoint.port}: {why}")
    counts = [*newest.values()]
    proven, unreachable = counts.count("proven"), counts.count("unreachable")
    if counts and proven == len(counts):
        return Proof("proven", f"TLS handshakes with all {proven} addresses showed it", complete=True)
    reached = any(one.served for one in before.values())
    if proven + unreachable == len(counts) and (last or not reached):
        if proven:
            return Proof(
                "proven",
                f"TLS handshakes with {proven} addresses showed it, {unreachable} could not be reached",
            )
        return Proof("unreachable", "no address could be reached")
    return (
        Proof("waiting", f"TLS handshakes with {proven} of {len(counts)} addresses showed it so far")
        if last
        else None
    )


def _broken_for(
    endpoint: EndpointAddress,
    looks: Sequence[TimedHandshakes],
    found: Sequence[Mapping[EndpointAddress, EndpointFinding]],
) -> timedelta:
    """For how long no handshake with this address has gone well."""
    since = now = looks[-1].at
    for look, findings in zip(reversed(looks), reversed(found), strict=True):
        if findings.get(endpoint) not in {"failing", "interrupted"}:
            break
        since = look.at
    return now - since


def server_name(hostname: str | None, domains: Sequence[str], dns_name: str) -> str:
    """The name to ask for: the one that clients use, else one that the certificate is for."""
    names = [name for name in domains if address_of(name) is None]
    plain = [name for name in names if "*" not in name]
    if hostname or plain:
        return hostname or plain[0]
    if covers(domains, dns_name) or not domains:
        return dns_name
    return names[0].replace("*", "emq-elb", 1) if names else domains[0]
