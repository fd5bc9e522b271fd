"""A loopback network and a place for child processes, for the tests that start real servers."""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from lab.machine.addresses import Network, claim
from lab.machine.processes import Processes, open_processes
from lab.machine.serving import serving


@pytest.fixture
def network() -> Iterator[Network]:
    """A loopback network that nobody else uses."""
    with claim(Random()) as network:  # noqa: S311 - picks an address, keeps no secret
        yield network


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Children that are gone at the end of the test."""
    with open_processes(tmp_path) as processes:
        yield processes


class NamedEcho(socketserver.StreamRequestHandler):
    """Says the server's name, then sends every line back."""

    def handle(self) -> None:
        """Serve one connection."""
        assert isinstance(self.server, NamedServer)
        self.wfile.write(f"{self.server.name}\n".encode())
        for line in self.rfile:
            self.wfile.write(line)


class NamedServer(socketserver.ThreadingTCPServer):
    """A TCP server that says who it is."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self.name = name
        super().__init__(address, NamedEcho)


@contextmanager
def named_server(name: str, address: tuple[str, int]) -> Iterator[None]:
    """Serve at an address for as long as the block lasts."""
    with serving(NamedServer(name, address), name):
        yield


def name_of(connection: socket.socket) -> str:
    """Read the server's name."""
    return connection.recv(100).decode().strip()


def alive(connection: socket.socket) -> bool:
    """Return whether what is sent comes back."""
    with suppress(OSError):
        connection.sendall(b"ping\n")
        return connection.recv(100) == b"ping\n"
    return False
