"""Classic load balancers of CloudFormation stacks: made by the same corrected operations as anybody else's.

moto makes them past its own API, without subnets, policies of listeners, or attributes. Covered are the
properties that a load balancer of ours has; access logs, stickiness and updates of a stack are left out.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancing-loadbalancer.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.elb.models import LoadBalancer

from lab.fidelity import elb_instances, elb_load_balancers, elb_policies, elb_settings
from lab.fidelity.elb_state import Region, region_of

Properties = Mapping[str, Any]


def install() -> None:
    """Put the corrections in place of what moto does for a stack."""
    made = staticmethod(create_from_cloudformation_json)
    setattr(LoadBalancer, create_from_cloudformation_json.__name__, made)
    setattr(LoadBalancer, delete.__name__, delete)


def create_from_cloudformation_json(
    resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **_: object
) -> LoadBalancer:
    """Make the load balancer, then all that its properties say; return what moto's stack holds of it."""
    properties: Properties = cloudformation_json["Properties"]
    region = region_of(account_id, region_name)
    name = str(properties.get("LoadBalancerName", resource_name))
    created = elb_load_balancers.create_load_balancer(region, {**properties, "LoadBalancerName": name})
    _policies(region, name, properties)
    if "HealthCheck" in properties:
        asked = {"LoadBalancerName": name, "HealthCheck": properties["HealthCheck"]}
        elb_settings.configure_health_check(region, asked)
    if attributes := _attributes(properties):
        elb_settings.modify_load_balancer_attributes(
            region, {"LoadBalancerName": name, "LoadBalancerAttributes": attributes}
        )
    if ids := properties.get("Instances"):
        members = [{"InstanceId": id_} for id_ in ids]
        elb_instances.register_instances_with_load_balancer(
            region, {"LoadBalancerName": name, "Instances": members}
        )
    held = LoadBalancer(  # type: ignore[abstract] # moto's own code makes them
        account_id, name, zones=[], ports=[], scheme=None, vpc_id=None, subnets=None, security_groups=None
    )
    held.dns_name = created["DNSName"]
    return held


def delete(held: LoadBalancer, account_id: str, region_name: str) -> None:
    """Delete the load balancer with its stack."""
    region = region_of(account_id, region_name)
    elb_load_balancers.delete_load_balancer(region, {"LoadBalancerName": held.name})


def _policies(region: Region, name: str, properties: Properties) -> None:
    for policy in properties.get("Policies", []):
        attributes = [
            {"AttributeName": one["Name"], "AttributeValue": one["Value"]}
            for one in policy.get("Attributes", [])
        ]
        elb_policies.create_load_balancer_policy(
            region,
            {
                "LoadBalancerName": name,
                "PolicyName": policy["PolicyName"],
                "PolicyTypeName": policy["PolicyType"],
                "PolicyAttributes": attributes,
            },
        )
    for listener in properties["Listeners"]:
        if names := listener.get("PolicyNames"):
            elb_policies.set_load_balancer_policies_of_listener(
                region,
                {
                    "LoadBalancerName": name,
                    "LoadBalancerPort": int(listener["LoadBalancerPort"]),
                    "PolicyNames": names,
                },
            )


def _attributes(properties: Properties) -> dict[str, Any]:
    """Return the attributes as the API names them."""
    found: dict[str, Any] = {}
    if "CrossZone" in properties:
        found["CrossZoneLoadBalancing"] = {"Enabled": properties["CrossZone"]}
    if "ConnectionDrainingPolicy" in properties:
        found["ConnectionDraining"] = properties["ConnectionDrainingPolicy"]
    if "ConnectionSettings" in properties:
        found["ConnectionSettings"] = properties["ConnectionSettings"]
    return found
