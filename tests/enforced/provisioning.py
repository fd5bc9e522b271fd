"""What the API handler and `provision` are for: load balancers, made, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3

from chalicelib.model.names import target_group_name
from lab.fidelity.knobs import KNOBS
from tests.enforced import OWNER, Deployment
from tests.provision.test_adoption import by_hand
from tests.provision.test_drift import DRIFTS, body_of
from tests.register.test_drain import group
from tests.world.dns import HOST, records, zone
from tests.world.network import (
    NETWORK_DRIFTS,
    elbv2,
    full_network_body,
    listener,
    network_body,
    target_group,
)
from tests.world.provisioning import issued, pem
from tests.world.rotating import bundle, keep_secret, use_in_second

PRIVATE_CA = {"issuer": "private-ca", "domains": ["mqtt.example.com"]}
LATE = 120.0
"""Seconds until ELB knows a new certificate, or lets go of a group: longer than a request may take."""


def article(prod: Deployment) -> None:
    """Make the article's load balancer, look at it, and delete it; the alarms follow."""
    body = prod.here.article
    prod.put(body, query="?dry_run=true")
    prod.put(body)
    assert prod.put(body)["actions"] == []
    for path in ("/load-balancers", "/load-balancers/demo", "/openapi.json"):
        prod.http("GET", path)
    prod.background()
    prod.http("DELETE", "/load-balancers/demo?force=true")
    prod.background()
    assert prod.here.snapshot()["load balancers"] == {}


def every_certificate(prod: Deployment) -> None:
    """Take a certificate of every source, and delete what was made for each."""
    keep_secret(bundle(60), f"{OWNER}/mqtt")
    sources: Sequence[Mapping[str, Any]] = (
        {"pem": pem(issued())},
        PRIVATE_CA,
        {"secret_id": f"{OWNER}/mqtt"},
        {"arn": acm_certificate()},
        {"arn": prod.here.world.upload("by-hand")},
    )
    for source in sources:
        prod.put({"subnets": prod.here.subnets[:2], "hostname": "mqtt.example.com", "certificate": source})
        prod.http("GET", "/load-balancers/demo")
    prod.http("GET", "/private-ca.pem")
    # A CA of before its certificate had a secret of its own, and a stale one in that.
    boto3.client("secretsmanager").untag_resource(
        SecretId=f"{OWNER}/private-ca", TagKeys=["emq-elb:certificate"]
    )
    other = {"issuer": "private-ca", "domains": ["mqtt.example.com", "other.example.com"]}
    prod.put({"subnets": prod.here.subnets[:2], "hostname": "mqtt.example.com", "certificate": other})
    prod.http("DELETE", "/load-balancers/demo")
    prod.background()
    snapshot = prod.here.snapshot()
    assert (snapshot["groups"], len(snapshot["certificates"])) == ({}, 1)


def acm_certificate() -> str:
    """Import a certificate into ACM, and return its ARN."""
    imported = boto3.client("acm").import_certificate(
        Certificate=issued().certificate_pem.encode(), PrivateKey=issued().private_key_pem.encode()
    )
    return str(imported["CertificateArn"])


def every_drift(prod: Deployment) -> None:
    """Make good, by the same PUT, whatever was changed by hand; with a group of one's own ours goes."""
    body = body_of(prod.here)
    prod.put(body)
    for name, (change, _) in DRIFTS.items():
        change(prod.here)
        assert prod.put(body)["changed"], name
    rest = {key: value for key, value in body.items() if key != "allow"}
    prod.put({**rest, "security_groups": [prod.here.group()], "proxy_protocol": False})


def adopted(prod: Deployment) -> None:
    """Take over what somebody made by hand, with its members, and change it."""
    by_hand(prod.here, "node-1", "node-2")
    shown = prod.http("GET", "/load-balancers/demo?adopt=true")
    prod.put({**shown, "connection_draining": 60}, query="?adopt=true")


def in_a_group(prod: Deployment) -> None:
    """Look at instances that an Auto Scaling group runs."""
    prod.put(prod.here.article)
    group()
    prod.put(prod.http("GET", "/load-balancers/demo"))


def crowded(prod: Deployment) -> None:
    """Ask for the quota where few load balancers are left of it."""
    for number in range(15):
        prod.here.world.create(f"lb-{number}")
    prod.put(prod.here.article)


def made_in_the_background(prod: Deployment) -> None:
    """Make, in the background, an account's first load balancer; its group is deleted by hand meanwhile."""
    KNOBS.certificate_propagation_seconds = LATE
    body = {
        "subnets": prod.here.subnets[:2],
        "certificate": {"pem": pem(issued())},
        "instances": prod.here.launch("node-1"),
    }
    assert prod.put(body)["state"] == "pending"
    (made,) = (
        one
        for one in prod.here.world.ec2.describe_security_groups()["SecurityGroups"]
        if one["GroupName"] == "demo-elb"
    )
    prod.here.world.ec2.delete_security_group(GroupId=made["GroupId"])
    group()
    prod.background()
    assert prod.http("GET", "/load-balancers/demo")["state"] == "ready"


# What can be changed by hand at one time, so that one PUT makes all of it good.
AT_ONCE = (
    "listener removed",
    "listener added",
    "another policy",
    "no PROXY protocol",
    "health check",
    "draining",
    "subnet detached",
    "subnet attached",
    "rule revoked",
    "rule added",
    "another group",
    "tag of the body changed",
    "instance deregistered",
    "stranger registered",
    "cluster tag removed",
)


def drifting_in_the_background(prod: Deployment) -> None:
    """Make good, in the background, what is changed by hand while a certificate is waited for."""
    body = body_of(prod.here)
    prod.put(body)
    for number in range(15):
        prod.here.world.create(f"lb-{number}")
    KNOBS.certificate_propagation_seconds = LATE
    body["ssl_policy"] = "ELBSecurityPolicy-2016-08"
    assert prod.put({**body, "certificate": {"pem": pem(issued())}})["state"] == "pending"
    for name in AT_ONCE:
        DRIFTS[name][0](prod.here)
    prod.background()
    assert prod.http("GET", "/load-balancers/demo")["state"] == "ready"


def let_go_slowly(prod: Deployment) -> None:
    """Delete a group, in the background, that somebody's interface was in; the certificate is ACM's."""
    body = {"subnets": prod.here.subnets[:2], "certificate": {"arn": acm_certificate()}}
    prod.put(body)
    (own,) = prod.here.world.describe()["SecurityGroups"]
    held = prod.here.world.ec2.create_network_interface(SubnetId=prod.here.subnets[0], Groups=[own])
    assert prod.put({**body, "security_groups": [prod.here.group()]})["state"] == "pending"
    prod.here.world.ec2.delete_network_interface(
        NetworkInterfaceId=held["NetworkInterface"]["NetworkInterfaceId"]
    )
    prod.background()
    assert set(prod.here.snapshot()["groups"]) == {"by-hand"}


def deleted_slowly(prod: Deployment) -> None:
    """Finish, in the background, a DELETE that AWS needs longer for; once somebody is quicker with a part."""
    use_in_second("network", False, "eu-central-1", acm_certificate())
    for quicker in (False, True):
        prod.put({"subnets": prod.here.subnets[:2], "certificate": {"pem": pem(issued())}})
        KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = LATE
        assert prod.http("DELETE", "/load-balancers/demo")["state"] == "pending"
        prod.here.sleep(LATE)
        (certificate,) = prod.here.certificates()
        if quicker:
            name = certificate["ServerCertificateName"]
            prod.here.world.iam.delete_server_certificate(ServerCertificateName=name)
        prod.background()
        if quicker:
            prod.forgive("provision", "iam:DeleteServerCertificate")
        assert prod.here.snapshot()["groups"] == {}
        assert prod.here.certificates() == []


def named(prod: Deployment) -> None:
    """Keep the record of a hostname, look at it, and withdraw it."""
    prod.zone = zone(prod.here)
    body = {**prod.here.article, "hostname": HOST, "dns": True}
    for asked in (body, {**body, "dns": {"weight": 10}}, {**body, "dns": False}):
        prod.put(asked)
        prod.background()
        assert len(records(prod.zone)) == (2 if asked["dns"] else 0)
        prod.http("GET", "/load-balancers/demo")
    prod.put(body)
    prod.background()
    assert prod.http("DELETE", "/load-balancers/demo?force=true")["state"] == "pending"
    prod.background()
    assert prod.here.snapshot()["load balancers"] == {}
    assert records(prod.zone) == []


def network(prod: Deployment) -> None:
    """Make a network load balancer, make good whatever is changed of it by hand, and delete it."""
    body = full_network_body(prod.here)
    prod.put(body)
    prod.http("GET", "/load-balancers/demo")
    for name, (change, _) in NETWORK_DRIFTS.items():
        change(prod.here)
        prod.put(body)
        assert prod.put(body)["actions"] == [], name
    moved = {"protocol": "TLS", "port": 8883, "instance_protocol": "TCP", "instance_port": 1884}
    open_ = {"mqtt": ["0.0.0.0/0"]}
    prod.put({**body, "listeners": [moved], "proxy_protocol": [1884], "allow": open_})
    prod.put({**body, "certificate": {"pem": pem(issued())}})
    _another_one(prod)
    prod.http("DELETE", "/load-balancers/demo?force=true")
    prod.background()
    assert set(prod.here.snapshot()["groups"]) == {"by-hand"}
    assert elbv2().describe_target_groups(Names=["theirs"])["TargetGroups"]


def _another_one(prod: Deployment) -> None:
    """Make somebody else's, which serves a certificate of his own."""
    vpc = prod.here.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = elbv2().create_load_balancer(Name="theirs", Type="network", Subnets=prod.here.subnets[:1])
    group = elbv2().create_target_group(Name="theirs", Protocol="TCP", Port=1, VpcId=vpc)["TargetGroups"][0]
    elbv2().create_listener(
        LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
        Port=443,
        Protocol="TLS",
        Certificates=[{"CertificateArn": prod.here.world.upload("theirs")}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )


def network_adopted(prod: Deployment) -> None:
    """Take over a network load balancer that somebody made by hand."""
    prod.put(network_body(prod.here))
    for kind in ("load_balancers", "target_groups"):
        for one in getattr(elbv2(), f"describe_{kind}")()["".join(map(str.title, kind.split("_")))]:
            arn = one.get("LoadBalancerArn") or one["TargetGroupArn"]
            elbv2().remove_tags(ResourceArns=[arn], TagKeys=["emq-elb:owner", "emq-elb:certificate"])
    shown = prod.http("GET", "/load-balancers/demo?adopt=true")
    prod.put({**shown, "connection_draining": 60}, query="?adopt=true")


def network_in_the_background(prod: Deployment) -> None:
    """Make good, in the background, what is changed by hand while a certificate is waited for; delete it."""
    for number in range(40):
        elbv2().create_load_balancer(Name=f"lb-{number}", Type="network", Subnets=prod.here.subnets[:1])
    body = full_network_body(prod.here)
    prod.put(body)
    KNOBS.certificate_propagation_seconds = LATE
    listeners = [
        {"protocol": "TLS", "port": 8883, "instance_protocol": "TCP", "instance_port": 1884},
        {"protocol": "TCP", "port": 18083, "instance_protocol": "TCP", "instance_port": 18083},
    ]
    wanted = {**body, "listeners": listeners, "certificate": {"pem": pem(issued())}, "proxy_protocol": [1884]}
    assert prod.put(wanted)["state"] == "pending"
    for name in NETWORK_AT_ONCE:
        NETWORK_DRIFTS[name][0](prod.here)
    # What the request has made of the new port by now, somebody deletes.
    (new,) = elbv2().describe_target_groups(Names=[target_group_name("demo", 1884)])["TargetGroups"]
    elbv2().delete_target_group(TargetGroupArn=new["TargetGroupArn"])
    (stranger,) = prod.here.launch("another")
    elbv2().register_targets(TargetGroupArn=target_group(18083), Targets=[{"Id": stranger}])
    elbv2().delete_listener(ListenerArn=listener(18083)["ListenerArn"])
    prod.background()
    assert prod.http("GET", "/load-balancers/demo")["state"] == "ready"
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = LATE
    KNOBS.target_group_hold_seconds = LATE
    assert prod.http("DELETE", "/load-balancers/demo?force=true")["state"] == "pending"
    prod.here.sleep(LATE)
    prod.background()
    assert elbv2().describe_target_groups()["TargetGroups"] == []


NETWORK_AT_ONCE = (
    "listener added",
    "idle timeout",
    "health check",
    "draining",
    "cross-zone",
    "subnet removed",
    "another group",
    "tag of the body changed",
    "owner tag of a listener removed",
    "target deregistered",
)
"""What can be changed by hand at one time, so that one PUT makes all of it good."""
