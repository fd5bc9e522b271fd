"""Which superseded certificates go, and which are kept to roll back to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.core.holding import age, uploaded
from chalicelib.core.model import Certificate

FORGOTTEN = timedelta(hours=1)
"""After this an upload that nobody installed is nobody's current work any more."""


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
