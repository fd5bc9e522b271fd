"""The `emq-elb:rejected` tag as a value: a certificate that failed in TLS handshakes, and when.

<name> <time>    the time is RFC 3339, in UTC, in whole seconds
<name>           as versions before 0.3 wrote it
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.model.moments import moment_of, rfc3339
from chalicelib.model.names import REJECTED_TAG

BARRED = timedelta(days=1)
"""A certificate that failed is not installed again for so long: what made it fail may pass."""


@dataclass(frozen=True)
class Rejected:
    """The name of a certificate that failed; `at` is None where the tag does not say when."""

    name: str
    at: datetime | None = None

    @property
    def tag(self) -> tuple[str, str]:
        """The tag's key and value."""
        at = rfc3339(self.at) if self.at else ""
        return REJECTED_TAG, f"{self.name} {at}".rstrip()

    def barred(self, now: datetime) -> bool:
        """Whether it must not be installed again yet; without a time it must not until the tag is removed.

        A time farther ahead than `BARRED` is none of ours, and bars nothing.
        """
        return self.at is None or abs(now - self.at) < BARRED


def parse_rejected(text: str | None) -> Rejected | None:
    """Parse the tag's text; None without a tag."""
    if not text:
        return None
    name, _, at = text.partition(" ")
    return Rejected(name, moment_of(at))
