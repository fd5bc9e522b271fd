"""A loopback network of its own for each lab, so that several run at once and none meets a port in use.

All of 127.0.0.0/8 is this machine on Linux, without any setup: a lab takes one 127.a.b.0/24 and gives every
part an address in it, as a VPC would.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from random import Random

LOCK_PORT = 65500
LOAD_BALANCER_HOSTS = range(10, 150)
NODE_HOSTS = range(150, 250)


@dataclass(frozen=True)
class Network:
    """One 127.a.b.0/24, by its first three numbers."""

    prefix: str

    def host(self, number: int) -> str:
        """Return the address with that last number, 1 to 254."""
        if not 1 <= number <= 254:
            raise ValueError(f"a /24 has no host number {number}")
        return f"{self.prefix}.{number}"

    @property
    def aws(self) -> str:
        """The address of AWS's API."""
        return self.host(1)

    @property
    def api(self) -> str:
        """The address of the app's HTTP API."""
        return self.host(2)

    @property
    def functions(self) -> str:
        """The address that answers Lambda's Invoke."""
        return self.host(3)

    @property
    def console(self) -> str:
        """The address of the page that shows the dashboard's widget."""
        return self.host(5)

    @property
    def acme(self) -> str:
        """The address of the ACME server."""
        return self.host(6)

    @property
    def dns(self) -> str:
        """The address of the DNS server."""
        return self.host(7)

    @property
    def backplane(self) -> str:
        """The address of the broker through which the nodes' bridges meet."""
        return self.host(4)


@contextmanager
def claim(random: Random) -> Iterator[Network]:
    """Hold a network that no other lab on this machine holds, until the block ends or the process dies.

    The lock is a bound port: the kernel lets go of it however the process ends.
    """
    for _ in range(1000):
        # 127.0 and 127.1 are where other software looks for localhost.
        network = Network(f"127.{random.randrange(2, 255)}.{random.randrange(256)}")
        with closing(socket.socket()) as lock:
            try:
                lock.bind((network.host(254), LOCK_PORT))
            except OSError:
                continue
            yield network
            return
    raise OSError("no free loopback network among 1000 tried")


def free_port(address: str) -> int:
    """Return a port that nothing listens on at this address; within a claimed network nobody else asks."""
    with closing(socket.socket()) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def port_or_free(address: str, port: int) -> int:
    """Return that port, or another free one when something listens on it at every address (0.0.0.0)."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return free_port(address)
    return port


def answers(address: str, port: int, timeout: float = 0.5) -> bool:
    """Return whether something accepts a TCP connection there."""
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError:
        return False
    return True
