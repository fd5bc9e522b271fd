"""What the corrected classic ELB remembers of a region, and how an operation refuses.

moto's own storage cannot hold a listener's instance protocol, a default health check, draining
instances or what lingers after a deletion, so the load balancers are kept here, in the moto backend of
their region: moto's reset takes them away with everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import Instance
from moto.elb.exceptions import ELBClientError
from moto.elb.models import elb_backends
from moto.utilities.utils import get_partition

Request = Mapping[str, Any]
"""An operation's parameters under AWS's own names, as moto has parsed them."""

Answer = dict[str, Any]
"""An operation's result under AWS's own names."""

SECURE = frozenset({"HTTPS", "SSL"})


@dataclass(frozen=True)
class Listener:
    protocol: str
    port: int
    instance_protocol: str
    instance_port: int
    certificate: str | None = None

    @property
    def secure(self) -> bool:
        return self.protocol in SECURE


@dataclass(frozen=True)
class Policy:
    """A policy of a load balancer; its attributes in AWS's order."""

    name: str
    type: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class HealthCheck:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html - the API's
    defaults after CreateLoadBalancer."""

    target: str = "TCP:80"
    interval: int = 30
    timeout: int = 5
    unhealthy_threshold: int = 2
    healthy_threshold: int = 10


def default_attributes() -> dict[str, dict[str, Any]]:
    """The attributes of a load balancer that nobody has modified, by their names in the API.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_LoadBalancerAttributes.html
    """
    return {
        "CrossZoneLoadBalancing": {"Enabled": False},
        "AccessLog": {"Enabled": False},
        "ConnectionDraining": {"Enabled": False, "Timeout": 300},
        "ConnectionSettings": {"IdleTimeout": 60},
    }


@dataclass
class LoadBalancer:
    """A classic load balancer; listeners by port, policies by name, backend policies by instance port.

    `draining` maps an instance to the time of `KNOBS.now` at which its open connections are cut.
    """

    name: str
    dns_name: str
    scheme: str
    vpc_id: str
    subnets: list[str]
    security_groups: list[str]
    created: datetime
    listeners: dict[int, Listener] = field(default_factory=dict)
    listener_policies: dict[int, list[str]] = field(default_factory=dict)
    backend_policies: dict[int, list[str]] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    health_check: HealthCheck = field(default_factory=HealthCheck)
    attributes: dict[str, dict[str, Any]] = field(default_factory=default_attributes)
    desync_mode: str = "defensive"
    instance_ids: list[str] = field(default_factory=list)
    draining: dict[str, float] = field(default_factory=dict)
    interfaces: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Region:
    """Classic ELB in one region of one account.

    `lingering` maps a network interface of a deleted load balancer, and `released` a certificate that a
    listener let go, to the time of `KNOBS.now` when that happened.
    """

    account_id: str
    name: str
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    lingering: dict[str, float] = field(default_factory=dict)
    released: dict[str, float] = field(default_factory=dict)

    @property
    def ec2(self) -> EC2Backend:
        return ec2_backends[self.account_id][self.name]


def region_of(account_id: str, region_name: str) -> Region:
    """Return the region's memory, which is made when it is first asked for."""
    kept = vars(elb_backends[account_id][region_name])
    region: Region = kept.setdefault("classic", Region(account_id, region_name))
    return region


def regions_of(account_id: str) -> list[Region]:
    """Return every region of the account in which classic ELB was used."""
    backends = list(elb_backends[account_id].values())
    return [region_of(backend.account_id, backend.region_name) for backend in backends]


def arn_of(region: Region, load_balancer: LoadBalancer) -> str:
    """Return the load balancer's ARN; a classic one is named by it outside its own API only.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancing.html
    """
    partition = get_partition(region.name)
    service = f"arn:{partition}:elasticloadbalancing:{region.name}:{region.account_id}"
    return f"{service}:loadbalancer/{load_balancer.name}"


def refusal(code: str, message: str) -> ELBClientError:
    """Return AWS's refusal under its code on the wire.

    moto finds the HTTP status in the service model, and that model by the module of the exception's class:
    each of the two APIs has a class of its own.
    """
    return ELBClientError(code, message)


def invalid(message: str) -> ELBClientError:
    """Return the refusal of malformed input."""
    return refusal("ValidationError", message)


def named(region: Region, request: Request) -> LoadBalancer:
    """Return the load balancer that the request names, or refuse with LoadBalancerNotFound."""
    return existing(region, required(request, "LoadBalancerName"))


def existing(region: Region, name: str) -> LoadBalancer:
    """Return the load balancer of that name, or refuse with LoadBalancerNotFound."""
    if name not in region.load_balancers:
        raise refusal("LoadBalancerNotFound", f"There is no ACTIVE Load Balancer named '{name}'")
    return region.load_balancers[name]


def required(request: Request, parameter: str) -> Any:
    """Return the parameter, or refuse: AWS's own clients never leave it out, others may."""
    if request.get(parameter) in (None, "", []):
        raise invalid(f"{parameter} is required")
    return request[parameter]


def instances(region: Region) -> dict[str, Instance]:
    """Return the region's instances by id, terminated ones included, for as long as EC2 shows them."""
    return instances_of(region.ec2)


def instances_of(ec2: EC2Backend) -> dict[str, Instance]:
    """Return the instances of a backend by id."""
    reservations = list(ec2.reservations.values())
    return {instance.id: instance for reservation in reservations for instance in reservation.instances}
