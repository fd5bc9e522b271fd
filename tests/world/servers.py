"""Small real servers on loopback, for what a client is to meet: TLS that is well or ill, silence, garbage."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.machine.tls import settled
from tests.world.certificates import Issued

ADDRESS = "127.83.4.1"

Talk = Callable[[socket.socket], None]


@dataclass
class Server:
    """Accepts on a free port and lets `talk` have each connection in a thread of its own."""

    talk: Talk
    listening: socket.socket = field(default_factory=lambda: socket.create_server((ADDRESS, 0)))
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listening.getsockname()[1])

    def run(self) -> None:
        """Accept until the listening socket is shut down."""
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                thread.start()
                self.threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            self.talk(connection)


@contextmanager
def serving(talk: Talk) -> Iterator[Server]:
    """Serve while the block lasts; at its end every thread has ended."""
    server = Server(talk)
    accepting = threading.Thread(target=server.run)
    accepting.start()
    try:
        yield server
    finally:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()
        accepting.join()
        for thread in server.threads:
            thread.join()


@contextmanager
def filtered() -> Iterator[int]:
    """Yield a port whose SYNs Linux drops, as a filter does: its queue of connections is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server((ADDRESS, 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield int(full.getsockname()[1])


def tls_context(
    issued: Issued, directory: Path, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, ciphers: str = ""
) -> ssl.SSLContext:
    """Return a server's context that serves the certificate with its chain."""
    chain = directory / "chain.pem"
    key = directory / "key.pem"
    chain.write_text(issued.certificate_pem + issued.chain_pem)
    key.write_text(issued.private_key_pem)
    context = server_context(chain, key)
    context.maximum_version = maximum
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def server_context(chain: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return a server's context for PEM files; TLS 1.2 only, like a classic load balancer by default."""
    context = settled(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    return context


def over_tls(context: ssl.SSLContext, talk: Talk) -> Talk:
    """Talk so inside of TLS."""

    def talking(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            talk(secure)

    return talking


def speaking_tls(
    issued: Issued, directory: Path, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, ciphers: str = ""
) -> Talk:
    """Shake hands, and wait for the client to say something or to go."""

    def waiting(secure: socket.socket) -> None:
        secure.recv(1)

    return over_tls(tls_context(issued, directory, maximum, ciphers), waiting)


def silent(connection: socket.socket) -> None:
    """Take what comes and say nothing."""
    while connection.recv(4096):
        pass


def hanging_up(connection: socket.socket) -> None:
    """Hang up at the first byte."""
    connection.recv(1)


def alerting(code: int, *, fatal: bool = True) -> Talk:
    """End the handshake with a TLS alert (https://www.rfc-editor.org/rfc/rfc8446#section-6), then hang up."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(bytes([21, 3, 3, 0, 2, 2 if fatal else 1, code]))

    return talk


def garbage(connection: socket.socket) -> None:
    """Answer in another protocol."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
