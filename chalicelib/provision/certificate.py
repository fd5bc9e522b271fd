"""Which certificate a declaration leads to. Nothing is changed at AWS here: the answer says what must be."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from chalicelib.acme.challenges import places
from chalicelib.apply import Progress
from chalicelib.aws import iam
from chalicelib.aws.certificate import read_certificate
from chalicelib.certificates.chosen import Chosen, Existing, ToOrder, ToUpload, Unusable
from chalicelib.certificates.existing import issued_before
from chalicelib.certificates.issue import Wanted, domains_or_default, issue
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca, secret
from chalicelib.model import errors
from chalicelib.model.errors import Fault, InvalidRequest
from chalicelib.model.load_balancer import Certificate, LoadBalancer
from chalicelib.model.names import ACME, CERTIFICATE_TAG, PRIVATE_CA, SECRET
from chalicelib.model.report import ReviewWarning
from chalicelib.provision.declaration import (
    CertificateSource,
    Declaration,
    GivenArn,
    GivenIssuer,
    GivenSecret,
)
from chalicelib.x509 import preflight
from chalicelib.x509.pem import Authority, GivenPem


def choose(declaration: Declaration, there: LoadBalancer | None, invocation: Invocation) -> Chosen | None:
    """The certificate for the declaration's secure listeners; None when it has none.

    One that cannot be used is `Unusable`, with its faults. `there` is the load balancer as it is.
    """
    if declaration.certificate is None:
        return None
    try:
        return _choose(declaration.certificate, declaration, there, invocation)
    except InvalidRequest as error:
        return Unusable(faults=error.faults)


def _choose(
    given: CertificateSource, declaration: Declaration, there: LoadBalancer | None, invocation: Invocation
) -> Chosen:
    match given:
        case GivenArn():
            return _of_arn(given, declaration, there, invocation)
        case GivenPem():
            return _of_texts(given, "pem", declaration, invocation)
        case GivenSecret(secret_id):
            return _of_secret(secret_id, declaration, invocation)
        case GivenIssuer("acme", domains):
            return _of_acme(domains or _hostnames(declaration), declaration, there, invocation)
        case GivenIssuer(_, domains):
            return _of_private_ca(domains, declaration, there, invocation)
        case _:
            assert_never(given)


def _hostnames(declaration: Declaration) -> tuple[str, ...]:
    return (declaration.hostname,) if declaration.hostname else ()


def _of_arn(
    given: GivenArn, declaration: Declaration, there: LoadBalancer | None, invocation: Invocation
) -> Chosen:
    """A certificate that is at AWS. What GET showed and is sent back says where it comes from as well.

    By then the load balancer may serve a newer one: then the source counts, and the old ARN does not.
    """
    arn, source = given.arn, given.source
    current = {listener.certificate for listener in there.listeners if listener.secure} if there else set()
    if there and not given.settled and arn not in current and source == there.tags.get(CERTIFICATE_TAG):
        if source == PRIVATE_CA:
            return _of_private_ca(_domains_of(current, invocation), declaration, there, invocation)
        if source == ACME and (domains := _domains_of(current, invocation)):
            return _of_acme(domains, declaration, there, invocation)
        if source and source.startswith(SECRET):
            return _of_secret(source.removeprefix(SECRET), declaration, invocation)
    # What is served stays, whatever became of it; what is not must be fit to be.
    usable_for = None if arn in current else declaration.type
    found = read_certificate(arn, invocation.clients, usable_for=usable_for)
    if found is None:
        raise InvalidRequest([Fault("certificate.arn", f"there is no certificate {arn}")])
    return Existing(certificate=found, source=source or "external", warnings=_expiring(found, invocation))


def _domains_of(served: set[str | None], invocation: Invocation) -> tuple[str, ...]:
    found = (read_certificate(arn, invocation.clients) for arn in served if arn)
    return next((certificate.domains for certificate in found if certificate), ())


def _expiring(certificate: Certificate, invocation: Invocation) -> tuple[ReviewWarning, ...]:
    now = invocation.now()
    not_before = certificate.not_before or now
    if now < preflight.renew_from(not_before, certificate.not_after, invocation.settings.renew_before):
        return ()
    return (ReviewWarning("expires-soon", f"{certificate.arn} expires at {certificate.not_after:%Y-%m-%d}"),)


def _of_secret(secret_id: str, declaration: Declaration, invocation: Invocation) -> Chosen:
    given = secret.fetch(invocation.clients.secrets, secret_id)
    return _of_texts(given, SECRET + secret_id, declaration, invocation)


def _of_texts(given: GivenPem, source: str, declaration: Declaration, invocation: Invocation) -> Chosen:
    wanted = Wanted(source=source, given=given, hostnames=_hostnames(declaration))
    return unless_uploaded(issue(wanted, declaration.name, Progress(), invocation), invocation)


def unless_uploaded(issued: ToUpload, invocation: Invocation) -> Existing | ToUpload:
    """The same certificate as it is at AWS, where it was uploaded before: same content, same name."""
    certificate = issued.certificate
    name = certificate.arn
    existing = iam.find_server_certificate(invocation.clients.iam, name)
    if existing and (existing.path, existing.digest) != (certificate.path, certificate.digest):
        raise errors.Conflict(
            f"there is a server certificate {name} already, which is not ours: its path is {existing.path}"
        )
    if existing:
        return Existing(certificate=existing, source=issued.source, warnings=issued.warnings)
    room = preflight.room_for_one(*iam.account_quota(invocation.clients.iam))
    return replace(issued, warnings=(*issued.warnings, *room))


def _of_private_ca(
    domains: tuple[str, ...], declaration: Declaration, there: LoadBalancer | None, invocation: Invocation
) -> Chosen:
    """Keep the one that is served, or one that was uploaded and never served; else issue a new one."""
    clients = invocation.clients
    names, warnings = domains_or_default(domains, declaration.hostname, declaration.type, invocation)
    existing = issued_before(PRIVATE_CA, names, declaration.name, there, invocation)
    if existing:
        return Existing(
            certificate=existing,
            source=PRIVATE_CA,
            warnings=(*warnings, *_expiring(existing, invocation)),
        )
    authority = private_ca.load_authority(clients.secrets, invocation.settings.private_ca_secret)
    made = authority or private_ca.create_authority(invocation.settings.owner, now=invocation.now())
    hostnames = _hostnames(declaration)
    wanted = Wanted(source=PRIVATE_CA, domains=names, hostnames=hostnames, authority=made)
    chosen = unless_uploaded(issue(wanted, declaration.name, Progress(), invocation), invocation)
    chosen = replace(chosen, warnings=(*warnings, *chosen.warnings))
    if not isinstance(chosen, ToUpload):
        return chosen
    return replace(
        chosen,
        authority=None if authority else made,
        unmarked=None if authority and _stands_apart(authority, invocation) else made,
    )


def _stands_apart(authority: Authority, invocation: Invocation) -> bool:
    """Whether nothing is to be done for it; where AWS does not say, `rotate` sees to it."""
    try:
        return private_ca.stands_apart(
            invocation.clients.secrets, invocation.settings.private_ca_secret, authority
        )
    except errors.AwsError:
        return True


def _of_acme(
    wanted: tuple[str, ...], declaration: Declaration, there: LoadBalancer | None, invocation: Invocation
) -> Chosen:
    """Keep the one that is served, or one that was uploaded and never served; else one is to be ordered.

    InvalidRequest with everything that would keep the CA from issuing it.
    """
    existing = issued_before(ACME, wanted, declaration.name, there, invocation)
    if existing:
        warnings = _expiring(existing, invocation)
        return Existing(certificate=existing, source=ACME, warnings=warnings)
    places(wanted, invocation)
    return ToOrder(
        domains=wanted, warnings=preflight.room_for_one(*iam.account_quota(invocation.clients.iam))
    )
