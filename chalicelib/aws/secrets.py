"""Secrets Manager: secrets that are JSON objects. Their values are in no repr and no message."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.aws.errors import translated
from chalicelib.aws.secrecy import discreetly
from chalicelib.model.errors import Conflict, Fault, InvalidRequest, Theirs

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True)
class Secret:
    """One version of a secret: its values that are texts."""

    value: Mapping[str, str] = field(repr=False)


def read_secret(
    client: SecretsManagerClient, secret_id: str, *, field: str, keys: Collection[str] = ()
) -> Secret:
    """Read the current version of a secret. `field` is the request's field that named it.

    `keys` are those that the caller reads: one whose value is no text is a fault that names it. Other keys
    belong to other tools and may hold anything. Absent when there is no secret or it is scheduled for
    deletion; InvalidRequest when it is no JSON object, or one of `keys` is at fault.
    """
    with translated("GetSecretValue"):
        answer = client.get_secret_value(SecretId=secret_id)
    value = _object(answer.get("SecretString") or answer.get("SecretBinary") or "")
    if value is None:
        message = f"the secret {secret_id} is no JSON object: write one with a text under each key"
        raise InvalidRequest([Fault(field, message)])
    if wrong := [
        f"`{key}` in the secret {secret_id} {_flaw(value[key])}: write it as one text"
        for key in sorted(keys)
        if key in value and not _is_text(value[key])
    ]:
        raise InvalidRequest([Fault(field, message) for message in wrong])
    return Secret({key: text for key, text in value.items() if _is_text(key) and _is_text(text)})


def create_secret(
    client: SecretsManagerClient,
    name: str,
    value: Mapping[str, str],
    *,
    tags: Mapping[str, str],
    description: str,
) -> str:
    """Create a secret and return its ARN. Duplicate when there is one, Conflict while it is being deleted."""
    try:
        answer = discreetly(
            "CreateSecret",
            value.values(),
            lambda: client.create_secret(
                Name=name,
                Description=description,
                SecretString=json.dumps(dict(value)),
                Tags=[{"Key": key, "Value": text} for key, text in sorted(tags.items())],
            ),
        )
    except Theirs:
        raise Conflict(
            f"the secret {name} is scheduled for deletion: restore it, or delete it for good"
        ) from None
    return answer["ARN"]


def replace_secret(client: SecretsManagerClient, name: str, value: Mapping[str, str]) -> None:
    """Make the value the current version of a secret that is there."""
    discreetly(
        "PutSecretValue",
        value.values(),
        lambda: client.put_secret_value(SecretId=name, SecretString=json.dumps(dict(value))),
    )


def secret_tags(client: SecretsManagerClient, name: str) -> Mapping[str, str]:
    """Read the tags of a secret. Absent when there is none."""
    with translated("DescribeSecret"):
        described = client.describe_secret(SecretId=name)
    return {tag.get("Key", ""): tag.get("Value", "") for tag in described.get("Tags", [])}


def tag_secret(client: SecretsManagerClient, name: str, tags: Mapping[str, str]) -> None:
    """Set tags of a secret that is there; its other tags stay."""
    with translated("TagResource"):
        client.tag_resource(
            SecretId=name, Tags=[{"Key": key, "Value": text} for key, text in sorted(tags.items())]
        )


def _object(given: str | bytes) -> Mapping[str, Any] | None:
    """Parse a JSON object, with a byte order mark before it or not; bytes are UTF-8, UTF-16 or UTF-32."""
    try:
        value = json.loads(given.removeprefix("\ufeff") if isinstance(given, str) else given)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_text(value: object) -> bool:
    """Whether the text can be encoded: JSON can hold half a surrogate pair, which no encoding has."""
    return isinstance(value, str) and value == value.encode(errors="ignore").decode()


def _flaw(value: object) -> str:
    """What is wrong with a value that is no text. Nothing of it is shown."""
    match value:
        case str():
            return "holds half a character, which nothing can encode"
        case None:
            return "is null"
        case bool():
            return "is true or false"
        case int() | float():
            return "is a number"
        case list():
            return "is a list"
        case _:
            return "is an object"
