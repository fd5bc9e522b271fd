"""Lambda: work that goes on in the background."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def invoke(client: LambdaClient, function: str, payload: Mapping[str, object]) -> None:
    """Invoke the function asynchronously; the payload may have up to 1 MB as JSON."""
    with translated("Invoke"):
        client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(payload).encode())
