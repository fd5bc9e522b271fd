"""Change record sets of a zone, and wait until every name server of Route 53 has the change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from chalicelib.apply import Progress, apply
from chalicelib.aws import route53
from chalicelib.invocation import Invocation
from chalicelib.model.actions import ChangeResourceRecordSets
from chalicelib.model.errors import NotYet
from chalicelib.model.route53 import Change, Zone

_TRIES = 4


def change_zone(
    name: str,
    zone: Zone,
    planned: Callable[[], Sequence[Change]],
    progress: Progress,
    invocation: Invocation,
    *,
    reason: str,
) -> str | None:
    """Read and plan by `planned`, and make all of the changes or none, for the load balancer `name`.

    When somebody else changed one of the record sets in between, both are done again. Return the id by which
    to ask how far the change has spread; None when there was nothing to change.
    """
    waits = invocation.waits()
    tries = _TRIES
    while changes := planned():
        action = ChangeResourceRecordSets(reason=reason, zone=zone.id, changes=tuple(changes))
        try:
            apply(name, [action], progress, invocation)
        except NotYet:
            tries -= 1
            if not tries or next(waits, None) is None:
                raise
        else:
            return progress.bound[zone.id]
    return None


def wait_until_spread(changes: Iterable[str | None], invocation: Invocation) -> bool:
    """Wait until the changes of these ids have reached all name servers; False at the deadline."""
    waits = invocation.waits()
    for change in filter(None, changes):
        while not route53.spread(invocation.clients.route53, change):
            if next(waits, None) is None:
                return False
    return True
