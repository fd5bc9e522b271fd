"""Lambda's Runtime API on loopback, and the real runtime client (awslambdaric) that asks it for work.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lab.aws import ACCOUNT, REGION
from lab.lambda_.package import Function
from lab.machine.processes import Process, Processes
from lab.machine.serving import serving

VERSION = "2018-06-01"
TASK = "/var/task"  # where Lambda unpacks the package

# Isolated (-I) and without site (-S), the interpreter sees its standard library and these two directories.
_START = """
import sys
sys.path[:0] = sys.argv[1:3]
for script in sys.argv[4:]:
    exec(compile(open(script).read(), script, "exec"), {"__name__": script})
from awslambdaric.__main__ import main
main(["bootstrap", sys.argv[3]])
"""


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended; `error` is the exception's type as the runtime sent it, None for an answer."""

    payload: Any
    error: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a function runs: the unpacked package, and what the runtime brings."""

    task: Path
    runtime: Path


@dataclass
class Exchange:
    """What the server and the one who invokes pass to one another."""

    requests: queue.Queue[tuple[str, Any, float] | None] = field(default_factory=queue.Queue)
    outcomes: queue.Queue[Outcome] = field(default_factory=queue.Queue)
    asked: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class ExecutionEnvironment:
    """A function that is started, and stays warm between invocations."""

    function: Function
    process: Process
    exchange: Exchange

    def invoke(self, event: Any, seconds: float = 60) -> Outcome:
        """Hand it an event and wait for how it ends. TimeoutError when it has not by then."""
        timeout = min(seconds, self.function.timeout)
        self.exchange.requests.put((str(uuid.uuid4()), event, time.time() + timeout))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                return self.exchange.outcomes.get(timeout=0.2)
            except queue.Empty:
                if not self.process.alive():
                    break
        raise TimeoutError(f"{self.function.resource} did not answer\n{self.process.tail()}")


class Server(ThreadingHTTPServer):
    """A server whose client is killed, sooner or later, in the middle of a request."""

    def handle_error(self, *_: object) -> None:
        """Say nothing of it."""


@contextmanager
def execution_environment(
    function: Function,
    place: Place,
    processes: Processes,
    address: str,
    environment: Mapping[str, str],
    *,
    scripts: Sequence[Path] = (),
) -> Iterator[ExecutionEnvironment]:
    """Start a function as Lambda does and yield it once it asks for work, or has sent why it cannot.

    `environment` is what differs from Lambda's: where AWS answers. `scripts` are run in the process before
    all else. The process is gone at the end.
    """
    exchange = Exchange()
    server = Server((address, 0), runtime_api(exchange, function))
    with serving(server, "runtime"):
        try:
            process = processes.start(
                function.resource,
                [
                    sys.executable,
                    "-I",
                    "-S",
                    "-B",
                    "-c",
                    _START,
                    str(place.task),
                    str(place.runtime),
                    function.handler,
                    *map(str, scripts),
                ],
                ready=exchange.asked.is_set,
                environment=lambda_environment(function, place, f"{address}:{server.server_port}")
                | dict(environment),
                cwd=place.task,
                seconds=60,
            )
            try:
                yield ExecutionEnvironment(function, process, exchange)
            finally:
                processes.kill(process)
        finally:
            exchange.requests.put(None)


def lambda_environment(function: Function, place: Place, runtime_api: str) -> dict[str, str]:
    """Return what Lambda sets, and the function's own variables.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = {name: value.replace(TASK, str(place.task)) for name, value in function.environment.items()}
    return own | {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.resource,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.resource}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "LAMBDA_RUNTIME_DIR": str(place.runtime),
        "LAMBDA_TASK_ROOT": str(place.task),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }


def runtime_api(exchange: Exchange, function: Function) -> type[BaseHTTPRequestHandler]:
    """Return the Runtime API: next invocation, its response or error, and the error of a failed start."""

    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            exchange.asked.set()
            waiting = exchange.requests.get()
            if waiting is None:
                self.close_connection = True
                return
            id_, event, deadline = waiting
            body = json.dumps(event).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Lambda-Runtime-Aws-Request-Id", id_)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
            self.send_header(
                "Lambda-Runtime-Invoked-Function-Arn",
                f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.resource}",
            )
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            error = body.get("errorType") if self.path.endswith("/error") else None
            exchange.outcomes.put(Outcome(body, error))
            exchange.asked.set()  # one that could not start never asks
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep no access log."""

    return RuntimeApi
