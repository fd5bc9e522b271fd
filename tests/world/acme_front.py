"""A front before the ACME server, as a CA's own front is: it may answer itself, and change what goes through.

    with front(acme) as ca:
        ca.directory
        ca.refuse = lambda asked: limited if asked.path == "/order-plz" else None
        ca.change = lambda asked, answer: …

The server makes its URLs from the name that it is asked by, so that everything goes through the front.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab.certificates.acme import Acme
from lab.machine.serving import serving
from tests.world.servers import server_context

_OF_THE_CONNECTION = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)

    @property
    def payload(self) -> dict[str, Any]:
        """What was signed (https://www.rfc-editor.org/rfc/rfc7515#section-7.2.2); empty for a mere read."""
        encoded = json.loads(self.body)["payload"]
        decoded: dict[str, Any] = json.loads(urlsafe_b64decode(encoded + "==") or b"{}")
        return decoded


@dataclass(frozen=True)
class Answer:
    """A response; `hang_up` is a connection that ends in its place."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False


def problem(status: int, kind: str, **headers: str) -> Answer:
    """A refusal as RFC 8555 has it; underscores in the headers' names stand for hyphens."""
    body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": "made up", "status": status}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **named})


def as_it_is(_: Asked, answer: Answer) -> Answer:
    """Change nothing."""
    return answer


def nothing(_: Asked) -> Answer | None:
    """Leave every request to the server."""
    return None


@dataclass
class Front:
    """Its address, everything that it was asked, and what it does about it."""

    acme: Acme
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    refuse: Callable[[Asked], Answer | None] = nothing
    change: Callable[[Asked, Answer], Answer] = as_it_is

    @property
    def directory(self) -> str:
        """The URL that an ACME client begins with."""
        return f"https://{self.acme.address}:{self.port}/dir"

    def times(self, path: str) -> int:
        """How often something at a path was asked for."""
        return sum(one.path.startswith(path) for one in self.asked)

    def connection(self) -> HTTPSConnection:
        """A connection to the server, for the requests of one client's."""
        return HTTPSConnection(self.acme.address, self.acme.port, timeout=30, context=self.acme.tls)

    def answer(self, asked: Asked, headers: Mapping[str, str], connection: HTTPSConnection) -> Answer:
        """Answer itself, or ask the server."""
        self.asked.append(asked)
        return self.change(asked, self.refuse(asked) or _handed_on(asked, headers, connection))


def _handed_on(asked: Asked, headers: Mapping[str, str], connection: HTTPSConnection) -> Answer:
    try:
        return _ask(asked, headers, connection)
    except ConnectionError:  # the server ends one that was silent for some seconds
        connection.close()
        return _ask(asked, headers, connection)


def _ask(asked: Asked, headers: Mapping[str, str], connection: HTTPSConnection) -> Answer:
    connection.request(asked.method, asked.path, asked.body or None, dict(headers))
    response = connection.getresponse()
    return Answer(response.status, response.read(), dict(response.getheaders()))


class Handler(BaseHTTPRequestHandler):
    """One connection; HTTP/1.1 keeps it for several requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body follows the head at once
    timeout = 30
    server: Server

    def handle(self) -> None:
        """Serve it; a client that goes is no fault."""
        with closing(self.server.front.connection()) as self.upstream, suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, body)
        answer = self.server.front.answer(asked, dict(self.headers.items()), self.upstream)
        if answer.hang_up:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if asked.method != "HEAD":
            self.wfile.write(answer.body)


class Server(ThreadingHTTPServer):
    """HTTPS with the ACME server's own certificate, on a free port of its address."""

    def __init__(self, front: Front) -> None:
        super().__init__((front.acme.address, 0), Handler)
        self.front = front
        trust = front.acme.trust
        context = server_context(trust.with_name("https.pem"), trust.with_name("https-key.pem"))
        # The handshake is the connection's own thread's.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that hangs up or does not trust it: tests are about such clients."""


@contextmanager
def front(acme: Acme) -> Iterator[Front]:
    """Answer until the block ends."""
    made = Front(acme)
    with serving(Server(made), "front") as server:
        made.port = server.server_port
        yield made
