"""Subnets, zones, security groups and network interfaces of classic load balancers.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-backend-instances.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.models.subnets import Subnet

from lab.fidelity.elb_state import (
    Answer,
    LoadBalancer,
    Region,
    Request,
    invalid,
    named,
    refusal,
    required,
)
from lab.fidelity.knobs import KNOBS

LONGEST_PREFIX = 27
FREE_ADDRESSES = 8


def asked_subnets(region: Region, request: Request, scheme: str) -> list[Subnet]:
    """Return the subnets that CreateLoadBalancer names, or the default ones of the zones that it names."""
    subnet_ids, zones = request.get("Subnets", []), request.get("AvailabilityZones", [])
    if bool(subnet_ids) == bool(zones):
        raise invalid("Either AvailabilityZones or SubnetIds must be specified, and only one of them")
    if zones:
        defaults = region.ec2.get_default_subnets()
        unknown = [zone for zone in zones if zone not in defaults]
        if unknown:
            raise invalid(f"The availability zone {unknown[0]} has no default subnet")
        subnet_ids = [defaults[zone].id for zone in zones]
    subnets = [_subnet(region, subnet_id) for subnet_id in subnet_ids]
    refuse_unsuitable(subnets, scheme)
    return subnets


def _subnet(region: Region, subnet_id: str) -> Subnet:
    try:
        return region.ec2.get_subnet(subnet_id)
    except InvalidSubnetIdError:
        raise refusal("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist") from None


def refuse_unsuitable(subnets: Sequence[Subnet], scheme: str, had: Sequence[Subnet] = ()) -> None:
    """Refuse new subnets that do not go with one another, with those that it has, or with the scheme."""
    together = [*had, *subnets]
    if len({subnet.vpc_id for subnet in together}) > 1:
        raise refusal("InvalidConfigurationRequest", "The subnets are not all in one VPC")
    if len({subnet.availability_zone for subnet in together}) < len(together):
        raise refusal(
            "InvalidConfigurationRequest", "ELB cannot be attached to multiple subnets in the same AZ."
        )
    for subnet in subnets:
        if subnet.cidr.prefixlen > LONGEST_PREFIX or subnet.available_ip_address_count < FREE_ADDRESSES:
            raise refusal("InvalidSubnet", f"Not enough IP space available in {subnet.id}")
        if scheme == "internet-facing" and not with_gateway(subnet.ec2_backend, subnet.vpc_id):
            raise refusal("InvalidSubnet", "The specified VPC has no associated Internet gateway")


def with_gateway(ec2: EC2Backend, vpc_id: str) -> bool:
    """Whether the VPC has an internet gateway: ELB asks no more than that, and reads no route table.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internet-facing-load-balancers.html
    """
    attached: list[Any] = [gateway.vpc for gateway in ec2.internet_gateways.values()]
    return any(vpc is not None and vpc.id == vpc_id for vpc in attached)


def asked_groups(region: Region, group_ids: Sequence[str], vpc_id: str) -> list[str]:
    """Return the named groups' ids, the VPC's default group when none is named.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    if not group_ids:
        default = region.ec2.get_default_security_group(vpc_id)
        return [default.id] if default else []
    for group in _groups(region, group_ids):
        if group.vpc_id != vpc_id:
            raise refusal("InvalidConfigurationRequest", f"Security group {group.id} is not in {vpc_id}")
    return list(dict.fromkeys(group_ids))


def _groups(region: Region, group_ids: Sequence[str]) -> list[SecurityGroup]:
    groups = [region.ec2.get_security_group_from_id(group_id) for group_id in group_ids]
    found = [group for group in groups if group is not None]
    if len(found) < len(groups):
        raise refusal("InvalidSecurityGroup", "One or more of the specified security groups do not exist.")
    return found


def zones_of(region: Region, load_balancer: LoadBalancer) -> list[str]:
    """Return the enabled zones: those of the subnets."""
    return [_subnet(region, subnet_id).availability_zone for subnet_id in load_balancer.subnets]


def apply_security_groups_to_load_balancer(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_ApplySecurityGroupsToLoadBalancer.html"""
    load_balancer = named(region, request)
    group_ids = required(request, "SecurityGroups")
    load_balancer.security_groups = asked_groups(region, group_ids, load_balancer.vpc_id)
    update_interfaces(region, load_balancer)
    return {"SecurityGroups": load_balancer.security_groups}


def attach_load_balancer_to_subnets(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AttachLoadBalancerToSubnets.html"""
    load_balancer = named(region, request)
    new = [one for one in required(request, "Subnets") if one not in load_balancer.subnets]
    had = [_subnet(region, subnet_id) for subnet_id in load_balancer.subnets]
    refuse_unsuitable([_subnet(region, subnet_id) for subnet_id in new], load_balancer.scheme, had)
    load_balancer.subnets = [*load_balancer.subnets, *new]
    update_interfaces(region, load_balancer)
    return {"Subnets": load_balancer.subnets}


def detach_load_balancer_from_subnets(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DetachLoadBalancerFromSubnets.html

    The last subnet stays: a load balancer has at least one.
    """
    load_balancer = named(region, request)
    gone = set(required(request, "Subnets"))
    if not gone <= set(load_balancer.subnets):
        raise refusal("InvalidConfigurationRequest", f"{load_balancer.name} is not attached to all of them")
    if gone == set(load_balancer.subnets):
        raise refusal("InvalidConfigurationRequest", f"{load_balancer.name} must keep one subnet at least")
    load_balancer.subnets = [one for one in load_balancer.subnets if one not in gone]
    update_interfaces(region, load_balancer)
    return {"Subnets": load_balancer.subnets}


def refuse_zones_in_a_vpc(region: Region, request: Request) -> Answer:
    """Refuse EnableAvailabilityZonesForLoadBalancer and its opposite: in a VPC the subnets decide.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_EnableAvailabilityZonesForLoadBalancer.html
    """
    load_balancer = named(region, request)
    raise refusal(
        "InvalidConfigurationRequest", f"{load_balancer.name} is in a VPC: attach or detach subnets"
    )


def update_interfaces(region: Region, load_balancer: LoadBalancer) -> None:
    """Give the load balancer one requester-managed network interface a subnet, in its security groups.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
    """
    for subnet_id in set(load_balancer.interfaces) - set(load_balancer.subnets):
        region.ec2.enis.pop(load_balancer.interfaces.pop(subnet_id), None)
    for subnet_id in load_balancer.subnets:
        if subnet_id not in load_balancer.interfaces:
            load_balancer.interfaces[subnet_id] = new_interface(
                region.ec2, _subnet(region, subnet_id), load_balancer.name
            )
    put_into_groups(
        region.ec2, load_balancer.interfaces.values(), _groups(region, load_balancer.security_groups)
    )


def new_interface(ec2: EC2Backend, subnet: Subnet, owner: str, addresses: Sequence[str] = ()) -> str:
    """Make a network interface of a load balancer and return its id; AWS's description names the owner."""
    interface = ec2.create_network_interface(subnet, list(addresses), description=f"ELB {owner}")
    interface.requester_managed = True
    interface.requester_id = "amazon-elb"
    interface.status = "in-use"
    return str(interface.id)


def put_into_groups(ec2: EC2Backend, interfaces: Iterable[str], groups: Sequence[SecurityGroup]) -> None:
    """Let the interfaces be in these security groups and no others."""
    for interface_id in interfaces:
        ec2.enis[interface_id]._group_set = list(groups)  # noqa: SLF001 - group_set can only be read


def leave_interfaces(region: Region, interfaces: Iterable[str]) -> None:
    """Note that the interfaces of a load balancer that was deleted linger from now on."""
    region.lingering.update(dict.fromkeys(interfaces, KNOBS.now()))
    sweep_interfaces(region)


def sweep_interfaces(region: Region) -> None:
    """Remove the interfaces of deleted load balancers that have lingered for their time."""
    for interface_id, since in list(region.lingering.items()):
        if KNOBS.now() - since >= KNOBS.interface_linger_seconds:
            region.lingering.pop(interface_id, None)
            region.ec2.enis.pop(interface_id, None)
