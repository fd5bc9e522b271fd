"""Calls to AWS that carry a secret, whose errors must not repeat it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from chalicelib.aws.errors import translated
from chalicelib.model.errors import AwsError

T = TypeVar("T")


def discreetly(operation: str, secrets: Iterable[str], call: Callable[[], T]) -> T:
    """Call AWS as `translated` does, without AWS's words where they repeat any line of `secrets`.

    AWS quotes a value that breaks a constraint, and one of the values is a private key.
    """
    refused: AwsError
    try:
        with translated(operation):
            return call()
    except AwsError as error:
        refused = error
    lines = {line for secret in secrets for line in secret.splitlines() if line}
    repeated = any(line in refused.message for line in lines)
    message = "AWS does not take one of the values" if repeated else refused.message
    # Raised out here, where nothing is being handled: else what botocore raised would hang on as its context.
    raise type(refused)(refused.operation, refused.code, message)
