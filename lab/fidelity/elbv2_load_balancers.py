"""Network load balancers themselves: created, described, changed, deleted, counted.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-network-load-balancer.html
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.models.subnets import Subnet
from moto.utilities.utils import get_partition

from lab.fidelity import elb_state
from lab.fidelity.elb_network import leave_interfaces, new_interface, put_into_groups, with_gateway
from lab.fidelity.elbv2_state import (
    SHORT,
    Address,
    Answer,
    LoadBalancer,
    LoadBalancerType,
    Region,
    Request,
    asked_tags,
    attributes,
    changed,
    invalid,
    load_balancer,
    page,
    refusal,
    refuse_bad_name,
    required,
)
from lab.fidelity.knobs import KNOBS
from lab.fidelity.route53_aliases import network_zone

SCHEMES = frozenset({"internet-facing", "internal"})
FREE_ADDRESSES = 8
BOOLEAN = re.compile("true|false")

ATTRIBUTES: Mapping[str, re.Pattern[str]] = {
    "access_logs.s3.enabled": BOOLEAN,
    "access_logs.s3.bucket": re.compile(r"[a-z0-9.-]{0,63}"),
    "access_logs.s3.prefix": re.compile(r"[\w/.-]*"),
    "deletion_protection.enabled": BOOLEAN,
    "load_balancing.cross_zone.enabled": BOOLEAN,
    "dns_record.client_routing_policy": re.compile(
        "any_availability_zone|availability_zone_affinity|partial_availability_zone_affinity"
    ),
    "ipv6.deny_all_igw_traffic": BOOLEAN,
    "zonal_shift.config.enabled": BOOLEAN,
    "secondary_ips.auto_assigned.per_subnet": re.compile("[0-7]"),
}
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html"""

DEFAULTS: Mapping[str, str] = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "load_balancing.cross_zone.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "zonal_shift.config.enabled": "false",
    "secondary_ips.auto_assigned.per_subnet": "0",
}


def create_load_balancer(region: Region, request: Request) -> Answer:
    """Create a load balancer; one of the same name and settings is answered as it is, others are refused."""
    name, type_ = str(required(request, "Name")), _type(request)
    refuse_bad_name(name, "load balancer")
    if name.startswith("internal-"):
        raise invalid(f"The load balancer name '{name}' must not begin with 'internal-'")
    scheme = request.get("Scheme") or "internet-facing"
    if scheme not in SCHEMES:
        raise refusal("InvalidScheme", f"Scheme '{scheme}' is neither internet-facing nor internal")
    places = asked_places(region, request, scheme, type_)
    vpc_id = _subnet(region, places[0].subnet).vpc_id
    groups = asked_groups(region, request.get("SecurityGroups", []), vpc_id)
    for one in region.load_balancers.values():
        if one.name == name:
            same = (one.type, one.scheme, set(one.addresses), set(one.security_groups))
            if same == (type_, scheme, {place.subnet for place in places}, set(groups)):
                return {"LoadBalancers": [shown(region, one)]}
            raise refusal("DuplicateLoadBalancerName", f"A load balancer with name '{name}' already exists")
    of_type = [one for one in region.load_balancers.values() if one.type == type_]
    if len(of_type) >= KNOBS.network_load_balancers_quota:
        raise refusal("TooManyLoadBalancers", f"There are {len(of_type)} {type_} load balancers already")
    arn = region.arn(f"loadbalancer/{SHORT[type_]}/{name}")
    made = LoadBalancer(
        arn=arn,
        name=name,
        type=type_,
        scheme=scheme,
        vpc_id=vpc_id,
        dns_name=_dns_name(region, name, scheme, arn, type_),
        created=datetime.now(UTC),
        ready_at=KNOBS.now() + KNOBS.load_balancer_provisioning_seconds,
        security_groups=groups,
        with_groups=bool(groups),
        ip_address_type=request.get("IpAddressType") or "ipv4",
        addresses={place.subnet: place for place in places},
        attributes=dict(DEFAULTS),
    )
    asked_tags(region, arn, request.get("Tags", []))
    region.load_balancers[arn] = made
    update_interfaces(region, made)
    return {"LoadBalancers": [shown(region, made)]}


def _type(request: Request) -> LoadBalancerType:
    type_ = request.get("Type") or "application"
    if type_ not in SHORT:
        raise invalid(f"Load balancer type '{type_}' is none of {', '.join(SHORT)}")
    return cast("LoadBalancerType", type_)


def _dns_name(region: Region, name: str, scheme: str, arn: str, type_: str) -> str:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#dns-name"""
    suffix = "amazonaws.com.cn" if get_partition(region.name) == "aws-cn" else "amazonaws.com"
    prefix = "internal-" if scheme == "internal" and type_ == "application" else ""
    if type_ == "application":
        return f"{prefix}{name}-{10**9 + secrets.randbelow(10**9)}.{region.name}.elb.{suffix}"
    return f"{name}-{arn.rpartition('/')[2]}.elb.{region.name}.{suffix}"


def asked_places(
    region: Region, request: Request, scheme: str, type_: str, had: Mapping[str, Address] | None = None
) -> list[Address]:
    """Return the subnets that a request names with their addresses, or refuse: one a zone, all of one VPC.

    An Elastic IP that a subnet `had` may be named for it again.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html
    """
    mappings = request.get("SubnetMappings", [])
    if bool(mappings) == bool(request.get("Subnets", [])):
        raise invalid("Either Subnets or SubnetMappings must be specified, and only one of them")
    asked = mappings or [{"SubnetId": one} for one in request["Subnets"]]
    subnets = [_subnet(region, str(one.get("SubnetId", ""))) for one in asked]
    if len({one.vpc_id for one in subnets}) > 1:
        raise refusal("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    zones = [one.availability_zone for one in subnets]
    if len(set(zones)) < len(zones):
        raise refusal(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if type_ == "application" and len(zones) < 2:
        raise invalid("At least two subnets in two different Availability Zones must be specified")
    for subnet in subnets:
        if subnet.available_ip_address_count < FREE_ADDRESSES:
            raise refusal("InvalidSubnet", f"Not enough IP space available in {subnet.id}")
        if scheme == "internet-facing" and not with_gateway(region.ec2, subnet.vpc_id):
            raise refusal("InvalidSubnet", f"VPC {subnet.vpc_id} has no internet gateway")
    places = [
        Address(
            subnet.id,
            subnet.availability_zone,
            mapping.get("AllocationId"),
            mapping.get("PrivateIPv4Address"),
        )
        for subnet, mapping in zip(subnets, asked, strict=True)
    ]
    for place in places:
        before = (had or {}).get(place.subnet)
        if before is None or before.allocation != place.allocation:
            _refuse_address(region, place, scheme)
    return places


def _refuse_address(region: Region, place: Address, scheme: str) -> None:
    if place.private and scheme != "internal":
        raise refusal(
            "InvalidConfigurationRequest", "A private address can be named for an internal load balancer only"
        )
    if place.allocation is None:
        return
    if scheme == "internal":
        raise refusal(
            "InvalidConfigurationRequest", "An Elastic IP needs a load balancer that faces the internet"
        )
    found = [one for one in region.ec2.addresses if one.allocation_id == place.allocation]
    if not found:
        raise refusal(
            "AllocationIdNotFound", f"The allocation IDs '{place.allocation}' are not available for use"
        )
    users = [
        one.name
        for one in region.load_balancers.values()
        for other in one.addresses.values()
        if other.allocation == place.allocation
    ]
    if found[0].association_id or users:
        raise refusal("ResourceInUse", f"The allocation IDs '{place.allocation}' are in use")


def _subnet(region: Region, subnet_id: str) -> Subnet:
    try:
        return region.ec2.get_subnet(subnet_id)
    except InvalidSubnetIdError:
        raise refusal("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist") from None


def asked_groups(region: Region, group_ids: Sequence[str], vpc_id: str) -> list[str]:
    """Return the groups, none where none is named: then none can ever be added."""
    for group in _groups(region, group_ids):
        if group.vpc_id != vpc_id:
            raise refusal("InvalidSecurityGroup", f"Security group {group.id} is not in {vpc_id}")
    return list(dict.fromkeys(group_ids))


def _groups(region: Region, group_ids: Sequence[str]) -> list[SecurityGroup]:
    found = [region.ec2.get_security_group_from_id(one) for one in group_ids]
    if None in found:
        raise refusal("InvalidSecurityGroup", "One or more security groups are invalid")
    return [one for one in found if one is not None]


def describe_load_balancers(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html"""
    arns, names = request.get("LoadBalancerArns", []), request.get("Names", [])
    if arns and names:
        raise invalid("Load balancer names and ARNs cannot be specified at the same time")
    found = list(region.load_balancers.values())
    if arns:
        found = [load_balancer(region, arn) for arn in arns]
    if names:
        by_name = {one.name: one for one in found}
        missing = [name for name in names if name not in by_name]
        if missing:
            raise refusal("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
        found = [by_name[name] for name in names]
    part, marker = page(request, found)
    return {"LoadBalancers": [shown(region, one) for one in part], "NextMarker": marker}


def shown(region: Region, one: LoadBalancer) -> Answer:
    """Return a load balancer as the API shows it."""
    state = "active" if KNOBS.now() >= one.ready_at else "provisioning"
    return {
        "LoadBalancerArn": one.arn,
        "DNSName": one.dns_name,
        "CanonicalHostedZoneId": network_zone(region.name),
        "CreatedTime": one.created,
        "LoadBalancerName": one.name,
        "Scheme": one.scheme,
        "VpcId": one.vpc_id,
        "State": {"Code": state},
        "Type": one.type,
        "AvailabilityZones": [
            {
                "ZoneName": place.zone,
                "SubnetId": place.subnet,
                "LoadBalancerAddresses": _addresses(region, place),
            }
            for place in one.addresses.values()
        ],
        "SecurityGroups": one.security_groups,
        "IpAddressType": one.ip_address_type,
        "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": one.enforce if one.with_groups else None,
    }


def _addresses(region: Region, place: Address) -> list[dict[str, str]]:
    if place.private:
        return [{"PrivateIPv4Address": place.private}]
    if not place.allocation:
        return []
    public = [one.public_ip for one in region.ec2.addresses if one.allocation_id == place.allocation]
    return [{"AllocationId": place.allocation, "IpAddress": public[0] if public else ""}]


def delete_load_balancer(region: Region, request: Request) -> Answer:
    """Delete it with its listeners, not with its target groups; one that is not there is no fault.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
    """
    arn = required(request, "LoadBalancerArn")
    one = region.load_balancers.get(arn)
    if one is None:
        return {}
    if one.attributes["deletion_protection.enabled"] == "true":
        raise refusal(
            "OperationNotPermitted",
            f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
        )
    for listener in region.listeners_of(arn):
        forget_listener(region, listener.arn)
    interfaces = [place.interface for place in one.addresses.values() if place.interface]
    leave_interfaces(elb_state.region_of(region.account_id, region.name), interfaces)
    region.moto.tagging_service.delete_all_tags_for_resource(arn)
    del region.load_balancers[arn]
    return {}


def forget_listener(region: Region, arn: str) -> None:
    """Take a listener away: its certificates and target groups are let go now."""
    gone = region.listeners.pop(arn)
    for certificate in filter(None, [gone.certificate, *gone.more_certificates]):
        region.released[certificate] = KNOBS.now()
    for group, _ in gone.target_groups:
        if group in region.target_groups:
            region.target_groups[group].let_go_at = KNOBS.now()
    region.moto.tagging_service.delete_all_tags_for_resource(arn)


def describe_load_balancer_attributes(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancerAttributes.html"""
    one = load_balancer(region, required(request, "LoadBalancerArn"))
    return {"Attributes": attributes(one.attributes)}


def modify_load_balancer_attributes(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html"""
    one = load_balancer(region, required(request, "LoadBalancerArn"))
    after = changed(request, one.attributes, ATTRIBUTES, "Load balancer")
    if after["access_logs.s3.enabled"] == "true" and not after["access_logs.s3.bucket"]:
        raise refusal("InvalidConfigurationRequest", "Access logs need a bucket")
    one.attributes = after
    return {"Attributes": attributes(one.attributes)}


def set_security_groups(region: Region, request: Request) -> Answer:
    """Exchange the groups; never from none to some, nor from some to none.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
    """
    one = load_balancer(region, required(request, "LoadBalancerArn"))
    groups = asked_groups(region, request.get("SecurityGroups", []), one.vpc_id)
    if one.type == "network" and groups and not one.with_groups:
        raise refusal(
            "InvalidConfigurationRequest",
            "You cannot set security groups on a Network Load Balancer which was created without any security"
            " groups.",
        )
    if not groups:
        raise refusal(
            "InvalidConfigurationRequest", "You cannot remove all security groups of a load balancer."
        )
    one.security_groups = groups
    one.enforce = request.get("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic") or one.enforce
    update_interfaces(region, one)
    return {
        "SecurityGroupIds": groups,
        "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": one.enforce,
    }


def set_subnets(region: Region, request: Request) -> Answer:
    """Enable exactly the zones of the named subnets; a zone's subnet is exchanged in two steps.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html
    """
    one = load_balancer(region, required(request, "LoadBalancerArn"))
    places = asked_places(region, request, one.scheme, one.type, one.addresses)
    had = {place.zone: place for place in one.addresses.values()}
    for place in places:
        before = had.get(place.zone)
        if before is not None and before.subnet != place.subnet:
            raise refusal(
                "InvalidConfigurationRequest",
                f"The subnet of zone {place.zone} cannot be exchanged: remove the zone first",
            )
        if before is not None and place.allocation not in (None, before.allocation):
            raise refusal("InvalidConfigurationRequest", "The addresses of an enabled zone cannot be changed")
    kept = {place.subnet: one.addresses.get(place.subnet, place) for place in places}
    for place in one.addresses.values():
        if place.subnet not in kept and place.interface:
            region.ec2.enis.pop(place.interface, None)
    one.addresses = kept
    update_interfaces(region, one)
    return {
        "AvailabilityZones": shown(region, one)["AvailabilityZones"],
        "IpAddressType": one.ip_address_type,
    }


def update_interfaces(region: Region, one: LoadBalancer) -> None:
    """Give the load balancer one requester-managed network interface a subnet, in its security groups."""
    for place in one.addresses.values():
        if place.interface is None:
            owner = "/".join(one.arn.split("/")[1:])
            addresses = [place.private] if place.private else []
            place.interface = new_interface(region.ec2, _subnet(region, place.subnet), owner, addresses)
    interfaces = [place.interface for place in one.addresses.values() if place.interface]
    put_into_groups(region.ec2, interfaces, _groups(region, one.security_groups))


def describe_account_limits(_region: Region, _request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html"""
    limits: dict[str, Any] = {
        "network-load-balancers": KNOBS.network_load_balancers_quota,
        "listeners-per-network-load-balancer": 50,
        "targets-per-network-load-balancer": 3000,
        "targets-per-availability-zone-per-network-load-balancer": 500,
        "target-groups": 3000,
        "target-groups-per-action-on-network-load-balancer": 1,
        "application-load-balancers": 50,
    }
    return {"Limits": [{"Name": name, "Max": str(most)} for name, most in limits.items()]}
