"""Corrections to moto's Lambda: who runs the functions answers invocations, and a timeout has a limit.

moto runs them in Docker containers with networks of their own, or not at all. Without `KNOBS.invoke` it stays
as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse

from lab.fidelity.knobs import KNOBS

LONGEST_TIMEOUT = 900

_invoke = LambdaResponse.invoke

TIMED: dict[str, Callable[..., Any]] = {
    "create_function": LambdaBackend.create_function,
    "update_function_configuration": LambdaBackend.update_function_configuration,
}


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    LambdaResponse.invoke = _run  # type: ignore[method-assign] # that is the correction
    for name, operation in TIMED.items():
        setattr(LambdaBackend, name, _within_limits(operation))


def _within_limits(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a timeout beyond 900 s.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """

    @wraps(operation)
    def checked(backend: LambdaBackend, *asked: Any, **named: Any) -> Any:
        specified = next((one for one in (*asked, *named.values()) if isinstance(one, dict)), {})
        if not 1 <= int(specified.get("Timeout") or 3) <= LONGEST_TIMEOUT:
            raise InvalidParameterValueException(
                f"Value '{specified['Timeout']}' at 'timeout' failed to satisfy constraint: Member must have"
                f" value less than or equal to {LONGEST_TIMEOUT}"
            )
        return operation(backend, *asked, **named)

    return checked


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
    headers = {"Content-Type": "application/json"} | ({"X-Amz-Function-Error": error} if error else {})
    return 200, headers, json.dumps(payload)


def _event(body: bytes | str) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise LambdaClientError("InvalidRequestContentException", message) from error
