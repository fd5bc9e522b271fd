"""A load balancer that stands still: HAProxy with a certificate, and brokers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.certificates.issuer import Bundle, bundle
from lab.elb import balancer as running
from lab.elb.classic import listener
from lab.elb.haproxy import Endpoint, HealthCheck, LoadBalancer, Member, Pool, slots
from lab.elb.sslpolicies import PREDEFINED
from lab.machine.addresses import Network, answers, free_port
from lab.machine.processes import Processes, open_processes, until
from lab.nodes.brokers import MQTT, mosquitto

SECURE = 8883
BROKERS = 2
POLICY = "ELBSecurityPolicy-TLS-1-2-2017-01"


@dataclass(frozen=True)
class Front:
    """Where clients connect, and whose certificate they trust."""

    address: str
    port: int
    authority: Bundle
    leaf: Bundle
    authority_file: Path


@contextmanager
def open_front(network: Network, directory: Path, domains: tuple[str, ...]) -> Iterator[Front]:
    """Yield it when the brokers are in service; `domains` are the certificate's, beside the address."""
    with ExitStack() as stack:
        processes = stack.enter_context(open_processes(directory))
        address = network.host(10)
        authority = _authority()
        leaf = bundle(authority, (*domains, address), 30)
        authority_file = directory / "authority.pem"
        authority_file.write_text(authority.certificate)
        balancer = LoadBalancer(
            name="bench",
            zones=(("a", address),),
            listeners=(listener("SSL", SECURE, "TCP", MQTT, ssl=PREDEFINED[POLICY]),),
            pools=(Pool("bench", HealthCheck("TCP", MQTT, "", 1, 1, 2, 2)),),
        )
        started = running.start(
            processes, directory / "haproxy", balancer, {SECURE: leaf.certificate + leaf.private_key}
        )
        for number, slot in enumerate(slots(balancer)[:BROKERS]):
            endpoint = _broker(processes, directory, network.host(150 + number))
            running.register(started, slot, Member(f"i-{number}", slot.zone, {MQTT: endpoint}))
        until(lambda: all(check.up for check in running.checks(started).values()), 20, "the brokers serve")
        yield Front(address, SECURE, authority, leaf, authority_file)


def _broker(processes: Processes, directory: Path, address: str) -> Endpoint:
    port = free_port(address)
    configuration = directory / f"{address}.conf"
    configuration.write_text(mosquitto(address, port))
    processes.start(
        f"broker-{address}", ["mosquitto", "-c", str(configuration)], ready=lambda: answers(address, port)
    )
    return address, port


def _authority() -> Bundle:
    from chalicelib.issuers.private_ca import create_authority

    made = create_authority("bench", now=datetime.now(UTC))
    return Bundle(made.certificate, made.private_key)
