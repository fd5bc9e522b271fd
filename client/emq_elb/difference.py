"""What differs between a load balancer as it is and as it would be: both as GET shows them.

    before  after
    absent  v       + added
    v       absent  - removed
    v       w       ~ changed
    v       v       nothing

A list is compared element by element: listeners by their port, members by their id, any other by its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# What follows from the rest, or passes by itself.
PASSING = frozenset({"name", "dns_name", "state", "unmanaged", "certificate.days_left", "dns.answers"})


@dataclass(frozen=True)
class Change:
    """One field that differs; the value that there is not is None."""

    sign: Literal["+", "-", "~"]
    field: str
    before: Any
    after: Any


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """Return what differs, in the order in which GET shows it; None is a load balancer that is not there."""
    was, will = dict(_flat(before or {})), dict(_flat(after or {}))
    return [
        change
        for field in {**was, **will}
        if (change := _change(field, was.get(field), will.get(field))) is not None
    ]


def _change(field: str, before: Any, after: Any) -> Change | None:
    if before == after:
        return None
    name = field.partition("\0")[0]
    if before is None:
        return Change("+", name, None, after)
    if after is None:
        return Change("-", name, before, None)
    return Change("~", name, before, after)


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value by its path; an element of a list by what identifies it, after a NUL."""
    for key, one in value.items():
        inner = f"{path}.{key}" if path else str(key)
        if inner in PASSING:
            continue
        match one:
            case Mapping():
                yield from _flat(one, inner)
            case list():
                yield from ((f"{inner}\0{identity}", shown) for identity, shown in _elements(one))
            case None:
                pass
            case _:
                yield inner, one


def _elements(values: list[Any]) -> Iterator[tuple[str, Any]]:
    for one in values:
        match one:
            case {"port": port, "protocol": protocol}:
                behind = f"{one.get('instance_protocol')} {one.get('instance_port')}"
                yield str(port), f"{protocol} {port} → {behind}"
            case {"id": id_}:
                yield str(id_), id_
            case _:
                yield str(one), one
