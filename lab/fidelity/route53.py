"""Corrections to moto's Route 53: changes take time, come whole or not at all, and resolvers see them then.

moto answers INSYNC at once and for whatever change it is asked about; it makes half of a batch whose other
half it refuses, creates a record set that is there already, deletes one by any values that it ever had, takes
text without quotation marks, and pages by tokens of its own.
https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import RLock
from typing import Any

from moto.core.responses import ActionResult
from moto.route53 import urls
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import FakeZone, RecordSet, Route53Backend, route53_backends
from moto.route53.responses import Route53

from lab.fidelity.knobs import KNOBS
from lab.fidelity.route53_aliases import alias_faults, targets_of
from lab.fidelity.route53_answers import Answer as DnsAnswer
from lab.fidelity.route53_changes import applied, normal, order, texts
from lab.fidelity.route53_resolver import answering_zone, resolved

Request = Mapping[str, Any]
"""An operation's parameters under AWS's own names."""

Answer = dict[str, Any]
"""An operation's result under AWS's own names."""

MOST_ZONES = 100
MOST_RECORD_SETS = 300
SECOND = 1.0
# moto's errors must be in the service's model, where this one is not.
THROTTLED = (
    '<ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type>'
    "<Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
)

WRITING = RLock()
"""moto's server answers in threads; what an operation has checked must still hold when it changes it."""


@dataclass
class Change:
    """One batch on its way to the name servers; `shows` maps names to the TXT values that they have then.

    `records` are all records of the zone after it.
    """

    id: str
    zone: str
    at: float
    submitted: datetime
    shows: Mapping[str, tuple[str, ...]]
    records: Sequence[RecordSet]
    status: str = "PENDING"

    @property
    def answer(self) -> Answer:
        """The change, as the API returns it."""
        return {"Id": f"/change/{self.id}", "Status": self.status, "SubmittedAt": self.submitted}


@dataclass
class Memory:
    """What moto does not keep: changes by id, when requests came, by `KNOBS.now`, and what has spread."""

    changes: dict[str, Change] = field(default_factory=dict)
    spread: dict[str, Sequence[RecordSet]] = field(default_factory=dict)
    asked: list[float] = field(default_factory=list)


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for operation in OPERATIONS:
        setattr(Route53, operation.__name__, _answering(operation))
    for name, operation_of_moto in ZONES.items():
        setattr(Route53, name, _as_a_change(operation_of_moto))
    urls.url_paths[r"{0}/(?P<api_version>[\d_-]+)/testdnsanswer$"] = Route53.dispatch


def settle(backend: Route53Backend) -> None:
    """Let changes whose time has come reach the name servers, in their order.

    `KNOBS.dns_shows` gets what resolvers see: of a name only what the zone says that answers for it, the
    closest public one. It happens when Route 53 is asked for anything: resolvers see a change no sooner than
    AWS would say so.
    """
    memory = _memory(backend)
    for change in memory.changes.values():
        if change.status == "INSYNC" or KNOBS.now() < change.at + KNOBS.dns_propagation_seconds:
            continue
        change.status = "INSYNC"
        memory.spread[change.zone] = change.records
        for name, values in change.shows.items():
            answering = answering_zone(backend, name)
            if KNOBS.dns_shows and answering and answering.resource_id == change.zone:
                KNOBS.dns_shows(name, values)


def change_resource_record_sets(backend: Route53Backend, request: Request) -> Answer:
    """Make all changes of a batch or none; until they have spread they are PENDING.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    zone = backend.get_hosted_zone(request["HostedZoneId"])
    at_work = (one for one in _memory(backend).changes.values() if one.zone == zone.resource_id)
    if any(KNOBS.now() < one.at + KNOBS.dns_busy_seconds for one in at_work):
        raise Route53ClientError(
            "PriorRequestNotComplete",
            "The request was rejected because Route 53 was still processing a prior request.",
        )
    asked = request["ChangeBatch"]["Changes"]
    faults = partial(alias_faults, targets_of(backend.account_id), zone.resource_id)
    zone.rrsets = applied(zone.name, zone.rrsets, asked, faults)
    records = [one["ResourceRecordSet"] for one in asked]
    names = {normal(record["Name"]) for record in records if record["Type"] == "TXT"}
    shows = {name: texts(_text_record(zone, name)) for name in names}
    return {"ChangeInfo": _noted(backend, zone.resource_id, shows, zone.rrsets).answer}


def get_change(backend: Route53Backend, request: Request) -> Answer:
    """Return whether a change has reached every name server.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html
    """
    id_ = str(request["Id"]).rpartition("/")[2]
    change = _memory(backend).changes.get(id_)
    if change is None:
        raise Route53ClientError("NoSuchChange", f"A change with ID {id_} does not exist.")
    return {"ChangeInfo": change.answer}


def list_hosted_zones(backend: Route53Backend, request: Request) -> Answer:
    """Show zones, at most 100 at a time; a marker is the id of the first zone of the page.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZones.html
    """
    marker, most = request.get("Marker"), _most(request, MOST_ZONES)
    if marker and marker not in backend.zones:
        raise Route53ClientError("InvalidInput", "The input is not valid")
    rest = [id_ for id_ in sorted(backend.zones) if id_ >= (marker or "")]
    return {
        "HostedZones": [backend.zones[id_] for id_ in rest[:most]],
        "Marker": marker,
        "MaxItems": most,
        "IsTruncated": len(rest) > most,
        "NextMarker": rest[most] if len(rest) > most else None,
    }


def list_hosted_zones_by_name(backend: Route53Backend, request: Request) -> Answer:
    """Show zones by their names read from right to left, from a name on: the first need not be of that name.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html
    """
    name, id_, most = request.get("DNSName"), request.get("HostedZoneId"), _most(request, MOST_ZONES)
    first = (order(name), id_ or "") if name else ("", "")
    rest = [zone for zone in sorted(backend.zones.values(), key=_place) if _place(zone) >= first]
    after = rest[most] if len(rest) > most else None
    return {
        "DNSName": name,
        "HostedZoneId": id_,
        "HostedZones": rest[:most],
        "MaxItems": most,
        "IsTruncated": after is not None,
        "NextDNSName": after.name if after else None,
        "NextHostedZoneId": after.resource_id if after else None,
    }


def list_resource_record_sets(backend: Route53Backend, request: Request) -> Answer:
    """Show a zone's records as they will be, pending ones too, from a name and type on, at most 300.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
    """
    zone = backend.get_hosted_zone(request["HostedZoneId"])
    name, type_ = request.get("StartRecordName"), request.get("StartRecordType") or ""
    if type_ and not name:
        raise Route53ClientError("InvalidInput", "The input is not valid")
    first = (order(name) if name else "", type_, request.get("StartRecordIdentifier") or "")
    rest = [record for record in sorted(zone.rrsets, key=_rank) if _rank(record) >= first]
    most = _most(request, MOST_RECORD_SETS)
    after = rest[most] if len(rest) > most else None
    return {
        "ResourceRecordSets": rest[:most],
        "MaxItems": most,
        "IsTruncated": after is not None,
        "NextRecordName": after.name if after else None,
        "NextRecordType": after.type if after else None,
        "NextRecordIdentifier": after.set_identifier if after else None,
    }


def get_hosted_zone(backend: Route53Backend, request: Request) -> Answer:
    """Show a zone with the name servers of a public one, or the VPCs of a private one.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHostedZone.html
    """
    zone = backend.get_hosted_zone(request["Id"])
    vpcs = [{"VPCRegion": one.get("vpc_region"), "VPCId": one.get("vpc_id")} for one in zone.vpcs]
    return {
        "HostedZone": zone,
        "DelegationSet": None if zone.private_zone else zone.delegation_set,
        "VPCs": vpcs if zone.private_zone else None,
    }


def test_dns_answer(backend: Route53Backend, request: Request) -> Answer:
    """Say what a public zone's name servers answer now; moto does not have the operation.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_TestDNSAnswer.html
    """
    zone = backend.get_hosted_zone(request["HostedZoneId"])
    if zone.private_zone:
        raise Route53ClientError("InvalidInput", "The hosted zone is private: only public ones are tested.")
    name, type_ = normal(request["RecordName"]), str(request["RecordType"])
    found = resolved(backend, zone, _memory(backend).spread, name, type_)
    servers: Sequence[str] = zone.delegation_set.name_servers if zone.delegation_set else [""]
    return {
        "Nameserver": servers[0],
        "RecordName": name,
        "RecordType": type_,
        "RecordData": [one.value for one in found.records if one.type == type_],
        "ResponseCode": found.code,
        "Protocol": "UDP",
    }


def resolve(account_id: str, name: str, type_: str, vpc_id: str | None = None) -> DnsAnswer | None:
    """Return what a resolver learns now, of private zones too when it asks from their VPC.

    None: no hosted zone answers for the name.
    """
    backend = route53_backends[account_id]["aws"]
    with WRITING:
        settle(backend)
        zone = answering_zone(backend, name, vpc_id)
        return resolved(backend, zone, _memory(backend).spread, name, type_) if zone else None


OPERATIONS = (
    change_resource_record_sets,
    get_change,
    get_hosted_zone,
    list_hosted_zones,
    list_hosted_zones_by_name,
    list_resource_record_sets,
    test_dns_answer,
)

ZONES = {
    "create_hosted_zone": Route53.create_hosted_zone,
    "delete_hosted_zone": Route53.delete_hosted_zone,
}
"""moto's own, which are changes too."""


def _answering(operation: Callable[[Route53Backend, Request], Answer]) -> Callable[[Route53], Any]:
    def answer(response: Route53) -> ActionResult | tuple[str, dict[str, int]]:
        backend = response.backend
        with WRITING:
            if _too_many(_memory(backend)):
                return THROTTLED, {"status": 400}
            settle(backend)
            return ActionResult(operation(backend, response.params))

    return answer


def _as_a_change(operation: Callable[[Route53], ActionResult]) -> Callable[[Route53], ActionResult]:
    def answer(response: Route53) -> ActionResult:
        with WRITING:
            answered: Any = operation(response).result
            if made := answered.get("HostedZone"):
                _memory(response.backend).spread[made.resource_id] = tuple(made.rrsets)
            info = _noted(response.backend, "", {}, ()).answer
            return ActionResult({**answered, "ChangeInfo": info})

    return answer


def _too_many(memory: Memory) -> bool:
    """The limit is the account's: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html"""
    if KNOBS.dns_requests_a_second is None:
        return False
    now = KNOBS.now()
    memory.asked = [at for at in memory.asked if now - at < SECOND]
    if len(memory.asked) >= KNOBS.dns_requests_a_second:
        return True
    memory.asked.append(now)
    return False


def _memory(backend: Route53Backend) -> Memory:
    """Kept in moto's backend, so that moto's reset takes it away with everything else."""
    kept: Memory = vars(backend).setdefault("corrected", Memory())
    return kept


def _noted(
    backend: Route53Backend, zone: str, shows: Mapping[str, tuple[str, ...]], records: Sequence[RecordSet]
) -> Change:
    id_ = "C" + "".join(random.choices(string.ascii_uppercase + string.digits, k=20))  # noqa: S311 - no secret
    change = Change(id_, zone, KNOBS.now(), datetime.now(UTC), shows, tuple(records))
    _memory(backend).changes[id_] = change
    return change


def _text_record(zone: FakeZone, name: str) -> RecordSet | None:
    return next((one for one in zone.rrsets if (normal(one.name), one.type) == (name, "TXT")), None)


def _place(zone: FakeZone) -> tuple[str, str]:
    return order(zone.name), zone.resource_id


def _rank(record: RecordSet) -> tuple[str, str, str]:
    return order(record.name), record.type or "", record.set_identifier or ""


def _most(request: Request, limit: int) -> int:
    return min(int(request.get("MaxItems") or limit), limit)
