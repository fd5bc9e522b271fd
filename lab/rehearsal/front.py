"""The deployed API on loopback: what API Gateway does between a request and the function behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab.lambda_.runtimeapi import Outcome
from lab.machine.serving import serving
from lab.rehearsal.gateway import Answered, Api, Asked, answered, event, routed
from lab.rehearsal.signatures import authenticated

Invoke = Callable[[str, Any], Outcome]


def answer(api: Api, asked: Asked, secrets: Mapping[str, str], invoke: Invoke) -> Answered:
    """Let a request in that is signed where it must be, and return what its function makes of it."""
    found = routed(api, asked)
    if isinstance(found, Answered):
        return found
    route, parameters = found
    caller = authenticated(asked, secrets, datetime.now(UTC)) if route.signed else None
    if isinstance(caller, Answered):
        return caller
    return answered(invoke(route.function, event(api, route, parameters, asked, caller)))


@contextmanager
def front(address: str, api: Callable[[], Api], secrets: Mapping[str, str], invoke: Invoke) -> Iterator[str]:
    """Answer for the API as it is deployed by then, until the block ends; yield the URL without a stage.

    `secrets` are those of who may call, by access key id.
    """

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = self.headers.get("Content-Length") or "0"
            if not length.isdecimal():
                self.send_error(400)
                return
            body = self.rfile.read(int(length))
            path, _, query = self.path.partition("?")
            asked = Asked(self.command, path, query, tuple(self.headers.items()), body)
            said = answer(api(), asked, secrets, invoke)
            self.send_response(said.status)
            for name, value in said.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Keep no access log: the functions log for themselves."""

    server = ThreadingHTTPServer((address, 0), Front)
    server.daemon_threads = True
    with serving(server, "gateway"):
        yield f"http://{address}:{server.server_port}"
