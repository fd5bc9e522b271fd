"""Corrections to moto's Secrets Manager: current versions, secrets marked deleted, HTTP statuses.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException, SecretsManagerClientError
from moto.secretsmanager.models import SecretsManagerBackend

MARKED_DELETED = "You can't perform this operation on the secret because it was marked for deletion."
NAME_MARKED_DELETED = (
    "You can't create this secret because a secret with this name is already scheduled for deletion."
)

_get_secret_value = SecretsManagerBackend.get_secret_value


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for name, correction in CORRECTIONS.items():
        setattr(SecretsManagerBackend, name, correction)


def _client_errors_are_400(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Every error of a client has status 400 here; moto says 404 for what it does not find."""

    @wraps(operation)
    def answer(*arguments: Any, **parameters: Any) -> Any:
        try:
            return operation(*arguments, **parameters)
        except SecretsManagerClientError as error:
            error.code = 400
            raise

    return answer


def _refusing_deleted(operation: Callable[..., Any], message: str, parameter: str) -> Callable[..., Any]:
    """A secret marked deleted takes no new version, and its name no new secret, until it is restored.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html and
    …/API_PutSecretValue.html, under InvalidRequestException.
    """

    @wraps(operation)
    def answer(backend: SecretsManagerBackend, **parameters: Any) -> Any:
        secret = backend.secrets.get(parameters[parameter])
        if secret is not None and secret.is_deleted():
            raise InvalidRequestException(message)
        return operation(backend, **parameters)

    return answer


def _current_value(
    backend: SecretsManagerBackend, secret_id: str, version_id: str | None, version_stage: str | None
) -> dict[str, Any]:
    """Without a version it is the one labelled AWSCURRENT; moto answers with the one that it made last so.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """
    secret = backend.secrets.get(secret_id)
    if secret is not None and secret.is_deleted():
        raise InvalidRequestException(MARKED_DELETED)
    stage = version_stage if version_stage or version_id else "AWSCURRENT"
    return _get_secret_value(backend, secret_id, version_id, stage)  # type: ignore[arg-type]  # None is meant


CORRECTIONS = {
    "get_secret_value": _client_errors_are_400(_current_value),
    "describe_secret": _client_errors_are_400(SecretsManagerBackend.describe_secret),
    "delete_secret": _client_errors_are_400(SecretsManagerBackend.delete_secret),
    "create_secret": _refusing_deleted(SecretsManagerBackend.create_secret, NAME_MARKED_DELETED, "name"),
    "put_secret_value": _client_errors_are_400(
        _refusing_deleted(SecretsManagerBackend.put_secret_value, MARKED_DELETED, "secret_id")
    ),
    "update_secret_version_stage": _client_errors_are_400(
        _refusing_deleted(SecretsManagerBackend.update_secret_version_stage, MARKED_DELETED, "secret_id")
    ),
}
