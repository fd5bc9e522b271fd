"""What the corrected ELBv2 remembers of a region, and how an operation refuses.

moto forgets or invents most of what a network load balancer is, so that all of ELBv2 is kept here, in the
moto backend of its region: moto's reset takes it away with everything else. Tags stay where moto keeps them.
Application and gateway load balancers are kept in outline: they are somebody else's, to be left alone.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from moto.ec2.models import EC2Backend, ec2_backends
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, elbv2_backends
from moto.utilities.utils import get_partition

Request = Mapping[str, Any]
"""An operation's parameters under AWS's own names, as moto has parsed them."""

Answer = dict[str, Any]
"""An operation's result under AWS's own names."""

LoadBalancerType = Literal["network", "application", "gateway"]
SHORT: Mapping[str, str] = {"network": "net", "application": "app", "gateway": "gwy"}

NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?")


@dataclass
class Address:
    """A load balancer's subnet: its zone, and the addresses that were asked for with it."""

    subnet: str
    zone: str
    allocation: str | None = None
    private: str | None = None
    interface: str | None = None


@dataclass
class LoadBalancer:
    """A load balancer of the second API; `addresses` by subnet, `ready_at` by `KNOBS.now`."""

    arn: str
    name: str
    type: LoadBalancerType
    scheme: str
    vpc_id: str
    dns_name: str
    created: datetime
    ready_at: float
    security_groups: list[str]
    with_groups: bool
    ip_address_type: str = "ipv4"
    enforce: str = "on"
    addresses: dict[str, Address] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def zones(self) -> list[str]:
        return [one.zone for one in self.addresses.values()]


@dataclass
class Listener:
    """`certificate` is the default one, `more_certificates` those of the SNI list."""

    arn: str
    load_balancer: str
    port: int
    protocol: str
    target_groups: tuple[tuple[str, int | None], ...]
    certificate: str | None = None
    ssl_policy: str | None = None
    alpn: tuple[str, ...] = ()
    mutual: Mapping[str, Any] | None = None
    more_certificates: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class TargetGroup:
    """`targets` maps id and port to the time of `KNOBS.now` at which it was registered, `draining` to that at
    which it was deregistered."""

    arn: str
    name: str
    protocol: str
    port: int
    vpc_id: str
    target_type: str
    health_check: dict[str, Any]
    ip_address_type: str = "ipv4"
    attributes: dict[str, str] = field(default_factory=dict)
    targets: dict[tuple[str, int], float] = field(default_factory=dict)
    draining: dict[tuple[str, int], float] = field(default_factory=dict)
    let_go_at: float = float("-inf")
    """When the last listener let it go, by `KNOBS.now`."""


@dataclass
class Region:
    """ELBv2 in one region of one account, each thing by its ARN.

    `released` is what it is in `elb_state`; interfaces that linger are kept there, with the classic ones'.
    """

    account_id: str
    name: str
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    listeners: dict[str, Listener] = field(default_factory=dict)
    target_groups: dict[str, TargetGroup] = field(default_factory=dict)
    released: dict[str, float] = field(default_factory=dict)

    @property
    def ec2(self) -> EC2Backend:
        return ec2_backends[self.account_id][self.name]

    @property
    def moto(self) -> ELBv2Backend:
        return elbv2_backends[self.account_id][self.name]

    def arn(self, resource: str) -> str:
        """Return a new ARN: the kind and name, then an id of 16 hexadecimal digits."""
        service = f"arn:{get_partition(self.name)}:elasticloadbalancing:{self.name}:{self.account_id}"
        return f"{service}:{resource}/{secrets.token_hex(8)}"

    def listeners_of(self, load_balancer: str) -> list[Listener]:
        return [one for one in self.listeners.values() if one.load_balancer == load_balancer]

    def users_of(self, target_group: str) -> list[Listener]:
        """Return the listeners that forward to a target group."""
        return [
            one for one in self.listeners.values() if target_group in {arn for arn, _ in one.target_groups}
        ]

    def tags(self, arn: str) -> dict[str, str]:
        found: dict[str, str] = self.moto.tagging_service.get_tag_dict_for_resource(arn)
        return found


T = TypeVar("T", LoadBalancer, Listener, TargetGroup)
LARGEST_PAGE = 400


def region_of(account_id: str, region_name: str) -> Region:
    """Return the region's memory, which is made when it is first asked for."""
    kept = vars(elbv2_backends[account_id][region_name])
    region: Region = kept.setdefault("corrected", Region(account_id, region_name))
    return region


def regions_of(account_id: str) -> list[Region]:
    """Return every region of the account in which ELBv2 was used."""
    return [region_of(one.account_id, one.region_name) for one in list(elbv2_backends[account_id].values())]


def refusal(code: str, message: str) -> ELBClientError:
    """Return AWS's refusal under its code on the wire.

    moto finds the HTTP status in the service model, and that model by the module of the exception's class:
    each of the two APIs has a class of its own.
    """
    return ELBClientError(code, message)


def invalid(message: str) -> ELBClientError:
    """Return the refusal of malformed input."""
    return refusal("ValidationError", message)


def required(request: Request, parameter: str) -> Any:
    """Return the parameter, or refuse: AWS's own clients never leave it out, others may."""
    if request.get(parameter) in (None, "", []):
        raise invalid(f"{parameter} is required")
    return request[parameter]


def load_balancer(region: Region, arn: str) -> LoadBalancer:
    if arn not in region.load_balancers:
        raise refusal("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
    return region.load_balancers[arn]


def listener(region: Region, arn: str) -> Listener:
    if arn not in region.listeners:
        raise refusal("ListenerNotFound", f"Listener '{arn}' not found")
    return region.listeners[arn]


def target_group(region: Region, arn: str) -> TargetGroup:
    if arn not in region.target_groups:
        raise refusal("TargetGroupNotFound", f"Target group '{arn}' not found")
    return region.target_groups[arn]


def refuse_bad_name(name: str, what: str) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-network-load-balancer.html"""
    if not NAME.fullmatch(name):
        raise invalid(
            f"The {what} name '{name}' must have at most 32 characters, letters, digits and hyphens, and must"
            " not begin or end with a hyphen"
        )


def page(request: Request, found: Sequence[T]) -> tuple[list[T], str | None]:
    """Return the part of a list that the request asks for, and the marker of the next one: an ARN."""
    size = int(request.get("PageSize") or LARGEST_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise invalid(f"Page size must be between 1 and {LARGEST_PAGE}")
    marker = str(request.get("Marker") or "")
    behind = sorted((one for one in found if one.arn > marker), key=lambda one: one.arn)
    return behind[:size], behind[size - 1].arn if len(behind) > size else None


def attributes(stored: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in stored.items()]


def changed(
    request: Request, had: Mapping[str, str], allowed: Mapping[str, re.Pattern[str]], what: str
) -> dict[str, str]:
    """Return the attributes after a Modify…Attributes, or refuse: an unknown key, or a value out of range."""
    after = dict(had)
    for one in required(request, "Attributes"):
        key, value = str(one.get("Key", "")), str(one.get("Value", ""))
        if key not in allowed:
            raise refusal("InvalidConfigurationRequest", f"{what} attribute key '{key}' is not recognized")
        if not allowed[key].fullmatch(value):
            raise refusal(
                "InvalidConfigurationRequest", f"{what} attribute value '{value}' of '{key}' is not valid"
            )
        after[key] = value
    return after


def asked_tags(region: Region, arn: str, tags: Iterable[Mapping[str, str]]) -> None:
    """Put tags onto a thing, or refuse; 50 at most, as with classic ones."""
    given = [(str(one.get("Key", "")), str(one.get("Value", ""))) for one in tags]
    keys = [key for key, _ in given]
    if len(set(keys)) < len(keys):
        raise refusal("DuplicateTagKeys", "Tag key was specified more than once")
    for key, value in given:
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise invalid(f"Tag key or value too long, or no key: {key}")
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys that begin with aws: are reserved")
    if len({**region.tags(arn), **dict(given)}) > 50:
        raise refusal("TooManyTags", "The quota for the number of tags of a resource has been reached")
    region.moto.tagging_service.tag_resource(arn, [{"Key": key, "Value": value} for key, value in given])
