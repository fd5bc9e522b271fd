"""Issue a certificate, examine it, upload it: for a PUT and for `rotate` alike.

Both wait until ELB knows an uploaded certificate where they put it on listeners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.acme.order import order
from chalicelib.apply import Progress, apply
from chalicelib.certificates.chosen import ToUpload
from chalicelib.certificates.upload import as_uploaded
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca
from chalicelib.model import actions as do
from chalicelib.model.errors import Conflict, InvalidRequest, IssuerSilent
from chalicelib.model.load_balancer import Certificate, LoadBalancerType
from chalicelib.model.names import ACME, PRIVATE_CA, SECRET
from chalicelib.model.report import ReviewWarning
from chalicelib.x509.domains import default_domains
from chalicelib.x509.pem import Authority, GivenPem
from chalicelib.x509.preflight import ISSUER_FIELDS, PEM_FIELDS, SECRET_FIELDS, Fields
from chalicelib.x509.read import checked


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A certificate that a load balancer is to have.

    `source` is the text of the tag `emq-elb:certificate`. `hostnames` are the names that the certificate has
    to cover. `domains` go to an issuer, `authority` with the private CA; `given` are the texts of a secret or
    of a request, and `replaces` is the name by which an ACME CA knows the certificate before it.
    """

    source: str
    hostnames: Sequence[str] = ()
    domains: Sequence[str] = ()
    authority: Authority | None = None
    given: GivenPem | None = None
    replaces: str | None = None


def issue(wanted: Wanted, name: str, progress: Progress, invocation: Invocation) -> ToUpload:
    """Have the certificate issued for the load balancer `name`, and examine it before anything is uploaded.

    Raises InvalidRequest with every fault of the texts, Conflict for a source that cannot issue, and for an
    ACME CA what `order` raises; IssuerSilent when the certificate that the CA issued cannot be used.
    """
    given = _from_issuer(wanted, name, progress, invocation)
    try:
        bundle, warnings = checked(
            given, now=invocation.now(), hostnames=wanted.hostnames, fields=_fields(wanted.source)
        )
    except InvalidRequest as error:
        if wanted.source != ACME:
            raise
        raise IssuerSilent(f"the certificate that the CA issued cannot be used: {error}") from None
    certificate = as_uploaded(bundle, name, invocation)
    return ToUpload(certificate=certificate, source=wanted.source, bundle=bundle, warnings=warnings)


def upload(
    issued: ToUpload, reason: str, name: str, progress: Progress, invocation: Invocation
) -> Certificate:
    """Upload the certificate under its content's name, and return it with its ARN."""
    certificate = issued.certificate
    action = do.UploadServerCertificate(reason=reason, certificate=certificate.arn)
    apply(name, [action], progress, invocation, issued.material)
    return replace(certificate, arn=progress.bound[certificate.arn], uploaded=invocation.now())


def domains_or_default(
    domains: Sequence[str], hostname: str | None, type_: LoadBalancerType, invocation: Invocation
) -> tuple[tuple[str, ...], tuple[ReviewWarning, ...]]:
    """Return the names for a certificate of the private CA, with a warning where the default is used."""
    clients = invocation.clients
    wanted = tuple(domains) or default_domains(hostname, type_, clients.region, clients.dns_suffix)
    if domains or hostname:
        return wanted, ()
    message = (
        "neither `hostname` nor `certificate.domains` is given, so the certificate is for"
        f" {', '.join(wanted)}: every {type_} load balancer of the region"
    )
    return wanted, (ReviewWarning("default-domains", message),)


def _from_issuer(wanted: Wanted, name: str, progress: Progress, invocation: Invocation) -> GivenPem:
    match wanted:
        case Wanted(given=GivenPem() as given):
            return given
        case Wanted(source="private-ca", authority=Authority() as authority):
            made = private_ca.issue_leaf(authority, wanted.domains, now=invocation.now())
            return GivenPem(made.certificate, made.private_key, made.chain)
        case Wanted(source="acme"):
            return order(wanted.domains, name, progress, invocation, replaces=wanted.replaces)
        case _:
            raise Conflict(f"no issuer can renew a certificate whose source is {wanted.source!r}")


def _fields(source: str) -> Fields:
    if source in {PRIVATE_CA, ACME}:
        return ISSUER_FIELDS
    return SECRET_FIELDS if source.startswith(SECRET) else PEM_FIELDS
