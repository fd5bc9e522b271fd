"""Lambda's Invoke, answered on loopback with the app's own functions: the only module that imports `app`.

`python -m lab.lambda_.functions ADDRESS PORT STAGE`. moto runs no functions; this process takes their place.
It lives on between invocations like a warm Lambda environment. What Lambda answers:
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lab.lambda_.counting import counted

ROOT = Path(__file__).parents[2]
API_HANDLER = "api_handler"
ATTEMPTS = 3  # an asynchronous invocation that fails is tried twice more

log = logging.getLogger("lab.lambda_.functions")

Function = Callable[[Any, "Context"], Any]


@dataclass(frozen=True)
class Configuration:
    """What `.chalice/config.json` says of one stage; times in seconds, by function."""

    app: str
    stage: str
    environment: Mapping[str, str]
    timeouts: Mapping[str, int]
    default_timeout: int = 60

    def function(self, deployed: str) -> str | None:
        """Return the function of a deployed name or ARN; None for a name that this stage does not deploy.

        The name is `<app>-<stage>-<function>`; the API handler's lacks the last part.
        """
        name = deployed.partition(":function:")[2] or deployed
        base = f"{self.app}-{self.stage}"
        if name == base:
            return API_HANDLER
        return name.removeprefix(f"{base}-") if name.startswith(f"{base}-") else None

    def deployed(self, function: str) -> str:
        """Return the name that a function is deployed under."""
        base = f"{self.app}-{self.stage}"
        return base if function == API_HANDLER else f"{base}-{function}"

    def timeout(self, function: str) -> int:
        """Return how long a function may take."""
        return self.timeouts.get(function, self.default_timeout)


def configuration(text: str, stage: str) -> Configuration:
    """Read `.chalice/config.json`.

    First comes a function's value in its stage, then the stage's, then the function's own, then the app's.
    https://aws.github.io/chalice/topics/configfile.html
    """
    whole = json.loads(text)
    ours = whole.get("stages", {}).get(stage, {})
    theirs = ours.get("lambda_functions", {})
    functions = whole.get("lambda_functions", {})

    def timeout(function: str) -> int:
        order = (theirs.get(function, {}), ours, functions.get(function, {}), whole)
        return next((place["lambda_timeout"] for place in order if "lambda_timeout" in place), 60)

    return Configuration(
        app=whole["app_name"],
        stage=stage,
        environment=whole.get("environment_variables", {}) | ours.get("environment_variables", {}),
        timeouts={function: timeout(function) for function in {*theirs, *functions}},
        default_timeout=timeout(""),
    )


@dataclass(frozen=True)
class Context:
    """What Lambda hands to a function beside its event.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    function_name: str
    deadline: float
    clock: Callable[[], float] = time.monotonic
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 256
    log_group_name: str = ""
    log_stream_name: str = ""
    identity: None = None
    client_context: None = None

    @property
    def invoked_function_arn(self) -> str:
        """The ARN by which it was called."""
        region = os.environ.get("AWS_REGION", "eu-central-1")
        return f"arn:aws:lambda:{region}:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function still has."""
        return max(0, int((self.deadline - self.clock()) * 1000))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of Lambda's; `error` is its `X-Amz-Function-Error` header."""

    status: int
    body: bytes = b""
    error: str | None = None


@dataclass(frozen=True)
class Functions:
    """The functions of one stage, looked up by name when they are invoked."""

    configuration: Configuration
    lookup: Callable[[str], Function | None]

    def invoke(self, deployed: str, payload: bytes, kind: str) -> Answer:
        """Answer one Invoke; an `Event` is answered at once and runs in a thread."""
        name = self.configuration.function(deployed)
        function = self.lookup(name) if name else None
        if name is None or function is None:
            return _refusal(404, "ResourceNotFoundException", f"Function not found: {deployed}")
        try:
            event = json.loads(payload or b"{}")
        except ValueError as error:
            return _refusal(400, "InvalidRequestContentException", f"Could not parse request body: {error}")
        if kind == "Event":
            threading.Thread(
                target=self._retried, args=(function, deployed, name, event), name=deployed
            ).start()
            return Answer(202)
        if kind != "RequestResponse":
            return Answer(204)
        return self._run(function, deployed, name, event)

    def _run(self, function: Function, deployed: str, name: str, event: Any) -> Answer:
        answer = self._answer(function, deployed, name, event)
        print(counted(self.configuration.deployed(name), answer.error), flush=True)
        return answer

    def _answer(self, function: Function, deployed: str, name: str, event: Any) -> Answer:
        context = Context(deployed, time.monotonic() + self.configuration.timeout(name))
        try:
            return Answer(200, json.dumps(function(event, context)).encode())
        except Exception as error:
            log.exception("%s failed", deployed)
            report = {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": context.aws_request_id,
                "stackTrace": traceback.format_tb(error.__traceback__),
            }
            return Answer(200, json.dumps(report).encode(), error="Unhandled")

    def _retried(self, function: Function, deployed: str, name: str, event: Any) -> None:
        """Try up to three times; without Lambda's pause of a minute or two, for which nobody here would wait.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        """
        for _ in range(ATTEMPTS):
            if self._run(function, deployed, name, event).error is None:
                return


def _refusal(status: int, code: str, message: str) -> Answer:
    return Answer(status, json.dumps({"Type": "User", "Message": message, "__type": code}).encode(), code)


def of_app(name: str) -> Function | None:
    """Return a function of the app; the API's handler is the Chalice object itself."""
    app = importlib.import_module("app")
    found: Function | None = app.app if name == API_HANDLER else getattr(app, name, None)
    return found


def rules_of_app(found: Configuration) -> list[dict[str, object]]:
    """Return the app's EventBridge rules: the deployed function, and a `pattern` or a `schedule`."""
    from chalice.app import CloudWatchEventConfig, ScheduledEventConfig, ScheduleExpression

    rules: list[dict[str, object]] = []
    for source in importlib.import_module("app").app.event_sources:
        function = f"{found.app}-{found.stage}-{source.name}"
        if isinstance(source, CloudWatchEventConfig):
            rules.append({"function": function, "pattern": source.event_pattern})
        elif isinstance(source, ScheduledEventConfig):
            rate = source.schedule_expression
            text = rate.to_string() if isinstance(rate, ScheduleExpression) else rate
            rules.append({"function": function, "schedule": text})
    return rules


def server(address: str, port: int, functions: Functions) -> ThreadingHTTPServer:
    """Return a server for `POST /2015-03-31/functions/<name>/invocations`; port 0 takes a free one.

    `GET /rules`, which no Lambda answers, returns to the lab's EventBridge which events the app waits for.
    """

    class Invoke(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = unquote(self.path.partition("?")[0]).strip("/").split("/")
            if len(parts) == 4 and parts[1] == "functions" and parts[3] == "invocations":
                kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
                answer = functions.invoke(parts[2], payload, kind)
            else:
                answer = _refusal(404, "ResourceNotFoundException", f"only Invoke is here, not {self.path}")
            self._send(answer)

        def do_GET(self) -> None:
            if self.path == "/rules":
                self._send(Answer(200, json.dumps(rules_of_app(functions.configuration)).encode()))
            else:
                self._send(_refusal(404, "ResourceNotFoundException", f"nothing is at {self.path}"))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body)))
            if answer.error:
                header = "X-Amz-Function-Error" if answer.status == 200 else "X-Amzn-ErrorType"
                self.send_header(header, answer.error)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Keep no access log: the functions log for themselves."""

    return ThreadingHTTPServer((address, port), Invoke)


def main() -> None:
    """Answer until the process ends."""
    address, port, stage = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    found = configuration((ROOT / ".chalice" / "config.json").read_text(), stage)
    # `chalice local` lays the configuration over the environment too: both see the same.
    os.environ.update(found.environment)
    server(address, int(port), Functions(found, of_app)).serve_forever()


if __name__ == "__main__":
    main()
