"""Classic load balancers themselves: created, described, deleted, counted.

https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from moto.ec2.models.instances import Instance
from moto.utilities.utils import get_partition

from lab.fidelity import elb_certificates, elb_instances, elb_listeners, elb_service_role
from lab.fidelity.elb_network import (
    asked_groups,
    asked_subnets,
    leave_interfaces,
    update_interfaces,
    zones_of,
)
from lab.fidelity.elb_policies import shown_policies
from lab.fidelity.elb_settings import shown_health_check
from lab.fidelity.elb_state import (
    Answer,
    LoadBalancer,
    Region,
    Request,
    existing,
    instances,
    invalid,
    refusal,
    required,
)
from lab.fidelity.elb_tags import asked_tags
from lab.fidelity.knobs import KNOBS
from lab.fidelity.route53_aliases import classic_zone

NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?")
LONGEST_NAME = 32
SCHEMES = frozenset({"internet-facing", "internal"})
LARGEST_PAGE = 400


def create_load_balancer(region: Region, request: Request) -> Answer:
    """Create a load balancer, or refuse and leave nothing; a name that exists is refused in any case."""
    name = _name(required(request, "LoadBalancerName"))
    if name in region.load_balancers:
        raise refusal(
            "DuplicateLoadBalancerName",
            f"The specified load balancer name already exists for this account: {name}",
        )
    if len(region.load_balancers) >= KNOBS.load_balancers_quota:
        raise refusal(
            "TooManyLoadBalancers", f"There are {KNOBS.load_balancers_quota} load balancers already"
        )
    scheme = request.get("Scheme") or "internet-facing"
    if scheme not in SCHEMES:
        raise refusal("InvalidScheme", f"Scheme {scheme} is neither internet-facing nor internal")
    listeners = elb_listeners.added((), elb_listeners.asked(request), name)
    tags = asked_tags(request, {})
    subnets = asked_subnets(region, request, scheme)
    vpc_id = subnets[0].vpc_id
    groups = asked_groups(region, request.get("SecurityGroups", []), vpc_id)
    elb_listeners.refuse_unknown_certificates(region, listeners)
    load_balancer = LoadBalancer(
        name=name,
        dns_name=_dns_name(region, name, scheme),
        scheme=scheme,
        vpc_id=vpc_id,
        subnets=[subnet.id for subnet in subnets],
        security_groups=groups,
        created=datetime.now(UTC),
        tags=tags,
    )
    elb_listeners.add(region, load_balancer, listeners)
    update_interfaces(region, load_balancer)
    region.load_balancers[name] = load_balancer
    elb_service_role.create(region.account_id, region.name)
    return {"DNSName": load_balancer.dns_name}


def _name(asked: object) -> str:
    name = str(asked)
    if not NAME.fullmatch(name):
        raise invalid(
            "LoadBalancer name cannot contain characters that are not letters, or digits or the dash, "
            "nor begin or end with the dash."
        )
    if len(name) > LONGEST_NAME:
        raise invalid(f"LoadBalancer name cannot be longer than {LONGEST_NAME} characters")
    return name


def _dns_name(region: Region, name: str, scheme: str) -> str:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internet-facing-load-balancers.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internal-load-balancers.html"""
    prefix = "internal-" if scheme == "internal" else ""
    suffix = "amazonaws.com.cn" if get_partition(region.name) == "aws-cn" else "amazonaws.com"
    number = 10**9 + secrets.randbelow(10**9)
    return f"{prefix}{name}-{number}.{region.name}.elb.{suffix}"


def delete_load_balancer(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancer.html

    One that does not exist is no fault.
    """
    load_balancer = region.load_balancers.pop(required(request, "LoadBalancerName"), None)
    if load_balancer:
        for port in list(load_balancer.listeners):
            elb_certificates.take_listener(region, load_balancer, port)
        leave_interfaces(region, load_balancer.interfaces.values())
    return {}


def describe_load_balancers(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancers.html

    One name that does not exist fails the whole call, and so does one that can be no name at all
    (https://github.com/jcowley/elb-instance-reboot/issues/1).
    """
    page_size = int(request.get("PageSize", LARGEST_PAGE))
    if not 1 <= page_size <= LARGEST_PAGE:
        raise invalid(f"PageSize must be between 1 and {LARGEST_PAGE}")
    asked = request.get("LoadBalancerNames", [])
    all_found = [existing(region, _name(name)) for name in asked] or list(region.load_balancers.values())
    marker = request.get("Marker") or ""
    behind = sorted((one for one in all_found if one.name > marker), key=lambda one: one.name)
    page = behind[:page_size]
    found = instances(region)
    answer: Answer = {"LoadBalancerDescriptions": [_shown(region, one, found) for one in page]}
    if len(behind) > len(page):
        answer["NextMarker"] = page[-1].name
    return answer


def _shown(region: Region, load_balancer: LoadBalancer, found: Mapping[str, Instance]) -> Answer:
    groups = [region.ec2.get_security_group_from_id(one) for one in load_balancer.security_groups]
    source = {"OwnerAlias": region.account_id, "GroupName": groups[0].name if groups and groups[0] else ""}
    return {
        "LoadBalancerName": load_balancer.name,
        "DNSName": load_balancer.dns_name,
        "CanonicalHostedZoneName": load_balancer.dns_name,
        "CanonicalHostedZoneNameID": classic_zone(region.name),
        "ListenerDescriptions": [
            {
                "Listener": {
                    "Protocol": listener.protocol,
                    "LoadBalancerPort": listener.port,
                    "InstanceProtocol": listener.instance_protocol,
                    "InstancePort": listener.instance_port,
                    "SSLCertificateId": elb_certificates.shown(region, listener),
                },
                "PolicyNames": load_balancer.listener_policies.get(listener.port, []),
            }
            for listener in list(load_balancer.listeners.values())
        ],
        "Policies": shown_policies(load_balancer),
        "BackendServerDescriptions": [
            {"InstancePort": port, "PolicyNames": names}
            for port, names in list(load_balancer.backend_policies.items())
            if names
        ],
        "AvailabilityZones": zones_of(region, load_balancer),
        "Subnets": load_balancer.subnets,
        "VPCId": load_balancer.vpc_id,
        "Instances": [{"InstanceId": one} for one in elb_instances.registered(load_balancer, found)],
        "HealthCheck": shown_health_check(load_balancer.health_check),
        "SourceSecurityGroup": source,
        "SecurityGroups": load_balancer.security_groups,
        "CreatedTime": load_balancer.created,
        "Scheme": load_balancer.scheme,
    }


def describe_account_limits(_region: Region, _request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeAccountLimits.html"""
    limits = {
        "classic-load-balancers": KNOBS.load_balancers_quota,
        "classic-listeners": elb_listeners.QUOTA,
        "classic-registered-instances": elb_instances.QUOTA,
    }
    return {"Limits": [{"Name": name, "Max": str(most)} for name, most in limits.items()]}
