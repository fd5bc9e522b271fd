"""Look at load balancers from outside: handshakes with every address, until a certificate is seen, or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

from chalicelib.invocation import Invocation
from chalicelib.model.load_balancer import Certificate
from chalicelib.rotate.proof import EndpointAddress, Handshakes, Proof, TimedHandshakes, judge_proof
from chalicelib.tls import connect as tls
from chalicelib.tls.handshake import Handshake, Trust

_HANDSHAKES_AT_ONCE = 16
_HANDSHAKE_TIMEOUT = 5.0
PROVEN_WITHIN = timedelta(minutes=4)
"""How long one load balancer may take: the next run looks again at what needs longer."""


@dataclass(frozen=True)
class Endpoint:
    """One listener as clients reach it: `host` resolves to its addresses, `name` is the name to send."""

    load_balancer: str
    port: int
    host: str
    name: str


@dataclass(frozen=True)
class TlsClient:
    """How to resolve hosts and shake hands, and which authorities to trust."""

    resolve: Callable[[str], tuple[str, ...]] = tls.resolve
    handshake: Callable[..., Handshake] = tls.handshake
    trust: Trust = field(default_factory=Trust)

    def trusting(self, anchors: Iterable[str]) -> TlsClient:
        """The same, with the authorities in these PEM texts trusted too."""
        usable = filter(None, map(tls.anchor, anchors))
        return replace(self, trust=Trust((*self.trust.anchors, *usable)))


def handshakes(endpoints: Iterable[Endpoint], client: TlsClient) -> Handshakes:
    """Shake hands with every address of every endpoint, side by side; a host without addresses has none."""
    addresses = [
        EndpointAddress(endpoint.load_balancer, endpoint.port, address, endpoint.name)
        for endpoint in endpoints
        for address in _addresses(endpoint.host, client)
    ]

    def shake(endpoint: EndpointAddress) -> Handshake:
        return client.handshake(
            endpoint.address,
            endpoint.port,
            endpoint.server_name,
            trust=client.trust,
            timeout=_HANDSHAKE_TIMEOUT,
        )

    with ThreadPoolExecutor(_HANDSHAKES_AT_ONCE) as pool:
        return dict(zip(addresses, pool.map(shake, addresses), strict=True))


def wait_until_served(
    endpoints: Iterable[Endpoint],
    certificate: Certificate,
    before: Handshakes,
    client: TlsClient,
    invocation: Invocation,
) -> Proof:
    """Shake hands until every address serves the certificate, it fails, or the time is over."""
    endpoints = tuple(endpoints)
    deadline = min(invocation.deadline, invocation.now() + PROVEN_WITHIN)
    waits = replace(invocation, deadline=deadline).waits()
    looks: list[TimedHandshakes] = []
    last = False
    while True:
        looks.append(TimedHandshakes(invocation.now(), handshakes(endpoints, client)))
        proof = judge_proof(looks, certificate, before, invocation.now(), last=last)
        if proof is not None:
            return proof
        last = next(waits, None) is None


def _addresses(host: str, client: TlsClient) -> tuple[str, ...]:
    try:
        return client.resolve(host)
    except OSError:
        return ()
