"""The schema for editors, from the app's own description."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no stubs
import pytest

from chalicelib.api.openapi import document
from emq_elb.schema import file_schema, modeline

SCHEMA = file_schema(json.loads(json.dumps(document())))
BODY = {"subnets": ["subnet-0123456789abcdef0"], "certificate": {"issuer": "private-ca"}}


def faults(value: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(value)]


def test_it_is_a_schema_that_stands_alone() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert "#/components" not in json.dumps(SCHEMA)
    assert "Problem" not in SCHEMA["$defs"]


@pytest.mark.parametrize("more", [{"name": "demo"}, {"name": "demo", "$schema": "emq-elb.schema.json"}])
def test_a_declaration_is_good(more: dict[str, Any]) -> None:
    assert faults({**BODY, **more}) == []


@pytest.mark.parametrize(
    "value", [BODY, {**BODY, "name": "demo", "listners": 1}, {**BODY, "name": "demo", "subnets": ["x"]}]
)
def test_what_the_api_refuses_is_found_while_typing(value: dict[str, Any]) -> None:
    assert faults(value)


def test_the_line_for_editors() -> None:
    assert modeline("x.json") == "# yaml-language-server: $schema=x.json"
