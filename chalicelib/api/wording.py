"""pydantic's errors in our words: the field as `listeners[0].port`, the value, and what would be right."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chalicelib.model.errors import Fault
from chalicelib.model.syntax import quoted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# To compare takes memory by the length; what is longer is not meant to be any of our names.
_LONGEST_MEANT = 80
DRAINING = "Draining"
"""The state under which GET shows a member that is on its way out: sent back, it is not asked for again."""

VALUE = "value"
"""The type of an error about a value whose type is right: rules about two fields can still read it."""
_RANGES = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} or less",
}

# Where pydantic puts the tag of a union's chosen form into an error's location.
_FORM_AT = {"certificate": 1, "ssl_policy": 1, "proxy_protocol": 1, "dns": 1, "instances": 2}
_RIGHT = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
}


def fault_of(error: ErrorDetails, fields: Collection[str]) -> Fault:
    """Return the fault of an error of pydantic's; it quotes nothing that may hold a key.

    `fields` are the names that may be suggested for an unknown one.
    """
    location = list(error["loc"])
    if location and (form := _FORM_AT.get(str(location[0]))) is not None and len(location) > form:
        del location[form]
    # An instance has one place, whether it is given as its id or as GET shows it.
    if error["type"] == VALUE and location[:1] == ["instances"]:
        del location[2:]
    return Fault(_path(location), _message(error, location, fields))


def of_type(error: ErrorDetails) -> bool:
    """Whether the value has the wrong type, so that no other rule can read it."""
    return error["type"] != VALUE and error["type"] not in _RANGES


def unknown(name: str, known: Collection[str]) -> Fault:
    """Return the fault of an unknown name, with the known name that is most like it."""
    close = get_close_matches(name, known, 1) if len(name) <= _LONGEST_MEANT else []
    return Fault(_key(name), f"it is not known; did you mean {close[0]}?" if close else "it is not known")


def _message(error: ErrorDetails, location: Sequence[int | str], fields: Collection[str]) -> str:
    kind = error["type"]
    if kind == "missing":
        return "it is required"
    if kind == "extra_forbidden":
        return unknown(str(location[-1]), fields if len(location) == 1 else ()).message
    if kind == "string_unicode":
        return "it holds a text that is no Unicode"
    if kind in _RANGES:
        right: str | None = _RANGES[kind].format(**error["ctx"])
    else:
        right = error["ctx"]["expected"] if kind == "literal_error" else _RIGHT.get(kind)
    if right is None:
        return error["msg"]
    # What stands where a key belongs is shown to nobody.
    secret = location[:1] == ["certificate"] and ("pem" in location or "private_key" in location)
    return f"it must be {right}" if secret else f"it must be {right}, not {quoted(error['input'])}"


def _path(location: Sequence[int | str]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in location)
    return "".join(parts).removeprefix(".") or "body"


def _key(text: str) -> str:
    plain = quoted(text)
    return plain[1:-1] if plain == f'"{text}"' else plain
