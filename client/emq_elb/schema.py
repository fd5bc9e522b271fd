"""The JSON schema of a file, for editors: that of PUT's body, and the name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_THERE, _HERE = "#/components/schemas/", "#/$defs/"
BODY = "PutBody"


def file_schema(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of one document, from the API's own description; raise KeyError when it has none."""
    schemas = description["components"]["schemas"]
    body = _moved(schemas[BODY])
    return {
        "$schema": DIALECT,
        **body,
        "title": "A load balancer, as emq-elb reads it",
        "required": ["name", *body.get("required", [])],
        "properties": {
            "$schema": {"type": "string", "description": "For editors; not sent."},
            **body["properties"],
        },
        "$defs": {name: _moved(schemas[name]) for name in _used(schemas[BODY], schemas, {})},
    }


def modeline(path: str) -> str:
    """Return the line by which VS Code and other editors find a file's schema."""
    return f"# yaml-language-server: $schema={path}"


def _used(schema: Any, schemas: Mapping[str, Any], found: dict[str, None]) -> dict[str, None]:
    """Return the names of all schemas that a schema refers to, also through others."""
    match schema:
        case {"$ref": str(reference)} if (name := reference.removeprefix(_THERE)) not in found:
            found[name] = None
            _used(schemas[name], schemas, found)
        case Mapping():
            for one in schema.values():
                _used(one, schemas, found)
        case list():
            for one in schema:
                _used(one, schemas, found)
        case _:
            pass
    return found


def _moved(schema: Any) -> Any:
    match schema:
        case Mapping():
            return {
                key: one.replace(_THERE, _HERE) if key == "$ref" else _moved(one)
                for key, one in schema.items()
            }
        case list():
            return [_moved(one) for one in schema]
        case _:
            return schema
