"""What moto computes anew for each call, computed once: the same answers, for a third less CPU.

moto answers from botocore's models. Under which names it may find a member's value in its own objects, and
which methods a service has, it works out for every value and for every call, and it writes XML by a general
and careful library. Nothing of it changes while a process lives, or is needed for what moto writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xmltodict  # type: ignore[import-untyped] # moto's; its types are a package of their own
from moto.core import responses, serialize
from moto.core.serialize import (
    AttributePicker,
    AttributePickerContext,
    BaseXMLSerializer,
    EC2Serializer,
    QuerySerializer,
    ResponseSerializer,
)
from moto.core.utils import camelcase_to_underscores, get_value, method_names_from_class

_get_value = ResponseSerializer.get_value
_methods = cache(method_names_from_class)
_underscores = cache(camelcase_to_underscores)
_structure = BaseXMLSerializer._serialize_type_structure  # noqa: SLF001 - moto has no other way to it
_ABSENT = object()
_NAMES = set[str]()


@dataclass(frozen=True, slots=True)
class Places:
    """The names under which a member may stand, how they are read, and what is made of it at which path."""

    names: tuple[str, ...]
    read: Callable[[Any, Any, Any], Any]
    transforms: tuple[tuple[str, Callable[[Any], Any]], ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: its shape, its name in XML, and how it is written if it is plain."""

    key: str
    shape: Any
    name: str
    plain: Callable[[Any], Any] | None
    places: Places


def install() -> None:
    """Put the quick ones in place; a second time is as good as once."""
    vars(serialize)["xmltodict"] = SimpleNamespace(unparse=unparse)
    vars(responses)["method_names_from_class"] = _methods
    vars(responses)["camelcase_to_underscores"] = _underscores
    # mypy takes no other method in the place of one.
    setattr(ResponseSerializer, "get_value", pick)  # noqa: B010
    setattr(BaseXMLSerializer, "_serialize_type_structure", structure)  # noqa: B010


def unparse(document: Mapping[str, Any], *, pretty: bool = False, full_document: bool, **more: Any) -> str:
    """Return what `xmltodict.unparse` does; it is asked itself to indent, and for documents that are none.

    Elements are `{name: value}`; a value is a text, a number, None, a list of values or such a mapping, in
    which `@name` is an attribute. Raises ValueError as it does.
    """
    if pretty or (full_document and [*map(type, document.values())] != [dict]):
        return str(xmltodict.unparse(document, pretty=pretty, full_document=full_document, **more))
    out = ['<?xml version="1.0" encoding="utf-8"?>\n'] if full_document else []
    for name, value in document.items():
        _write(out, name, value)
    return "".join(out)


def _check(name: str) -> None:
    """Raise ValueError unless xmltodict takes the name of an element or attribute."""
    if name not in _NAMES:
        xmltodict.unparse({name: None})
        _NAMES.add(name)


def _write(out: list[str], name: str, value: Any) -> None:
    if isinstance(value, dict):
        _write_element(out, name, value)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for one in value:
            (_write_element if isinstance(one, dict) else _write_text)(out, name, one)
    else:
        _write_text(out, name, value)


def _write_text(out: list[str], name: str, value: Any) -> None:
    _check(name)
    text = "" if value is None else escape(_text(value))
    out.append(f"<{name}>{text}</{name}>" if text else f"<{name}/>")


def _write_element(out: list[str], name: str, value: dict[str, Any]) -> None:
    _check(name)
    place = len(out)
    attributes = ""
    for key, one in value.items():
        if key.startswith("@"):
            _check(key[1:])
            attributes += f" {key[1:]}={quoteattr('' if one is None else _text(one))}"
        elif type(one) is str:
            _write_text(out, key, one)
        else:
            _write(out, key, one)
    if len(out) > place:
        out.insert(place, f"<{name}{attributes}>")
        out.append(f"</{name}>")
    else:
        out.append(f"<{name}{attributes}/>")


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def structure(serializer: BaseXMLSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """Write the members of a structure: the plain ones at once, the others as moto does."""
    if value is None:
        return
    picker = serializer._value_picker  # noqa: SLF001 - moto has no other way to it
    if type(serializer) not in {QuerySerializer, EC2Serializer} or not isinstance(picker, AttributePicker):
        _structure(serializer, serialized, value, shape, key)
        return
    written = {} if key else serialized
    for member in _members(serializer, picker, value, shape):
        found = _found(serializer, value, member.key, member.places)
        if found is None:
            continue
        if member.plain is None:
            serializer._serialize(written, found, member.shape, member.key)  # noqa: SLF001 - moto has no other way
        else:
            written[member.name] = member.plain(found)
    if key:
        serializer._default_serialize(serialized, written, shape, key)  # noqa: SLF001 - moto has no other way to it


def _members(serializer: BaseXMLSerializer, picker: AttributePicker, value: Any, shape: Any) -> list[Member]:
    """Return the members of a structure, as such an object has them."""
    known: dict[object, list[Member]] = shape.__dict__.setdefault("quick_members", {})
    kind = (type(value), type(picker), *picker.alias_providers)
    if (members := known.get(kind)) is None:
        for of in shape.members.values():
            of.parent = shape  # its name counts where moto looks for a value
        members = known[kind] = [
            Member(
                key=key,
                shape=of,
                name=serializer.get_serialized_name(of, key),
                plain=None if _MARKED & {*of.serialization} else _PLAIN.get(of.type_name),
                places=_places(serializer, picker, value, key, of),
            )
            for key, of in shape.members.items()
        ]
    return members


def _boolean(value: Any) -> str:
    return "true" if value is True or str(value).lower() == "true" else "false"


_MARKED = {"xmlNamespace", "xmlAttribute"}
_PLAIN: dict[str, Callable[[Any], Any]] = {"string": str, "integer": int, "long": int, "boolean": _boolean}


def pick(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    """Return the value of a member; where it may stand is asked once for each kind of object."""
    picker = serializer._value_picker  # noqa: SLF001 - moto has no other way to it
    if not isinstance(picker, AttributePicker):
        return _get_value(serializer, value, key, shape)
    return _found(serializer, value, key, _places(serializer, picker, value, key, shape))


def _found(serializer: ResponseSerializer, value: Any, key: str, places: Places) -> Any:
    found = None
    for name in places.names:
        there = places.read(value, name, _ABSENT)
        if there is not _ABSENT:
            found = there
            break
    for path, transform in places.transforms:
        if ".".join([*serializer.path, key]).endswith(path):
            return transform(found)
    return found


def _places(
    serializer: ResponseSerializer, picker: AttributePicker, value: Any, key: str, shape: Any
) -> Places:
    """Return where a member stands in such an object."""
    known: dict[object, Places] = shape.__dict__.setdefault("quick_places", {})
    kind = (type(value), key, type(picker), *picker.alias_providers)
    if (places := known.get(kind)) is None:
        asked = AttributePickerContext(
            obj=value,
            key=key,
            shape=shape,
            operation_model=serializer.operation_model,
            service_model=serializer.service_model,
            key_path="",
        )
        names = tuple(dict.fromkeys(picker.get_possible_keys(asked)))
        transforms = picker.response_transformers.items()
        places = known[kind] = Places(
            names=names,
            read=_reader(value, names),
            transforms=tuple(
                (path, do) for path, do in transforms if path.endswith(key) or key.endswith(path)
            ),
        )
    return places


def _reader(value: Any, names: Iterable[str]) -> Callable[[Any, Any, Any], Any]:
    """Return what moto's `get_value` comes to for such an object and these names."""
    if any("." in name for name in names):
        return get_value
    if type(value) is dict:
        return dict.get
    return get_value if hasattr(value, "__getitem__") else getattr
