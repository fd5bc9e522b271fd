"""The JSON schemas of what comes and goes: bodies as pydantic knows them, and answers derived from them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from chalicelib.api.body import put_body
from chalicelib.api.problems import FAULTS_MAX, KINDS
from chalicelib.probe.plan import PHASES

Schema = dict[str, Any]

# As AWS has it, which need not be as a body may ask for it.
_ONLY_ASKED = frozenset(
    {
        "default",
        "enum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minimum",
        "pattern",
        "propertyNames",
        "uniqueItems",
    }
)


def ref(name: str) -> Schema:
    """Return a reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> Schema:
    """Return every schema by its name, as `components/schemas` has them."""
    body = put_body().json_schema(ref_template="#/components/schemas/{model}")
    defined: Schema = body.pop("$defs")
    return {
        "PutBody": body,
        **defined,
        "LoadBalancer": _load_balancer(body, defined),
        "LoadBalancers": _load_balancers(body, defined),
        "Report": _REPORT,
        "Verdict": _VERDICT,
        "Rotation": _ROTATION,
        "Pending": _object({"name": _TEXT, "state": {"enum": ["pending"]}}, required=["name", "state"]),
        "Problem": _PROBLEM,
        "Description": {"type": "object", "required": ["openapi", "info", "paths"]},
    }


def _load_balancer(body: Schema, defined: Schema) -> Schema:
    asked = {**body["properties"], "certificate": ref("ArnBody")}
    asked["instances"] = {"type": "array", "items": ref("MemberBody")}
    shown = {name: _as_shown(schema, defined) for name, schema in asked.items()}
    # In a dry run a certificate that is not at AWS yet has no ARN.
    del shown["certificate"]["required"]
    sometimes = {
        "dns_name",
        "certificate",
        "ssl_policy",
        "security_groups",
        "allow",
        "access_logs",
        "addresses",
        "keepalive",
        "hostname",
        "dns",
        "members",
        "unmanaged",
    }
    return _object(shown, required=sorted(shown.keys() - sometimes))


def _load_balancers(body: Schema, defined: Schema) -> Schema:
    names = ("name", "type", "dns_name", "state", "cluster", "scheme", "listeners")
    short = {name: _as_shown(body["properties"][name], defined) for name in names}
    short["instances"] = {"type": "array", "items": {"type": "string"}}
    # Of a network load balancer a listing says neither listeners nor instances.
    sometimes = {"dns_name", "listeners", "instances"}
    one = _object(short, required=sorted(short.keys() - sometimes))
    return _object({"load_balancers": {"type": "array", "items": one}}, required=["load_balancers"])


def _as_shown(schema: Any, defined: Schema) -> Any:
    """The schema as GET keeps to it: references resolved, limits of what may be asked for left out."""
    if isinstance(schema, list):
        return [_as_shown(one, defined) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _as_shown({**defined[name], **{k: v for k, v in schema.items() if k != "$ref"}}, defined)
    return {
        key: {name: _as_shown(one, defined) for name, one in value.items()}
        if key == "properties"
        else _as_shown(value, defined)
        for key, value in schema.items()
        if key not in _ONLY_ASKED
    }


def _object(properties: Schema, *, required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": deepcopy(properties),
        "required": required,
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_REPORT = _object(
    {
        "name": _TEXT,
        "dns_name": {"type": ["string", "null"]},
        "state": {"enum": ["ready", "pending"]},
        "changed": {"type": "boolean"},
        "actions": {
            "type": "array",
            "description": "AWS calls in their order.",
            "items": {
                "type": "object",
                "properties": {"action": _TEXT, "reason": _TEXT},
                "required": ["action", "reason"],
            },
        },
        "warnings": {
            "type": "array",
            "items": _object({"code": _TEXT, "message": _TEXT}, required=["code", "message"]),
        },
        "load_balancer": {"oneOf": [ref("LoadBalancer"), {"type": "null"}]},
    },
    required=["name", "dns_name", "state", "changed", "actions", "warnings", "load_balancer"],
)
_TARGET = {
    "address": {"type": ["string", "null"]},
    "port": {"type": "integer"},
    "verdict": {"enum": ["ok", "failed"]},
    "phase": {"enum": [*PHASES, None]},
    "cause": {"type": ["string", "null"], "description": "One of docs/operations.md."},
    "detail": {
        "type": ["string", "null"],
        "description": "What the library or the broker says of it, where either does.",
    },
    "times_ms": {
        "type": "object",
        "properties": {phase: {"type": "number"} for phase in PHASES[1:]},
        "additionalProperties": False,
    },
    "tls": {
        "oneOf": [
            _object({"version": _TEXT, "cipher": _TEXT}, required=["version", "cipher"]),
            {"type": "null"},
        ]
    },
    "certificate": {
        "oneOf": [
            _object(
                {
                    "serial": _TEXT,
                    "not_after": {"type": "string", "format": "date-time"},
                    "days_left": {"type": "integer"},
                },
                required=["serial", "not_after", "days_left"],
            ),
            {"type": "null"},
        ]
    },
}
_VERDICT = _object(
    {
        "name": _TEXT,
        "verdict": {"enum": ["ok", "degraded", "failed"]},
        "targets": {"type": "array", "items": _object(_TARGET, required=[*_TARGET])},
    },
    required=["name", "verdict", "targets"],
)
_ROTATION = _object(
    {
        "name": _TEXT,
        "state": {"enum": ["rotated", "kept", "pending", "rolled-back"]},
        "verified": {"type": "boolean", "description": "Whether it was seen at every address."},
        "reason": _TEXT,
        "certificate": {
            "oneOf": [
                _object(
                    {
                        "arn": _TEXT,
                        "serial": {"type": ["string", "null"]},
                        "not_after": {"type": "string", "format": "date-time"},
                        "domains": {"type": "array", "items": _TEXT},
                    },
                    required=["arn", "serial", "not_after", "domains"],
                ),
                {"type": "null"},
            ]
        },
        "warnings": _REPORT["properties"]["warnings"],
    },
    required=["name", "state", "verified", "reason", "certificate", "warnings"],
)
_PROBLEM = _object(
    {
        "type": {"enum": [f"/problems/{kind.slug}" for kind in KINDS]},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {
            "type": "array",
            "description": "Every fault, or the first ones and how many more there are.",
            "maxItems": FAULTS_MAX + 1,
            "items": _object({"field": _TEXT, "message": _TEXT}, required=["field", "message"]),
        },
        "code": {"type": "string", "description": "AWS's error code."},
        "operation": {"type": "string", "description": "The AWS call that it answered."},
        "request_id": {"type": "string", "description": "Where to look in the log."},
    },
    required=["type", "title", "status", "detail"],
)
