"""A load balancer and what belongs to it, as values: listeners, policies, members, instances, certificates.

`State` is what exists at AWS for one load balancer, or what is wanted: desired and actual are this one type.
Before something exists, its name stands where its id or ARN will be. A security group to be made is named in
`security_groups`, a certificate to be uploaded in a listener's `certificate`. `apply` puts the id or the ARN
in its place once AWS has answered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from chalicelib.model.names import CLUSTER_TAG, HOSTNAME_TAG, OWNER_TAG
from chalicelib.model.syntax import host_fault

if TYPE_CHECKING:
    from chalicelib.model.route53 import Change
    from chalicelib.model.vpc import SecurityGroup

LoadBalancerType = Literal["classic", "network"]
Protocol = Literal["TCP", "SSL", "TLS", "HTTP", "HTTPS"]
"""Of a classic load balancer TCP, SSL, HTTP and HTTPS, of a network one TCP and TLS."""
Scheme = Literal["internet-facing", "internal"]
InstanceState = Literal["pending", "running", "shutting-down", "terminated", "stopping", "stopped"]

SECURE_PROTOCOLS = frozenset({"SSL", "TLS", "HTTPS"})
TCP_PROTOCOLS = frozenset({"TCP", "SSL", "TLS"})
LOAD_BALANCER_TAGS_MAX = 50
"""Tags of a load balancer: https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html"""
DEFAULT_SSL_POLICY = "ELBSecurityPolicy-TLS-1-2-2017-01"
DEFAULT_NETWORK_SSL_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


@dataclass(frozen=True)
class PredefinedPolicy:
    """One of AWS's own SSL policies, by name (`ELBSecurityPolicy-…`)."""

    name: str


@dataclass(frozen=True)
class CustomPolicy:
    """An SSL policy of the user's own: AWS's names for protocols (`TLSv1.2`) and ciphers."""

    protocols: frozenset[str]
    ciphers: frozenset[str]
    server_defined_order: bool = True


SslPolicy = PredefinedPolicy | CustomPolicy


@dataclass(frozen=True)
class ProxyProtocolPolicy:
    """A back-end policy that sends the client's address to the instance (PROXY protocol, version 1)."""


@dataclass(frozen=True)
class ForeignPolicy:
    """A policy of a type that is not ours to set (stickiness, back-end authentication): left as it is."""

    type_name: str


Policy = SslPolicy | ProxyProtocolPolicy | ForeignPolicy


@dataclass(frozen=True)
class Listener:
    """One listener. `certificate` is an ARN (or the name of a certificate still to be uploaded).

    `policy_names` are the policies on it as AWS names them; a desired listener leaves them to the plan.
    The rest is of a network load balancer's: the listener's own ARN and owner tag, the ARN of the one target
    group to which it forwards (None where there are several), and its idle timeout in seconds, None where it
    cannot be set.
    """

    port: int
    protocol: Protocol
    instance_port: int
    instance_protocol: Protocol
    certificate: str | None = None
    ssl_policy: SslPolicy | None = None
    policy_names: frozenset[str] = frozenset()
    arn: str | None = None
    owner: str | None = None
    target_group: str | None = None
    idle_timeout: int | None = None

    @property
    def secure(self) -> bool:
        """Whether clients speak TLS to it."""
        return self.protocol in SECURE_PROTOCOLS

    @property
    def kept_by_tcp(self) -> bool:
        """Whether TCP's own keep-alive packets count as traffic: at a network load balancer's listeners.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#connection-idle-timeout
        """
        return self.protocol == "TLS" or self.idle_timeout is not None

    @property
    def wiring(self) -> tuple[int, Protocol, int, Protocol]:
        """What AWS cannot change in place: a listener with another wiring is another listener."""
        return self.port, self.protocol, self.instance_port, self.instance_protocol


INVALID_CERTIFICATE = "Invalid-Certificate"
"""What AWS shows of a classic load balancer's listener whose certificate is gone."""


@dataclass(frozen=True)
class SecureListener:
    """A secure listener and what it serves: an ARN, or `Invalid-Certificate`.

    `arn` is the listener's own, where it is a network load balancer's; a classic one's has none.
    """

    load_balancer: str
    port: int
    certificate: str
    arn: str | None = None


@dataclass(frozen=True)
class HealthCheck:
    """Seconds and counts as AWS has them."""

    target: str = "TCP:1883"
    interval: int = 30
    timeout: int = 5
    unhealthy_threshold: int = 2
    healthy_threshold: int = 2


@dataclass(frozen=True)
class AccessLogs:
    """Where access logs go; `interval` is 5 or 60 minutes, None for a network load balancer."""

    bucket: str
    prefix: str = ""
    interval: int | None = 60


@dataclass(frozen=True, kw_only=True)
class TargetGroup:
    """A target group of a network load balancer: the instances behind one instance port.

    `attributes` are those that we set, `additional_attributes` the others, in AWS's own texts. `registered`
    are the instances at the group's own port; a desired one leaves them to the load balancer's `instances`.
    `unmanaged` are sentences about what else it holds.
    """

    name: str
    port: int
    protocol: Protocol
    vpc: str
    health_check: HealthCheck
    attributes: Mapping[str, str]
    arn: str | None = None
    owner: str | None = None
    registered: frozenset[str] = frozenset()
    additional_attributes: Mapping[str, str] = field(default_factory=dict)
    unmanaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class ForeignListener:
    """A listener that a PUT can neither make nor say, and leaves alone; `what` says why, as `speaks UDP`."""

    port: int
    what: str


@dataclass(frozen=True)
class Member:
    """A registered instance as ELB sees it; the texts are AWS's own.

    Of a network load balancer it is one value for all target groups: `serves_elsewhere` says that another of
    them finds the instance in service.
    """

    id: str
    state: str
    reason_code: str = ""
    description: str = ""
    serves_elsewhere: bool = field(default=False, compare=False)

    @property
    def in_service(self) -> bool:
        """Whether ELB sends it traffic now. While draining it still reads `InService`.

        A target without health checks (`unavailable`) gets traffic.
        """
        return self.state in {"InService", "healthy", "unavailable"} and not self.draining

    @property
    def may_serve(self) -> bool:
        """Whether ELB may send it traffic at some port: also where ELB answers `Unknown`.

        The guards use this: an instance that may serve counts as one that serves.
        """
        return self.in_service or self.serves_elsewhere or (self.state == "Unknown" and not self.draining)

    @property
    def out_of_service(self) -> bool:
        """Whether ELB finds it unfit, and says so."""
        return self.state in {"OutOfService", "unhealthy", "unhealthy.draining"}

    @property
    def draining(self) -> bool:
        """Whether it was deregistered and its connections are living out their time."""
        return self.state == "draining" or self.description.startswith(
            "Instance deregistration currently in progress"
        )


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """A load balancer, classic or network. `tags` are all of its tags, ours included; times are seconds.

    `zone_of` has the zones of the subnets involved, where they may have to be exchanged. `created` of a
    desired one is now. `policies` and `backend_policies` are a classic one's alone. A network one's are its
    ARN, its target groups by instance port, the address that each subnet was given (an Elastic IP's
    allocation, or a private address), and listeners that are not ours to say; its `health_check`,
    `idle_timeout`, `connection_draining` and `proxy_protocol_ports` are what its groups and listeners have in
    common (an idle timeout of 0: none can be set), and its `instances` are in at least one group.
    """

    name: str
    type: LoadBalancerType = "classic"
    scheme: Scheme
    vpc: str
    subnets: frozenset[str]
    zones: frozenset[str]
    listeners: tuple[Listener, ...]
    security_groups: frozenset[str]
    health_check: HealthCheck
    idle_timeout: int
    connection_draining: int
    cross_zone: bool
    access_logs: AccessLogs | None
    proxy_protocol_ports: frozenset[int]
    tags: Mapping[str, str]
    instances: frozenset[str]
    policies: Mapping[str, Policy] = field(default_factory=dict)
    backend_policies: Mapping[int, frozenset[str]] = field(default_factory=dict)
    additional_attributes: Mapping[str, str] = field(default_factory=dict)
    zone_of: Mapping[str, str] = field(default_factory=dict)
    dns_name: str | None = None
    canonical_hosted_zone_id: str | None = None
    dual_stack: bool = False
    created: datetime | None = None
    arn: str | None = None
    target_groups: Mapping[int, TargetGroup] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    foreign_listeners: tuple[ForeignListener, ...] = ()

    @property
    def owner(self) -> str | None:
        """The deployment that may change it; None without the owner tag."""
        return self.tags.get(OWNER_TAG)

    @property
    def cluster(self) -> str:
        """The cluster whose instances are its members: that of its tag, else of its own name."""
        return self.tags.get(CLUSTER_TAG) or self.name

    @property
    def hostname(self) -> str | None:
        """The name that clients use, as its tag says; None where that is no name of a host."""
        text = self.tags.get(HOSTNAME_TAG)
        return text if text is not None and host_fault(text) is None else None

    @property
    def everywhere(self) -> frozenset[str]:
        """The instances that are registered in every target group."""
        return self.instances.intersection(*(group.registered for group in self.target_groups.values()))


@dataclass(frozen=True, kw_only=True)
class State:
    """What exists, or is wanted, for one load balancer.

    `group` is the security group that we make. `certificates` are the names under our IAM path. `cluster`
    holds the instances that carry the tag of its cluster, `reasons` why an instance does or does not belong.
    `private_ca` is the secret of a private CA that has to exist first. `private_ca_mark` is a private CA's
    secret and the tag to put on it once its certificate is kept apart from its key. `spare_groups` are target
    groups of our names that no listener of the load balancer uses: a killed run left them. `untouched` are
    instances whose registration stays as it is. `record_changes` make its hostname lead to it, or no longer,
    by the id of the hosted zone.
    """

    name: str
    load_balancer: LoadBalancer | None = None
    group: SecurityGroup | None = None
    certificates: frozenset[str] = frozenset()
    cluster: frozenset[str] = frozenset()
    reasons: Mapping[str, str] = field(default_factory=dict)
    private_ca: str | None = None
    private_ca_mark: tuple[str, str] | None = None
    spare_groups: tuple[TargetGroup, ...] = ()
    untouched: frozenset[str] = frozenset()
    record_changes: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)

    def because(self, ids: Iterable[str]) -> str:
        """Why these instances come or go."""
        return "; ".join(f"{id_} {self.reasons.get(id_, 'was named')}" for id_ in ids)


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An EC2 instance.

    `draining` is the text of its `emq-elb:draining` tag; `user_tags` how many tags it carries, without AWS's
    own. `spot` is whether it is a Spot instance, `interrupted` whether EC2, where somebody asked, takes it
    back. `profile` is the name of its instance profile. `group_name` is its Auto Scaling group's name, which
    a tag of AWS's has until Auto Scaling is asked, and `lifecycle` its state there; None when it is in none
    or nobody looked.
    """

    id: str
    state: InstanceState
    vpc: str | None
    zone: str
    launched: datetime
    cluster: str | None = None
    draining: str | None = None
    profile: str | None = None
    group_name: str | None = None
    lifecycle: str | None = None
    spot: bool = False
    interrupted: bool = False
    user_tags: int = 0
    address: str | None = None
    security_groups: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """What a server certificate says of itself, whether it was read from a text, from AWS or on the wire.

    `domains` are the names in its SAN; `serial` is hex as OpenSSL writes it. `digest` is the SHA-256 over the
    certificate and its chain, None where the chain is not known. `issuer_key` identifies the key that signed
    it, as hex; None where the certificate does not name that key.
    """

    not_before: datetime
    not_after: datetime
    domains: tuple[str, ...]
    serial: str
    digest: str | None = None
    issuer_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A server certificate at AWS. `name` and `path` are IAM's, None for one of ACM.

    `leaf` is None where only a listing was read: that shows the end alone. `source` is its own
    `emq-elb:certificate` tag: where it came from.
    """

    arn: str
    not_after: datetime
    leaf: Leaf | None = None
    name: str | None = None
    path: str | None = None
    uploaded: datetime | None = None
    source: str | None = None

    @property
    def not_before(self) -> datetime | None:
        """When it begins to be valid, None where that is not known."""
        return self.leaf.not_before if self.leaf else None

    @property
    def domains(self) -> tuple[str, ...]:
        """The names in its SAN, none where they are not known."""
        return self.leaf.domains if self.leaf else ()

    @property
    def serial(self) -> str:
        """Its serial number, empty where that is not known."""
        return self.leaf.serial if self.leaf else ""

    @property
    def digest(self) -> str | None:
        """The SHA-256 over the certificate and its chain, None where these are not known."""
        return self.leaf.digest if self.leaf else None

    @property
    def issuer_key(self) -> str | None:
        """The key that signed it, None where that is not known."""
        return self.leaf.issuer_key if self.leaf else None


NETWORK_LISTENERS_MAX = 50
"""Of one network load balancer, and fixed.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
"""

IDLE_TIMEOUT_MAX = 3600
"""Seconds: https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html"""

TLS_IDLE_TIMEOUT = 350
"""Seconds, of a network load balancer's TLS listener, and fixed; a TCP listener's are 60 to 6000.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html
"""
TCP_IDLE_TIMEOUTS = (60, 6000)


def idle_timeout(keepalive: float) -> int:
    """Return the idle timeout in seconds, 1 to 3600, for the longest keepalive that clients use.

    A client is given up after one and a half times its keepalive (MQTT 3.1.1, section 3.1.2.10); the load
    balancer must not be quicker than the broker.
    """
    return max(1, min(IDLE_TIMEOUT_MAX, math.ceil(1.5 * keepalive)))


def tcp_idle_timeout(keepalive: float) -> int:
    """Return the idle timeout in seconds of a network load balancer's TCP listener for that keepalive."""
    least, most = TCP_IDLE_TIMEOUTS
    return max(least, min(most, math.ceil(1.5 * keepalive)))


def longest_idle_timeout(balancer: LoadBalancer) -> int:
    """Return the longest idle timeout that a keepalive can ask for, given the load balancer's listeners.

    A network one's TLS listener bounds the keepalive, and with it what its TCP listeners are asked for.
    """
    if balancer.type == "classic":
        return IDLE_TIMEOUT_MAX
    secure = any(listener.secure for listener in balancer.listeners)
    return tcp_idle_timeout(TLS_IDLE_TIMEOUT - 1) if secure else TCP_IDLE_TIMEOUTS[1]


def idle_timeout_at(balancer: LoadBalancer, listener: Listener) -> int:
    """Return the idle timeout in seconds of one listener: its own, its protocol's, or that of all."""
    if listener.idle_timeout is not None:
        return listener.idle_timeout
    return TLS_IDLE_TIMEOUT if listener.protocol == "TLS" else balancer.idle_timeout


def keepalive_of(seconds: int) -> float:
    """Return the keepalive whose idle timeout is that many seconds: a whole one, else half."""
    thirds, rest = divmod(seconds, 3)
    return 2 * thirds + (0, 0.5, 1)[rest]


def uploaded(one: Certificate) -> datetime:
    """Return the time of its upload, else the closest known time."""
    return one.uploaded or one.not_before or one.not_after


def age(one: Certificate) -> tuple[datetime, datetime, str]:
    """Return a key that sorts by upload; the end and the name decide within AWS's whole seconds."""
    return uploaded(one), one.not_after, one.name or one.arn
