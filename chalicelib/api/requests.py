"""Read a request's path, query and body into our values, with every fault at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NoReturn

from chalicelib.api.declared import declaration_of
from chalicelib.api.wording import DRAINING, fault_of, of_type
from chalicelib.model.errors import Fault, InvalidRequest
from chalicelib.model.syntax import holds_key, name_fault, quoted
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.declaration_checks import faults

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

BODY_MAX = 1_000_000
"""Bytes. The largest body that makes sense, a PEM bundle and a thousand instances, is a tenth of that."""

MISPLACED_KEY = (
    "a private key stands in it, where AWS and everyone who may read would see it: take it out, it belongs in"
    " `certificate.pem.private_key` alone"
)
_ALLOW_BESIDE_GROUPS = Fault("allow", "only for a security group that we make: leave security_groups out")


def read_json(raw: bytes | str | None) -> object:
    """Return the JSON value of a request's body.

    Raises InvalidRequest for an empty body, one above `BODY_MAX` bytes, no UTF-8, no JSON, NaN or Infinity,
    a key that comes twice in one object, half a surrogate pair, nesting too deep to read.
    """
    data = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw or b""
    if not data.strip():
        raise InvalidRequest([Fault("body", "it is empty: send a JSON object")])
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

    A field with a wrong type in it stands at its default in the declaration (`subnets`: none), and no rule
    that reads it beside another is applied; of listeners, those are that hold whatever the others are. With a
    `region` a certificate of ACM must be there.
    """
    from chalicelib.api.body import PutBody  # pydantic: what reads no body does without it

    if not isinstance(body, dict):
        wrong = Fault("body", f"it must be an object, not {quoted(body)}")
        return Declaration(name=name, subnets=()), (wrong, *read_name(name))
    errors = _errors(body)
    known = set(PutBody.__annotations__)
    # Without a location the error is about the body as a whole: nothing of it can be trusted.
    unread = {error["loc"] for error in errors if of_type(error)}
    unsound = known if () in unread else {str(location[0]) for location in unread}
    sound = {key: body[key] for key in body.keys() & known - unsound}
    if any(error["loc"][:1] == ("instances",) for error in errors) and _any_draining(sound):
        # Those are left out of the declaration, and the places of the others would not be the body's.
        del sound["instances"]
    declaration = declaration_of(name, {"subnets": (), **sound})
    found = [fault_of(error, known) for error in errors]
    faulty = {str(error["loc"][0]) for error in errors if error["loc"]}
    found += [
        Fault(field, MISPLACED_KEY)
        for field, value in sound.items()
        if field not in faulty and _holds_key(field, value)
    ]
    if sound.get("name", name) != name:
        found.append(Fault("name", f"{quoted(sound['name'])} is not the name in the path, {quoted(name)}"))
    if "allow" in body and "security_groups" in body:
        found.append(_ALLOW_BESIDE_GROUPS)
    judged, places = declaration, _sound_listeners(body, unread) if "listeners" in unsound else []
    if places:
        some = [body["listeners"][place] for place in places]
        judged = declaration_of(name, {"subnets": (), **sound, "listeners": some})
        unsound = unsound - {"listeners"}
    found += read_name(name)
    # The path's name is judged even where the body's is no text.
    found += faults(judged, region=region, unsound=unsound - {"name"}, places=places or None)
    return declaration, tuple(dict.fromkeys(found))


def _holds_key(field: str, value: object) -> bool:
    """Whether a private key stands in a field of the right types that is not the one for it."""
    match value:
        case str():
            return holds_key(value)
        case {"pem": _} if field == "certificate":
            return False
        case dict():
            return any(_holds_key("", one) for one in (*value, *value.values()))
        case list():
            return any(_holds_key("", one) for one in value)
        case _:
            return False


def _any_draining(body: Mapping[str, Any]) -> bool:
    instances = body.get("instances", ())
    return any(isinstance(one, dict) and one.get("state") == DRAINING for one in instances)


def _sound_listeners(body: Mapping[str, object], unread: AbstractSet[tuple[int | str, ...]]) -> list[int]:
    """Where the listeners stand that can be read; none where it is no list, or too long a one."""
    listeners = body.get("listeners")
    if not isinstance(listeners, list) or not unread.isdisjoint({(), ("listeners",)}):
        return []
    wrong = {location[1] for location in unread if location[0] == "listeners"}
    return [place for place in range(len(listeners)) if place not in wrong]


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
