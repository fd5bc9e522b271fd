"""Which superseded certificates go, which are kept to roll back to, and which regions need not be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.model.errors import AwsError, Denied
from chalicelib.model.load_balancer import Certificate, age, uploaded
from chalicelib.model.report import ReviewWarning

FORGOTTEN = timedelta(hours=1)
"""After this an upload that nobody installed is nobody's current work any more."""

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


@dataclass(frozen=True, kw_only=True)
class Retire:
    """Delete a superseded one."""

    reason: str
    certificate: Certificate


def retire(
    certificates: Iterable[Certificate],
    served: Certificate | None,
    in_use: Iterable[str],
    now: datetime,
    *,
    keep: int,
    rejected: str | None = None,
) -> tuple[Retire, ...]:
    """Which of the certificates under one path are to go, so that `keep` are left to roll back to.

    `in_use` are the ARNs on any listener. One that was uploaded after the served one, within the last hour,
    is somebody's current work. What failed or expired is no use to roll back to.
    """
    used = {*in_use}
    superseded = sorted(
        (
            one
            for one in certificates
            if one.arn not in used
            and (
                served is None
                or one.name == rejected
                or age(one) < age(served)
                or now - uploaded(one) > FORGOTTEN
            )
        ),
        key=age,
        reverse=True,
    )
    useless = [one for one in superseded if one.not_after <= now or one.name == rejected]
    good = [one for one in superseded if one not in useless]
    return tuple(
        [Retire(reason="it failed or expired", certificate=one) for one in useless]
        + [Retire(reason="newer ones were kept to roll back to", certificate=one) for one in good[keep:]]
    )


def skippable(error: AwsError) -> bool:
    """Whether another region is left out of the search for users of a certificate after this error.

    An organisation may deny a region for good (Control Tower does), and no certificate would ever be retired.
    IAM still refuses to delete what a listener uses. A region that throttles is asked again by the next run.
    """
    return isinstance(error, Denied) or error.code in SILENT


def skipped(regions: Mapping[str, AwsError]) -> tuple[ReviewWarning, ...]:
    """Return the warning that names the regions that were left out, each with what it said; none for none."""
    if not regions:
        return ()
    named = ", ".join(f"{region} ({error.code})" for region, error in sorted(regions.items()))
    message = f"not asked whether they use a superseded certificate, which IAM alone guards there: {named}"
    return (ReviewWarning("region-skipped", message),)
