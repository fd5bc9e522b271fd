"""What a batch of changes makes of a hosted zone's records, or why Route 53 refuses all of it.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html; the words of the
refusals are those that AWS is reported to use (kubernetes-sigs/external-dns#4792, #5939, #732, #1929, #1411,
#4345; aws/aws-cdk#19643; aws/aws-sdk-go-v2#518).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from moto.route53.exceptions import Route53ClientError
from moto.route53.models import RecordSet

Change = Mapping[str, Any]
"""`Action` and `ResourceRecordSet`, under AWS's own names."""

ACTIONS = ("CREATE", "DELETE", "UPSERT")
MOST_RECORDS = 1000
MOST_CHARACTERS = 32_000
LONGEST_STRING = 255
MOST_WEIGHT = 255
LONGEST_IDENTIFIER = 128
ROUTINGS = (
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "CidrRoutingConfig",
    "GeoProximityLocation",
)
"""The fields of a record set that is one of several for its name and type; each wants a `SetIdentifier`.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
"""

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_STRINGS = re.compile(rf"{_STRING.pattern}(?:\s*{_STRING.pattern})*")
_ESCAPED = re.compile(r"\\([0-7]{3}|.)")


def normal(name: str) -> str:
    """Return a name as Route 53 keeps it: lower case, with a full stop at its end.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    return f"{name.lower().rstrip('.')}."


def order(name: str) -> str:
    """Return what names are sorted by: the labels from right to left, `com.example.www.`."""
    return ".".join(reversed(normal(name).rstrip(".").split("."))) + "."


def under(name: str, zone: str) -> bool:
    """Say whether a name is a zone's own or below it."""
    return normal(name) == normal(zone) or normal(name).endswith(f".{normal(zone)}")


def record_set(asked: Mapping[str, Any]) -> RecordSet:
    """Return what moto keeps of a record set that a request describes."""
    values = [one["Value"] for one in asked.get("ResourceRecords") or []]
    kept = {**asked, "Name": normal(asked["Name"]), "ResourceRecords": values}
    return RecordSet(kept)  # type: ignore[abstract] # what is missing is for CloudFormation


def texts(record: RecordSet | None) -> tuple[str, ...]:
    """Return what resolvers see of a TXT record set: the strings of a value joined, nothing quoted.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat
    """
    values: Sequence[str] = record.records if record else ()
    return tuple("".join(_plain(one) for one in _strings(value)) for value in values)


def applied(
    zone: str,
    records: Sequence[RecordSet],
    changes: Sequence[Change],
    alias_faults: Callable[[RecordSet, Iterable[RecordSet]], list[str]],
) -> list[RecordSet]:
    """Return the records after the changes, made one after the other; all of them or none.

    `alias_faults` returns what is wrong with the target of an alias, given the records at that moment.
    Raises moto's error for InvalidChangeBatch with every fault, or for InvalidInput.
    """
    _refuse_malformed(changes)
    after = {_key(record): record for record in records}
    faults: list[str] = []
    for change in changes:
        asked = record_set(change["ResourceRecordSet"])
        found = _faults(zone, after, change["Action"], asked)
        if change["Action"] != "DELETE":
            found = [*found, *alias_faults(asked, after.values())]
        if found:
            faults.extend(found)
        elif change["Action"] == "DELETE":
            del after[_key(asked)]
        else:
            after[_key(asked)] = asked
    if faults:
        raise Route53ClientError("InvalidChangeBatch", f"[{', '.join(faults)}]")
    return list(after.values())


def _refuse_malformed(changes: Sequence[Change]) -> None:
    # An UPSERT counts twice, records and characters alike:
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
    records = characters = 0
    for change in changes:
        record, action = change["ResourceRecordSet"], change["Action"]
        if action not in ACTIONS:
            raise Route53ClientError("InvalidInput", f"Invalid XML ; '{action}' is none of {ACTIONS}")
        values = [one["Value"] for one in record.get("ResourceRecords") or []]
        _refuse_malformed_record(action, record, values)
        times = 2 if action == "UPSERT" else 1
        records += times * len(values)
        characters += times * sum(map(len, values))
    if records > MOST_RECORDS:
        raise Route53ClientError(
            "InvalidChangeBatch", f"[Number of records limit of {MOST_RECORDS} exceeded.]"
        )
    if characters > MOST_CHARACTERS:
        raise Route53ClientError(
            "InvalidChangeBatch", f"[Number of characters limit of {MOST_CHARACTERS} exceeded.]"
        )


def _refuse_malformed_record(action: str, record: Mapping[str, Any], values: Sequence[str]) -> None:
    identifier = record.get("SetIdentifier")
    where = (
        f"in Change with [Action={action}, Name={record['Name']}, Type={record['Type']},"
        f" SetIdentifier={identifier or 'null'}]"
    )
    alias, plain = bool(record.get("AliasTarget")), bool(values or record.get("TTL") is not None)
    if alias == plain or (plain and (not values or record.get("TTL") is None)):
        found = "more than one" if alias and plain else "none"
        raise _malformed(
            "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or"
            f" TrafficPolicyInstanceId], but found {found} {where}"
        )
    routings = [name for name in ROUTINGS if record.get(name) is not None]
    if routings and not identifier:
        raise _malformed(f"Missing field 'SetIdentifier' {where}")
    if identifier and len(routings) != 1:
        found = "more than one" if routings else "none"
        raise _malformed(f"Expected exactly one of [{', '.join(ROUTINGS)}], but found {found} {where}")
    if len(identifier or "") > LONGEST_IDENTIFIER:
        raise _constraint("setIdentifier", identifier, f"length less than or equal to {LONGEST_IDENTIFIER}")
    weight = record.get("Weight")
    if weight is not None and not 0 <= int(weight) <= MOST_WEIGHT:
        at = (
            f"value less than or equal to {MOST_WEIGHT}"
            if int(weight) > 0
            else "value greater than or equal to 0"
        )
        raise _constraint("weight", weight, at)


def _malformed(what: str) -> Route53ClientError:
    return Route53ClientError("InvalidInput", f"Invalid request: {what}")


def _constraint(member: str, value: object, rule: str) -> Route53ClientError:
    return Route53ClientError(
        "InvalidInput",
        f"1 validation error detected: Value '{value}' at"
        f" 'changeBatch.changes.1.member.resourceRecordSet.{member}'"
        f" failed to satisfy constraint: Member must have {rule}",
    )


def _faults(
    zone: str, there: Mapping[tuple[Any, ...], RecordSet], action: str, asked: RecordSet
) -> Sequence[str]:
    named = f"resource record set [name='{asked.name}', type='{asked.type}'"
    named += f", set identifier='{asked.set_identifier}']" if asked.set_identifier else "]"
    if not under(asked.name, zone):
        return [f"RRSet with DNS name {asked.name} is not permitted in zone {normal(zone)}"]
    existing = there.get(_key(asked))
    if action == "DELETE":
        if existing is None:
            return [f"Tried to delete {named} but it was not found"]
        if _values(existing) != _values(asked):
            return [f"Tried to delete {named} but the values provided do not match the current values"]
        if normal(asked.name) == normal(zone) and asked.type in {"NS", "SOA"}:
            return [f"A HostedZone must contain exactly one {asked.type} record."]
        return []
    if action == "CREATE" and existing is not None:
        return [f"Tried to create {named} but it already exists"]
    others = [
        one for key, one in there.items() if key != _key(asked) and normal(one.name) == normal(asked.name)
    ]
    found = (_conflict(zone, others, asked), _routing_conflict(others, asked), _duplicate(asked.records))
    return [fault for fault in (*found, _unquoted(asked)) if fault]


def _conflict(zone: str, others: Sequence[RecordSet], asked: RecordSet) -> str | None:
    """A CNAME stands alone, and never at the name of the zone.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#CNAMEFormat
    """
    if asked.type == "CNAME" and normal(asked.name) == normal(zone):
        return (
            f"RRSet of type CNAME with DNS name {asked.name} is not permitted at apex in zone {normal(zone)}"
        )
    other_types = {one.type for one in others} - {asked.type}
    if other_types and (asked.type == "CNAME" or "CNAME" in other_types):
        return (
            f"RRSet of type {asked.type} with DNS name {asked.name} is not permitted as it conflicts with"
            f" other records with the same DNS name in zone {normal(zone)}"
        )
    return None


def _routing_conflict(others: Sequence[RecordSet], asked: RecordSet) -> str | None:
    """All record sets of a name and type are routed in one way, or there is only one."""
    same = [one for one in others if one.type == asked.type]
    if not same:
        return None
    named = f"RRSet with DNS name {asked.name}, type {asked.type}"
    if asked.set_identifier is None:
        return f"{named} cannot be created as other RRSets exist with the same name and type."
    named += f", SetIdentifier {asked.set_identifier}"
    if asked.weight is not None and any(one.weight is None for one in same):
        return f"{named} cannot be created as a non-weighted set exists with the same name and type."
    if asked.weight is None and any(one.weight is not None for one in same):
        return f"{named} cannot be created as a weighted set exists with the same name and type."
    if asked.weight is not None and any(_ttl(one) != _ttl(asked) for one in same):
        return f"{named} cannot be created as weighted sets must contain the same TTL."
    return None


def _duplicate(values: Sequence[str]) -> str | None:
    twice = [value for value in values if values.count(value) > 1]
    return f"Duplicate Resource Record: '{twice[0]}'" if twice else None


def _unquoted(asked: RecordSet) -> str | None:
    problem = "Invalid Resource Record: 'FATAL problem: {} encountered with '{}''"
    for value in asked.records if asked.type == "TXT" else ():
        if not _STRINGS.fullmatch(value):
            return problem.format(
                "InvalidCharacterString (Value should be enclosed in quotation marks)", value
            )
        if any(len(_plain(one)) > LONGEST_STRING for one in _strings(value)):
            return problem.format("CharacterStringTooLong (Value is too long)", value)
    return None


def _strings(value: str) -> Iterable[str]:
    return (found[1] for found in _STRING.finditer(value))


def _plain(quoted: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)) if len(found[1]) > 1 else found[1], quoted)


def _key(record: RecordSet) -> tuple[Any, ...]:
    return normal(record.name), record.type, record.set_identifier


def _values(record: RecordSet) -> tuple[Any, ...]:
    weight = None if record.weight is None else int(record.weight)
    return _ttl(record), sorted(record.records), alias_of(record), weight, record.health_check_id


def _ttl(record: RecordSet) -> int | None:
    return None if record.ttl is None else int(record.ttl)


def alias_of(record: RecordSet) -> tuple[str, str, bool] | None:
    """Return where an alias leads: the zone's id, the name, and whether the target's health is evaluated."""
    target: Mapping[str, Any] | None = record.alias_target
    if not target:
        return None
    evaluated = str(target.get("EvaluateTargetHealth", False)).lower() == "true"
    return str(target["HostedZoneId"]), normal(str(target["DNSName"])), evaluated
