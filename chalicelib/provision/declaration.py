"""What a user asks for in a PUT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from chalicelib.model.dns_options import DnsOptions
from chalicelib.model.load_balancer import (
    DEFAULT_NETWORK_SSL_POLICY,
    DEFAULT_SSL_POLICY,
    AccessLogs,
    HealthCheck,
    Listener,
    LoadBalancer,
    LoadBalancerType,
    PredefinedPolicy,
    Scheme,
    SslPolicy,
)
from chalicelib.model.members import Members
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.x509.pem import GivenPem


@dataclass(frozen=True)
class GivenArn:
    """A certificate that is at AWS already. `source` is the one that GET showed, if the body came from there.

    `settled`: the listeners must serve this very certificate. Otherwise, where GET showed it and another one
    of that source is served by now, the body is merely older than that one.
    """

    arn: str
    source: str | None = None
    settled: bool = False


@dataclass(frozen=True)
class GivenSecret:
    """A PEM bundle that other tooling keeps in Secrets Manager."""

    secret_id: str


@dataclass(frozen=True)
class GivenIssuer:
    """An issuer and the names it is to certify; without names: the hostname, or the issuer's default."""

    issuer: Literal["private-ca", "acme"]
    domains: tuple[str, ...] = ()


CertificateSource = GivenArn | GivenSecret | GivenPem | GivenIssuer


@dataclass(frozen=True)
class Allow:
    """Who may reach what, as CIDRs; only with a group that we make."""

    mqtt: tuple[str, ...] = ("0.0.0.0/0",)
    dashboard: tuple[str, ...] = ()


DEFAULT_LISTENERS = (
    Listener(8883, "SSL", 1883, "TCP"),
    Listener(18083, "HTTP", 18083, "HTTP"),
)
DEFAULT_POLICY = PredefinedPolicy(DEFAULT_SSL_POLICY)
DEFAULTS: Mapping[LoadBalancerType, Mapping[str, Any]] = {
    "classic": {
        "listeners": DEFAULT_LISTENERS,
        "ssl_policy": DEFAULT_POLICY,
        "keepalive": 300,
        "cross_zone": True,
    },
    "network": {
        "listeners": DEFAULT_LISTENERS,
        "ssl_policy": PredefinedPolicy(DEFAULT_NETWORK_SSL_POLICY),
        # Its TLS listeners let go after 350 seconds, and a client is given up after 1.5 keepalives.
        "keepalive": 230,
        "cross_zone": False,
    },
}
"""What a field is where the body omits it, for those that differ between the types."""

DEFAULT_HEALTH_CHECK = HealthCheck()
DEFAULT_PROBE = ProbeOptions()


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """The body of a PUT, with every default filled in. Listeners carry no certificate and no policy yet.

    `ssl_policy` None: each secure listener keeps what it has, and a new one gets the default.
    `cluster` None: that of its own name. `keepalive` is seconds; the idle timeout follows from it.
    `security_groups` None: we make one. `members` None: every instance that carries the cluster's tag may
    join. `dns` None: no record is kept for `hostname`; without zones it is in the one that fits. `places` are
    where in the body each of `instances` stands, empty where nobody left one out.
    `proxy_protocol` is for every instance port behind TCP or SSL, for none, or for these. `addresses` are
    what a network load balancer's subnets are given: an Elastic IP's allocation, or a private address.
    `omitted` are fields that the body did not name and whose meaning hangs on the type; without `type` it is
    that of the load balancer that is there.
    """

    name: str
    subnets: tuple[str, ...]
    type: LoadBalancerType = "classic"
    cluster: str | None = None
    scheme: Scheme = "internet-facing"
    listeners: tuple[Listener, ...] = DEFAULT_LISTENERS
    certificate: CertificateSource | None = None
    ssl_policy: SslPolicy | None = DEFAULT_POLICY
    security_groups: tuple[str, ...] | None = None
    allow: Allow = Allow()
    health_check: HealthCheck = DEFAULT_HEALTH_CHECK
    keepalive: float = 300
    connection_draining: int = 300
    cross_zone: bool = True
    proxy_protocol: bool | tuple[int, ...] = False
    access_logs: AccessLogs | None = None
    instances: tuple[str, ...] = ()
    members: Members | None = None
    places: tuple[int, ...] = field(default=(), compare=False)
    hostname: str | None = None
    dns: DnsOptions | None = None
    probe: ProbeOptions = DEFAULT_PROBE
    tags: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    omitted: frozenset[str] = field(default=frozenset(), compare=False)

    def as_it_is(self, there: LoadBalancer | None) -> Declaration:
        """The same for the type of the existing load balancer, unless the body named one."""
        if there is None or "type" not in self.omitted or there.type == self.type:
            return self
        defaults = {name: value for name, value in DEFAULTS[there.type].items() if name in self.omitted}
        return replace(self, type=there.type, **defaults)

    @property
    def serves(self) -> str:
        """The cluster whose instances are to be its members."""
        return self.cluster or self.name

    @property
    def placed_instances(self) -> tuple[tuple[int, str], ...]:
        """The instances, each with its place in the body."""
        return tuple(zip(self.places or range(len(self.instances)), self.instances, strict=True))

    def with_instances(self, placed: Iterable[tuple[int, str]]) -> Declaration:
        """The same with only these instances, at their places in the body."""
        some = tuple(placed)
        return replace(
            self, instances=tuple(id_ for _, id_ in some), places=tuple(place for place, _ in some)
        )
