"""Find a certificate that the issuer has issued before: it is used before another one is issued."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.aws import iam
from chalicelib.aws.certificate import read_certificate
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca
from chalicelib.model.load_balancer import Certificate, LoadBalancer, age
from chalicelib.model.names import ACME, CERTIFICATE_TAG, PRIVATE_CA, REJECTED_TAG, certificate_path
from chalicelib.model.rejected import parse_rejected
from chalicelib.x509.domains import same_names
from chalicelib.x509.facts import AuthorityFacts
from chalicelib.x509.read import describe_authority


def issued_before(
    source: str, wanted: Sequence[str], name: str, there: LoadBalancer | None, invocation: Invocation
) -> Certificate | None:
    """The newest certificate for just these names, under our path and not expired; the served one first.

    `source` is `private-ca` or `acme`, `there` the load balancer of that name as it is.
    """
    client = invocation.clients.iam
    path = certificate_path(invocation.settings.owner, invocation.clients.region, name)
    served = (
        {listener.certificate or "" for listener in there.listeners if listener.secure} if there else set()
    )
    failed = parse_rejected(there.tags.get(REJECTED_TAG)) if there else None
    rejected = failed and failed.name
    if there and there.tags.get(CERTIFICATE_TAG) == source:
        # Two, while a rotation is on its way from one listener to the next.
        current = [read_certificate(arn, invocation.clients) for arn in served]
        fitting = [
            one for one in current if one and one.name != rejected and _fits(one, path, wanted, invocation)
        ]
        if fitting:
            return max(fitting, key=age)
    listed = [
        one
        for one in iam.list_certificates(client, path)
        if one.arn not in served and one.name != rejected and one.not_after > invocation.now()
    ]
    comes_from_it = _origin(source, invocation) if listed else None
    for candidate in sorted(listed, key=lambda one: one.not_after, reverse=True):
        found = iam.find_server_certificate(client, candidate.name or "") if comes_from_it else None
        if found and comes_from_it and comes_from_it(found) and _fits(found, path, wanted, invocation):
            return found
    return None


def authority_facts(invocation: Invocation) -> AuthorityFacts | None:
    """The private CA as its leaves name it; None when there is none. Conflict when its secret holds none."""
    kept = private_ca.load_authority(invocation.clients.secrets, invocation.settings.private_ca_secret)
    return describe_authority(kept.certificate) if kept else None


def _origin(source: str, invocation: Invocation) -> Callable[[Certificate], bool] | None:
    """A test of whether a certificate comes from this source; None when no certificate can.

    A former `pem` for the same names may be under our path too. Devices need not trust it.
    """
    if source == ACME:
        return lambda one: one.source == ACME
    authority = authority_facts(invocation) if source == PRIVATE_CA else None
    return (lambda one: one.issuer_key == authority.key_id) if authority else None


def _fits(certificate: Certificate, path: str, wanted: Sequence[str], invocation: Invocation) -> bool:
    return (
        certificate.path == path
        and certificate.not_after > invocation.now()
        and same_names(certificate.domains, wanted)
    )
