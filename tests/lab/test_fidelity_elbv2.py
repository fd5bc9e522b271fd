"""Network load balancers answer and refuse as AWS's pages say, through boto3."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import Clock, World, client

pytestmark = pytest.mark.usefixtures("aws", "clock")

TRUSTED = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


class Network:
    """An account with an internet gateway, and what tests make in it."""

    def __init__(self) -> None:
        self.world = World()
        self.api = client("elbv2")
        self.vpc = self.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        gateway = self.world.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.world.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)

    def security_group(self, name: str = "mqtt") -> str:
        made = self.world.ec2.create_security_group(GroupName=name, Description="d", VpcId=self.vpc)
        return str(made["GroupId"])

    def create(self, name: str = "demo", **more: Any) -> Any:
        asked = {"Type": "network", "Subnets": self.world.subnets[:1], **more}
        if "SubnetMappings" in asked:
            del asked["Subnets"]
        return self.api.create_load_balancer(Name=name, **asked)["LoadBalancers"][0]

    def group(self, name: str = "demo-1883", port: int = 1883, **more: Any) -> str:
        asked = {"Protocol": "TCP", "VpcId": self.vpc, **more}
        made = self.api.create_target_group(Name=name, Port=port, **asked)["TargetGroups"][0]
        return str(made["TargetGroupArn"])

    def listen(self, balancer: str, group: str, port: int = 1883, **more: Any) -> Any:
        asked = {"Protocol": "TCP", "DefaultActions": forward(group), **more}
        return self.api.create_listener(LoadBalancerArn=balancer, Port=port, **asked)["Listeners"][0]

    def health(self, group: str, **more: Any) -> dict[str, tuple[str, str]]:
        shown = self.api.describe_target_health(TargetGroupArn=group, **more)["TargetHealthDescriptions"]
        return {
            one["Target"]["Id"]: (one["TargetHealth"]["State"], one["TargetHealth"].get("Reason", ""))
            for one in shown
        }


def forward(group: str) -> list[dict[str, str]]:
    return [{"Type": "forward", "TargetGroupArn": group}]


def code(call: Any, *arguments: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    error: Any = caught.value.response["Error"]
    return str(error["Code"])


@pytest.fixture
def here() -> Network:
    return Network()


@pytest.fixture
def clock() -> Clock:
    KNOBS.now = clock = Clock()
    return clock


def test_a_load_balancer_is_named_and_found_as_a_network_one(here: Network) -> None:
    made = here.create()
    assert ":loadbalancer/net/demo/" in made["LoadBalancerArn"]
    id_ = made["LoadBalancerArn"].rpartition("/")[2]
    assert made["DNSName"] == f"demo-{id_}.elb.eu-central-1.amazonaws.com"
    assert (made["Scheme"], made["Type"]) == ("internet-facing", "network")
    assert made["CanonicalHostedZoneId"] == "Z3F0SRJ5LGBH90"
    (shown,) = here.api.describe_load_balancers(Names=["demo"])["LoadBalancers"]
    assert shown["LoadBalancerArn"] == made["LoadBalancerArn"]
    assert code(here.api.describe_load_balancers, Names=["demo", "gone"]) == "LoadBalancerNotFound"
    assert code(here.api.describe_load_balancers, LoadBalancerArns=["arn:gone"]) == "LoadBalancerNotFound"


def test_the_same_settings_make_nothing_new_and_others_are_refused(here: Network) -> None:
    first, again = here.create(), here.create()
    assert again["LoadBalancerArn"] == first["LoadBalancerArn"]
    assert code(here.create, Scheme="internal") == "DuplicateLoadBalancerName"


NAMES = ["a" * 33, "n_!", "-a", "a-", "internal-x"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_can_be_none_is_refused(name: str, here: Network) -> None:
    assert code(here.create, name) == "ValidationError"


def test_what_does_not_go_together_is_refused(here: Network) -> None:
    first = here.world.subnets[0]
    ec2 = here.world.ec2
    zone = ec2.describe_subnets(SubnetIds=[first])["Subnets"][0]["AvailabilityZone"]
    beside = ec2.create_subnet(VpcId=here.vpc, CidrBlock="172.31.128.0/24", AvailabilityZone=zone)
    both = [first, beside["Subnet"]["SubnetId"]]
    assert code(here.create, Subnets=both) == "InvalidConfigurationRequest"
    assert code(here.create, Subnets=["subnet-12345678"]) == "SubnetNotFound"
    assert code(here.create, Scheme="foo") == "InvalidScheme"
    assert code(here.create, SecurityGroups=["sg-12345678"]) == "InvalidSecurityGroup"
    assert code(here.create, Subnets=[]) == "ValidationError"
    KNOBS.network_load_balancers_quota = 0
    assert code(here.create) == "TooManyLoadBalancers"


def test_security_groups_come_with_the_load_balancer_or_never(here: Network) -> None:
    group, other = here.security_group(), here.security_group("other")
    without, with_ = here.create("without"), here.create("with", SecurityGroups=[group])
    set_ = here.api.set_security_groups
    assert code(set_, LoadBalancerArn=without["LoadBalancerArn"], SecurityGroups=[group]) == (
        "InvalidConfigurationRequest"
    )
    assert code(set_, LoadBalancerArn=with_["LoadBalancerArn"], SecurityGroups=[]) == (
        "InvalidConfigurationRequest"
    )
    answer = set_(
        LoadBalancerArn=with_["LoadBalancerArn"],
        SecurityGroups=[other],
        EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic="off",
    )
    assert answer["SecurityGroupIds"] == [other]
    assert answer["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] == "off"


def test_its_interfaces_hold_its_security_group_for_a_while_after_it_is_deleted(
    here: Network, clock: Clock
) -> None:
    KNOBS.interface_linger_seconds = 60
    group = here.security_group()
    made = here.create(SecurityGroups=[group])
    found = here.world.ec2.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": [f"ELB {made['LoadBalancerArn'].split('/', 1)[1]}"]}]
    )["NetworkInterfaces"]
    assert [one["SubnetId"] for one in found] == here.world.subnets[:1]
    here.api.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    assert code(here.world.ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    clock.pass_seconds(61)
    here.world.ec2.delete_security_group(GroupId=group)


def test_zones_come_and_go_and_a_zones_subnet_is_exchanged_in_two_steps(here: Network) -> None:
    one, two = here.world.subnets[:2]
    arn = here.create(Subnets=[one, two])["LoadBalancerArn"]
    zones = here.api.set_subnets(LoadBalancerArn=arn, Subnets=[two])["AvailabilityZones"]
    assert [zone["SubnetId"] for zone in zones] == [two]
    ec2 = here.world.ec2
    zone = ec2.describe_subnets(SubnetIds=[two])["Subnets"][0]["AvailabilityZone"]
    other = ec2.create_subnet(VpcId=here.vpc, CidrBlock="172.31.128.0/24", AvailabilityZone=zone)
    new = other["Subnet"]["SubnetId"]
    set_ = here.api.set_subnets
    assert code(set_, LoadBalancerArn=arn, Subnets=[new]) == "InvalidConfigurationRequest"
    set_(LoadBalancerArn=arn, Subnets=[one])
    set_(LoadBalancerArn=arn, Subnets=[one, new])


def test_an_elastic_ip_serves_one_load_balancer(here: Network) -> None:
    allocated = here.world.ec2.allocate_address(Domain="vpc")
    mapping = {"SubnetId": here.world.subnets[0], "AllocationId": allocated["AllocationId"]}
    made = here.create(SubnetMappings=[mapping])
    (address,) = made["AvailabilityZones"][0]["LoadBalancerAddresses"]
    assert address["IpAddress"] == allocated["PublicIp"]
    assert code(here.create, "other", SubnetMappings=[mapping]) == "ResourceInUse"
    unknown = mapping | {"AllocationId": "eipalloc-12345678"}
    assert code(here.create, "other", SubnetMappings=[unknown]) == "AllocationIdNotFound"
    more = [mapping, {"SubnetId": here.world.subnets[1]}]
    there = here.api.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    here.api.set_subnets(LoadBalancerArn=there, SubnetMappings=more)  # its own is no other's
    private = {"SubnetId": here.world.subnets[0], "PrivateIPv4Address": "172.31.0.9"}
    assert code(here.create, "other", SubnetMappings=[private]) == "InvalidConfigurationRequest"


def test_attributes_are_those_of_a_network_one_and_checked(here: Network) -> None:
    arn = here.create()["LoadBalancerArn"]
    modify = here.api.modify_load_balancer_attributes

    def asked(key: str, value: str) -> dict[str, Any]:
        return {"LoadBalancerArn": arn, "Attributes": [{"Key": key, "Value": value}]}

    shown = here.api.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": "load_balancing.cross_zone.enabled", "Value": "false"} in shown
    modify(**asked("load_balancing.cross_zone.enabled", "true"))
    assert code(modify, **asked("load_balancing.cross_zone.enabled", "yes")) == "InvalidConfigurationRequest"
    assert code(modify, **asked("routing.http2.enabled", "true")) == "InvalidConfigurationRequest"
    modify(**asked("deletion_protection.enabled", "true"))
    assert code(here.api.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"
    modify(**asked("deletion_protection.enabled", "false"))
    here.api.delete_load_balancer(LoadBalancerArn=arn)
    here.api.delete_load_balancer(LoadBalancerArn=arn)


def test_a_target_group_is_made_once_and_keeps_what_cannot_change(here: Network) -> None:
    arn = here.group()
    assert here.group() == arn
    assert code(here.group, port=1884) == "DuplicateTargetGroupName"
    (shown,) = here.api.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert (shown["Protocol"], shown["Port"], shown["TargetType"]) == ("TCP", 1883, "instance")
    assert (shown["HealthCheckProtocol"], shown["HealthCheckPort"]) == ("TCP", "traffic-port")
    assert (shown["HealthyThresholdCount"], shown["UnhealthyThresholdCount"]) == (5, 2)
    assert code(here.api.describe_target_groups, Names=["gone"]) == "TargetGroupNotFound"


CHECKS: dict[str, dict[str, Any]] = {
    "protocol": {"HealthCheckProtocol": "TLS"},
    "interval": {"HealthCheckIntervalSeconds": 4},
    "timeout": {"HealthCheckTimeoutSeconds": 121},
    "timeout above the interval": {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 6},
    "threshold": {"HealthyThresholdCount": 11},
    "port": {"HealthCheckPort": "70000"},
    "path of a TCP check": {"HealthCheckPath": "/status"},
    "matcher": {"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "600"}},
}


@pytest.mark.parametrize("case", CHECKS)
def test_a_health_check_that_cannot_be_is_refused(case: str, here: Network) -> None:
    assert code(here.group, **CHECKS[case]) == "ValidationError"
    arn = here.group()
    assert code(here.api.modify_target_group, TargetGroupArn=arn, **CHECKS[case]) == "ValidationError"


def test_a_health_check_changes_in_place(here: Network) -> None:
    arn = here.group()
    here.api.modify_target_group(
        TargetGroupArn=arn, HealthCheckProtocol="HTTP", HealthCheckPort="18083", HealthCheckPath="/status"
    )
    (shown,) = here.api.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert (shown["HealthCheckPath"], shown["Matcher"]) == ("/status", {"HttpCode": "200-399"})


def test_target_group_attributes_are_those_of_a_network_one(here: Network) -> None:
    arn = here.group()
    modify = here.api.modify_target_group_attributes

    def asked(key: str, value: str) -> dict[str, Any]:
        return {"TargetGroupArn": arn, "Attributes": [{"Key": key, "Value": value}]}

    found = here.api.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    shown = {one["Key"]: one["Value"] for one in found}
    assert shown["preserve_client_ip.enabled"] == "true"
    assert shown["target_health_state.unhealthy.connection_termination.enabled"] == "true"
    assert shown["deregistration_delay.connection_termination.enabled"] == "false"
    modify(**asked("deregistration_delay.timeout_seconds", "3600"))
    for key, value in (
        ("deregistration_delay.timeout_seconds", "3601"),
        ("slow_start.duration_seconds", "30"),
        ("target_health_state.unhealthy.draining_interval_seconds", "30"),
    ):
        assert code(modify, **asked(key, value)) == "InvalidConfigurationRequest"


def test_a_target_is_initial_then_healthy_and_draining_when_it_is_let_go(here: Network, clock: Clock) -> None:
    KNOBS.target_registration_seconds, KNOBS.target_deregistration_seconds = 180, 120
    balancer, group = here.create()["LoadBalancerArn"], here.group()
    [id_] = here.world.launch()
    targets = [{"Id": id_}]
    here.api.register_targets(TargetGroupArn=group, Targets=targets)
    assert here.health(group) == {id_: ("unused", "Target.NotInUse")}
    here.listen(balancer, group)
    assert here.health(group) == {id_: ("initial", "Elb.RegistrationInProgress")}
    clock.pass_seconds(181)
    assert here.health(group) == {id_: ("healthy", "")}
    KNOBS.target_health = lambda *_: ("unhealthy", "Target.Timeout", "Request timed out")
    assert here.health(group) == {id_: ("unhealthy", "Target.Timeout")}
    here.api.deregister_targets(TargetGroupArn=group, Targets=targets)
    here.api.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "i-0123456789abcdef0"}])
    assert here.health(group) == {id_: ("draining", "Target.DeregistrationInProgress")}
    clock.pass_seconds(301)
    assert here.health(group) == {}
    assert here.health(group, Targets=targets) == {id_: ("unused", "Target.NotRegistered")}


def test_one_bad_target_fails_the_whole_call(here: Network) -> None:
    group = here.group()
    good, stopped = here.world.launch(2)
    here.world.ec2.stop_instances(InstanceIds=[stopped])
    for bad in ("i-0123456789abcdef0", "10.0.0.1", stopped):
        targets = [{"Id": good}, {"Id": bad}]
        assert code(here.api.register_targets, TargetGroupArn=group, Targets=targets) == "InvalidTarget"
    assert here.health(group) == {}


def test_targets_in_a_zone_that_is_not_enabled_or_stopped_are_unused(here: Network) -> None:
    balancer, group = here.create()["LoadBalancerArn"], here.group()
    here.listen(balancer, group)
    [here_one], [elsewhere] = here.world.launch(), here.world.launch(subnet=here.world.subnets[1])
    targets = [{"Id": here_one}, {"Id": elsewhere}]
    here.api.register_targets(TargetGroupArn=group, Targets=targets)
    assert here.health(group) == {here_one: ("healthy", ""), elsewhere: ("unused", "Target.NotInUse")}
    here.world.ec2.stop_instances(InstanceIds=[here_one])
    assert here.health(group)[here_one] == ("unused", "Target.InvalidState")
    here.world.ec2.terminate_instances(InstanceIds=[here_one])
    assert here_one not in here.health(group)


def test_one_instance_takes_two_ports(here: Network) -> None:
    group = here.group()
    [id_] = here.world.launch()
    targets = [{"Id": id_, "Port": 1883}, {"Id": id_, "Port": 1884}]
    here.api.register_targets(TargetGroupArn=group, Targets=targets)
    found = here.api.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [one["Target"]["Port"] for one in found] == [1883, 1884]


def test_a_group_that_a_listener_uses_stays_for_a_moment_longer(here: Network, clock: Clock) -> None:
    KNOBS.target_group_hold_seconds = 5
    balancer, group = here.create()["LoadBalancerArn"], here.group()
    here.listen(balancer, group)
    assert code(here.api.delete_target_group, TargetGroupArn=group) == "ResourceInUse"
    (shown,) = here.api.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]
    assert shown["LoadBalancerArns"] == [balancer]
    here.api.delete_load_balancer(LoadBalancerArn=balancer)
    assert code(here.api.delete_target_group, TargetGroupArn=group) == "ResourceInUse"
    clock.pass_seconds(6)
    here.api.delete_target_group(TargetGroupArn=group)
    here.api.delete_target_group(TargetGroupArn=group)


def test_a_tls_listener_needs_a_certificate_and_a_known_policy(here: Network) -> None:
    balancer, group, arn = here.create()["LoadBalancerArn"], here.group(), here.world.upload()

    def listen(**more: Any) -> Any:
        return here.listen(balancer, group, 8883, Protocol="TLS", **more)

    certificates = [{"CertificateArn": arn}]
    assert code(listen) == "CertificateNotFound"
    unknown = [{"CertificateArn": arn.replace("certificate", "gone")}]
    assert code(listen, Certificates=unknown) == "CertificateNotFound"
    assert code(listen, Certificates=certificates, SslPolicy="ELBSecurityPolicy-x") == "SSLPolicyNotFound"
    made = listen(Certificates=certificates)
    assert made["SslPolicy"] == "ELBSecurityPolicy-2016-08"
    assert code(listen, Certificates=certificates, SslPolicy=TRUSTED) == "DuplicateListener"
    assert listen(Certificates=certificates)["ListenerArn"] == made["ListenerArn"]
    plain = here.listen(balancer, group)
    assert "SslPolicy" not in plain
    assert code(here.listen, balancer, group, 1884, SslPolicy=TRUSTED) == "ValidationError"


def test_the_default_certificate_is_exchanged_in_place_and_held_for_a_while(
    here: Network, clock: Clock
) -> None:
    KNOBS.certificate_hold_seconds = 60
    balancer, group = here.create()["LoadBalancerArn"], here.group()
    old, new = here.world.upload("old"), here.world.upload("new")
    made = here.listen(
        balancer, group, 8883, Protocol="TLS", Certificates=[{"CertificateArn": old}], SslPolicy=TRUSTED
    )
    arn = made["ListenerArn"]
    after = here.api.modify_listener(ListenerArn=arn, Certificates=[{"CertificateArn": new}])
    (shown,) = after["Listeners"]
    assert shown["Certificates"] == [{"CertificateArn": new}]
    assert (shown["SslPolicy"], shown["DefaultActions"][0]["TargetGroupArn"]) == (TRUSTED, group)
    delete = here.world.iam.delete_server_certificate
    assert code(delete, ServerCertificateName="old") == "DeleteConflict"
    assert code(delete, ServerCertificateName="new") == "DeleteConflict"
    clock.pass_seconds(61)
    delete(ServerCertificateName="old")


def test_a_certificate_that_is_new_is_unknown_for_a_while(here: Network, clock: Clock) -> None:
    KNOBS.certificate_propagation_seconds = 10
    balancer, group, arn = here.create()["LoadBalancerArn"], here.group(), here.world.upload()
    asked = {"Protocol": "TLS", "Certificates": [{"CertificateArn": arn}]}
    assert code(here.listen, balancer, group, 8883, **asked) == "CertificateNotFound"
    clock.pass_seconds(11)
    here.listen(balancer, group, 8883, **asked)


def test_an_application_load_balancers_https_listener_has_certificates_too(here: Network) -> None:
    balancer = here.create(Type="application", Subnets=here.world.subnets[:2])["LoadBalancerArn"]
    group = here.group(Protocol="HTTP")
    default, other = here.world.upload("default"), here.world.upload("other")
    assert code(here.listen, balancer, group, 443, Protocol="HTTPS") == "CertificateNotFound"
    made = here.listen(balancer, group, 443, Protocol="HTTPS", Certificates=[{"CertificateArn": default}])
    assert made["Certificates"] == [{"CertificateArn": default}]
    arn, api = made["ListenerArn"], here.api
    api.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": other}])
    shown = api.describe_listener_certificates(ListenerArn=arn)["Certificates"]
    assert [one["CertificateArn"] for one in shown] == [default, other]
    for name in ("default", "other"):
        delete = here.world.iam.delete_server_certificate
        assert code(delete, ServerCertificateName=name) == "DeleteConflict"


def test_the_sni_list_stands_beside_the_default_certificate(here: Network) -> None:
    balancer, group = here.create()["LoadBalancerArn"], here.group()
    default, other = here.world.upload("default"), here.world.upload("other")
    made = here.listen(balancer, group, 8883, Protocol="TLS", Certificates=[{"CertificateArn": default}])
    arn, api = made["ListenerArn"], here.api
    for one in (other, other, default):
        api.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": one}])
    shown = api.describe_listener_certificates(ListenerArn=arn)["Certificates"]
    assert [(one["CertificateArn"], one["IsDefault"]) for one in shown] == [
        (default, True),
        (other, False),
        (default, False),
    ]
    for one in (other, default):
        api.remove_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": one}])
    remove = api.remove_listener_certificates
    assert (
        code(remove, ListenerArn=arn, Certificates=[{"CertificateArn": default}]) == "OperationNotPermitted"
    )
    gone = [{"CertificateArn": "arn:aws:iam::123456789012:server-certificate/gone"}]
    assert code(api.add_listener_certificates, ListenerArn=arn, Certificates=gone) == "CertificateNotFound"


def test_a_listener_forwards_to_what_fits_its_protocol(here: Network) -> None:
    balancer, udp = here.create()["LoadBalancerArn"], here.group("udp", Protocol="UDP")
    assert code(here.listen, balancer, udp) == "IncompatibleProtocols"
    assert code(here.listen, balancer, "arn:gone") == "TargetGroupNotFound"
    assert code(here.listen, balancer, here.group(), Protocol="SSL") == "UnsupportedProtocol"
    group, other = here.group(), here.create("other")["LoadBalancerArn"]
    here.listen(balancer, group)
    assert code(here.listen, other, group) == "TargetGroupAssociationLimit"
    assert code(here.api.describe_listeners) == "ValidationError"


def test_the_idle_time_is_a_tcp_listeners_alone(here: Network) -> None:
    balancer, group = here.create()["LoadBalancerArn"], here.group()
    plain = here.listen(balancer, group)["ListenerArn"]
    certificate = [{"CertificateArn": here.world.upload()}]
    secure = here.listen(balancer, group, 8883, Protocol="TLS", Certificates=certificate)["ListenerArn"]
    modify = here.api.modify_listener_attributes

    def asked(arn: str, seconds: int) -> dict[str, Any]:
        attribute = {"Key": "tcp.idle_timeout.seconds", "Value": str(seconds)}
        return {"ListenerArn": arn, "Attributes": [attribute]}

    for seconds in (60, 450, 6000):
        modify(**asked(plain, seconds))
    for arn, seconds in ((plain, 59), (plain, 6001), (secure, 450)):
        assert code(modify, **asked(arn, seconds)) == "InvalidConfigurationRequest"
    shown = here.api.describe_listener_attributes(ListenerArn=plain)["Attributes"]
    assert shown == [{"Key": "tcp.idle_timeout.seconds", "Value": "6000"}]


def test_tags_are_kept_on_each_kind_of_thing(here: Network) -> None:
    balancer, group = here.create()["LoadBalancerArn"], here.group()
    listener = here.listen(balancer, group)["ListenerArn"]
    arns = [balancer, group, listener]
    here.api.add_tags(ResourceArns=arns, Tags=[{"Key": "emq-elb:owner", "Value": "prod"}])
    shown = here.api.describe_tags(ResourceArns=arns)["TagDescriptions"]
    assert [one["Tags"] for one in shown] == [[{"Key": "emq-elb:owner", "Value": "prod"}]] * 3
    here.api.remove_tags(ResourceArns=arns[:1], TagKeys=["emq-elb:owner"])
    assert here.api.describe_tags(ResourceArns=arns[:1])["TagDescriptions"][0]["Tags"] == []
    for arn, expected in ((balancer, "LoadBalancerNotFound"), (group, "TargetGroupNotFound")):
        assert code(here.api.describe_tags, ResourceArns=[arn[:-1]]) == expected
    assert code(here.api.describe_tags, ResourceArns=arns * 7) == "ValidationError"
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    assert code(here.api.add_tags, ResourceArns=[group], Tags=many) == "TooManyTags"


def test_lists_come_in_pages(here: Network) -> None:
    for number in range(3):
        here.create(f"demo-{number}")
    pages = here.api.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 2})
    assert [len(one["LoadBalancers"]) for one in pages] == [2, 1]


def test_predefined_policies_are_shown_by_name(here: Network) -> None:
    (shown,) = here.api.describe_ssl_policies(Names=[TRUSTED])["SslPolicies"]
    assert shown["SslProtocols"] == ["TLSv1.3", "TLSv1.2"]
    assert code(here.api.describe_ssl_policies, Names=["x"]) == "SSLPolicyNotFound"


def test_a_load_balancer_is_provisioning_before_it_is_active(here: Network, clock: Clock) -> None:
    KNOBS.load_balancer_provisioning_seconds = 120
    assert here.create()["State"]["Code"] == "provisioning"
    clock.pass_seconds(121)
    assert here.create()["State"]["Code"] == "active"


def test_a_classic_one_of_the_same_name_lives_beside_it(here: Network) -> None:
    here.create()
    here.world.create()
    config = Config(parameter_validation=False)
    classic = boto3.client("elb", region_name="eu-central-1", config=config)
    assert [
        one["LoadBalancerName"] for one in classic.describe_load_balancers()["LoadBalancerDescriptions"]
    ] == ["demo"]


def test_auto_scaling_registers_what_it_launches(here: Network) -> None:
    group = here.group()
    scaling = client("autoscaling")
    scaling.create_launch_configuration(
        LaunchConfigurationName="nodes", ImageId="ami-00000000", InstanceType="t3.micro"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="nodes",
        LaunchConfigurationName="nodes",
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=here.world.subnets[0],
        TargetGroupARNs=[group],
    )
    assert len(here.health(group)) == 1
