"""The deployed API on loopback: what API Gateway does between a request and the function behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab.rehearsal.gateway import Answered, Api, Asked, answered, event
from lab.runtimeapi import Outcome
from lab.serving import serving

Invoke = Callable[[str, Any], Outcome]


def answer(api: Api, asked: Asked, invoke: Invoke) -> Answered:
    """Route a request to its function and return what API Gateway makes of it."""
    found = event(api, asked)
    if isinstance(found, Answered):
        return found
    route, told = found
    return answered(invoke(route.function, told))


@contextmanager
def front(address: str, api: Callable[[], Api], invoke: Invoke) -> Iterator[str]:
    """Answer for the API as it is deployed by then, until the block ends; yield the URL without a stage."""

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            said = answer(api(), Asked(self.command, path, query, tuple(self.headers.items()), body), invoke)
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
