"""What the issuers have to offer, read once in a run, and the bundle that a renewal uploads.

An issuer is a function from names to PEM texts, chosen by the load balancer's `emq-elb:certificate` tag; each
has a module of its own in `adapters/issuers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar, cast

from chalicelib import telemetry
from chalicelib.acme import renewal_info
from chalicelib.acme.order import order, time_enough
from chalicelib.acme.renewal_window import Window, certificate_id
from chalicelib.apply import Progress, apply
from chalicelib.aws import iam
from chalicelib.certificates.chosen import ToUpload
from chalicelib.certificates.upload import as_uploaded, for_any_name
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca, secret
from chalicelib.model import actions as do
from chalicelib.model.errors import Conflict, EmqElbError, Fault, InvalidRequest, IssuerLimited, IssuerSilent
from chalicelib.model.load_balancer import Certificate, age, uploaded
from chalicelib.model.names import ACME, PRIVATE_CA, SECRET
from chalicelib.model.pending import ISSUING, Pending
from chalicelib.model.report import ReviewWarning
from chalicelib.rotate.install import Failed, Swap, install, postponed
from chalicelib.rotate.model import LoadBalancerCertificates, Rotation, SecretCertificate
from chalicelib.rotate.observe import as_seen
from chalicelib.rotate.plan import Renew
from chalicelib.rotate.proof import Handshakes
from chalicelib.x509.domains import default_domains
from chalicelib.x509.facts import AuthorityFacts
from chalicelib.x509.pem import Authority, Bundle, GivenPem
from chalicelib.x509.preflight import ISSUER_FIELDS, SECRET_FIELDS, room_for_one
from chalicelib.x509.read import checked, describe_authority, described_certificate, read_pem

T = TypeVar("T")
Issue = Callable[[Sequence[str]], GivenPem]

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

    def secret(self, holding: LoadBalancerCertificates) -> SecretCertificate:
        """What the holding's secret holds; InvalidRequest with every fault when that is no certificate."""
        given = self.texts(holding.source.removeprefix(SECRET))
        _, bundle = read_pem(given.certificate, given.private_key, given.chain)
        if bundle is None:
            bundle, _ = checked(given, now=self.invocation.now(), fields=SECRET_FIELDS)
        certificate, _ = chosen_of(holding, bundle, self.invocation)
        return SecretCertificate(certificate.arn, certificate.not_after)

    def private_ca(self) -> Authority | None:
        """The private CA, None when there is none."""
        settings, client = self.invocation.settings, self.invocation.clients.secrets
        return self._once(PRIVATE_CA, lambda: private_ca.load_authority(client, settings.private_ca_secret))

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


def issuer(holding: LoadBalancerCertificates, offers: Issuers, progress: Progress) -> Issue:
    """The issuer that the holding's tag names; Conflict for one that cannot issue."""
    source, now = holding.source, offers.invocation.now()
    if source.startswith(SECRET):
        return lambda _: offers.texts(source.removeprefix(SECRET))
    if source == PRIVATE_CA and (authority := offers.private_ca()):
        return lambda domains: _given(private_ca.issue(authority, domains, now=now))
    if source == ACME:
        return partial(
            order,
            name=holding.load_balancer,
            progress=progress,
            invocation=offers.invocation,
            replaces=offers.known_as(holding.served),
        )
    raise Conflict(f"there is nobody to issue a certificate by the tag {source!r}")


def bundle_for(
    holding: LoadBalancerCertificates, domains: Sequence[str], offers: Issuers, progress: Progress
) -> tuple[Bundle, tuple[ReviewWarning, ...]]:
    """Have a certificate issued and examined, before anything is uploaded.

    As for a PUT; also, it covers every name that the old one covered, and does not end before that.
    InvalidRequest with all that is wrong with it.
    """
    served = holding.served
    names = (*((holding.hostname,) if holding.hostname else ()), *(served.domains if served else ()))
    given = issuer(holding, offers, progress)(domains or names or _any_names(offers, holding))
    now = offers.invocation.now()
    fields = SECRET_FIELDS if holding.source.startswith(SECRET) else ISSUER_FIELDS
    bundle, warnings = checked(given, now=now, hostnames=tuple(dict.fromkeys(names)), fields=fields)
    described = described_certificate(bundle.certificate, bundle.chain)
    if described and served and now < served.not_after and described.not_after < served.not_after:
        fault = Fault(
            fields.certificate,
            f"it ends {described.not_after:%Y-%m-%d}, before the one that is served,"
            f" {served.not_after:%Y-%m-%d}",
        )
        raise InvalidRequest([fault])
    if holding.source == PRIVATE_CA and not (domains or names) and described:
        warnings = (*warnings, for_any_name(described.domains))
    return bundle, warnings


def _any_names(offers: Issuers, holding: LoadBalancerCertificates) -> Sequence[str]:
    """The names where none is known any more: for the private CA those without `hostname` and `domains`."""
    if holding.source == ACME:
        raise Conflict("nobody knows any more which names it was for: PUT with `domains`")
    clients = offers.invocation.clients
    return default_domains(holding.hostname, clients.region, clients.dns_suffix)


def chosen_of(
    holding: LoadBalancerCertificates, bundle: Bundle, invocation: Invocation
) -> tuple[Certificate, ToUpload]:
    """The certificate `as_uploaded`, and what to upload."""
    certificate = as_uploaded(bundle, holding.load_balancer, invocation)
    return certificate, ToUpload(certificate=certificate, source=holding.source, bundle=bundle)


def _given(bundle: Bundle) -> GivenPem:
    return GivenPem(bundle.certificate, bundle.private_key, bundle.chain)


def renewed(decision: Renew, swap: Swap, offers: Issuers) -> Rotation | Failed:
    """Upload it under its content's name, and install it.

    Pending when this run is too short for the issuer. IssuerLimited is told on the load balancer first.
    """
    holding, invocation = swap.holding, swap.invocation
    if holding.source == ACME and not time_enough(invocation):
        return postponed(swap, ISSUING, f"{decision.reason}; the CA needs longer than this run has left")
    quota = offers.quota()
    try:
        bundle, warnings = bundle_for(holding, decision.domains, offers, swap.progress)
    except IssuerLimited as error:
        postponed(swap, ISSUING, str(error), not_before=error.until)
        raise
    certificate, chosen = chosen_of(holding, bundle, invocation)
    upload = do.UploadServerCertificate(reason=decision.reason, certificate=certificate.arn)
    apply(holding.load_balancer, [upload], swap.progress, invocation, chosen.material)
    offers.uploaded()
    known = replace(certificate, arn=swap.progress.bound[certificate.arn], uploaded=invocation.now())
    return install(replace(swap, warnings=(*swap.warnings, *warnings, *quota)), known, decision.reason)


def unfinished(holding: LoadBalancerCertificates, pending: Pending | None) -> bool:
    """Whether somebody asked for a new certificate, and it is not there or waits to be installed."""
    if pending is None:
        return False
    served = holding.served
    if pending.what == ISSUING:
        # Whole seconds, both; an order takes longer than one.
        return served is None or pending.since is None or uploaded(served) <= pending.since
    waiting = next((one for one in holding.certificates if one.name == pending.certificate), None)
    return waiting is not None and (served is None or age(waiting) > age(served))
