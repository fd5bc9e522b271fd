"""Corrections to moto's Lambda: an invocation is answered by whoever runs the functions.

moto runs them in Docker containers with networks of their own, or not at all. Without `KNOBS.invoke` it stays
as it is.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.responses import LambdaResponse

from lab.fidelity.knobs import KNOBS

_invoke = LambdaResponse.invoke


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    LambdaResponse.invoke = _run  # type: ignore[method-assign] # that is the correction


def _run(response: LambdaResponse) -> tuple[int, dict[str, str], str | bytes]:
    """Answer 200 with what the function returned or failed with; 202 for an event, before it is run.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    if KNOBS.invoke is None:
        answered: tuple[int, dict[str, str], str | bytes] = _invoke(response)
        return answered
    function = response.backend.get_function(unquote(response.path.rsplit("/", 2)[-2]))
    kind = response.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    event = _event(response.body)
    if kind == "DryRun":
        return 204, {"status": "204"}, ""
    payload, error = KNOBS.invoke(function.function_name, event, kind)
    if kind == "Event":
        return 202, {"status": "202"}, ""
    told = {"Content-Type": "application/json"} | ({"X-Amz-Function-Error": error} if error else {})
    return 200, told, json.dumps(payload)


def _event(body: bytes | str) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise LambdaClientError("InvalidRequestContentException", message) from error
