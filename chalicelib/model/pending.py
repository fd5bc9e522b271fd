"""The `emq-elb:pending` tag as a value: since when a load balancer or a group waits, and for what.

    <since> provisioning                        a PUT is at work
    <since> waiting for AWS                     a PUT goes on in the background
    <since> waiting for the CA                  a PUT goes on in the background with an order at the CA
    <since> certificate <name>                  `rotate` waits for that certificate to be served
    <since> issuing                             `rotate` has to have a certificate issued
    <since> deleting                            a DELETE goes on in the background: the hostname's record goes
    <since> to be swept                         `sweep` deletes this security or target group an hour later
    <since> <any of these> not before <time>    the CA takes no order until then; of `deleting`: resolvers may
                                                have the record until then

Times are RFC 3339, in UTC, in whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.model.moments import moment_of, rfc3339
from chalicelib.model.names import PENDING_TAG

PROVISIONING = "provisioning"
WAITING_FOR_AWS = "waiting for AWS"
WAITING_FOR_CA = "waiting for the CA"
ISSUING = "issuing"
TO_BE_SWEPT = "to be swept"
DELETING = "deleting"
_CERTIFICATE = "certificate "
_NOT_BEFORE = " not before "

LONGEST_LIMIT = timedelta(days=7)
"""The longest time for which a CA's limit is believed: Let's Encrypt counts certificates by the week."""


@dataclass(frozen=True)
class Pending:
    """What the tag says; `since` is None where its text does not begin with a time."""

    since: datetime | None
    what: str = ""
    not_before: datetime | None = None

    def __str__(self) -> str:
        since = rfc3339(self.since) if self.since else ""
        limit = f"{_NOT_BEFORE}{rfc3339(self.not_before)}" if self.not_before else ""
        return f"{since} {self.what}{limit}".rstrip()

    @property
    def tag(self) -> tuple[str, str]:
        """The tag's key and value."""
        return PENDING_TAG, str(self)

    @property
    def of_rotation(self) -> bool:
        """Whether `rotate` waits, and not a PUT."""
        return self.what == ISSUING or self.certificate is not None

    @property
    def certificate(self) -> str | None:
        """The name of the certificate that `rotate` waits to see served; None when it waits for none."""
        return self.what.removeprefix(_CERTIFICATE) if self.what.startswith(_CERTIFICATE) else None

    def limited(self, now: datetime) -> datetime | None:
        """Until when the CA takes no order; None where it takes one now.

        A time farther ahead than `LONGEST_LIMIT` is none of ours, and counts as no limit.
        """
        if (
            self.what == DELETING
            or self.not_before is None
            or not now < self.not_before <= now + LONGEST_LIMIT
        ):
            return None
        return self.not_before

    def began_at(self, request: datetime) -> bool:
        """Whether the request of that time wrote it."""
        return self.since == request.replace(microsecond=0)


def parse_pending(text: str | None) -> Pending | None:
    """Parse the tag's text; None without a tag."""
    if text is None:
        return None
    since, _, rest = text.partition(" ")
    what, _, limit = rest.rpartition(_NOT_BEFORE)
    if (until := moment_of(limit)) and what:
        return Pending(moment_of(since), what, until)
    return Pending(moment_of(since), rest)


def until_served(certificate: str) -> str:
    """Return what `rotate` waits for when ELB does not know a certificate of that name yet."""
    return f"{_CERTIFICATE}{certificate}"
