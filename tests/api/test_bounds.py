"""What one body may cost: every list and every object of it is bounded before its elements are looked at."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no stubs
import pytest

from chalicelib.api.body import UNKNOWN_MAX, put_body
from chalicelib.api.problems import FAULTS_MAX, problem
from chalicelib.api.requests import BODY_MAX, read_json, read_put
from chalicelib.model.errors import Fault, InvalidRequest

SCHEMA = put_body().json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SUBNET = "subnet-0123456789abcdef0"
SOUND: dict[str, Any] = {
    "subnets": [SUBNET],
    "certificate": {"arn": "arn:aws:iam::123456789012:server-certificate/demo"},
}
# A body of 1 MB is some 27 MB once it is read as JSON: 330,000 empty objects.
PEAK = 40_000_000
# To trace the memory takes long, and what a list takes grows with its length: a tenth of it shows that.
TENTH = 10


@dataclass(frozen=True)
class Place:
    """A place in the body: its schema, and the body that has a value there."""

    field: str
    schema: Mapping[str, Any]
    body: Callable[[Any], dict[str, Any]]


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return {**SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], **schema}
    return schema


def required(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An object with what it must have, of the right types."""
    return {name: some(resolved(schema["properties"][name])) for name in schema.get("required", ())}


def some(schema: Mapping[str, Any]) -> Any:
    match schema:
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"type": "integer"}:
            return 1
        case {"type": "array"}:
            return [some(schema["items"])]
        case {"type": "object"}:
            return required(schema)
        case _:
            return "x"


def places(field: str, schema: Mapping[str, Any], body: Callable[[Any], dict[str, Any]]) -> Iterator[Place]:
    """This place and every one below it."""
    schema = resolved(schema)
    yield Place(field, schema, body)
    for form in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if form.keys() & {"$ref", "type"}:
            yield from places(field, form, body)
    for name, inner in schema.get("properties", {}).items():
        beside = {key: value for key, value in required(schema).items() if key != name}
        below = f"{field}.{name}".removeprefix("body.")
        yield from places(below, inner, partial(_field, body, beside, name))
    if "items" in schema:
        yield from places(f"{field}[0]", schema["items"], lambda given: body([given]))


def _field(
    body: Callable[[Any], dict[str, Any]], beside: Mapping[str, Any], name: str, given: object
) -> dict[str, Any]:
    return body({**beside, name: given})


PLACES = [
    place
    for name, inner in SCHEMA["properties"].items()
    for place in places(name, inner, partial(_field, dict, SOUND, name))
]
LISTS = [place for place in PLACES if place.schema.get("type") == "array"]
OBJECTS = [
    Place("body", SCHEMA, lambda given: given),
    *(place for place in PLACES if place.schema.get("properties")),
]


def id_of(place: Place) -> str:
    return f"{place.field} {place.schema.get('title', '')}".strip()


def faulty(body: object) -> list[str]:
    return [fault.field for fault in read_put("demo", body)[1]]


def alone(field: str, body: object) -> bool:
    """Whether the field has one fault, and nothing in it any."""
    within = [one for one in faulty(body) if one.startswith(field) or field == "body"]
    return within == [field]


def test_the_lists_and_objects_of_a_body_are_found() -> None:
    assert {place.field for place in LISTS} == {
        "allow.dashboard",
        "allow.mqtt",
        "certificate.domains",
        "dns.answers",
        "dns.zone_ids",
        "instances",
        "listeners",
        "members.auto_scaling_groups",
        "members.instance_profiles",
        "proxy_protocol",
        "security_groups",
        "ssl_policy.ciphers",
        "ssl_policy.protocols",
        "subnets",
        "unmanaged",
    }
    assert {"body", "certificate.pem", "instances[0]", "listeners[0]", "probe"} <= {
        place.field for place in OBJECTS
    }


@pytest.mark.parametrize("place", LISTS, ids=id_of)
def test_a_list_has_a_maximum_and_one_above_it_is_one_fault(place: Place) -> None:
    most = place.schema["maxItems"]
    assert place.field not in faulty(place.body([some(resolved(place.schema["items"]))] * most))
    elements: tuple[object, ...] = (None, {}, "-----BEGIN", some(resolved(place.schema["items"])))
    for wrong in elements:
        assert alone(place.field, place.body([wrong] * (most + 1)))
    assert not VALIDATOR.is_valid(place.body([some(resolved(place.schema["items"]))] * (most + 1)))


def test_tags_have_a_maximum_and_one_above_it_is_one_fault() -> None:
    most = SCHEMA["properties"]["tags"]["maxProperties"]
    assert faulty({**SOUND, "tags": {f"t{n}": "" for n in range(most)}}) == []
    assert faulty({**SOUND, "tags": {f"aws:{n}": 5 for n in range(most + 1)}}) == ["tags"]


@pytest.mark.parametrize("place", OBJECTS, ids=id_of)
def test_a_few_unknown_fields_of_an_object_are_faults_and_many_are_one(place: Place) -> None:
    known = required(place.schema)
    few = faulty(place.body({**known, **{f"x{n}": n for n in range(UNKNOWN_MAX)}}))
    assert [one for one in few if one.rpartition(".")[2].startswith("x")] == [
        f"{place.field}.x{n}".removeprefix("body.") for n in range(UNKNOWN_MAX)
    ]
    many = UNKNOWN_MAX + len(place.schema["properties"]) + 1
    assert alone(place.field, place.body({**known, **{f"x{n}": n for n in range(many)}}))


def filled(element: str, place: Place) -> bytes:
    """A body of a tenth of the length that it may have, by a list of that element's JSON."""
    count = BODY_MAX // TENTH // (len(element) + 1)
    around = json.dumps(place.body(["here"]))
    return around.replace('"here"', ",".join([element] * count)).encode()


def peak(raw: bytes) -> int:
    """The most memory that it takes to read a body and to refuse it."""
    tracemalloc.start()
    try:
        _, faults = read_put("demo", read_json(raw))
        assert len(json.dumps(problem(InvalidRequest(faults)).body)) < 100_000
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.thorough
@pytest.mark.parametrize("element", ["{}", "0", '"i-0123456789abcdef0"', "[]"])
@pytest.mark.parametrize("place", LISTS, ids=id_of)
def test_a_long_list_takes_no_more_than_its_json(place: Place, element: str) -> None:
    read_put("demo", SOUND)  # pydantic's own start
    assert peak(filled(element, place)) < PEAK / TENTH


@pytest.mark.thorough
@pytest.mark.parametrize("place", OBJECTS, ids=id_of)
def test_an_object_of_many_fields_takes_no_more_than_its_json(place: Place) -> None:
    read_put("demo", SOUND)
    many = {f"x{n}": 0 for n in range(7_500)}
    assert peak(json.dumps(place.body({**required(place.schema), **many})).encode()) < PEAK / TENTH


SHOWN_DOMAINS = SCHEMA["$defs"]["ArnBody"]["properties"]["domains"]["maxItems"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "body",
    [
        {**SOUND, "instances": [{f"x{n}": 0 for n in range(UNKNOWN_MAX)}] * 1000},
        {**SOUND, "listeners": [{f"x{n}": 0 for n in range(UNKNOWN_MAX)}] * 100},
        {
            **SOUND,
            "certificate": {
                "arn": "x",
                "domains": [0] * SHOWN_DOMAINS,
            },
        },
        {**SOUND, "k" * 900_000: 1},
        {**SOUND, "tags": {"k" * 450_000: "v" * 450_000}},
        {**SOUND, "hostname": "a." * 450_000},
        {**SOUND, "certificate": {"pem": {"certificate": "", "private_key": "", "chain": "a\n" * 300_000}}},
    ],
    ids=["instances", "listeners", "domains", "a key", "a tag", "a hostname", "a chain"],
)
def test_the_worst_within_the_bounds_takes_little_more(body: object) -> None:
    read_put("demo", SOUND)
    assert peak(json.dumps(body).encode()) < PEAK


@pytest.mark.thorough
def test_many_keys_that_come_twice_take_no_more() -> None:
    raw = json.dumps({f"x{n}": 0 for n in range(35_000)})
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest) as caught:
            read_json(f"{raw[:-1]},{raw[1:]}")
        body = problem(caught.value).body
        assert tracemalloc.get_traced_memory()[1] < PEAK
    finally:
        tracemalloc.stop()
    assert len(json.dumps(body)) < 100_000


@pytest.mark.parametrize(("count", "listed"), [(1, 1), (FAULTS_MAX, FAULTS_MAX), (70_000, FAULTS_MAX + 1)])
def test_an_answer_has_the_first_faults_and_says_how_many_more(count: int, listed: int) -> None:
    body = problem(InvalidRequest([Fault(f"instances[{n}]", "it is wrong") for n in range(count)])).body
    errors = body["errors"]
    assert isinstance(errors, list)
    assert len(errors) == listed
    assert str(body["detail"]).startswith(
        f"The request has {'one fault' if count == 1 else f'{count} faults'}"
    )
    if listed > FAULTS_MAX:
        assert errors[-1] == {"field": "body", "message": f"and {count - FAULTS_MAX} more faults"}
