"""A real ACME server on loopback: Debian's pebble, which validates against a DNS server of its own.

    with open_acme(processes, network.host(6)) as acme:
        KNOBS.dns_shows = acme.show      # what Route 53 has spread is what the CA sees
        acme.directory, acme.trust       # where the app finds it, and the CA file for its HTTPS
        acme.root()                      # what its certificates lead to

pebble makes the CA anew each time it starts, and forgets every account and order.
https://github.com/letsencrypt/pebble
"""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

from lab.certificates.issuer import bundle, make_authority
from lab.machine.addresses import answers, free_port
from lab.machine.processes import Process, Processes, with_server_paths
from lab.machine.tls import trusting

PROGRAMS = ("pebble", "pebble-challtestsrv")
LIFE = timedelta(days=90)
"""What Let's Encrypt's certificates live; pebble's own are good for five years."""
# Of 512, what header, question and the authority section leave.
_ANSWER_BYTES = 320
_RECORD_BYTES = 14
# https://www.rfc-editor.org/rfc/rfc8555#section-8.4: a SHA-256, in base64url.
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Acme:
    """A running ACME server with its DNS server.

    `trust` is the file with the CA of its HTTPS, which has nothing to do with the CA that it is.
    """

    address: str
    port: int
    management_port: int
    dns_management_port: int
    trust: Path
    server: Process

    @property
    def directory(self) -> str:
        """The URL that an ACME client begins with."""
        return f"https://{self.address}:{self.port}/dir"

    @property
    def tls(self) -> ssl.SSLContext:
        """What a client of its HTTPS needs."""
        return trusting(self.trust)

    def environment(self) -> dict[str, str]:
        """What leads the app to it (`docs/deploy.md`)."""
        return {
            "ACME_DIRECTORY_URL": self.directory,
            "ACME_CA_BUNDLE": str(self.trust),
            "ACME_CONTACT": "nobody@example.com",
        }

    def show(self, name: str, values: Sequence[str]) -> None:
        """Answer with these TXT values for a name; none: as if there were no such record.

        pebble reads 512 bytes of an answer and does not ask again over TCP, as resolvers do
        (https://www.rfc-editor.org/rfc/rfc7766#section-5): of more, only what may be a challenge's is shown.
        """
        size = sum(len(name) + len(value) + _RECORD_BYTES for value in values)
        fitting = [value for value in values if size < _ANSWER_BYTES or _DIGEST.fullmatch(value)]
        self._dns("clear-txt", {"host": name})
        for value in fitting:
            self._dns("set-txt", {"host": name, "value": value})

    def root(self) -> str:
        """The root of its certificates, PEM."""
        connection = HTTPSConnection(self.address, self.management_port, timeout=10, context=self.tls)
        return _answer(connection, "GET", "/roots/0", None)

    def _dns(self, what: str, body: Mapping[str, str]) -> None:
        connection = HTTPConnection(self.address, self.dns_management_port, timeout=10)
        _answer(connection, "POST", f"/{what}", json.dumps(body))


@contextmanager
def open_acme(
    processes: Processes,
    address: str,
    *,
    name: str = "pebble",
    nonces_refused: int = 15,
    validations_reused: int = 0,
    wait_at_most: int = 0,
    life: timedelta = LIFE,
    customers: Mapping[str, str] | None = None,
) -> Iterator[Acme]:
    """Run an ACME server at an address until the block ends.

    `nonces_refused` and `validations_reused` are percentages: of good nonces refused, and of names taken
    without validation because the account has validated them before; pebble takes 0 for 1. `wait_at_most` is
    the number of seconds that the CA takes at most before it validates. With `customers`, MAC keys by their
    ids, a new account has to be bound to one of them.
    """
    directory = processes.directory / name
    directory.mkdir()
    trust, certificate, key = _https(directory, address)
    port, management, dns, dns_management = _free_ports(address, 4)
    resolver = processes.start(
        f"{name}-dns",
        [
            PROGRAMS[1],
            f"-dns01={address}:{dns}",
            f"-management={address}:{dns_management}",
            *("-http01=", "-https01=", "-tlsalpn01="),
        ],
        ready=lambda: answers(address, dns_management) and answers(address, dns),
    )
    settings: dict[str, object] = {
        "listenAddress": f"{address}:{port}",
        "managementListenAddress": f"{address}:{management}",
        "certificate": str(certificate),
        "privateKey": str(key),
        "certificateValidityPeriod": int(life.total_seconds()),
    }
    if customers:
        settings |= {"externalAccountBindingRequired": True, "externalAccountMACKeys": dict(customers)}
    (directory / "pebble.json").write_text(json.dumps({"pebble": settings}))
    server = processes.start(
        name,
        [PROGRAMS[0], f"-config={directory / 'pebble.json'}", f"-dnsserver={address}:{dns}"],
        ready=lambda: answers(address, port) and answers(address, management),
        environment={
            **with_server_paths({name: value for name, value in os.environ.items() if "PEBBLE" not in name}),
            "PEBBLE_WFE_NONCEREJECT": str(nonces_refused),
            "PEBBLE_AUTHZREUSE": str(validations_reused),
            **({"PEBBLE_VA_SLEEPTIME": str(wait_at_most)} if wait_at_most else {"PEBBLE_VA_NOSLEEP": "1"}),
        },
    )
    try:
        yield Acme(address, port, management, dns_management, trust, server)
    finally:
        processes.end(server)
        processes.end(resolver)


def _https(directory: Path, address: str) -> tuple[Path, Path, Path]:
    signer = make_authority("emq-elb lab")
    served = bundle(signer, [address], days_left=LIFE.days)
    paths = directory / "trust.pem", directory / "https.pem", directory / "https-key.pem"
    for path, text in zip(paths, (signer.certificate, served.certificate, served.private_key), strict=True):
        path.write_text(text)
    return paths


def _free_ports(address: str, count: int) -> list[int]:
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port(address))
    return list(found)


def _answer(connection: HTTPConnection, method: str, path: str, body: str | None) -> str:
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status != 200:
        raise OSError(f"{path}: {response.status} {text}")
    return text
