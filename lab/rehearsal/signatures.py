"""Signature Version 4 in front of the API: what API Gateway verifies of a request, and how it refuses one.

botocore's signer, given the secret that only the caller has beside AWS, says what the signature must be.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from lab.aws import REGION
from lab.rehearsal.gateway import UNSIGNED, Answered, Asked, refusal

SERVICE = "execute-api"
CLOCKS_DIFFER = timedelta(minutes=5)
TIME = "%Y%m%dT%H%M%SZ"
REQUIRED = ("Credential", "Signature", "SignedHeaders")
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
    " Access Key and signing method. Consult the service documentation for details."
)
# https://repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden
UNKNOWN = refusal(403, "The security token included in the request is invalid.", "AccessDeniedException")


@dataclass(frozen=True)
class Claim:
    """What a request says of its signature; `headers` names, in small letters, those that are signed."""

    access_key: str
    region: str
    service: str
    headers: frozenset[str]
    signature: str
    time: datetime


class AsClaimed(SigV4Auth):
    """Signs the headers of a request as they are: botocore would add the host, and leave `User-Agent` out."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        """Return all of them."""
        return request.headers


def authenticated(asked: Asked, secrets: Mapping[str, str], now: datetime) -> str | Answered:
    """Return the access key id that signed a request, or the refusal; `secrets` are by access key id.

    A request says so in its headers, with the time in `X-Amz-Date`: AWS also takes a signature in the query,
    and the time in `Date`, which nobody here sends.
    """
    headers = {name.lower(): value for name, value in asked.headers}
    if "authorization" not in headers:
        return UNSIGNED
    found = claim(headers["authorization"], headers.get("x-amz-date"))
    if isinstance(found, Answered):
        return found
    if said := " ".join((*_untimely(found.time, now), *_misplaced(found))):
        return invalid(said)
    if found.access_key not in secrets:
        return UNKNOWN
    return verified(found, asked, headers.get("host", ""), secrets[found.access_key])


def claim(authorization: str, date: str | None) -> Claim | Answered:
    """Read what a request says of its signature, or return the refusal of what is incomplete."""
    given = dict(part.strip().partition("=")[::2] for part in authorization.partition(" ")[2].split(","))
    missing = [
        f"Authorization header requires '{name}' parameter." for name in REQUIRED if not given.get(name)
    ]
    if not date:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing or date is None:
        return incomplete(" ".join(missing))
    scope = given["Credential"].split("/")
    if len(scope) != 5:
        return incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        )
    try:
        time = datetime.strptime(date, TIME).replace(tzinfo=UTC)
    except ValueError:
        return incomplete("Date must be in ISO-8601 'basic format'.")
    key, _, region, service, _ = scope
    headers = frozenset(given["SignedHeaders"].lower().split(";"))
    return Claim(key, region, service, headers, given["Signature"], time)


def _untimely(time: datetime, now: datetime) -> Iterator[str]:
    """A signature is good for five minutes, and a clock may be as much ahead."""
    since, until = now - CLOCKS_DIFFER, now + CLOCKS_DIFFER
    seen = f"{time:{TIME}} is"
    if time < since:
        yield f"Signature expired: {seen} now earlier than {since:{TIME}} ({now:{TIME}} - 5 min.)"
    if time > until:
        yield f"Signature not yet current: {seen} still later than {until:{TIME}} ({now:{TIME}} + 5 min.)"


def _misplaced(found: Claim) -> Iterator[str]:
    """A signature is for one service in one region."""
    if found.region != REGION:
        yield "Credential should be scoped to a valid region."
    if found.service != SERVICE:
        yield f"Credential should be scoped to correct service: '{SERVICE}'."


def verified(found: Claim, asked: Asked, host: str, secret: str) -> str | Answered:
    """Hold the signature against the one that the secret makes of the request as it came."""
    query = f"?{asked.query}" if asked.query else ""
    request = AWSRequest(asked.method, f"http://{host}{asked.path}{query}", data=asked.body)
    for name in found.headers:
        request.headers[name] = ",".join(value for given, value in asked.headers if given.lower() == name)
    if "x-amz-content-sha256" in request.headers:  # the signer would take the caller's word for it
        request.headers.replace_header("x-amz-content-sha256", hashlib.sha256(asked.body).hexdigest())
    request.context["timestamp"] = f"{found.time:{TIME}}"
    signer = AsClaimed(Credentials(found.access_key, secret), SERVICE, REGION)
    canonical = signer.canonical_request(request)
    text = signer.string_to_sign(request, canonical)
    if hmac.compare_digest(signer.signature(text, request).encode(), found.signature.encode()):
        return found.access_key
    return invalid(
        f"{MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'"
        f"\n\nThe String-to-Sign should have been\n'{text}'\n"
    )


def invalid(message: str) -> Answered:
    """Refuse a signature that is not the right one."""
    return refusal(403, message, "InvalidSignatureException")


def incomplete(message: str) -> Answered:
    """Refuse what cannot be read as a signature."""
    return refusal(403, message, "IncompleteSignatureException")
