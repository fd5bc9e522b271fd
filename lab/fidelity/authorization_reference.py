"""Which resources and condition keys AWS knows for each action: its Service Authorization Reference.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
as the linter of policies, parliament, ships it. A key that is not in it for an action is never supplied here,
so that a condition on it is as false as at AWS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

NO_RESOURCE = ""


def resource_types(action: str) -> frozenset[str]:
    """The types of resources that an action may be limited to; only `NO_RESOURCE` where it takes none."""
    named = frozenset(row["resource_type"].rstrip("*") for _, row in _rows(action))
    return named - {NO_RESOURCE} or named


def supplied(action: str, resource_type: str) -> frozenset[str]:
    """The condition keys for an action on a type of resource; `${TagKey}` stands for any key of a tag."""
    found: set[str] = set()
    for service, row in _rows(action):
        if (kind := row["resource_type"].rstrip("*")) in {NO_RESOURCE, resource_type}:
            found |= {*(row["condition_keys"] or _of_type(service, kind))}
    return frozenset(found)


def knows(action: str, resource_type: str, key: str) -> bool:
    """Whether AWS supplies the condition key, with its tag's name in place, for the action on the type."""
    return any(_is(key, known) for known in supplied(action, resource_type))


def _is(key: str, known: str) -> bool:
    prefix, variable, _ = known.partition("${TagKey}")
    if not variable:
        return key.lower() == known.lower()
    return key.lower().startswith(prefix.lower()) and len(key) > len(prefix)


def _of_type(service: Mapping[str, Any], resource_type: str) -> Iterator[str]:
    for resource in service["resources"]:
        if resource["resource"] == resource_type:
            yield from resource["condition_keys"]


@cache
def _rows(action: str) -> tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]:
    prefix, _, name = action.partition(":")
    return tuple(
        (service, row)
        for service in _services()
        if service["prefix"] == prefix
        for privilege in service["privileges"]
        if privilege["privilege"] == name
        for row in privilege["resource_types"]
    )


@cache
def _services() -> tuple[Mapping[str, Any], ...]:
    file = distribution("parliament").locate_file("parliament/iam_definition.json")
    return tuple(json.loads(Path(str(file)).read_text()))
