"""Every ten minutes: records that somebody deleted are made again, those of load balancers that are gone go.

One read for each hosted zone of the setting DNS_ZONES, and for each 300 record sets in it. What leads
elsewhere stays as it is, since somebody wanted that: it is logged here, and GET and PUT warn of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from chalicelib.apply import Progress
from chalicelib.aws import route53
from chalicelib.dns.change import change_zone
from chalicelib.dns.keep import NameToKeep, names_to_keep, zone_of_records
from chalicelib.dns.names import read_names
from chalicelib.dns.plan import Obstacle
from chalicelib.invocation import Invocation, gathering
from chalicelib.model.errors import Absent, Unserved
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.route53 import Change, RecordSet
from chalicelib.observe import list_one, list_one_network

_EVERY_MINUTES = 10
# Not in the minutes of the alarms and of the sweep.
_AT_MINUTE = 7

Records = Mapping[str, Sequence[RecordSet]]
"""All record sets of each hosted zone, by its id."""
NOTHING_READ: Records = {}


@dataclass(frozen=True)
class KeptNames:
    """How many names were changed, and by load balancer what leads a name elsewhere."""

    changed: int = 0
    elsewhere: Mapping[str, str] = field(default_factory=dict)


def names_due(now: datetime) -> bool:
    """Whether the `reconcile` of this minute looks at records."""
    return now.minute % _EVERY_MINUTES == _AT_MINUTE


def read_records(invocation: Invocation) -> Records:
    """Read every hosted zone of the setting; one that is gone has no records."""
    found: dict[str, Sequence[RecordSet]] = {}
    for id_ in invocation.settings.dns_zones:
        try:
            found[id_] = route53.records(invocation.clients.route53, id_)
        except Absent:
            continue
    return found


def keep_names(read: Records, balancers: Mapping[str, LoadBalancer], invocation: Invocation) -> KeptNames:
    """Change what is to change at names in these zones, each name in a batch of its own.

    `balancers` are all of ours, read after the records. Raises Unserved with all that went wrong, when
    everything else is done.
    """
    owner, region = invocation.settings.owner, invocation.clients.region
    failures, elsewhere = list[tuple[str, Exception]](), dict[str, str]()
    progress = Progress()
    for id_, records in read.items():
        zone = zone_of_records(id_, records)
        for name in names_to_keep(zone, records, balancers, owner, region) if zone else ():
            planned = name.plan(name.found)
            if isinstance(planned, Obstacle):
                elsewhere[name.claim.load_balancer] = planned.reason
            elif planned:
                with gathering(name.claim.load_balancer, failures):
                    _change(name, progress, invocation)
    if failures:
        raise Unserved(failures)
    return KeptNames(len(progress.done), elsewhere)


def _change(name: NameToKeep, progress: Progress, invocation: Invocation) -> None:
    reason = "its load balancer is gone" if name.kept is None else "the hostname leads to it"
    change_zone(
        name.claim.load_balancer,
        name.found.zone,
        partial(_planned, name, invocation),
        progress,
        invocation,
        reason=reason,
    )


def _planned(name: NameToKeep, invocation: Invocation) -> Sequence[Change]:
    """The changes by what the name has now: somebody else may have been at work.

    None where a load balancer that is gone from ours is there all the same: somebody took our owner tag off.
    """
    if name.kept is None and _exists(name.claim.load_balancer, invocation):
        return ()
    asked = [(name.found.zone, name.found.hostname)]
    (now,) = read_names(invocation.clients.route53, asked)
    planned = name.plan(now)
    return () if isinstance(planned, Obstacle) else planned


def _exists(name: str, invocation: Invocation) -> bool:
    listed = (list_one(name, invocation), list_one_network(name, invocation))
    return any(one.ours or one.others for one in listed)
