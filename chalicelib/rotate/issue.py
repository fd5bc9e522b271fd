"""Renew a certificate: ask its issuer, once in a run, and upload what `certificates/issue.py` examined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from chalicelib import telemetry
from chalicelib.acme import renewal_info
from chalicelib.acme.order import time_enough
from chalicelib.acme.renewal_window import Window, certificate_id
from chalicelib.apply import Progress, apply
from chalicelib.aws import iam
from chalicelib.certificates.chosen import ToUpload
from chalicelib.certificates.issue import Wanted, domains_or_default, issue, upload
from chalicelib.certificates.upload import as_uploaded
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca, secret
from chalicelib.model import actions as do
from chalicelib.model.errors import Conflict, EmqElbError, Fault, InvalidRequest, IssuerLimited, IssuerSilent
from chalicelib.model.load_balancer import Certificate, age, uploaded
from chalicelib.model.names import ACME, CERTIFICATE_TAG, PRIVATE_CA, SECRET, authority_certificate_secret
from chalicelib.model.pending import ISSUING, Pending
from chalicelib.model.report import ReviewWarning
from chalicelib.rotate.install import Failed, Swap, install, postponed
from chalicelib.rotate.model import LoadBalancerCertificates, Rotation
from chalicelib.rotate.observe import as_seen
from chalicelib.rotate.plan import Renew
from chalicelib.rotate.proof import Handshakes
from chalicelib.x509.facts import AuthorityFacts
from chalicelib.x509.pem import Authority, GivenPem, KeyMaterial
from chalicelib.x509.preflight import SECRET_FIELDS, room_for_one
from chalicelib.x509.read import checked, describe_authority, read_pem

T = TypeVar("T")

# A quota is never below AWS's default of 20, so that with few certificates nobody needs to ask for it
# (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
_FEW = 15


@dataclass
class Issuers:
    """Asks each issuer once; what it raised is raised again for the next who wants to know.

    `in_account` is how many server certificates there were before the run.
    """

    invocation: Invocation
    in_account: int
    _answers: dict[str, object] = field(default_factory=dict, repr=False)
    _known: dict[str, str] = field(default_factory=dict)
    _account: tuple[int, int] | None = None
    _uploads: int = 0

    def _once(self, what: str, ask: Callable[[], T]) -> T:
        if what not in self._answers:
            try:
                self._answers[what] = ask()
            except EmqElbError as error:
                self._answers[what] = error
        found = self._answers[what]
        if isinstance(found, EmqElbError):
            raise found
        return cast("T", found)

    def texts(self, secret_id: str) -> GivenPem:
        """The PEM texts in a secret, not looked at yet."""
        return self._once(
            SECRET + secret_id, lambda: secret.fetch(self.invocation.clients.secrets, secret_id)
        )

    def secret(self, balancer: LoadBalancerCertificates) -> Certificate:
        """The certificate in the secret, as it is or will be in IAM; InvalidRequest with every fault."""
        given = self.texts(balancer.source.removeprefix(SECRET))
        now = self.invocation.now()
        _, bundle = read_pem(given.certificate, given.private_key, given.chain, now=now)
        if bundle is None:
            bundle, _ = checked(given, now=now, fields=SECRET_FIELDS)
        return as_uploaded(bundle, balancer.name, self.invocation)

    def private_ca(self) -> Authority | None:
        """The private CA, None when there is none."""
        settings, client = self.invocation.settings, self.invocation.clients.secrets
        return self._once(PRIVATE_CA, lambda: private_ca.load_authority(client, settings.private_ca_secret))

    def keep_authority_apart(self) -> None:
        """Where this run read the private CA, keep its certificate apart from its key.

        The probing functions read the certificate alone: the tag on the key's secret denies that to them, and
        until it has the tag they find the certificate beside the key. No rotation fails for it.
        """
        found, invocation = self._answers.get(PRIVATE_CA), self.invocation
        if not isinstance(found, Authority):
            return
        key, reason = invocation.settings.private_ca_secret, "the CA's certificate stands apart from its key"
        create = do.CreateSecret(reason=reason, secret=authority_certificate_secret(key))
        tag = do.TagResource(reason=reason, secret=key, tag=(CERTIFICATE_TAG, private_ca.mark(found)))
        try:
            if not private_ca.stands_apart(invocation.clients.secrets, key, found):
                apply(PRIVATE_CA, [create, tag], Progress(), invocation, KeyMaterial(authority=found))
        except EmqElbError as error:
            telemetry.authority_not_apart(str(error))

    def authority(self) -> AuthorityFacts | None:
        """The private CA as its leaves name it."""
        found = self.private_ca()
        return describe_authority(found.certificate) if found else None

    def window(self, served: Certificate | None, before: Handshakes) -> Window | None:
        """When an ACME CA suggests to renew what is served; None where it cannot be asked, or says nothing.

        Only what the wire shows is asked for: without it, AWS would have to be asked first.
        """
        seen = as_seen(served, before) if served else None
        id_ = certificate_id(seen) if seen else None
        settings = self.invocation.settings
        directory, trusted = settings.acme_directory_url, settings.acme_ca_bundle
        if (
            seen is None
            or id_ is None
            or seen.not_after <= self.invocation.now()
            or not settings.acme_contact
        ):
            return None
        try:
            url = self._once(ACME, lambda: renewal_info.renewal_info_url(directory, trusted))
            window = url and renewal_info.suggested_window(url, id_, trusted)
        except IssuerSilent as error:
            telemetry.no_renewal_info(str(error))
            return None
        if window:
            self._known[seen.arn] = id_
        return window or None

    def known_as(self, served: Certificate | None) -> str | None:
        """The name by which the ACME CA was found to know a certificate."""
        return self._known.get(served.arn) if served else None

    def anchors(self) -> tuple[str, ...]:
        """The private CA as something to trust."""
        found = self.private_ca()
        return (found.certificate,) if found else ()

    def quota(self) -> tuple[ReviewWarning, ...]:
        """A warning where IAM's quota is nearly used up; raises QuotaReached as `room_for_one` does.

        The account is asked once, and what is `uploaded` is counted on.
        """
        if self._account is None:
            if self.in_account + self._uploads + 1 < _FEW:
                return ()
            there, quota = iam.account_quota(self.invocation.clients.iam)
            self._account = there - self._uploads, quota
        before, quota = self._account
        return room_for_one(before + self._uploads, quota)

    def uploaded(self) -> None:
        """Count one more certificate in the account."""
        self._uploads += 1


def issued(
    balancer: LoadBalancerCertificates, domains: Sequence[str], issuers: Issuers, progress: Progress
) -> ToUpload:
    """Have the next certificate issued and examined: it covers all names of the old one, and ends no earlier.

    InvalidRequest with everything that is wrong with it.
    """
    served, source = balancer.served, balancer.source
    names = (*((balancer.hostname,) if balancer.hostname else ()), *(served.domains if served else ()))
    if source == ACME and not (domains or names):
        raise Conflict("the names that it was for are not known any more: PUT with `domains`")
    wanted, warnings = domains_or_default(domains or names, None, balancer.type, issuers.invocation)
    made = issue(
        Wanted(
            source=source,
            domains=wanted,
            hostnames=tuple(dict.fromkeys(names)),
            given=issuers.texts(source.removeprefix(SECRET)) if source.startswith(SECRET) else None,
            authority=issuers.private_ca() if source == PRIVATE_CA else None,
            replaces=issuers.known_as(served),
        ),
        balancer.name,
        progress,
        issuers.invocation,
    )
    now, end = issuers.invocation.now(), made.certificate.not_after
    if served and now < served.not_after and end < served.not_after:
        message = f"it ends {end:%Y-%m-%d}, before the one that is served, {served.not_after:%Y-%m-%d}"
        field = "certificate.secret_id" if source.startswith(SECRET) else "certificate.issuer"
        raise InvalidRequest([Fault(field, message)])
    return replace(made, warnings=(*warnings, *made.warnings)) if source == PRIVATE_CA else made


def renewed(decision: Renew, swap: Swap, issuers: Issuers) -> Rotation | Failed:
    """Upload it under its content's name, and install it.

    Pending when this run is too short for the issuer. An IssuerLimited is written on the load balancer before
    it is raised.
    """
    balancer, invocation = swap.balancer, swap.invocation
    if balancer.source == ACME and not time_enough(invocation):
        return postponed(swap, ISSUING, f"{decision.reason}; the CA needs longer than this run has left")
    quota = issuers.quota()
    try:
        made = issued(balancer, decision.domains, issuers, swap.progress)
    except IssuerLimited as error:
        postponed(swap, ISSUING, str(error), not_before=error.until)
        raise
    known = upload(made, decision.reason, balancer.name, swap.progress, invocation)
    issuers.uploaded()
    return install(replace(swap, warnings=(*swap.warnings, *made.warnings, *quota)), known, decision.reason)


def unfinished(balancer: LoadBalancerCertificates, pending: Pending | None) -> bool:
    """Whether somebody asked for a new certificate, and it is not there or waits to be installed."""
    if pending is None:
        return False
    served = balancer.served
    if pending.what == ISSUING:
        # Whole seconds, both; an order takes longer than one.
        return served is None or pending.since is None or uploaded(served) <= pending.since
    waiting = next((one for one in balancer.certificates if one.name == pending.certificate), None)
    return waiting is not None and (served is None or age(waiting) > age(served))
