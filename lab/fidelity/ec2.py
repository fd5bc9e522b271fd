"""Corrections to moto's EC2, as far as a classic load balancer needs them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError, InvalidInstanceIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.availability_zones_and_regions import Region, RegionsAndZonesBackend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import Subnet, SubnetBackend
from moto.ec2.models.vpcs import VPC, VPCBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from lab.fidelity import ec2_security_groups
from lab.fidelity.elb_network import sweep_interfaces, with_gateway
from lab.fidelity.elb_state import region_of
from lab.fidelity.knobs import KNOBS


def install() -> None:
    """Put the corrections in place; calling it again changes nothing.

    moto's thousands of machine images stay away as well: nothing here looks at one, and making them anew
    for every region after every reset took most of the time of a test.
    """
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    corrections = (
        create_default_vpc,
        describe_regions,
        get_all_network_interfaces,
        delete_subnet,
        start_instances,
        describe_spot_instance_requests,
        get_reservations_by_instance_ids,
        _delete_security_group,
        delete_vpc,
        do_resources_exist,
        *[_with_ports(operation) for operation in PERMISSIONS],
    )
    for method in corrections:
        setattr(EC2Backend, method.__name__, method)
    setattr(TaggedEC2Resource, get_tags.__name__, get_tags)
    ec2_security_groups.install()


def create_default_vpc(backend: EC2Backend) -> VPC:
    """Give the default VPC its internet gateway, and its main route table the route there.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
    """
    vpc = VPCBackend.create_default_vpc(backend)
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    for table in backend.route_tables.values():
        if table.vpc_id == vpc.id and table.main_association_id:
            backend.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)
    return vpc


def describe_regions(backend: EC2Backend, region_names: list[str] | None = None) -> list[Region]:
    """Return the regions that the account can use, as without `AllRegions`.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    found = RegionsAndZonesBackend.describe_regions(backend, region_names)
    return [one for one in found if KNOBS.regions is None or one.name in KNOBS.regions]


_do_resources_exist = EC2Backend.do_resources_exist

PERMISSIONS: tuple[Callable[..., Any], ...] = (
    SecurityGroupBackend.authorize_security_group_ingress,
    SecurityGroupBackend.authorize_security_group_egress,
    SecurityGroupBackend.revoke_security_group_ingress,
    SecurityGroupBackend.revoke_security_group_egress,
)
PORTS = {"icmp": "ICMP", "1": "ICMP", "icmpv6": "ICMP", "58": "ICMP", "tcp": "TCP/UDP", "udp": "TCP/UDP"}
"""The protocols whose permissions have ports, ICMP's being its type and code."""


def _with_ports(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a permission that names one port or none where its protocol has both.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
    """

    @wraps(operation)
    def checked(backend: EC2Backend, *rest: Any, **asked: Any) -> Any:
        name = PORTS.get(str(asked.get("ip_protocol")))
        if name and None in {asked.get("from_port"), asked.get("to_port")}:
            message = f"Invalid value 'Must specify both from and to ports with {name}.' for portRange."
            raise EC2ClientError("InvalidParameterValue", message)
        return operation(backend, *rest, **asked)

    return checked


def do_resources_exist(backend: EC2Backend, resource_ids: list[str]) -> bool:
    """Let all resources be tagged or none: an instance that does not exist fails the whole call.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
    """
    there = {one.id for reservation in backend.reservations.values() for one in reservation.instances}
    missing = [one for one in resource_ids if one.startswith("i-") and one not in there]
    if missing:
        raise InvalidInstanceIdError(missing)
    return _do_resources_exist(backend, resource_ids)


def delete_vpc(backend: EC2Backend, vpc_id: str) -> VPC:
    """Delete a VPC with its default group; an internet gateway or another group keeps it.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html
    """
    groups = [one for one in backend.groups.get(vpc_id, {}).values() if not one.is_default]
    if groups or with_gateway(backend, vpc_id):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    default = backend.groups.get(vpc_id, {})
    kept = dict(default)
    default.clear()  # it goes with its VPC, where nobody may delete it by itself
    try:
        return VPCBackend.delete_vpc(backend, vpc_id)
    except EC2ClientError:
        default.update(kept)
        raise


def get_tags(resource: Any) -> list[dict[str, str]]:
    """Read a resource's tags where they are kept: moto searches everybody's, minutes for 5,000."""
    if not resource.id:
        return []
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource.id), "")
    return [
        {"resource_id": resource.id, "key": key, "value": value, "resource_type": kind}
        for key, value in resource.ec2_backend.tags.get(resource.id, {}).items()
    ]


def get_all_network_interfaces(
    backend: EC2Backend, eni_ids: list[str] | None = None, filters: Any = None
) -> list[NetworkInterface]:
    """Show a load balancer's interfaces, a deleted one's for as long as they linger.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
    """
    if backend.enis:
        sweep_interfaces(region_of(backend.account_id, backend.region_name))
    return NetworkInterfaceBackend.get_all_network_interfaces(backend, eni_ids, filters)


def _delete_security_group(backend: EC2Backend, vpc_id: str | None, group_id: str) -> None:
    """Refuse while an interface is in the group or another group's rule names it.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    group = backend.get_security_group_from_id(group_id)
    if group is not None and group.is_default:
        raise EC2ClientError(
            "CannotDelete", f'the specified group: "{group_id}" name: "default" cannot be deleted by a user'
        )
    others = [
        one for groups in list(backend.groups.values()) for one in list(groups.values()) if one.id != group_id
    ]
    referred = any(
        rule.source_group.get("GroupId") == group_id
        for other in others
        for rule in (*other.ingress_rules, *other.egress_rules)
    )
    occupied = any(group_id in {one.id for one in interface.group_set} for interface in _interfaces(backend))
    if referred or occupied:
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    SecurityGroupBackend._delete_security_group(backend, vpc_id, group_id)  # noqa: SLF001 - what ours stands in front of


def delete_subnet(backend: EC2Backend, subnet_id: str) -> Subnet:
    """Refuse while an interface is in the subnet.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSubnet.html
    """
    if any(interface.subnet.id == subnet_id for interface in _interfaces(backend)):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return SubnetBackend.delete_subnet(backend, subnet_id)


def start_instances(backend: EC2Backend, instance_ids: list[str]) -> list[tuple[Instance, InstanceState]]:
    """Give an instance that was stopped a new launch time, in whole seconds.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Stop_Start.html
    """
    started = InstanceBackend.start_instances(backend, instance_ids)
    for instance, before in started:
        if before.name == "stopped":
            instance.launch_time = utcnow().replace(microsecond=0)
    return started


def get_reservations_by_instance_ids(
    backend: EC2Backend, instance_ids: list[str], filters: Any = None
) -> list[Reservation]:
    """Name every id that does not exist: moto names one (https://github.com/getmoto/moto/issues/4903)."""
    known = {instance.id for reservation in backend.all_reservations() for instance in reservation.instances}
    if unknown := [id_ for id_ in dict.fromkeys(instance_ids) if id_ not in known]:
        raise InvalidInstanceIdError(unknown)
    return InstanceBackend.get_reservations_by_instance_ids(
        backend, list(dict.fromkeys(instance_ids)), filters
    )


def describe_spot_instance_requests(
    backend: EC2Backend, filters: Any = None, spot_instance_ids: list[str] | None = None
) -> list[dict[str, Any]]:
    """Show the request of every Spot instance, with its status: moto makes none for those of RunInstances.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
    """
    requests = [
        {
            "SpotInstanceRequestId": f"sir-{instance.id.removeprefix('i-')[:8]}",
            "InstanceId": instance.id,
            "State": "active" if instance.state == "running" else "closed",
            "Status": {"Code": (KNOBS.spot_status and KNOBS.spot_status(instance.id)) or "fulfilled"},
        }
        for reservation in backend.all_reservations()
        for instance in reservation.instances
        if instance.lifecycle == "spot"
    ]
    keys: dict[str, Callable[[dict[str, Any]], str]] = {
        "instance-id": lambda one: one["InstanceId"],
        "status-code": lambda one: one["Status"]["Code"],
    }
    return [
        one
        for one in requests
        if (not spot_instance_ids or one["SpotInstanceRequestId"] in spot_instance_ids)
        and all(keys[name](one) in values for name, values in (filters or {}).items())
    ]


def _interfaces(backend: EC2Backend) -> list[NetworkInterface]:
    """Return the interfaces that AWS has: moto keeps those of terminated instances, AWS does not."""
    return [
        interface
        for interface in backend.get_all_network_interfaces()
        if interface.instance is None or interface.instance.state != "terminated"
    ]
