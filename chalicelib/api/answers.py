"""HTTP answers: an error becomes a problem document, and every answer one canonical record.

`app` imports this before anything else: nothing heavy may stand at its top.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

from chalice.app import Response

if TYPE_CHECKING:
    from chalice.app import Chalice, Request

    from chalicelib.api.problems import Problem
    from chalicelib.model.report import Report

ViewFunction = Callable[..., Response]


def answering(app: Chalice) -> Callable[[ViewFunction], ViewFunction]:
    """Pass the request to a route before its parameters, and turn an error into a problem document.

    Chalice's middleware comes too late for that: by then an error is an answer already.
    """

    def decorated(view: ViewFunction) -> ViewFunction:
        @wraps(view)
        def answered(**parameters: str) -> Response:
            from chalicelib import telemetry
            from chalicelib.api.problems import problem, unexpected
            from chalicelib.model.errors import EmqElbError
            from chalicelib.model.syntax import shown_name

            began = time.monotonic()
            try:
                response = view(app.current_request, **parameters)
            except EmqElbError as error:
                response = _response(problem(error))
            except Exception as error:  # noqa: BLE001 - the last one to see it: logged, answered without its words
                telemetry.failed(view.__name__, error)
                response = _response(unexpected(app.lambda_context.aws_request_id))
            telemetry.canonical(
                view.__name__,
                status=response.status_code,
                milliseconds=round((time.monotonic() - began) * 1000),
                load_balancer=shown_name(parameters["name"]) if "name" in parameters else None,
            )
            return response

        return answered

    return decorated


def query_of(request: Request) -> dict[str, list[str]]:
    """Return every value of each query parameter."""
    given = request.query_params
    return {name: given.getlist(name) for name in given} if given else {}


def flags(request: Request, *known: str) -> dict[str, bool]:
    """The query parameters as flags; raises InvalidRequest for any other."""
    from chalicelib.api.query import read_flags
    from chalicelib.model.errors import InvalidRequest

    given, faults = read_flags(query_of(request), *known)
    if faults:
        raise InvalidRequest(faults)
    return given


def reported(report: Report, *, created: bool = False) -> Response:
    """The answer of PUT and DELETE."""
    from chalicelib.api.views import report_json

    status = 202 if report.state == "pending" else 201 if created else 200
    return Response(report_json(report), status_code=status)


def _response(problem: Problem) -> Response:
    return Response(problem.body, {**problem.headers}, problem.status)
