"""Whether a PUT that goes on in the background still counts.

The `emq-elb:pending` tag says since when the load balancer waits, and so for which request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.certificates.chosen import Unusable
from chalicelib.model.names import PENDING_TAG
from chalicelib.model.pending import parse_pending
from chalicelib.provision.declaration import Declaration, GivenArn
from chalicelib.provision.facts import Facts


class TakenOver(Exception):
    """A later request is at work, or the load balancer was deleted: the background has nothing left to do."""


@dataclass(frozen=True)
class Background:
    """The run of `provision` after a 202, for the request of `since`.

    `existed` is whether the load balancer was there at any time.
    """

    since: datetime
    existed: bool

    def seen(self, declaration: Declaration, facts: Facts) -> Background:
        """Return what is known after another look; raises TakenOver.

        A load balancer that appears while this request waits may be the work of an older request, which
        waited beside it: then this request counts.
        """
        there = facts.actual.load_balancer
        if there is None:
            if self.existed or _without_its_certificate(declaration, facts):
                raise TakenOver
            return self
        mark = parse_pending(there.tags.get(PENDING_TAG))
        if mark is None or mark.since is None:
            raise TakenOver
        older = not self.existed and mark.since < self.since.replace(microsecond=0)
        if not mark.began_at(self.since) and not older:
            raise TakenOver
        return replace(self, existed=True)


def _without_its_certificate(declaration: Declaration, facts: Facts) -> bool:
    """Whether the certificate that was uploaded for the request is gone: a DELETE took it, and all else."""
    given = declaration.certificate
    uploaded = isinstance(given, GivenArn) and given.source != "external"
    return uploaded and isinstance(facts.chosen, Unusable)
