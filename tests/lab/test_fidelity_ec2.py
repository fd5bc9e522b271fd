"""What of EC2 is corrected beside its network: when an instance was launched, and Spot requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import World, refusal

pytestmark = pytest.mark.usefixtures("aws")

LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_instance_that_is_started_again_was_launched_anew() -> None:
    world = World()
    (id_,) = world.launch()
    backend: Any = ec2_backends[DEFAULT_ACCOUNT_ID][world.region]
    backend.get_instance(id_).launch_time = LONG_AGO.replace(tzinfo=None)

    def launched() -> object:
        (reservation,) = world.ec2.describe_instances(InstanceIds=[id_])["Reservations"]
        return reservation["Instances"][0]["LaunchTime"]

    world.ec2.start_instances(InstanceIds=[id_])
    assert launched() == LONG_AGO, "it was running"
    world.ec2.stop_instances(InstanceIds=[id_])
    assert launched() == LONG_AGO
    world.ec2.start_instances(InstanceIds=[id_])
    assert launched() != LONG_AGO


def test_an_account_has_the_regions_that_the_knob_says() -> None:
    def regions() -> set[str]:
        return {one["RegionName"] for one in World().ec2.describe_regions()["Regions"]}

    assert regions() > {"eu-central-1", "us-east-1"}
    KNOBS.regions = ("eu-central-1", "us-east-1")
    assert regions() == {"eu-central-1", "us-east-1"}


def test_the_error_about_instances_that_do_not_exist_names_them_all() -> None:
    world = World()
    (known,) = world.launch()
    unknown = ["i-0123456789abcdef0", "i-0123456789abcdef1"]
    with pytest.raises(ClientError, match=f"The instance IDs '{', '.join(unknown)}' do not exist"):
        world.ec2.describe_instances(InstanceIds=[unknown[0], known, unknown[1]])
    (reservation,) = world.ec2.describe_instances(InstanceIds=[known, known])["Reservations"]
    assert len(reservation["Instances"]) == 1


def test_a_security_group_has_sixty_inbound_rules_and_takes_a_call_as_a_whole() -> None:
    world = World()
    vpc = world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = world.ec2.create_security_group(GroupName="full", Description="full", VpcId=vpc)["GroupId"]

    def authorize(*numbers: int) -> None:
        world.ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 1,
                    "ToPort": 1,
                    "IpRanges": [{"CidrIp": f"10.{one}.0.0/16"}],
                }
                for one in numbers
            ],
        )

    def count() -> int:
        (found,) = world.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        return sum(len(permission["IpRanges"]) for permission in found["IpPermissions"])

    authorize(*range(59))
    with pytest.raises(ClientError, match="RulesPerSecurityGroupLimitExceeded"):
        authorize(60, 61)
    assert count() == 59
    authorize(60)
    assert count() == 60


@pytest.mark.parametrize("ports", [{}, {"FromPort": -1}])
def test_icmp_needs_both_ports(ports: Any) -> None:
    world = World()
    vpc = world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = world.ec2.create_security_group(GroupName="icmp", Description="icmp", VpcId=vpc)["GroupId"]
    pings: Any = {"IpProtocol": "icmp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    for operation in (
        world.ec2.authorize_security_group_ingress,
        world.ec2.revoke_security_group_ingress,
    ):
        with pytest.raises(ClientError, match="Must specify both from and to ports with ICMP"):
            operation(GroupId=group, IpPermissions=[{**pings, **ports}])
    world.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{**pings, "FromPort": -1, "ToPort": -1}]
    )


def test_a_peered_accounts_group_is_one_with_its_account_only() -> None:
    world = World()
    vpc = world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = world.ec2.create_security_group(GroupName="peer", Description="peer", VpcId=vpc)["GroupId"]
    peered = {"GroupId": "sg-0fedcba9876543210", "UserId": "210987654321"}
    rule: Any = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [peered]}
    world.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    (found,) = world.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    (pair,) = found["IpPermissions"][0]["UserIdGroupPairs"]
    assert (pair["GroupId"], pair["UserId"]) == (peered["GroupId"], peered["UserId"])
    with pytest.raises(ClientError, match="NotFound"):
        world.ec2.revoke_security_group_ingress(
            GroupId=group, IpPermissions=[{**rule, "UserIdGroupPairs": [{"GroupId": peered["GroupId"]}]}]
        )
    world.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])


def test_a_spot_instance_has_a_request_whose_status_says_that_ec2_takes_it_back() -> None:
    world = World()
    world.launch()
    one, other = world.launch(2, InstanceMarketOptions={"MarketType": "spot"})

    def requests(**filters: list[str]) -> dict[str, str]:
        asked = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        found = world.ec2.describe_spot_instance_requests(Filters=asked)["SpotInstanceRequests"]
        return {request["InstanceId"]: request["Status"]["Code"] for request in found}

    assert requests() == {one: "fulfilled", other: "fulfilled"}
    KNOBS.spot_status = {other: "marked-for-termination"}.get
    assert requests(instance_id=[one, other], status_code=["marked-for-termination", "marked-for-stop"]) == {
        other: "marked-for-termination"
    }
    assert requests(instance_id=[one]) == {one: "fulfilled"}


def test_a_vpc_goes_with_its_default_group_and_not_with_what_is_in_it() -> None:
    ec2 = World().ec2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="one", Description="one", VpcId=vpc)["GroupId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    assert refusal(ec2.delete_vpc, VpcId=vpc) == ("DependencyViolation", 400)
    ec2.delete_security_group(GroupId=group)
    assert refusal(ec2.delete_vpc, VpcId=vpc) == ("DependencyViolation", 400)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert refusal(ec2.delete_vpc, VpcId=vpc) == ("DependencyViolation", 400)
    here = [{"Name": "vpc-id", "Values": [vpc]}]
    assert ec2.describe_security_groups(Filters=here)["SecurityGroups"], "a refusal takes nothing"
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_security_groups(Filters=here)["SecurityGroups"] == []


@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
def test_a_permission_names_both_ports(protocol: str) -> None:
    ec2 = World().ec2
    group = ec2.create_security_group(GroupName="one", Description="one")["GroupId"]
    permission = {"IpProtocol": protocol, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    for call in (ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress):
        said = refusal(call, GroupId=group, IpPermissions=[permission])
        assert said == ("InvalidParameterValue", 400)
    everything = permission | {"IpProtocol": "-1"}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everything])


def test_a_batch_of_tags_with_an_instance_that_does_not_exist_fails_as_a_whole() -> None:
    world = World()
    (id_,) = world.launch()
    tags = [{"Key": "colour", "Value": "blue"}]
    both = [id_, "i-0123456789abcdef0"]
    assert refusal(world.ec2.create_tags, Resources=both, Tags=tags) == ("InvalidInstanceID.NotFound", 400)
    assert world.ec2.describe_tags()["Tags"] == []
