"""HAProxy's runtime sockets: the current worker's, and the master's, which leads to former workers too.

https://docs.haproxy.org/2.6/management.html#9.3 and #9.4
"""

from __future__ import annotations

import csv
import os
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

WORKER = "haproxy.sock"
MASTER = "master.sock"


@dataclass(frozen=True)
class Session:
    """One open session, by its worker's process id and HAProxy's own name for it."""

    worker: int
    id: str


def ask(directory: Path, command: str, name: str = WORKER) -> str:
    """Return the answer to a command, or to several between semicolons, on a socket in that directory."""
    # By way of a descriptor, since the path of a Unix socket may have no more than 107 bytes (unix(7)).
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(5)
            connection.connect(f"/proc/self/fd/{descriptor}/{name}")
            connection.sendall(f"{command}\n".encode())
            connection.shutdown(socket.SHUT_WR)  # the master's socket answers only then
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    finally:
        os.close(descriptor)


def sessions(directory: Path) -> dict[str, list[Session]]:
    """Return the open sessions of each server name, those of former workers included.

    One by one, since a former worker's proxies are stopped, and then it ends no sessions by their server.
    """
    found: dict[str, list[Session]] = {}
    for worker in workers(directory):
        for line in ask(directory, f"@!{worker} show sess", MASTER).splitlines():
            identity, _, rest = line.partition(":")
            words = dict(word.split("=", 1) for word in rest.split() if "=" in word)
            if server := words.get("srv"):
                found.setdefault(server, []).append(Session(worker, identity))
    return found


def workers(directory: Path) -> tuple[int, ...]:
    """Return the process ids of the current worker (0 while there is none) and of former ones."""
    current, former, section = 0, [], ""
    for line in ask(directory, "show proc", MASTER).splitlines():
        if line.startswith("#"):
            section = line
        elif (words := line.split()) and words[1] == "worker":
            if section.startswith("# old"):
                former.append(int(words[0]))
            else:
                current = int(words[0])
    return (current, *former)


def statistics(directory: Path) -> list[dict[str, str]]:
    """Return the current worker's table of frontends, backends and servers."""
    return list(csv.DictReader(ask(directory, "show stat").lstrip("# ").strip().splitlines()))
