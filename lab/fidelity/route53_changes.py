"""What a batch of changes makes of a hosted zone's records, or why Route 53 refuses all of it.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html; the words of the
refusals are those that AWS is reported to use (kubernetes-sigs/external-dns#4792, #5939, #732, #1929).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from moto.route53.exceptions import Route53ClientError
from moto.route53.models import RecordSet

Change = Mapping[str, Any]
"""`Action` and `ResourceRecordSet`, under AWS's own names."""

ACTIONS = ("CREATE", "DELETE", "UPSERT")
MOST_RECORDS = 1000
MOST_CHARACTERS = 32_000
LONGEST_STRING = 255

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
    """Return what resolvers are told of a TXT record set: the strings of a value joined, nothing quoted.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat
    """
    values: Sequence[str] = record.records if record else ()
    return tuple("".join(_plain(one) for one in _strings(value)) for value in values)


def applied(zone: str, records: Sequence[RecordSet], changes: Sequence[Change]) -> list[RecordSet]:
    """Return the records after the changes, made one after the other; all of them or none.

    Raises moto's error for InvalidChangeBatch with every fault, or for InvalidInput.
    """
    _refuse_malformed(changes)
    after = {_key(record): record for record in records}
    faults = []
    for change in changes:
        asked = record_set(change["ResourceRecordSet"])
        fault = _fault(zone, after, change["Action"], asked)
        if fault:
            faults.append(fault)
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
        if not record.get("AliasTarget") and (not values or record.get("TTL") is None):
            raise Route53ClientError(
                "InvalidInput",
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or"
                f" TrafficPolicyInstanceId], but found none in Change with [Action={action},"
                f" Name={record['Name']}, Type={record['Type']}, SetIdentifier=null]",
            )
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


def _fault(
    zone: str, there: Mapping[tuple[Any, ...], RecordSet], action: str, asked: RecordSet
) -> str | None:
    named = f"resource record set [name='{asked.name}', type='{asked.type}']"
    if not under(asked.name, zone):
        return f"RRSet with DNS name {asked.name} is not permitted in zone {normal(zone)}"
    existing = there.get(_key(asked))
    if action == "DELETE":
        if existing is None:
            return f"Tried to delete {named} but it was not found"
        if _values(existing) != _values(asked):
            return f"Tried to delete {named} but the values provided do not match the current values"
        return None
    if action == "CREATE" and existing is not None:
        return f"Tried to create {named} but it already exists"
    return _duplicate(asked.records) or _unquoted(asked)


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
    ttl = None if record.ttl is None else int(record.ttl)
    return ttl, sorted(record.records), record.alias_target
