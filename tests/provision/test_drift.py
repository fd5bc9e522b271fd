"""Whatever somebody changes by hand, the same PUT plans exactly the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from moto.iam.models import iam_backends

from tests.lab.load_balancing import ssl
from tests.world.by_hand import (
    NAME,
    REFERENCE,
    cookies,
    negotiating,
    register,
    serving_another,
    undone_exactly,
)
from tests.world.provisioning import Account

PLAIN = {"Protocol": "TCP", "LoadBalancerPort": 1883, "InstanceProtocol": "TCP", "InstancePort": 1883}


def body_of(here: Account) -> dict[str, Any]:
    """One with a group of ours, PROXY protocol, tags and access logs: everything that can drift."""
    return {
        "subnets": here.subnets[:2],
        "certificate": {"arn": here.world.upload("served")},
        "instances": here.launch("node-1", "node-2"),
        "allow": {"dashboard": ["10.0.0.0/8"]},
        "proxy_protocol": True,
        "access_logs": {"bucket": "logs"},
        "hostname": "mqtt.example.com",
        "tags": {"team": "iot"},
    }


def arn_of(here: Account) -> str:
    return str(here.certificates()[0]["Arn"])


def own_group(here: Account) -> str:
    return str(here.world.describe()["SecurityGroups"][0])


def permission(port: int, cidr: str) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}]


def another_wiring(here: Account) -> None:
    here.world.elb.delete_load_balancer_listeners(**NAME, LoadBalancerPorts=[8883])
    here.world.elb.create_load_balancer_listeners(**NAME, Listeners=[ssl(arn_of(here), 8883, 8884, "SSL")])


def attribute(value: dict[str, Any]) -> Callable[[Account], object]:
    return lambda here: here.world.elb.modify_load_balancer_attributes(**NAME, LoadBalancerAttributes=value)


DRIFTS: dict[str, tuple[Callable[[Account], object], list[str]]] = {
    "listener removed": (
        lambda here: here.world.elb.delete_load_balancer_listeners(**NAME, LoadBalancerPorts=[18083]),
        ["CreateLoadBalancerListeners"],
    ),
    "listener added": (
        lambda here: here.world.elb.create_load_balancer_listeners(**NAME, Listeners=[PLAIN]),
        ["DeleteLoadBalancerListeners"],
    ),
    "secure listener removed": (
        lambda here: here.world.elb.delete_load_balancer_listeners(**NAME, LoadBalancerPorts=[8883]),
        [
            "CreateLoadBalancerListeners",
            "SetLoadBalancerPoliciesOfListener",
            "SetLoadBalancerPoliciesForBackendServer",
        ],
    ),
    "listener with another wiring": (
        another_wiring,
        [
            "AddTags",
            "DeleteLoadBalancerListeners",
            "CreateLoadBalancerListeners",
            "SetLoadBalancerPoliciesOfListener",
            "SetLoadBalancerPoliciesForBackendServer",
            "RemoveTags",
        ],
    ),
    "another certificate": (serving_another, ["SetLoadBalancerListenerSSLCertificate"]),
    "another policy": (
        lambda here: negotiating(here, "weak", {REFERENCE: "ELBSecurityPolicy-2015-05"}, 8883),
        ["SetLoadBalancerPoliciesOfListener"],
    ),
    "no policy": (
        lambda here: here.world.elb.set_load_balancer_policies_of_listener(
            **NAME, LoadBalancerPort=8883, PolicyNames=[]
        ),
        ["SetLoadBalancerPoliciesOfListener"],
    ),
    "no PROXY protocol": (
        lambda here: here.world.elb.set_load_balancer_policies_for_backend_server(
            **NAME, InstancePort=1883, PolicyNames=[]
        ),
        ["SetLoadBalancerPoliciesForBackendServer"],
    ),
    "health check": (
        lambda here: here.world.elb.configure_health_check(
            **NAME,
            HealthCheck={
                "Target": "TCP:1883",
                "Interval": 30,
                "Timeout": 5,
                "UnhealthyThreshold": 3,
                "HealthyThreshold": 2,
            },
        ),
        ["ConfigureHealthCheck"],
    ),
    "idle timeout": (
        attribute({"ConnectionSettings": {"IdleTimeout": 60}}),
        ["ModifyLoadBalancerAttributes"],
    ),
    "draining": (attribute({"ConnectionDraining": {"Enabled": False}}), ["ModifyLoadBalancerAttributes"]),
    "cross-zone": (
        attribute({"CrossZoneLoadBalancing": {"Enabled": False}}),
        ["ModifyLoadBalancerAttributes"],
    ),
    "access logs off": (attribute({"AccessLog": {"Enabled": False}}), ["ModifyLoadBalancerAttributes"]),
    "access logs elsewhere": (
        attribute({"AccessLog": {"Enabled": True, "S3BucketName": "elsewhere"}}),
        ["ModifyLoadBalancerAttributes"],
    ),
    "subnet detached": (
        lambda here: here.world.elb.detach_load_balancer_from_subnets(**NAME, Subnets=[here.subnets[1]]),
        ["AttachLoadBalancerToSubnets"],
    ),
    "subnet attached": (
        lambda here: here.world.elb.attach_load_balancer_to_subnets(**NAME, Subnets=[here.subnets[2]]),
        ["DetachLoadBalancerFromSubnets"],
    ),
    "another group": (
        lambda here: here.world.elb.apply_security_groups_to_load_balancer(
            **NAME, SecurityGroups=[here.group()]
        ),
        ["ApplySecurityGroupsToLoadBalancer"],
    ),
    "rule revoked": (
        lambda here: here.world.ec2.revoke_security_group_ingress(
            GroupId=own_group(here), IpPermissions=permission(8883, "0.0.0.0/0")
        ),
        ["AuthorizeSecurityGroupIngress"],
    ),
    "rule added": (
        lambda here: here.world.ec2.authorize_security_group_ingress(
            GroupId=own_group(here), IpPermissions=permission(22, "0.0.0.0/0")
        ),
        ["RevokeSecurityGroupIngress"],
    ),
    "tag of the body changed": (
        lambda here: here.world.elb.add_tags(
            LoadBalancerNames=["demo"], Tags=[{"Key": "team", "Value": "x"}]
        ),
        ["AddTags"],
    ),
    "tag of ours removed": (
        lambda here: here.world.elb.remove_tags(
            LoadBalancerNames=["demo"], Tags=[{"Key": "emq-elb:hostname"}]
        ),
        ["AddTags"],
    ),
    "instance deregistered": (
        lambda here: here.world.elb.deregister_instances_from_load_balancer(
            **NAME, Instances=here.world.describe()["Instances"][:1]
        ),
        ["RegisterInstancesWithLoadBalancer"],
    ),
    "stranger registered": (
        lambda here: register(here, here.launch("stranger")),
        ["DeregisterInstancesFromLoadBalancer"],
    ),
    "cluster tag removed": (
        lambda here: here.world.ec2.delete_tags(
            Resources=[here.world.describe()["Instances"][0]["InstanceId"]],
            Tags=[{"Key": "emq-elb:cluster"}],
        ),
        ["CreateTags"],
    ),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_the_way_back_is_exactly_what_was_changed(here: Account, name: str) -> None:
    change, way_back = DRIFTS[name]
    undone_exactly(here, body_of(here), change, way_back)


def test_a_tag_that_the_body_does_not_name_is_left_alone(here: Account) -> None:
    body = body_of(here)
    here.put(body)
    here.world.elb.add_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "cost-center", "Value": "7"}])
    here.put({**body, "tags": {}})
    assert here.calls.writes == []
    tags = here.snapshot()["load balancers"]["demo"]["tags"]
    assert (tags["cost-center"], tags["team"]) == ("7", "iot")


def test_stickiness_set_by_hand_stays_on_its_listener(here: Account) -> None:
    body = body_of(here)
    here.put(body)
    cookies(here)
    here.put(body)
    assert here.calls.writes == []


def test_a_listener_whose_certificate_is_gone_gets_it_back(here: Account) -> None:
    body = {**body_of(here), "certificate": {"issuer": "private-ca"}}
    here.put(body)
    before = here.served()
    # AWS warns that IAM may let a certificate go that a load balancer uses:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    iam_backends["123456789012"]["aws"].certificates.clear()
    assert here.served() == "Invalid-Certificate"
    here.put(body)
    assert here.calls.writes == ["UploadServerCertificate", "SetLoadBalancerListenerSSLCertificate"]
    assert here.served() not in {before, "Invalid-Certificate"}


def test_policies_do_not_pile_up(here: Account) -> None:
    body = body_of(here)
    for ciphers in (["AES128-SHA256"], ["AES256-SHA256"], ["AES128-GCM-SHA256"], ["AES256-GCM-SHA384"]):
        for proxying in (True, False):
            here.put(
                {
                    **body,
                    "ssl_policy": {"protocols": ["TLSv1.2"], "ciphers": ciphers},
                    "proxy_protocol": proxying,
                }
            )
    assert len(here.snapshot()["load balancers"]["demo"]["policies"]) == 2  # AWS's default one and ours
