"""Who serves a certificate: the question that is asked before one of ours is deleted.

A server certificate is the account's: a listener of any region can use it, of a classic, a network or an
application load balancer, also beside its default certificate. IAM's page warns that ELB may not notice a
deletion and stop taking traffic, so that IAM's own refusal is not relied on. Another region that is denied to
us, or does not answer, is left out with a warning.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from chalicelib.aws import ec2, elb, elbv2
from chalicelib.invocation import Invocation
from chalicelib.model import errors
from chalicelib.model.names import certificate_name_of
from chalicelib.model.report import ReviewWarning
from chalicelib.observe import READS_AT_ONCE

if TYPE_CHECKING:
    from mypy_boto3_elb.type_defs import LoadBalancerDescriptionTypeDef
    from mypy_boto3_elbv2.type_defs import LoadBalancerTypeDef

_QUESTIONS_AT_ONCE = 16

SILENT = frozenset(
    {
        # botocore got no answer, or none that AWS gave
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "ConnectionError",
        "EndpointConnectionError",
        "HTTPClientError",
        "ProxyConnectionError",
        "ReadTimeoutError",
        "ResponseParserError",
        "ResponseStreamingError",
        "SSLError",
        # AWS has trouble of its own; the numbers are what botocore makes of an answer without a code
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "ServiceFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
        "500",
        "502",
        "503",
        "504",
    }
)
"""The codes of an `AwsError` that say nothing about the question."""


@dataclass(frozen=True)
class CertificateUser:
    """A load balancer of any owner, and the ARNs of the certificates on its listeners.

    `type` is `classic`, or what the second API calls it: `network`, `application`.
    """

    region: str
    type: str
    name: str
    certificates: frozenset[str]


@dataclass(frozen=True)
class CertificateUsers:
    """Every load balancer that has a certificate; the warnings name the regions that were left out."""

    users: tuple[CertificateUser, ...] = ()
    warnings: tuple[ReviewWarning, ...] = ()

    @property
    def certificates(self) -> frozenset[str]:
        """The ARNs of all certificates in use."""
        return frozenset().union(*(one.certificates for one in self.users))

    @property
    def names(self) -> frozenset[str]:
        """The names of all certificates in use; those of IAM are unique in the account."""
        return frozenset(certificate_name_of(arn) for arn in self.certificates)


@dataclass(frozen=True)
class Described:
    """The load balancers of our own region, where a story has just read both listings."""

    classic: Sequence[LoadBalancerDescriptionTypeDef]
    second: Sequence[LoadBalancerTypeDef]


def find_users(invocation: Invocation, here: Described | None = None) -> CertificateUsers:
    """Ask both load balancing APIs of every region that the account can use.

    In each region: two listings, one call for each load balancer of the second API, and one for each of its
    secure listeners. Raises AwsError where our own region cannot be read, or where another one answers with
    an error after which it may not be left out.
    """
    questions = [
        (region, ask) for region in ec2.regions(invocation.clients.ec2) for ask in (_of_classic, _of_second)
    ]
    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE) as pool:
        asking = [pool.submit(_answer, region, ask, here, invocation) for region, ask in questions]
    answers = [one.result() for one in asking]
    silent: dict[str, errors.AwsError] = {}
    users: list[CertificateUser] = []
    for (region, _), answer in zip(questions, answers, strict=True):
        if isinstance(answer, errors.AwsError):
            silent[region] = answer
        else:
            users += answer
    return CertificateUsers(tuple(users), _skipped(silent))


def _answer(
    region: str,
    ask: Callable[[str, Described | None, Invocation], tuple[CertificateUser, ...]],
    here: Described | None,
    invocation: Invocation,
) -> tuple[CertificateUser, ...] | errors.AwsError:
    """The users in a region, or why another region than ours is left out."""
    own = region == invocation.clients.region
    try:
        return ask(region, here if own else None, invocation)
    except errors.AwsError as error:
        if own or not _skippable(error):
            raise
        return error


def _of_classic(region: str, here: Described | None, invocation: Invocation) -> tuple[CertificateUser, ...]:
    described = here.classic if here else elb.describe_all(invocation.clients.elb_in(region))
    return tuple(
        CertificateUser(region, "classic", one.get("LoadBalancerName", ""), served)
        for one in described
        if (served := frozenset(filter(None, (each.certificate for each in elb.parse_listeners(one, {})))))
    )


def _of_second(region: str, here: Described | None, invocation: Invocation) -> tuple[CertificateUser, ...]:
    client = invocation.clients.elbv2_in(region)
    described = here.second if here else elbv2.describe_second_kind(client)
    arns = [one.get("LoadBalancerArn", "") for one in described]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        served = pool.map(partial(elbv2.served_certificates, client), arns)
        return tuple(
            CertificateUser(region, one.get("Type", ""), one.get("LoadBalancerName", ""), certificates)
            for one, certificates in zip(described, served, strict=True)
            if certificates
        )


def _skippable(error: errors.AwsError) -> bool:
    """Whether another region is left out of the search after this error.

    An organisation may deny a region for good (Control Tower does), and no certificate would ever be deleted.
    IAM still refuses to delete what a listener uses. A region that throttles is asked again by the next run.
    """
    return isinstance(error, errors.Denied) or error.code in SILENT


def _skipped(regions: Mapping[str, errors.AwsError]) -> tuple[ReviewWarning, ...]:
    """Return the warning that names the regions that were left out, each with what it said; none for none."""
    if not regions:
        return ()
    named = ", ".join(f"{region} ({error.code})" for region, error in sorted(regions.items()))
    message = f"not asked whether they use a certificate that is to go, which IAM alone guards there: {named}"
    return (ReviewWarning("region-skipped", message),)
