"""A load balancer as HAProxy's configuration says it: plain values in, text out, for both of AWS's kinds.

Each load balancer is one HAProxy. Its servers are *slots*, prepared ahead in every zone, so that a member
comes and goes by the runtime socket and no session of another one notices. Each *pool* has a backend of its
own that checks its slots once; the listeners' backends follow it (`track`). A classic load balancer has one
health check for all of its listeners, and so one pool (`classic`); a network one has a pool for each target
group (`network`). HAProxy 2.6: https://docs.haproxy.org/2.6/configuration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from lab.elb.runtimesocket import WORKER

Endpoint = tuple[str, int]

STATE = "state"
# Where these stand in a line of the state file.
STATE_BACKEND, STATE_SERVER, STATE_ADDRESS, STATE_PORT = 1, 3, 4, 18
NOWHERE: Endpoint = ("127.0.0.1", 1)


@dataclass(frozen=True)
class HealthCheck:
    """AWS's health check; interval and timeout in seconds, `path` and `passing` for HTTP and HTTPS."""

    protocol: Literal["TCP", "SSL", "HTTP", "HTTPS"]
    port: int
    path: str
    interval: int
    timeout: int
    unhealthy_threshold: int
    healthy_threshold: int
    second: float = 1.0
    """How many seconds one of AWS's takes between two checks, by the lab's clock."""
    passing: str = "200"
    """The HTTP statuses that pass: numbers and ranges between commas."""
    proxied: bool = False
    """Whether a check begins with a header of the PROXY protocol, version 2."""

    @property
    def pause(self) -> int:
        """The milliseconds between two checks; more often HAProxy would be busy with checks alone."""
        return max(500, round(self.interval * self.second * 1000))


@dataclass(frozen=True)
class Pool:
    """Members that one health check watches; `name` is empty where there is one pool only.

    `owner` is what AWS calls what the members are registered with: a load balancer, or a target group.
    """

    owner: str
    check: HealthCheck
    name: str = ""
    cross_zone: bool = False
    draining_seconds: int = 0
    cut: bool = True
    """Whether what is still open after the draining is cut then."""

    @property
    def backend(self) -> str:
        """The name of the backend that checks the members."""
        return "-".join(filter(None, ("health", self.name)))


@dataclass(frozen=True)
class Listener:
    """One listener, and the words for what its protocol and its kind of load balancer mean.

    `tls` belongs to those with a certificate file, `<port>.pem`.
    """

    port: int
    instance_port: int
    lines: tuple[str, ...]
    """What its block says beside addresses and servers."""
    tls: str = ""
    server: str = ""
    """What each server's line says of the connection to it."""
    pool: str = ""
    idle_timeout: int | None = None
    """Seconds, where it is not the load balancer's."""
    fail_open: bool = False
    """Whether members take connections although their checks fail, when no check passes."""

    @property
    def certificate_file(self) -> str:
        """The name of the file with certificate, key and chain, within the load balancer's directory."""
        return f"{self.port}.pem"


@dataclass(frozen=True)
class LoadBalancer:
    """What of a load balancer its traffic depends on; `zones` are (zone, the address in it) pairs."""

    name: str
    zones: tuple[tuple[str, str], ...]
    listeners: tuple[Listener, ...]
    pools: tuple[Pool, ...]
    idle_timeout: int = 60
    slots_per_zone: int = 4


@dataclass(frozen=True)
class Member:
    """An instance in a slot, by its name in its pool; `endpoints` say where its ports really are."""

    name: str
    zone: str
    endpoints: Mapping[int, Endpoint]

    def endpoint(self, port: int) -> Endpoint:
        """Return the address and port that stand for this instance port."""
        return self.endpoints.get(port, NOWHERE)


@dataclass(frozen=True, order=True)
class Slot:
    """A place for one member of a pool, in one zone for good."""

    zone: str
    number: int
    pool: str = ""

    def __str__(self) -> str:
        return "-".join(filter(None, (self.pool, self.zone, str(self.number))))


def slots(load_balancer: LoadBalancer) -> tuple[Slot, ...]:
    """Return every slot, pool by pool and zone by zone."""
    return tuple(slot for pool in load_balancer.pools for slot in slots_of(load_balancer, pool))


def slots_of(load_balancer: LoadBalancer, pool: Pool) -> tuple[Slot, ...]:
    """Return the slots of a pool, zone by zone."""
    return tuple(
        Slot(zone, number, pool.name)
        for zone, _ in load_balancer.zones
        for number in range(load_balancer.slots_per_zone)
    )


@dataclass(frozen=True)
class Section:
    """One `listen` block: a listener at the addresses of some zones, with those zones' members behind."""

    name: str
    listener: Listener
    pool: Pool
    addresses: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def open(self) -> str:
        """The name of the backend for when no check passes; empty where there is none."""
        return f"open-{self.name}" if self.listener.fail_open else ""


def sections(load_balancer: LoadBalancer) -> tuple[Section, ...]:
    """Return the blocks of every listener.

    Without cross-zone load balancing an address passes traffic to the members of its own zone only.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-disable-crosszone-lb.html
    """
    pools = {pool.name: pool for pool in load_balancer.pools}
    found: list[Section] = []
    for listener in load_balancer.listeners:
        pool, name = pools[listener.pool], f"listener-{listener.port}"
        every = slots_of(load_balancer, pool)
        if pool.cross_zone:
            addresses = tuple(address for _, address in load_balancer.zones)
            found.append(Section(name, listener, pool, addresses, every))
            continue
        for zone, address in load_balancer.zones:
            own = tuple(slot for slot in every if slot.zone == zone)
            found.append(Section(f"{name}-{zone}", listener, pool, (address,), own))
    return tuple(found)


@dataclass(frozen=True)
class Place:
    """Where a slot stands in the configuration: a server in a backend, and the port that it leads to.

    `checks` is one for each slot; the others follow it, but for those of a backend that is `open`.
    """

    backend: str
    port: int
    role: Literal["checks", "follows", "open"]


def places(load_balancer: LoadBalancer, slot: Slot) -> tuple[Place, ...]:
    """Return every place of a slot, the one that checks it first."""
    pool = next(one for one in load_balancer.pools if one.name == slot.pool)
    found = [Place(pool.backend, pool.check.port, "checks")]
    for section in sections(load_balancer):
        if slot in section.slots:
            found.append(Place(section.name, section.listener.instance_port, "follows"))
            if section.open:
                found.append(Place(section.open, section.listener.instance_port, "open"))
    return tuple(found)


def render(load_balancer: LoadBalancer, members: Mapping[Slot, Member]) -> str:
    """Return the configuration file; HAProxy runs in the directory that its relative paths mean.

    Members keep their state over a reload by the server state file (`show servers state`).
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
        *([*_health(pool, slots_of(load_balancer, pool), members)] for pool in load_balancer.pools),
        *(
            [*block]
            for section in sections(load_balancer)
            for block in (_listen(section, members), _open(section, members))
        ),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def relocated(state: str, load_balancer: LoadBalancer, members: Mapping[Slot, Member]) -> str:
    """Return a server state file with each server where the configuration has it.

    A reload restores address and port too, so that a new port of the health check, or of the instances behind
    a listener, would never be taken up. https://docs.haproxy.org/2.6/management.html#9.3-show%20servers%20state
    """
    at = {
        (place.backend, str(slot)): _endpoint(members.get(slot), place.port)
        for slot in slots(load_balancer)
        for place in places(load_balancer, slot)
    }
    lines = []
    for line in state.splitlines():
        fields = line.split(" ")
        if len(fields) > STATE_PORT:
            endpoint = at.get((fields[STATE_BACKEND], fields[STATE_SERVER]))
            if endpoint is not None:
                fields[STATE_ADDRESS], fields[STATE_PORT] = endpoint[0], str(endpoint[1])
        lines.append(" ".join(fields))
    return "\n".join(lines) + "\n"


def _health(pool: Pool, slots: tuple[Slot, ...], members: Mapping[Slot, Member]) -> Iterator[str]:
    check = pool.check
    yield f"backend {pool.backend}"
    yield f"    timeout connect {check.timeout}s"
    yield f"    timeout check {check.timeout}s"
    match check.protocol:
        case "TCP" | "SSL":
            yield "    option tcp-check"
        case "HTTP" | "HTTPS":
            yield f"    option httpchk GET {check.path}"
            yield f"    http-check expect status {check.passing}"
        case _:
            assert_never(check.protocol)
    ssl = " check-ssl verify none" if check.protocol in {"SSL", "HTTPS"} else ""
    options = (
        f"check{ssl} inter {check.pause}ms fall {check.unhealthy_threshold} rise {check.healthy_threshold}"
        f"{' send-proxy-v2 check-send-proxy' if check.proxied else ''}"
    )
    for slot in slots:
        member = members.get(slot)
        # Only an empty slot is disabled here: the state file does not lift it from those that follow.
        yield f"    server {slot} {_at(member, check.port)} {options}{'' if member else ' disabled'}"


def _listen(section: Section, members: Mapping[Slot, Member]) -> Iterator[str]:
    listener = section.listener
    yield f"listen {section.name}"
    secure = f" ssl crt {listener.certificate_file} {listener.tls}" if listener.tls else ""
    for address in section.addresses:
        yield f"    bind {address}:{listener.port}{secure}"
    if listener.idle_timeout is not None:
        yield f"    timeout client {listener.idle_timeout}s"
        yield f"    timeout server {listener.idle_timeout}s"
    yield from (f"    {line}" for line in listener.lines)
    if section.open:
        yield f"    use_backend {section.open} if {{ nbsrv({section.name}) eq 0 }}"
    for slot in section.slots:
        at = _at(members.get(slot), listener.instance_port)
        yield f"    server {slot} {at} track {section.pool.backend}/{slot}{listener.server}"


def _open(section: Section, members: Mapping[Slot, Member]) -> Iterator[str]:
    listener = section.listener
    if not section.open:
        return
    yield f"backend {section.open}"
    if listener.idle_timeout is not None:
        yield f"    timeout server {listener.idle_timeout}s"
    yield from (f"    {line}" for line in listener.lines)
    for slot in section.slots:
        member = members.get(slot)
        at = _at(member, listener.instance_port)
        yield f"    server {slot} {at}{listener.server}{'' if member else ' disabled'}"


def _at(member: Member | None, port: int) -> str:
    host, real_port = _endpoint(member, port)
    return f"{host}:{real_port}"


def _endpoint(member: Member | None, port: int) -> Endpoint:
    return member.endpoint(port) if member else NOWHERE
