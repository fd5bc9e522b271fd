"""Read AWS for `rotate`: every certificate, and every listener that serves one.

One call for each 400 load balancers of either kind, one for each 20, one for each network one, one for each
1,000 certificates; more is read only of a certificate that may be due.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.aws import iam
from chalicelib.aws.certificate import read_certificate
from chalicelib.aws.load_balancers import SecureListeners, list_secure_listeners
from chalicelib.invocation import Invocation
from chalicelib.model.errors import AwsError
from chalicelib.model.load_balancer import (
    INVALID_CERTIFICATE,
    Certificate,
    LoadBalancer,
    SecureListener,
    age,
)
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    DIGITS_IN_NAME,
    REJECTED_TAG,
    WATCHED,
    certificate_path,
    certificate_path_of,
    certificates_path,
    load_balancer_of_path,
)
from chalicelib.model.rejected import parse_rejected
from chalicelib.rotate.model import LoadBalancerCertificates, current
from chalicelib.rotate.proof import Handshakes

FRESH = timedelta(minutes=1)
"""What was read is read again after this: a certificate takes minutes, and others are at work meanwhile."""
# The whole account: IAM's quota counts every server certificate, and the same calls return them all.
_EVERYTHING = "/"


@dataclass(frozen=True, kw_only=True)
class Region:
    """The region's certificates and load balancers, of which only ours; `in_use` are ARNs on any listener.

    `since` is when it was begun to be read; `unread` are load balancers whose listeners AWS does not show.
    `same_name` are names of which a classic one is there and a network one, which is left alone.
    """

    since: datetime
    load_balancers: Mapping[str, LoadBalancer]
    certificates: tuple[Certificate, ...]
    in_use: frozenset[str]
    balancers: tuple[LoadBalancerCertificates, ...]
    unread: Mapping[str, AwsError]
    same_name: frozenset[str]


def observe_region(invocation: Invocation) -> Region:
    """Read load balancers, their secure listeners, tags and the list of certificates."""
    clients, owner, since = invocation.clients, invocation.settings.owner, invocation.now()
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(iam.list_certificates, clients.iam, _EVERYTHING)
        there = list_secure_listeners(clients, owner, invocation.sleep)
    return Region(
        since=since,
        load_balancers=there.load_balancers,
        certificates=listing.result(),
        in_use=there.in_use,
        balancers=_balancers(there, listing.result(), invocation),
        unread=there.unread,
        same_name=there.same_name,
    )


def _balancers(
    there: SecureListeners, listed: tuple[Certificate, ...], invocation: Invocation
) -> tuple[LoadBalancerCertificates, ...]:
    """One for each load balancer whose certificates any listener of ours serves, or that has foreign ones."""
    region, owner, ours = invocation.clients.region, invocation.settings.owner, there.load_balancers
    listeners: dict[str, list[SecureListener]] = {one.load_balancer: [] for one in there.foreign}
    for listener in there.ours:
        listeners.setdefault(_home(listener, ours, certificates_path(owner, region)), []).append(listener)
    return tuple(
        replace(
            _balancer(
                ours[name], tuple(found), listed, certificate_path(owner, region, name), invocation.now()
            ),
            foreign=tuple(one.port for one in there.foreign if one.load_balancer == name),
        )
        for name, found in sorted(listeners.items())
    )


def _home(listener: SecureListener, ours: Mapping[str, LoadBalancer], prefix: str) -> str:
    """Whose certificate it is: that of another load balancer of ours, where `rotate` renews it."""
    path = certificate_path_of(listener.certificate) or ""
    other = ours.get(load_balancer_of_path(path)) if path.startswith(prefix) else None
    renewed = other is not None and other.tags.get(CERTIFICATE_TAG, "") not in WATCHED
    return other.name if other and renewed else listener.load_balancer


def _balancer(
    load_balancer: LoadBalancer,
    listeners: tuple[SecureListener, ...],
    listed: tuple[Certificate, ...],
    path: str,
    now: datetime,
) -> LoadBalancerCertificates:
    own = tuple(one for one in listed if one.path == path)
    failed = parse_rejected(load_balancer.tags.get(REJECTED_TAG))
    rejected = failed.name if failed else None
    return LoadBalancerCertificates(
        name=load_balancer.name,
        type=load_balancer.type,
        source=load_balancer.tags.get(CERTIFICATE_TAG, ""),
        listeners=listeners,
        certificates=own,
        served=current(listeners, own, rejected) or current(listeners, listed, rejected),
        hostname=load_balancer.hostname,
        rejected=rejected,
        barred=failed is not None and failed.barred(now),
    )


def detailed(
    balancer: LoadBalancerCertificates, before: Handshakes, invocation: Invocation
) -> LoadBalancerCertificates:
    """Add what a listing does not show of the served certificate and of those uploaded after it.

    What the wire shows need not be asked of IAM: its digest is in the name.
    """
    served = (
        _detailed(balancer.served, before, invocation) if balancer.served else _unlisted(balancer, invocation)
    )
    certificates = tuple(
        served
        if served and one.arn == served.arn
        else (read_certificate(one.arn, invocation.clients) or one)
        if one.name != balancer.rejected and (served is None or age(one) > age(served))
        else one
        for one in balancer.certificates
    )
    return replace(balancer, served=served, certificates=certificates)


def as_seen(certificate: Certificate, before: Handshakes) -> Certificate | None:
    """The certificate with what the handshakes showed of it; None where none of them showed it."""
    digits = (certificate.name or "").rpartition("-")[2]
    for shaken in before.values():
        served = shaken.served
        shown = served and len(digits) == DIGITS_IN_NAME and (served.leaf.digest or "").startswith(digits)
        if served and shown:
            return replace(certificate, leaf=served.leaf)
    return None


def _detailed(certificate: Certificate, before: Handshakes, invocation: Invocation) -> Certificate:
    seen = as_seen(certificate, before)
    return seen or read_certificate(certificate.arn, invocation.clients) or certificate


def _unlisted(balancer: LoadBalancerCertificates, invocation: Invocation) -> Certificate | None:
    """A served certificate that IAM does not list: ACM has it, so ACM is asked."""
    arns = (
        listener.certificate for listener in balancer.listeners if listener.certificate != INVALID_CERTIFICATE
    )
    arn = next(arns, None)
    return read_certificate(arn, invocation.clients) if arn else None
