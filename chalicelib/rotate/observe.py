"""Read AWS for `rotate`: every certificate, and every listener that serves one.

One call for each 400 load balancers of the region, one for each 20, one for each 1,000 certificates; what
only a closer look can tell is read when something is to be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.aws import elb, iam
from chalicelib.aws.certificate import read_certificate
from chalicelib.invocation import Invocation
from chalicelib.model.load_balancer import Certificate, LoadBalancer, age
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    DIGITS_IN_NAME,
    HOSTNAME_TAG,
    REJECTED_TAG,
    WATCHED,
    certificate_path,
    certificate_path_of,
    certificates_path,
    load_balancer_of_path,
)
from chalicelib.rotate.model import INVALID_CERTIFICATE, LoadBalancerCertificates, SecureListener, current
from chalicelib.rotate.proof import Handshakes

FRESH = timedelta(minutes=1)
"""So long it is acted on what was read: a certificate takes minutes, and others are at work meanwhile."""
# Everything in the account: how many there are is told by the same calls, and IAM counts them all.
_EVERYTHING = "/"


@dataclass(frozen=True, kw_only=True)
class Region:
    """What there is in the region; `load_balancers` are ours, `in_use` are ARNs on any listener.

    `since` is when it was begun to be read.
    """

    since: datetime
    load_balancers: Mapping[str, LoadBalancer]
    certificates: tuple[Certificate, ...]
    in_use: frozenset[str]
    holdings: tuple[LoadBalancerCertificates, ...]


def observe_region(invocation: Invocation) -> Region:
    """Read load balancers, tags and the list of certificates."""
    clients, owner, since = invocation.clients, invocation.settings.owner, invocation.now()
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(iam.list_certificates, clients.iam, _EVERYTHING)
        described = elb.describe_all(clients.elb)
        ours = elb.listed(clients.elb, described, owner).ours
    listeners = (listener for one in described for listener in elb.parse_listeners(one, {}))
    return Region(
        since=since,
        load_balancers=ours,
        certificates=listing.result(),
        in_use=frozenset(listener.certificate for listener in listeners if listener.certificate),
        holdings=_holdings(ours, listing.result(), invocation),
    )


def _holdings(
    ours: Mapping[str, LoadBalancer], listed: tuple[Certificate, ...], invocation: Invocation
) -> tuple[LoadBalancerCertificates, ...]:
    """One for each load balancer whose certificates any listener of ours serves."""
    region, owner = invocation.clients.region, invocation.settings.owner
    places: dict[str, list[SecureListener]] = {}
    for balancer in ours.values():
        for listener in balancer.listeners:
            if listener.secure:
                place = SecureListener(
                    balancer.name, listener.port, listener.certificate or INVALID_CERTIFICATE
                )
                home = _home(place, ours, certificates_path(owner, region))
                places.setdefault(home, []).append(place)
    return tuple(
        _holding(ours[name], tuple(found), listed, certificate_path(owner, region, name))
        for name, found in sorted(places.items())
    )


def _home(place: SecureListener, ours: Mapping[str, LoadBalancer], prefix: str) -> str:
    """Whose certificate it is: another load balancer's of ours, where that one's is renewed."""
    path = certificate_path_of(place.certificate) or ""
    other = ours.get(load_balancer_of_path(path)) if path.startswith(prefix) else None
    renewed = other is not None and other.tags.get(CERTIFICATE_TAG, "") not in WATCHED
    return other.name if other and renewed else place.load_balancer


def _holding(
    balancer: LoadBalancer, places: tuple[SecureListener, ...], listed: tuple[Certificate, ...], path: str
) -> LoadBalancerCertificates:
    own = tuple(one for one in listed if one.path == path)
    rejected = balancer.tags.get(REJECTED_TAG)
    return LoadBalancerCertificates(
        load_balancer=balancer.name,
        source=balancer.tags.get(CERTIFICATE_TAG, ""),
        places=places,
        certificates=own,
        served=current(places, own, rejected) or current(places, listed, rejected),
        hostname=balancer.tags.get(HOSTNAME_TAG),
        rejected=rejected,
    )


def detailed(
    holding: LoadBalancerCertificates, before: Handshakes, invocation: Invocation
) -> LoadBalancerCertificates:
    """Add what a listing does not tell of the served certificate and of those uploaded after it.

    What the wire shows need not be asked of IAM: its digest is in the name.
    """
    served = (
        _detailed(holding.served, before, invocation) if holding.served else _unlisted(holding, invocation)
    )
    certificates = tuple(
        served
        if served and one.arn == served.arn
        else (read_certificate(one.arn, invocation.clients) or one)
        if one.name != holding.rejected and (served is None or age(one) > age(served))
        else one
        for one in holding.certificates
    )
    return replace(holding, served=served, certificates=certificates)


def as_seen(certificate: Certificate, before: Handshakes) -> Certificate | None:
    """The certificate with what the wire tells of it; None where the wire does not show it."""
    digits = (certificate.name or "").rpartition("-")[2]
    for shaken in before.values():
        served = shaken.served
        if served and len(digits) == DIGITS_IN_NAME and served.digest.startswith(digits):
            return replace(
                certificate,
                not_before=served.not_before,
                domains=served.domains,
                serial=served.serial,
                digest=served.digest,
                issuer_key=served.issuer_key,
            )
    return None


def _detailed(certificate: Certificate, before: Handshakes, invocation: Invocation) -> Certificate:
    seen = as_seen(certificate, before)
    return seen or read_certificate(certificate.arn, invocation.clients) or certificate


def _unlisted(holding: LoadBalancerCertificates, invocation: Invocation) -> Certificate | None:
    """The one that is served and IAM does not list: ACM's, which only asking can tell."""
    arns = (place.certificate for place in holding.places if place.certificate != INVALID_CERTIFICATE)
    arn = next(arns, None)
    return read_certificate(arn, invocation.clients) if arn else None
