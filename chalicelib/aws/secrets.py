"""Secrets Manager: secrets that are JSON objects of texts. Their values are in no repr and no message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.secrecy import discreetly
from chalicelib.model.errors import Absent, AwsError, Conflict, Fault, InvalidRequest, Refused

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True)
class Secret:
    """One version of a secret."""

    value: Mapping[str, str] = field(repr=False)


def read_secret(client: SecretsManagerClient, secret_id: str, *, field: str) -> Secret:
    """Read the current version of a secret. `field` is the request's field that named it.

    Absent when there is none or it is scheduled for deletion; InvalidRequest when it is no JSON object whose
    values are all texts.
    """
    try:
        with translated("GetSecretValue"):
            answer = client.get_secret_value(SecretId=secret_id)
    except AwsError as error:
        # What AWS says of a secret that is scheduled for deletion; it has nothing else to refuse here.
        if error.code == "InvalidRequestException":
            raise Absent(error.operation, error.code, error.message) from None
        raise
    value = _texts(answer.get("SecretString"))
    if value is None:
        raise InvalidRequest([Fault(field, f"the secret {secret_id} is no JSON object of texts")])
    return Secret(value)


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
    except Refused as error:
        if error.code != "InvalidRequestException":
            raise
        raise Conflict(
            f"the secret {name} is scheduled for deletion: restore it, or delete it for good"
        ) from None
    return answer["ARN"]


def _texts(text: str | None) -> Mapping[str, str] | None:
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(_is_text(one) for one in (*value, *value.values())):
        return None
    return value


def _is_text(value: object) -> bool:
    """Whether it can be sent to anyone: JSON also has halves of characters, which nothing can encode."""
    return isinstance(value, str) and value == value.encode(errors="ignore").decode()
