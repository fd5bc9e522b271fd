"""The network load balancer `demo`: a body of PUT, and what somebody changes of it at AWS past us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.lab import load_balancing
from tests.world.provisioning import OWNER, Account

CLIENT_PORT, DASHBOARD = 8883, 18083


def elbv2() -> Any:
    """The second API, as a stranger calls it."""
    return load_balancing.client("elbv2")


def network_body(here: Account, **more: Any) -> dict[str, Any]:
    """The article's load balancer as a network one; its instances are tagged into the cluster already."""
    here.tag(here.launch("node-1", "node-2"), "emq-elb:cluster", "demo")
    return {
        "type": "network",
        "subnets": here.subnets[:2],
        "security_groups": [here.group()],
        "certificate": {"arn": here.world.upload("by-hand")},
        **more,
    }


def full_network_body(here: Account) -> dict[str, Any]:
    """One in which every field has something to lose."""
    body = network_body(
        here,
        allow={"mqtt": ["0.0.0.0/0"], "dashboard": ["10.0.0.0/8"]},
        tags={"team": "iot"},
        hostname="mqtt.example.com",
        access_logs={"bucket": "logs", "prefix": "mqtt"},
        proxy_protocol=[1883],
        cross_zone=True,
    )
    del body["security_groups"]
    return body


def create_network(
    here: Account, name: str, *ports: tuple[int, int], certificate: str | None = None, **tags: str
) -> str:
    """Create one of ours by hand, a listener for each port and instance port; TLS where it has a certificate.

    `tags` are ours, without their prefix. Return its ARN.
    """
    client = elbv2()
    given = [{"Key": f"emq-elb:{key}", "Value": value} for key, value in ({"owner": OWNER} | tags).items()]
    (made,) = client.create_load_balancer(
        Name=name,
        Type="network",
        Subnets=here.subnets[:2],
        SecurityGroups=[here.group(f"{name}-g")],
        Tags=given,
    )["LoadBalancers"]
    groups: dict[int, str] = {}
    for port, behind in ports:
        if behind not in groups:
            (group,) = client.create_target_group(
                Name=f"{name}-{behind}",
                Protocol="TCP",
                Port=behind,
                VpcId=made["VpcId"],
                TargetType="instance",
                Tags=given[:1],
            )["TargetGroups"]
            groups[behind] = str(group["TargetGroupArn"])
        secure = {
            "Certificates": [{"CertificateArn": certificate}],
            "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        }
        client.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Port=port,
            Protocol="TLS" if certificate else "TCP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[behind]}],
            Tags=given[:1],
            **(secure if certificate else {}),
        )
    return str(made["LoadBalancerArn"])


def balancer(name: str = "demo") -> Any:
    """The load balancer as AWS shows it."""
    (found,) = elbv2().describe_load_balancers(Names=[name])["LoadBalancers"]
    return found


def listener(port: int) -> Any:
    """The listener of a port as AWS shows it."""
    listeners = elbv2().describe_listeners(LoadBalancerArn=balancer()["LoadBalancerArn"])["Listeners"]
    (found,) = (one for one in listeners if one["Port"] == port)
    return found


def target_group(port: int) -> str:
    """The ARN of the target group of an instance port."""
    groups = elbv2().describe_target_groups(LoadBalancerArn=balancer()["LoadBalancerArn"])["TargetGroups"]
    (found,) = (one["TargetGroupArn"] for one in groups if one["Port"] == port)
    return str(found)


def targets(port: int) -> list[str]:
    """The instances that are registered for an instance port."""
    found = elbv2().describe_target_health(TargetGroupArn=target_group(port))["TargetHealthDescriptions"]
    return sorted(one["Target"]["Id"] for one in found if one["TargetHealth"]["State"] != "draining")


def set_attribute(kind: str, arn: str, key: str, value: str) -> None:
    """Change one attribute of a load balancer, a listener or a target group."""
    change = getattr(elbv2(), f"modify_{kind}_attributes")
    parameter = {"load_balancer": "LoadBalancerArn", "listener": "ListenerArn"}.get(kind, "TargetGroupArn")
    change(**{parameter: arn}, Attributes=[{"Key": key, "Value": value}])


def _other_group() -> str:
    made = elbv2().create_target_group(
        Name="by-hand", Protocol="TCP", Port=1884, VpcId=balancer()["VpcId"], TargetType="instance"
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def _untag(arn: str) -> None:
    elbv2().remove_tags(ResourceArns=[arn], TagKeys=["emq-elb:owner"])


def _listen(port: int) -> None:
    elbv2().create_listener(
        LoadBalancerArn=balancer()["LoadBalancerArn"],
        Port=port,
        Protocol="TCP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group(1883)}],
    )


Drift = tuple[Callable[[Account], object], list[str]]

NETWORK_DRIFTS: dict[str, Drift] = {
    "listener removed": (
        lambda _: elbv2().delete_listener(ListenerArn=listener(8883)["ListenerArn"]),
        ["CreateListener"],
    ),
    "listener added": (lambda _: _listen(1884), ["AddTags", "DeleteListener"]),
    "another certificate": (
        lambda here: elbv2().modify_listener(
            ListenerArn=listener(8883)["ListenerArn"],
            Certificates=[{"CertificateArn": here.world.upload("other")}],
        ),
        ["ModifyListener"],
    ),
    "another policy": (
        lambda _: elbv2().modify_listener(
            ListenerArn=listener(8883)["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08"
        ),
        ["ModifyListener"],
    ),
    "forwarded elsewhere": (
        lambda _: elbv2().modify_listener(
            ListenerArn=listener(18083)["ListenerArn"],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group(1883)}],
        ),
        ["ModifyListener"],
    ),
    "idle timeout": (
        lambda _: set_attribute(
            "listener", listener(18083)["ListenerArn"], "tcp.idle_timeout.seconds", "6000"
        ),
        ["ModifyListenerAttributes"],
    ),
    "health check": (
        lambda _: elbv2().modify_target_group(TargetGroupArn=target_group(18083), UnhealthyThresholdCount=9),
        ["ModifyTargetGroup"],
    ),
    "sessions of unhealthy ones cut": (
        lambda _: set_attribute(
            "target_group",
            target_group(1883),
            "target_health_state.unhealthy.connection_termination.enabled",
            "true",
        ),
        ["ModifyTargetGroupAttributes"],
    ),
    "drained ones live on": (
        lambda _: set_attribute(
            "target_group",
            target_group(1883),
            "deregistration_delay.connection_termination.enabled",
            "false",
        ),
        ["ModifyTargetGroupAttributes"],
    ),
    "draining": (
        lambda _: set_attribute(
            "target_group", target_group(18083), "deregistration_delay.timeout_seconds", "7"
        ),
        ["ModifyTargetGroupAttributes"],
    ),
    "clients' addresses": (
        lambda _: set_attribute("target_group", target_group(1883), "preserve_client_ip.enabled", "false"),
        ["ModifyTargetGroupAttributes"],
    ),
    "no PROXY protocol": (
        lambda _: set_attribute("target_group", target_group(1883), "proxy_protocol_v2.enabled", "false"),
        ["ModifyTargetGroupAttributes"],
    ),
    "cross-zone": (
        lambda _: set_attribute(
            "load_balancer",
            balancer()["LoadBalancerArn"],
            "load_balancing.cross_zone.enabled",
            "false",
        ),
        ["ModifyLoadBalancerAttributes"],
    ),
    "access logs off": (
        lambda _: set_attribute(
            "load_balancer", balancer()["LoadBalancerArn"], "access_logs.s3.enabled", "false"
        ),
        ["ModifyLoadBalancerAttributes"],
    ),
    "subnet removed": (
        lambda here: elbv2().set_subnets(
            LoadBalancerArn=balancer()["LoadBalancerArn"], Subnets=here.subnets[:1]
        ),
        ["SetSubnets"],
    ),
    "subnet added": (
        lambda here: elbv2().set_subnets(
            LoadBalancerArn=balancer()["LoadBalancerArn"], Subnets=here.subnets[:3]
        ),
        ["SetSubnets"],
    ),
    "another group": (
        lambda here: elbv2().set_security_groups(
            LoadBalancerArn=balancer()["LoadBalancerArn"], SecurityGroups=[here.group()]
        ),
        ["SetSecurityGroups"],
    ),
    "tag of the body changed": (
        lambda _: elbv2().add_tags(
            ResourceArns=[balancer()["LoadBalancerArn"]], Tags=[{"Key": "team", "Value": "x"}]
        ),
        ["AddTags"],
    ),
    "owner tag of a listener removed": (
        lambda _: _untag(listener(8883)["ListenerArn"]),
        ["AddTags"],
    ),
    "owner tag of a target group removed": (lambda _: _untag(target_group(1883)), ["AddTags"]),
    "target deregistered": (
        lambda _: elbv2().deregister_targets(
            TargetGroupArn=target_group(1883), Targets=[{"Id": targets(1883)[0]}]
        ),
        ["RegisterTargets"],
    ),
    "stranger registered": (
        lambda here: elbv2().register_targets(
            TargetGroupArn=target_group(1883), Targets=[{"Id": here.launch("stranger")[0]}]
        ),
        ["DeregisterTargets"],
    ),
}
"""What somebody changes by hand, and the calls of the way back."""


def network_snapshot(here: Account) -> dict[str, Any]:
    """Everything that is at AWS, network load balancers too, by names that are the same in every account."""
    api, ec2 = elbv2(), here.world.ec2
    names = {
        one["InstanceId"]: {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}.get("Name")
        for reservation in ec2.describe_instances()["Reservations"]
        for one in reservation["Instances"]
    }
    security = {one["GroupId"]: one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]}
    networks = {one["SubnetId"]: one["CidrBlock"] for one in ec2.describe_subnets()["Subnets"]}
    groups = {one["TargetGroupArn"]: one for one in api.describe_target_groups()["TargetGroups"]}
    certificates = {one["Arn"]: one["ServerCertificateName"] for one in here.certificates()}

    def tags(arn: str) -> dict[str, str]:
        (described,) = api.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return {tag["Key"]: tag["Value"] for tag in described["Tags"]}

    def attributes(kind: str, parameter: str, arn: str) -> dict[str, str]:
        found = getattr(api, f"describe_{kind}_attributes")(**{parameter: arn})["Attributes"]
        return {one["Key"]: one["Value"] for one in found}

    return {
        **here.snapshot(),
        "network": {
            one["LoadBalancerName"]: {
                "scheme": one["Scheme"],
                "subnets": sorted(networks[zone["SubnetId"]] for zone in one["AvailabilityZones"]),
                "groups": sorted(security[id_] for id_ in one["SecurityGroups"]),
                "tags": tags(one["LoadBalancerArn"]),
                "attributes": attributes("load_balancer", "LoadBalancerArn", one["LoadBalancerArn"]),
                "listeners": {
                    each["Port"]: (
                        each["Protocol"],
                        # The name says what it holds, and so does not differ between accounts of one key.
                        [name_of(certificates, c["CertificateArn"]) for c in each.get("Certificates", [])],
                        each.get("SslPolicy"),
                        groups[each["DefaultActions"][0]["TargetGroupArn"]]["TargetGroupName"],
                        attributes("listener", "ListenerArn", each["ListenerArn"]),
                        tags(each["ListenerArn"]),
                    )
                    for each in api.describe_listeners(LoadBalancerArn=one["LoadBalancerArn"])["Listeners"]
                },
            }
            for one in api.describe_load_balancers()["LoadBalancers"]
        },
        "target groups": {
            one["TargetGroupName"]: {
                "port": (one["Protocol"], one["Port"]),
                "health check": {key: one[key] for key in one if key.startswith(("Health", "Unhealthy"))},
                "attributes": attributes("target_group", "TargetGroupArn", arn),
                "tags": tags(arn),
                "targets": sorted(
                    str(names[target["Target"]["Id"]])
                    for target in api.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
                    if target["TargetHealth"]["State"] != "draining"
                ),
            }
            for arn, one in groups.items()
        },
    }


def name_of(certificates: Mapping[str, str], arn: str) -> str:
    """The name of a certificate; those of an issuer differ in every account, so only that it is one."""
    name = certificates[arn]
    return "issued" if name.startswith("eu-central-1-") else name
