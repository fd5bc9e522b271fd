"""Alias and weighted records of Route 53 are refused, kept and answered as AWS's pages say, through boto3."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lab.fidelity.knobs import KNOBS, Health
from lab.fidelity.route53_answers import Target, View, answer
from lab.fidelity.route53_changes import record_set
from tests.lab.load_balancing import Clock, World, client
from tests.lab.record_sets import change, refused

pytestmark = pytest.mark.usefixtures("aws")

NAME = "mqtt.example.com."
OUT = Health("OutOfService", "Instance", "down")


@pytest.fixture
def route53() -> Any:
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    return boto3.client("route53", config=config)


@pytest.fixture
def world() -> World:
    """An account whose default VPC has an internet gateway."""
    world = World()
    gateway = world.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    vpc = world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    world.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return world


@pytest.fixture
def clock() -> Clock:
    KNOBS.now = clock = Clock()
    return clock


@pytest.fixture
def zone(route53: Any) -> str:
    made = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    return str(made).removeprefix("/hostedzone/")


def balancer(world: World, name: str = "demo") -> dict[str, Any]:
    world.create(name)
    found: dict[str, Any] = world.describe(name)
    return found


def alias(shown: dict[str, Any], name: str = NAME, **more: Any) -> dict[str, Any]:
    target = {
        "HostedZoneId": shown["CanonicalHostedZoneNameID"],
        "DNSName": shown["DNSName"],
        "EvaluateTargetHealth": True,
    }
    return {"Name": name, "Type": "A", "AliasTarget": target} | more


def plain(type_: str = "A", value: str = "192.0.2.1", name: str = NAME, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": type_, "TTL": 60, "ResourceRecords": [{"Value": value}]} | more


def weighted(record: dict[str, Any], identifier: str, weight: int) -> dict[str, Any]:
    return record | {"SetIdentifier": identifier, "Weight": weight}


def answered(route53: Any, zone: str, name: str = NAME, type_: str = "A") -> tuple[str, list[str]]:
    found = route53.test_dns_answer(HostedZoneId=zone, RecordName=name, RecordType=type_)
    return found["ResponseCode"], found["RecordData"]


MALFORMED = {
    "an alias with a time to live": (plain() | {"AliasTarget": {}}, "but found more than one"),
    "neither alias nor values": ({"Name": NAME, "Type": "A"}, "but found none"),
    "a weight without an identifier": (plain(Weight=1), "Missing field 'SetIdentifier'"),
    "an identifier without a way of routing": (plain(SetIdentifier="a"), "Expected exactly one of [Weight"),
    "a weight above 255": (weighted(plain(), "a", 300), "Member must have value less than or equal to 255"),
    "a weight below 0": (weighted(plain(), "a", -1), "Member must have value greater than or equal to 0"),
    "a long identifier": (weighted(plain(), "a" * 129, 1), "length less than or equal to 128"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_record_set_is_refused(case: str, route53: Any, world: World, zone: str) -> None:
    record, message = MALFORMED[case]
    if "AliasTarget" in record:
        record = record | {"AliasTarget": alias(balancer(world))["AliasTarget"]}
    code, said = refused(route53, zone, ("CREATE", record))
    assert code == "InvalidInput"
    assert message in said


CONFLICTS = {
    "a CNAME beside an A": (
        [plain()],
        plain("CNAME", "other.example.org"),
        "is not permitted as it conflicts",
    ),
    "an A beside a CNAME": (
        [plain("CNAME", "other.example.org")],
        plain(),
        "is not permitted as it conflicts",
    ),
    "a CNAME at the zone's name": (
        [],
        plain("CNAME", "other.example.org", "example.com."),
        "is not permitted at apex in zone example.com.",
    ),
    "a simple one beside a weighted one": (
        [weighted(plain(), "a", 1)],
        plain(),
        "cannot be created as other RRSets exist with the same name and type.",
    ),
    "a weighted one beside a simple one": (
        [plain()],
        weighted(plain(), "a", 1),
        "SetIdentifier a cannot be created as a non-weighted set exists with the same name and type.",
    ),
    "weighted ones with two times to live": (
        [weighted(plain(), "a", 1)],
        weighted(plain(TTL=61), "b", 1),
        "cannot be created as weighted sets must contain the same TTL.",
    ),
}


@pytest.mark.parametrize("action", ["CREATE", "UPSERT"])
@pytest.mark.parametrize("case", CONFLICTS)
def test_record_sets_that_cannot_stand_beside_one_another_are_refused(
    case: str, action: str, route53: Any, zone: str
) -> None:
    before, record, message = CONFLICTS[case]
    for one in before:
        change(route53, zone, ("CREATE", one))
    code, said = refused(route53, zone, (action, record))
    assert code == "InvalidChangeBatch"
    assert message in said


def test_a_simple_record_becomes_weighted_by_delete_and_create_in_one_batch(route53: Any, zone: str) -> None:
    change(route53, zone, ("CREATE", plain()))
    change(route53, zone, ("DELETE", plain()), ("CREATE", weighted(plain(), "a", 10)))
    shown = route53.list_resource_record_sets(HostedZoneId=zone, StartRecordName=NAME, StartRecordType="A")
    assert [(one["SetIdentifier"], one["Weight"]) for one in shown["ResourceRecordSets"]] == [("a", 10)]


def test_a_weighted_record_is_deleted_by_its_weight_too(route53: Any, zone: str) -> None:
    change(route53, zone, ("CREATE", weighted(plain(), "a", 10)))
    code, said = refused(route53, zone, ("DELETE", weighted(plain(), "a", 11)))
    assert (code, "do not match the current values" in said) == ("InvalidChangeBatch", True)
    change(route53, zone, ("DELETE", weighted(plain(), "a", 10)))


@pytest.mark.parametrize("type_", ["NS", "SOA"])
def test_a_zone_keeps_its_own_records(type_: str, route53: Any, zone: str) -> None:
    shown = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    own = next(one for one in shown if one["Type"] == type_)
    assert refused(route53, zone, ("DELETE", own))[0] == "InvalidChangeBatch"


def test_an_alias_leads_to_a_load_balancer_under_its_regions_zone(
    route53: Any, world: World, zone: str
) -> None:
    shown = balancer(world)
    change(route53, zone, ("CREATE", alias(shown)))
    kept = route53.list_resource_record_sets(HostedZoneId=zone, StartRecordName=NAME, StartRecordType="A")
    target = kept["ResourceRecordSets"][0]["AliasTarget"]
    assert target == alias(shown)["AliasTarget"] | {"DNSName": target["DNSName"]}
    assert target["DNSName"].rstrip(".") == shown["DNSName"]


def test_an_alias_to_another_zone_or_to_nothing_is_refused(route53: Any, world: World, zone: str) -> None:
    shown = balancer(world)
    elsewhere = alias(shown | {"CanonicalHostedZoneNameID": "Z26RNL4JYFTOTI"})
    nothing = alias(shown | {"DNSName": "gone-1.eu-central-1.elb.amazonaws.com"})
    own = alias({"CanonicalHostedZoneNameID": zone, "DNSName": "other.example.com"})
    lies = "but the alias target name does not lie within the target zone"
    for record, message in ((elsewhere, lies), (nothing, lies), (own, "but that target was not found")):
        code, said = refused(route53, zone, ("CREATE", record))
        assert code == "InvalidChangeBatch"
        assert message in said


def test_dualstack_before_the_name_leads_to_the_same_one(route53: Any, world: World, zone: str) -> None:
    shown = balancer(world)
    change(route53, zone, ("CREATE", alias(shown | {"DNSName": f"dualstack.{shown['DNSName']}"})))
    assert answered(route53, zone)[0] == "NOERROR"


def test_an_answer_holds_the_load_balancers_addresses_once_the_change_has_spread(
    route53: Any, world: World, clock: Clock, zone: str
) -> None:
    shown = balancer(world)
    KNOBS.addresses_of = {shown["DNSName"]: ["198.51.100.7"]}.get  # type: ignore[assignment] # None: not known
    KNOBS.dns_propagation_seconds = 30
    clock.pass_seconds(31)
    change(route53, zone, ("CREATE", alias(shown)))
    assert answered(route53, zone) == ("NXDOMAIN", [])
    clock.pass_seconds(31)
    assert answered(route53, zone) == ("NOERROR", ["198.51.100.7"])
    assert answered(route53, zone, type_="TXT") == ("NOERROR", [])


def test_a_private_zone_is_not_tested(route53: Any) -> None:
    vpc = {"VPCRegion": "eu-central-1", "VPCId": "vpc-1"}
    made = route53.create_hosted_zone(
        Name="example.com", CallerReference="p", VPC=vpc, HostedZoneConfig={"PrivateZone": True}
    )
    id_ = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
    with pytest.raises(ClientError, match="private"):
        answered(route53, id_)
    assert route53.get_hosted_zone(Id=id_)["VPCs"] == [vpc]


def view(targets: dict[str, Target], *records: dict[str, Any]) -> View:
    return View([record_set(one) for one in records], targets.get, Random(0))  # noqa: S311 - the same draws each time


def to(name: str, weight: int | None = None, evaluated: bool = True, at: str = NAME) -> dict[str, Any]:
    target = {"HostedZoneId": "Z1", "DNSName": name, "EvaluateTargetHealth": evaluated}
    record = {"Name": at, "Type": "A", "AliasTarget": target}
    return record if weight is None else weighted(record, name, weight)


UP, DOWN = Target(("192.0.2.1",), healthy=True), Target(("192.0.2.2",), healthy=False)
SHARES = {
    "both well: by weight": (UP, 3, Target(("192.0.2.2",), healthy=True), 1, 0.75),
    "one ill: the other": (UP, 1, DOWN, 99, 1.0),
    "weight zero: never while another is well": (UP, 0, Target(("192.0.2.2",), healthy=True), 1, 0.0),
    "weight zero when the other is ill": (UP, 0, DOWN, 1, 1.0),
    "both ill: by weight": (Target(("192.0.2.1",), healthy=False), 1, DOWN, 1, 0.5),
    "both zero: equal": (UP, 0, Target(("192.0.2.2",), healthy=True), 0, 0.5),
}


@pytest.mark.parametrize("case", SHARES)
def test_weights_share_a_name_among_those_that_can_take_traffic(case: str) -> None:
    first, first_weight, second, second_weight, share = SHARES[case]
    seen = view({"a.": first, "b.": second}, to("a.", first_weight), to("b.", second_weight))
    count = Counter(answer(seen, NAME, "A").records[0].value for _ in range(2000))
    assert count["192.0.2.1"] / 2000 == pytest.approx(share, abs=0.05)


@given(st.integers(0, 255), st.integers(0, 255), st.booleans(), st.booleans())
def test_somebody_answers_for_a_weighted_name_whoever_is_well(
    one: int, other: int, one_well: bool, other_well: bool
) -> None:
    targets = {"a.": Target(("192.0.2.1",), one_well), "b.": Target(("192.0.2.2",), other_well)}
    found = answer(view(targets, to("a.", one), to("b.", other)), NAME, "A")
    assert len(found.records) == 1


WALKS: dict[str, tuple[list[dict[str, Any]], str, str, list[str]]] = {
    "no such name": ([], NAME, "NXDOMAIN", []),
    "another type": ([plain("TXT", '"x"')], NAME, "NOERROR", []),
    "a name above others": ([plain(name="a.mqtt.example.com.")], NAME, "NOERROR", []),
    "a wildcard": ([plain(name="*.example.com.")], NAME, "NOERROR", ["192.0.2.1"]),
    "a wildcard two labels up": (
        [plain(name="*.example.com.")],
        "a.b.example.com.",
        "NOERROR",
        ["192.0.2.1"],
    ),
    "a CNAME inside the zone": (
        [plain("CNAME", "b.example.com"), plain(name="b.example.com.")],
        NAME,
        "NOERROR",
        ["b.example.com", "192.0.2.1"],
    ),
    "a CNAME to itself": ([plain("CNAME", NAME)], NAME, "NOERROR", [NAME] * 8),
    "an alias of a record": (
        [to("b.example.com.") | {"Type": "A"}, plain(name="b.example.com.")],
        NAME,
        "NOERROR",
        ["192.0.2.1"],
    ),
    "an alias whose target is gone": ([to("gone.example.net.")], NAME, "NOERROR", []),
}


@pytest.mark.parametrize("case", WALKS)
def test_an_answer_follows_the_zones_records(case: str) -> None:
    records, name, code, values = WALKS[case]
    found = answer(view({}, *records), name, "A")
    assert (found.code, [one.value for one in found.records]) == (code, values)


def test_a_load_balancer_is_well_while_an_instance_of_it_is_in_service(
    route53: Any, world: World, zone: str
) -> None:
    old, new = balancer(world, "old"), balancer(world, "new")
    [id_] = world.launch()
    for name in ("old", "new"):
        world.elb.register_instances_with_load_balancer(
            LoadBalancerName=name, Instances=[{"InstanceId": id_}]
        )
    KNOBS.addresses_of = {old["DNSName"]: ["198.51.100.1"], new["DNSName"]: ["198.51.100.2"]}.__getitem__
    KNOBS.instance_health = lambda name, _: OUT if name == "new" else None
    records = (weighted(alias(old), "old", 1), weighted(alias(new), "new", 255))
    change(route53, zone, *(("CREATE", one) for one in records))
    assert {answered(route53, zone)[1][0] for _ in range(20)} == {"198.51.100.1"}


def network(world: World, *ports: int) -> dict[str, Any]:
    """Return a network load balancer with a listener and a target group at each port."""
    api = client("elbv2")
    (made,) = api.create_load_balancer(Name="net", Type="network", Subnets=world.subnets[:1])["LoadBalancers"]
    for port in ports:
        (group,) = api.create_target_group(
            Name=f"net-{port}", Protocol="TCP", Port=port, VpcId=made["VpcId"]
        )["TargetGroups"]
        api.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Protocol="TCP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
        )
    return {**made, "CanonicalHostedZoneNameID": made["CanonicalHostedZoneId"]}


def test_an_alias_of_a_network_load_balancer_names_another_zone_than_a_classic_ones(
    route53: Any, world: World, zone: str
) -> None:
    shown = network(world, 1883)
    classic = balancer(world)["CanonicalHostedZoneNameID"]
    code, message = refused(route53, zone, ("CREATE", alias(shown | {"CanonicalHostedZoneNameID": classic})))
    assert (code, "does not lie within the target zone" in message) == ("InvalidChangeBatch", True)
    KNOBS.addresses_of = {shown["DNSName"]: ["198.51.100.7"]}.get  # type: ignore[assignment] # None: not known
    change(route53, zone, ("CREATE", alias(shown)))
    assert answered(route53, zone) == ("NOERROR", ["198.51.100.7"])


NETWORK_HEALTH: dict[str, tuple[dict[int, str], bool]] = {
    "every group has a healthy target": ({1883: "healthy", 18083: "healthy"}, True),
    "one group has none": ({1883: "healthy", 18083: "unhealthy"}, False),
    "a group is empty": ({1883: "healthy", 18083: "none"}, False),
    "a target's registration goes on": ({1883: "initial", 18083: "healthy"}, False),
    "there is no listener": ({}, False),
}


@pytest.mark.parametrize("case", NETWORK_HEALTH)
def test_a_network_load_balancer_is_well_while_every_group_has_a_healthy_target(
    case: str, route53: Any, world: World, zone: str
) -> None:
    states, well = NETWORK_HEALTH[case]
    beside, shown = balancer(world, "beside"), network(world, *states)
    [id_] = world.launch()
    api = client("elbv2")
    for port, state in states.items():
        if state != "none":
            (group,) = api.describe_target_groups(Names=[f"net-{port}"])["TargetGroups"]
            api.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": id_}])
    KNOBS.target_health = lambda _arn, _id, port: (
        None if states[port] == "healthy" else (states[port], "Target.FailedHealthChecks", "")
    )
    world.elb.register_instances_with_load_balancer(
        LoadBalancerName="beside", Instances=[{"InstanceId": id_}]
    )
    KNOBS.addresses_of = {beside["DNSName"]: ["198.51.100.1"], shown["DNSName"]: ["198.51.100.2"]}.__getitem__
    records = (weighted(alias(beside), "beside", 0), weighted(alias(shown), "net", 1))
    change(route53, zone, *(("CREATE", one) for one in records))
    assert answered(route53, zone)[1] == ["198.51.100.2" if well else "198.51.100.1"]
