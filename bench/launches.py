"""Launch instances while a contender runs: it says how many are due, and gets their ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

from lab.machine.serving import serving

Launch = Callable[[int], list[str]]


@contextmanager
def launching(address: str, launch: Launch) -> Iterator[int]:
    """Answer each line, a number, with the ids of as many new instances, as JSON; yield the port."""

    class Sky(StreamRequestHandler):
        """One contender's connection."""

        def handle(self) -> None:
            """Launch until the contender is done."""
            for line in self.rfile:
                self.wfile.write(f"{json.dumps(launch(int(line)))}\n".encode())

    with serving(ThreadingTCPServer((address, 0), Sky), "launches") as server:
        yield server.server_address[1]
