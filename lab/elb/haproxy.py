"""A load balancer as HAProxy's configuration says it: plain values in, text out.

Each load balancer is one HAProxy. Its servers are *slots*, prepared ahead in every zone, so that an instance
comes and goes by the runtime socket and no session of another one notices. The backend `health` checks each
slot once; the listeners' backends follow it (`track`), as a classic load balancer has one health check for
all of its listeners. HAProxy 2.6: https://docs.haproxy.org/2.6/configuration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from lab.elb.runtimesocket import WORKER
from lab.elb.sslpolicies import SslNegotiation, bind_options

Protocol = Literal["TCP", "SSL", "HTTP", "HTTPS"]
Endpoint = tuple[str, int]

HEALTH = "health"
STATE = "state"
# Where these stand in a line of the state file.
STATE_BACKEND, STATE_SERVER, STATE_ADDRESS, STATE_PORT = 1, 3, 4, 18
NOWHERE: Endpoint = ("127.0.0.1", 1)


@dataclass(frozen=True)
class Listener:
    """One listener; `ssl` and a certificate file `<port>.pem` belong to SSL and HTTPS."""

    protocol: Protocol
    port: int
    instance_protocol: Protocol
    instance_port: int
    ssl: SslNegotiation | None = None
    proxy_protocol: bool = False

    @property
    def certificate_file(self) -> str:
        """The name of the file with certificate, key and chain, within the load balancer's directory."""
        return f"{self.port}.pem"


@dataclass(frozen=True)
class HealthCheck:
    """AWS's health check; interval and timeout in seconds, `path` for HTTP and HTTPS."""

    protocol: Protocol
    port: int
    path: str
    interval: int
    timeout: int
    unhealthy_threshold: int
    healthy_threshold: int
    second: float = 1.0
    """How many seconds one of AWS's takes between two checks, by the lab's clock."""

    @property
    def pause(self) -> int:
        """The milliseconds between two checks; more often HAProxy would be busy with checks alone."""
        return max(500, round(self.interval * self.second * 1000))


@dataclass(frozen=True)
class LoadBalancer:
    """What of a load balancer its traffic depends on; `zones` are (zone, the address in it) pairs."""

    name: str
    zones: tuple[tuple[str, str], ...]
    listeners: tuple[Listener, ...]
    health_check: HealthCheck
    idle_timeout: int = 60
    cross_zone: bool = False
    draining_seconds: int = 0
    slots_per_zone: int = 4


@dataclass(frozen=True)
class Member:
    """An instance in a slot; `endpoints` says where each instance port really is."""

    instance_id: str
    zone: str
    endpoints: Mapping[int, Endpoint]

    def endpoint(self, port: int) -> Endpoint:
        """Return the address and port that stand for this instance port."""
        return self.endpoints.get(port, NOWHERE)


@dataclass(frozen=True, order=True)
class Slot:
    """A place for one instance, in one zone for good."""

    zone: str
    number: int

    def __str__(self) -> str:
        return f"{self.zone}-{self.number}"


def slots(load_balancer: LoadBalancer) -> tuple[Slot, ...]:
    """Return every slot, zone by zone."""
    return tuple(
        Slot(zone, number)
        for zone, _ in load_balancer.zones
        for number in range(load_balancer.slots_per_zone)
    )


@dataclass(frozen=True)
class Section:
    """One `listen` block: a listener at the addresses of some zones, with those zones' instances behind."""

    name: str
    listener: Listener
    addresses: tuple[str, ...]
    slots: tuple[Slot, ...]


def sections(load_balancer: LoadBalancer) -> tuple[Section, ...]:
    """Return the blocks of every listener.

    Without cross-zone load balancing an address passes traffic to the instances of its own zone only.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-disable-crosszone-lb.html
    """
    every = slots(load_balancer)
    if load_balancer.cross_zone:
        addresses = tuple(address for _, address in load_balancer.zones)
        return tuple(
            Section(f"listener-{listener.port}", listener, addresses, every)
            for listener in load_balancer.listeners
        )
    return tuple(
        Section(
            f"listener-{listener.port}-{zone}",
            listener,
            (address,),
            tuple(slot for slot in every if slot.zone == zone),
        )
        for listener in load_balancer.listeners
        for zone, address in load_balancer.zones
    )


def render(load_balancer: LoadBalancer, members: Mapping[Slot, Member]) -> str:
    """Return the configuration file; HAProxy runs in the directory that its relative paths mean.

    Instances keep their state over a reload by the server state file (`show servers state`).
    """
    blocks = [
        [
            "global",
            f"    stats socket unix@{WORKER} mode 600 level admin expose-fd listeners",
            f"    server-state-file {STATE}",
            "    tune.ssl.default-dh-param 2048",
            "    nbthread 1",
        ],
        [
            "defaults",
            "    load-server-state-from-file global",
            "    timeout connect 5s",
            f"    timeout client {load_balancer.idle_timeout}s",
            f"    timeout server {load_balancer.idle_timeout}s",
            # An instance that refuses is passed over, as AWS does (BackendConnectionErrors in
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-cloudwatch-metrics.html).
            "    option redispatch 1",
        ],
        [*_health(load_balancer, members)],
        *([*_listen(section, members)] for section in sections(load_balancer)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def relocated(state: str, load_balancer: LoadBalancer, members: Mapping[Slot, Member]) -> str:
    """Return a server state file with each server where the configuration has it.

    A reload restores address and port too, so that a new port of the health check, or of the instances behind
    a listener, would never be taken up. https://docs.haproxy.org/2.6/management.html#9.3-show%20servers%20state
    """
    ports = {HEALTH: load_balancer.health_check.port}
    ports |= {section.name: section.listener.instance_port for section in sections(load_balancer)}
    found = {str(slot): member for slot, member in members.items()}
    lines = []
    for line in state.splitlines():
        fields = line.split(" ")
        if len(fields) > STATE_PORT and fields[STATE_BACKEND] in ports:
            host, port = _endpoint(found.get(fields[STATE_SERVER]), ports[fields[STATE_BACKEND]])
            fields[STATE_ADDRESS], fields[STATE_PORT] = host, str(port)
        lines.append(" ".join(fields))
    return "\n".join(lines) + "\n"


def _health(load_balancer: LoadBalancer, members: Mapping[Slot, Member]) -> Iterator[str]:
    """Only 200 passes: https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html"""
    check = load_balancer.health_check
    yield f"backend {HEALTH}"
    yield f"    timeout connect {check.timeout}s"
    yield f"    timeout check {check.timeout}s"
    match check.protocol:
        case "TCP" | "SSL":
            yield "    option tcp-check"
        case "HTTP" | "HTTPS":
            yield f"    option httpchk GET {check.path}"
            yield "    http-check expect status 200"
        case _:
            assert_never(check.protocol)
    ssl = " check-ssl verify none" if check.protocol in {"SSL", "HTTPS"} else ""
    options = (
        f"check{ssl} inter {check.pause}ms fall {check.unhealthy_threshold} rise {check.healthy_threshold}"
    )
    for slot in slots(load_balancer):
        member = members.get(slot)
        # Only an empty slot is disabled here: the state file does not lift it from those that follow.
        yield f"    server {slot} {_at(member, check.port)} {options}{'' if member else ' disabled'}"


def _listen(section: Section, members: Mapping[Slot, Member]) -> Iterator[str]:
    listener = section.listener
    yield f"listen {section.name}"
    secure = ""
    if listener.ssl is not None:
        secure = f" ssl crt {listener.certificate_file} {bind_options(listener.ssl)}"
    for address in section.addresses:
        yield f"    bind {address}:{listener.port}{secure}"
    # Which instance is next: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html
    match listener.protocol:
        case "TCP" | "SSL":
            yield "    mode tcp"
            yield "    balance roundrobin"
        case "HTTP" | "HTTPS":
            yield "    mode http"
            yield "    balance leastconn"
            yield "    option forwardfor"
            yield f"    http-request set-header X-Forwarded-Proto {listener.protocol.lower()}"
            yield f"    http-request set-header X-Forwarded-Port {listener.port}"
        case _:
            assert_never(listener.protocol)
    options = "".join(
        [
            " ssl verify none" if listener.instance_protocol in {"SSL", "HTTPS"} else "",
            " send-proxy" if listener.proxy_protocol else "",
        ]
    )
    for slot in section.slots:
        at = _at(members.get(slot), listener.instance_port)
        yield f"    server {slot} {at} track {HEALTH}/{slot}{options}"


def _at(member: Member | None, port: int) -> str:
    host, real_port = _endpoint(member, port)
    return f"{host}:{real_port}"


def _endpoint(member: Member | None, port: int) -> Endpoint:
    return member.endpoint(port) if member else NOWHERE
