"""From what came over the wire to values of ours, with every fault of it at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from chalicelib.api.declared import declaration_of
from chalicelib.api.wording import fault_of
from chalicelib.model.errors import Fault, InvalidRequest
from chalicelib.model.syntax import name_fault, quoted
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.declaration_checks import ALLOW_BESIDE_GROUPS, faults

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

BODY_MAX = 1_000_000
"""Bytes. The largest body that makes sense, a PEM bundle and a thousand instances, is a tenth of that."""

_LISTS = frozenset({"subnets", "listeners", "security_groups", "instances"})


def read_json(raw: bytes | str | None) -> object:
    """Return the JSON value of a request's body.

    Raises InvalidRequest for an empty body, one above `BODY_MAX` bytes, no UTF-8, no JSON, NaN or Infinity,
    a key that comes twice in one object, half a surrogate pair, nesting too deep to read.
    """
    data = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw or b""
    if not data.strip():
        raise InvalidRequest([Fault("body", "it is empty: a JSON object is right")])
    if len(data) > BODY_MAX:
        raise InvalidRequest([Fault("body", f"it has {len(data)} bytes: at most {BODY_MAX} are read")])
    value, wrong = _parsed(data)
    # Raised here, not where it is caught: a decoder's error holds the document, and with it perhaps a key.
    if wrong:
        raise InvalidRequest([Fault("body", message) for message in wrong])
    return value


def _parsed(data: bytes) -> tuple[object, list[str]]:
    twice: dict[str, None] = {}

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(pairs)
        if len(table) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            twice.update(dict.fromkeys(key for key in table if counts[key] > 1))
        return table

    try:
        value: object = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=_no_constant)
        # Half a surrogate pair can be escaped into JSON, and could not be written out again.
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return None, [f"it is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"]
    except UnicodeError:
        return None, ["it is no UTF-8 text"]
    except RecursionError:
        return None, ["it is nested too deeply"]
    except ValueError:
        # `_no_constant`, or an integer of more than 4,300 digits.
        return None, ["it holds a number that JSON or AWS does not know: NaN, Infinity, or far too long"]
    return value, [f"{quoted(key)} comes twice in one object" for key in twice]


def read_name(name: str) -> tuple[Fault, ...]:
    """Return what is wrong with a load balancer's name in a path."""
    wrong = name_fault(name)
    return () if wrong is None else (Fault("name", wrong),)


def read_put(name: str, body: object, *, region: str | None = None) -> tuple[Declaration, tuple[Fault, ...]]:
    """Return the declaration that a PUT's body makes, and every fault of it.

    A field that is wrong stands at its default in the declaration (`subnets`: none), and no rule that reads
    it is applied; of a list, those are that hold whatever its wrong elements were to be. With a `region` a
    certificate of ACM must be there.
    """
    from chalicelib.api.body import PutBody, put_body  # pydantic: what reads no body does without it

    if not isinstance(body, dict):
        wrong = Fault("body", f"an object is right, not {quoted(body)}")
        return Declaration(name=name, subnets=()), (wrong, *read_name(name))
    errors = _errors(body)
    # Without a location the error is about the body as a whole: nothing of it can be trusted.
    unsound = {str(error["loc"][0]) for error in errors if error["loc"]}
    known = set(PutBody.__annotations__) if all(error["loc"] for error in errors) else set()
    sound = {key: value for key, value in body.items() if key in known - unsound}
    declaration = declaration_of(name, put_body().validate_python({"subnets": [], **sound}))
    places = {
        field: _sound_places(field, body[field], errors) for field in _LISTS & known & unsound & body.keys()
    }
    partial = {field: [body[field][place] for place in some] for field, some in places.items() if some}
    found = [fault_of(error) for error in errors]
    if sound.get("name", name) != name:
        found.append(Fault("name", f"{quoted(sound['name'])} is not the name in the path, {quoted(name)}"))
    if "allow" in body and "security_groups" in body:
        found.append(ALLOW_BESIDE_GROUPS)
    # The path's name is judged even where the body's is no text.
    unsound = (unsound | set(PutBody.__annotations__).difference(known)) - {"name"} - partial.keys()
    judged = declaration
    if partial:
        judged = declaration_of(name, put_body().validate_python({"subnets": [], **sound, **partial}))
    beyond_types = faults(judged, region=region, unsound=unsound, partial=partial.keys())
    found += [_at_its_place(fault, places) for fault in beyond_types]
    return declaration, tuple(dict.fromkeys(found))


def _sound_places(field: str, elements: object, errors: Iterable[ErrorDetails]) -> list[int]:
    """Which elements of a list are sound, by their places; none where it is no list, or too long a one."""
    locations = [error["loc"] for error in errors if error["loc"][:1] == (field,)]
    if not isinstance(elements, list) or (field,) in locations:
        return []
    wrong = {location[1] for location in locations}
    return [place for place in range(len(elements)) if place not in wrong]


def _at_its_place(fault: Fault, places: Mapping[str, Sequence[int]]) -> Fault:
    """The fault of an element, found among the sound ones alone, with its place in the whole list."""
    list_, _, rest = fault.field.partition("[")
    if list_ not in places or not rest:
        return fault
    number, _, rest = rest.partition("]")
    return replace(fault, field=f"{list_}[{places[list_][int(number)]}]{rest}")


def _errors(body: dict[str, object]) -> list[ErrorDetails]:
    from pydantic import ValidationError

    from chalicelib.api.body import put_body

    try:
        put_body().validate_python(body)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)
