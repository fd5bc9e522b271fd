"""What is refused, with every fault at once and nothing changed; and what AWS itself refuses."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest

from chalicelib.api.problems import problem
from chalicelib.model import errors
from chalicelib.model.errors import Conflict, InvalidRequest
from lab.fidelity.knobs import KNOBS
from tests.world.kinds import (
    CLASSIC,
    NETWORK,
    Kind,
    article,
    each_kind,
    make_by_hand,
    registered,
    security_groups,
    without_group,
)
from tests.world.network import elbv2, network_snapshot
from tests.world.provisioning import WATCHED, Account, granted, issued, just_before, pem

KEY = issued().private_key_pem


@pytest.fixture(autouse=True)
def nothing_refused() -> Any:
    """Whatever a test lets AWS refuse, it refuses for that test only."""
    yield
    WATCHED.refuse = granted


def refusing(operation: str, code: str, times: int = 1000) -> None:
    left = [times]

    def refuse(name: str, _: Any) -> str | None:
        if name == operation and left[0] > 0:
            left[0] -= 1
            return code
        return None

    WATCHED.refuse = refuse


def private_subnet(here: Account, zone: str = "eu-central-1a", cidr: str = "172.31.96.0/24") -> str:
    vpc = here.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnet = here.world.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]
    table = here.world.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    here.world.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet["SubnetId"])
    return str(subnet["SubnetId"])


def elsewhere(here: Account) -> tuple[str, str, str]:
    """A subnet, an instance and a group of another VPC."""
    vpc = here.world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = here.world.ec2.create_subnet(
        VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="eu-central-1b"
    )["Subnet"]["SubnetId"]
    group = here.world.ec2.create_security_group(GroupName="there", Description="there", VpcId=vpc)["GroupId"]
    return str(subnet), here.launch("far", subnet=subnet)[0], str(group)


def another_vpc(here: Account) -> dict[str, Any]:
    subnet, _, group = elsewhere(here)
    return {"subnets": [subnet], "security_groups": [group], "instances": []}


def test_every_fault_is_answered_at_once_those_that_only_aws_knows_beside_those_of_the_body(
    here: Account,
) -> None:
    body = {
        "subnets": ["subnet-00000000", private_subnet(here), here.subnets[0]],
        "security_groups": ["sg-00000000"],
        "certificate": {"arn": "arn:aws:iam::123456789012:server-certificate/none"},
        "instances": ["i-00000000"],
        "health_check": {"interval": 5, "timeout": 5},
        "keepalive": 100000,
        "sheme": "internal",
    }
    before = here.snapshot()
    with pytest.raises(InvalidRequest) as caught:
        here.put(body)
    answered = {(fault.field, fault.message.split(";")[0]) for fault in caught.value.faults}
    assert {field for field, _ in answered} == {
        "subnets[0]",
        "subnets[1]",
        "subnets[2]",
        "security_groups[0]",
        "certificate.arn",
        "instances[0]",
        "health_check.timeout",
        "keepalive",
        "sheme",
    }
    assert here.calls.writes == []
    assert here.snapshot() == before


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        (
            lambda here: {"subnets": [private_subnet(here, cidr="172.31.96.0/28")], "scheme": "internal"},
            "subnets[0]",
            "a /27 or larger",
        ),
        (lambda here: {"subnets": [here.subnets[0], elsewhere(here)[0]]}, "subnets[0]", "one VPC"),
        (
            lambda here: {"subnets": [here.subnets[0], private_subnet(here)], "scheme": "internal"},
            "subnets[0]",
            "2 subnets are in eu-central-1a",
        ),
        (lambda here: {"security_groups": [elsewhere(here)[2]]}, "security_groups[0]", "in the VPC"),
        (lambda here: {"instances": [elsewhere(here)[1]]}, "instances[0]", "and the load balancer in"),
        (
            lambda here: {"type": "network", "security_groups": [elsewhere(here)[2]]},
            "security_groups[0]",
            "VPC",
        ),
        (lambda here: {"type": "network", "instances": [elsewhere(here)[1]]}, "instances[0]", "balancer in"),
        (
            lambda here: {"type": "network", "subnets": [elsewhere(here)[0], here.subnets[0]]},
            "subnets[1]",
            "one",
        ),
    ],
    ids=[
        "too small",
        "two VPCs",
        "two in a zone",
        "group",
        "instance",
        "group of a network one",
        "instance of a network one",
        "two VPCs of a network one",
    ],
)
def test_what_does_not_go_together_at_aws_is_a_fault(
    here: Account, change: Any, field: str, says: str
) -> None:
    body = here.article | change(here)
    with pytest.raises(InvalidRequest) as caught:
        here.put(body)
    assert field in {fault.field for fault in caught.value.faults if says in fault.message}
    assert here.calls.writes == []


@pytest.mark.parametrize(
    ("changes", "field", "asked"),
    [
        ({"instances": [f"i-{n:017x}" for n in range(70_000)]}, "instances", []),
        ({"subnets": [f"subnet-{n:017x}" for n in range(50_000)]}, "subnets", []),
        ({"subnets": [KEY, "subnet-00000000"]}, "subnets[0]", ["subnet-00000000"]),
        ({"instances": [KEY, "i-00000000"]}, "instances[0]", ["i-00000000"]),
        ({"instances": ["i-00000000", {"id": KEY}]}, "instances[1]", ["i-00000000"]),
        ({"security_groups": [KEY]}, "security_groups[0]", []),
        ({"cluster": KEY}, "cluster", []),
        # As the value of a filter it would stand for every cluster whose name begins so.
        ({"cluster": "prod*"}, "cluster", []),
        ({"type": "network", "addresses": {"subnet-00000000": f"eipalloc-{KEY}"}}, "addresses", []),
        ({"type": "network", "addresses": {"subnet-00000000": "eipalloc-*"}}, "addresses", []),
        ({"access_logs": {"bucket": KEY}}, "access_logs", []),
    ],
    ids=[
        "too many instances",
        "too many subnets",
        "a subnet",
        "an instance",
        "a member",
        "a group",
        "a cluster",
        "a pattern of clusters",
        "an Elastic IP",
        "a pattern of Elastic IPs",
        "a bucket",
    ],
)
def test_what_was_refused_is_neither_looked_up_nor_quoted(
    here: Account, changes: dict[str, Any], field: str, asked: list[str]
) -> None:
    seen: list[str] = []

    def note(_: str, parameters: Any) -> str | None:
        seen.extend(str(value) for value in parameters.values())
        return None

    WATCHED.refuse = note
    sound = {"subnets": here.subnets[:1], "certificate": {"pem": pem(issued())}}
    with pytest.raises(InvalidRequest) as caught:
        here.put({**sound, **changes})
    answer = problem(caught.value).body
    found = {fault.field for fault in caught.value.faults if fault.field.startswith(field)}
    assert {one.partition(".")[0] for one in found} == {field}
    assert len(json.dumps(answer)) < 5000
    assert "BEGIN" not in json.dumps(answer) + "".join(seen)
    assert "*" not in "".join(seen)
    assert "ListBuckets" not in here.calls.made
    looked_up = {value for value in seen if re.fullmatch("(i|subnet)-[0-9a-f]+", value)}
    assert sorted(looked_up - {*here.subnets}) == asked
    assert len(here.calls.made) <= 11


@pytest.mark.parametrize("name", [KEY, "prod*", "\ud800", "x" * 33])
def test_a_name_that_none_can_have_is_not_looked_up(here: Account, name: str) -> None:
    seen: list[str] = []

    def note(_: str, parameters: Any) -> str | None:
        seen.extend(str(value) for value in parameters.values())
        return None

    WATCHED.refuse = note
    with pytest.raises(InvalidRequest) as caught:
        here.put({"subnets": ["subnet-00000000"], "keepalive": 0}, name)
    fields = {fault.field for fault in caught.value.faults}
    assert fields == {"name", "keepalive", "certificate", "subnets[0]"}
    assert not any(name in one for one in seen)


def test_the_faults_of_a_body_are_answered_even_where_aws_cannot_be_asked(here: Account) -> None:
    body = here.article
    refusing("DescribeLoadBalancers", "Throttling")
    with pytest.raises(InvalidRequest, match="keepalive"):
        here.put(body | {"keepalive": 0})
    with pytest.raises(errors.Throttled):
        here.put(body)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: {"scheme": "internet-facing"}, "its scheme is internal, which AWS cannot change"),
        (
            another_vpc,
            "the VPC of the subnets",
        ),
        (
            lambda here: {"instances": here.launch("theirs", **{"emq-elb_cluster": "other"})},
            "is tagged emq-elb:cluster=other",
        ),
    ],
    ids=["scheme", "VPC", "member of another"],
)
@each_kind
def test_what_there_is_stands_against_it(here: Account, kind: Kind, change: Any, says: str) -> None:
    body = article(here, kind) | {"scheme": "internal"}
    here.put(body)
    asked = body | change(here)
    before = network_snapshot(here)
    with pytest.raises(Conflict, match=says):
        here.put(asked)
    assert here.calls.writes == []
    assert network_snapshot(here) == before


@pytest.mark.parametrize(
    ("kind", "writes"),
    [
        (
            CLASSIC,
            [
                "AttachLoadBalancerToSubnets",
                "AddTags",
                "DetachLoadBalancerFromSubnets",
                "AttachLoadBalancerToSubnets",
                "RemoveTags",
            ],
        ),
        (NETWORK, ["AddTags", "SetSubnets", "SetSubnets", "SetSubnets", "RemoveTags"]),
    ],
)
def test_the_only_zones_subnet_cannot_be_exchanged(here: Account, kind: Kind, writes: list[str]) -> None:
    body = article(here, kind) | {"subnets": here.subnets[:1], "scheme": "internal"}
    here.put(body)
    with pytest.raises(Conflict, match="AWS cannot exchange the subnet of the only zone"):
        here.put(body | {"subnets": [private_subnet(here)]})
    assert here.calls.writes == []
    here.put(body | {"subnets": [private_subnet(here, cidr="172.31.97.0/24"), here.subnets[1]]})
    assert here.calls.writes == writes


@each_kind
@pytest.mark.parametrize("name", ["demo-elb", "Demo-ELB"])
def test_a_group_of_the_name_that_ours_would_have_is_a_conflict(here: Account, kind: Kind, name: str) -> None:
    here.group(name)
    body = without_group(article(here, kind))
    with pytest.raises(Conflict, match=rf"a security group {name} in vpc-.* that is not ours"):
        here.put(body)
    assert here.calls.writes == []


@each_kind
@pytest.mark.parametrize("outgoing", [False, True])
def test_a_group_that_others_refer_to_is_not_given_up(here: Account, kind: Kind, outgoing: bool) -> None:
    body = without_group(article(here, kind))
    here.put(body)
    (own,) = security_groups(here, kind)
    nodes = here.group("nodes", own, outgoing=outgoing)
    with pytest.raises(Conflict, match=f"{nodes} names the security group"):
        here.put(body | {"security_groups": [here.group()]})
    assert here.calls.writes == []
    # Beside another one it may stay.
    here.put(body | {"security_groups": [here.group(), own]})
    assert here.calls.writes == [kind.gives_groups]


@each_kind
def test_one_instance_that_aws_does_not_take_keeps_no_other_out(here: Account, kind: Kind) -> None:
    body = article(here, kind) | {"instances": here.launch("node-3", "node-4", "node-5")}
    bad = body["instances"][1]

    def refuse(operation: str, parameters: Any) -> str | None:
        registering = operation == kind.registers
        return kind.not_taken if registering and bad in parameters.values() else None

    WATCHED.refuse = refuse
    report = here.put(body)
    assert report.state == "ready"
    assert registered(here) == ["node-3", "node-5"]
    refused = [one.message for one in report.warnings if one.code == "instance-refused"]
    assert len(refused) == kind.changes
    # The call for all, and four at most to find one of three by halves.
    assert here.calls.writes.count(kind.registers) <= 5 * kind.changes
    actions = [step for step in report.steps if step.action in {"RegisterInstances", "RegisterTargets"}]
    taken = sorted({id_ for step in actions for id_ in cast("list[str]", step.fields["instances"])})
    assert taken == sorted({*body["instances"]} - {bad}), "actions name the calls that AWS took"
    assert report.view is not None
    assert bad not in {member.id for member in report.view.members}


@each_kind
def test_an_instance_that_ends_in_the_middle_of_a_put_keeps_no_other_out(here: Account, kind: Kind) -> None:
    body = article(here, kind) | {"instances": here.launch("node-3", "node-4", "node-5")}
    ends = body["instances"][1]
    just_before(kind.registers, lambda: here.world.ec2.terminate_instances(InstanceIds=[ends]))
    report = here.put(body)
    assert report.state == "ready"
    assert registered(here) == ["node-3", "node-5"]
    warnings = {one.message for one in report.warnings if one.code == "instance-refused"}
    assert warnings == {f"AWS does not register {ends}: it is terminated"}
    assert here.calls.writes.count(kind.registers) == 2 * kind.changes


def fill(here: Account, instance: str, left: int = 0) -> None:
    """Give the instance as many tags as EC2 allows, or all but a few."""
    (reservation,) = here.world.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    free = 50 - len(reservation["Instances"][0]["Tags"]) - left
    for number in range(free):
        here.tag([instance], f"theirs-{number}", "x")


@each_kind
@pytest.mark.parametrize("exists", [False, True], ids=["created", "converged"])
def test_an_instance_without_room_for_the_tag_is_named_and_everything_else_is_done(
    here: Account, kind: Kind, exists: bool
) -> None:
    """EC2 allows 50 tags; before, nothing was done, and the answer was 502 without a name."""
    body = article(here, kind)
    if exists:
        here.put(body)
    (full,) = here.launch("full")
    body["instances"] += [full]
    fill(here, full)
    planned = here.put(body, dry_run=True)
    assert "tags-full" in {warning.code for warning in planned.warnings}
    report = here.put(body)
    assert report.state == "ready"
    assert registered(here) == ["node-1", "node-2"]
    with pytest.raises(errors.QuotaReached, match=rf"^CreateTags: TagLimitExceeded: {full} carries as many"):
        report.complain()
    here.put(body)
    assert here.calls.writes == []
    here.world.ec2.delete_tags(Resources=[full], Tags=[{"Key": "theirs-0"}])
    here.put(body).complain()
    assert registered(here) == ["full", "node-1", "node-2"]


@each_kind
def test_an_instance_that_gets_its_last_tag_since_it_was_read_is_named_as_well(
    here: Account, kind: Kind
) -> None:
    body = article(here, kind)
    full = body["instances"][0]
    fill(here, full, left=1)
    just_before("CreateTags", lambda: here.tag([full], "theirs-too", "x"))
    report = here.put(body)
    assert registered(here) == ["node-2"]
    with pytest.raises(errors.QuotaReached, match=full):
        report.complain()


@each_kind
def test_nothing_is_adopted_whose_members_would_be_taken_out_for_want_of_a_tag(
    here: Account, kind: Kind
) -> None:
    body = article(here, kind)
    full, other = body.pop("instances")
    fill(here, full)
    make_by_hand(here, kind, [full, other])
    with pytest.raises(errors.QuotaReached, match=f"{full} carries .* nothing was changed"):
        here.put(body, adopt=True)
    assert here.calls.writes == []


@each_kind
@pytest.mark.parametrize("exists", [False, True], ids=["created", "converged"])
def test_an_instance_that_ends_before_it_is_tagged_keeps_no_other_out(
    here: Account, kind: Kind, exists: bool
) -> None:
    """EC2 tags none of them then, and what was begun is finished without it."""
    body = article(here, kind) | {"instances": here.launch("node-3")}
    if exists:
        here.put(body)
    body["instances"] += here.launch("node-4", "node-5")
    ends = body["instances"][1]

    def end(operation: str, parameters: Any) -> str | None:
        if operation != "CreateTags" or ends not in parameters.values():
            return None
        here.world.ec2.terminate_instances(InstanceIds=[ends])
        return "InvalidInstanceID.NotFound"

    WATCHED.refuse = end
    report = here.put(body)
    assert report.state == "ready"
    assert registered(here) == ["node-3", "node-5"]
    (warning,) = [one for one in report.warnings if one.code == "instance-refused"]
    assert ends in warning.message
    assert here.calls.writes.count("CreateTags") == 2


@each_kind
def test_the_background_goes_on_without_an_instance_that_has_ended_since(here: Account, kind: Kind) -> None:
    body = article(here, kind) | {"certificate": {"pem": pem(issued())}}
    KNOBS.certificate_propagation_seconds = 120
    report = here.put(body)
    here.sleep(120)
    here.world.ec2.terminate_instances(InstanceIds=body["instances"][:1])
    done = here.carry_on(report, body)
    assert done is not None
    assert done.state == "ready"
    assert registered(here) == ["node-2"]


@each_kind
@pytest.mark.parametrize("late", [False, True], ids=["named", "tagged meanwhile"])
def test_an_instance_that_aws_does_not_take_is_tried_once_in_the_background(
    here: Account, kind: Kind, late: bool
) -> None:
    """One call a look is made there, and every look would plan it again."""
    body = article(here, kind) | {"certificate": {"pem": pem(issued())}}
    KNOBS.certificate_propagation_seconds = 120
    report = here.put(body)
    assert report.state == "pending"
    here.sleep(120)
    bad = here.launch("late")[0] if late else body["instances"][0]
    here.tag([bad], "emq-elb:cluster", "demo")
    calls = [0]

    def refuse(operation: str, parameters: Any) -> str | None:
        if operation != kind.registers or bad not in parameters.values():
            return None
        calls[0] += 1
        return kind.not_taken if calls[0] < 10 else None

    WATCHED.refuse = refuse
    done = here.carry_on(report, body)
    assert done is not None
    assert done.state == "ready"
    if kind is NETWORK and not late:
        assert calls == [0], "it is registered before a listener needs the certificate"
    else:
        assert 0 < calls[0] <= 4, "with others, in halves, and alone"


@pytest.mark.parametrize(
    ("kind", "operation", "code", "error"),
    [
        *(
            (kind, operation, code, error)
            for kind in (CLASSIC, NETWORK)
            for operation, code, error in (
                ("DescribeTags", "Throttling", errors.Throttled),
                ("CreateLoadBalancer", "TooManyLoadBalancers", errors.QuotaReached),
                ("CreateLoadBalancer", "AccessDenied", errors.Denied),
                ("CreateLoadBalancer", "InvalidSubnet", errors.Refused),
                (kind.registers, "InternalFailure", errors.Throttled),
            )
        ),
        (CLASSIC, "ConfigureHealthCheck", "Throttling", errors.Throttled),
        (NETWORK, "CreateLoadBalancer", "ResourceInUse", errors.Theirs),
        (NETWORK, "CreateTargetGroup", "TooManyTargetGroups", errors.QuotaReached),
        (NETWORK, "ModifyTargetGroupAttributes", "Throttling", errors.Throttled),
        (NETWORK, "RegisterTargets", "TooManyTargets", errors.QuotaReached),
        (NETWORK, "CreateListener", "TooManyCertificates", errors.QuotaReached),
        (NETWORK, "CreateListener", "TargetGroupAssociationLimit", errors.Theirs),
    ],
)
def test_what_aws_refuses_is_reported_at_once_and_the_next_request_goes_on(
    here: Account, kind: Kind, operation: str, code: str, error: type[errors.AwsError]
) -> None:
    body = article(here, kind)
    if operation == "DescribeTags":
        here.put(body)
    refusing(operation, code)
    with pytest.raises(errors.AwsError) as caught:
        here.put(body)
    assert type(caught.value) is error
    assert not here.passed
    WATCHED.refuse = granted
    assert here.put(body).state == "ready"
    here.put(body)
    assert here.calls.writes == []


@pytest.mark.parametrize(
    ("kind", "operation", "code"),
    [
        (CLASSIC, "CreateLoadBalancer", "InvalidSecurityGroup"),
        (CLASSIC, "AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound"),
        (CLASSIC, "CreateLoadBalancerPolicy", "LoadBalancerNotFound"),
        (CLASSIC, "CreateLoadBalancerPolicy", "DuplicatePolicyName"),
        (CLASSIC, "SetLoadBalancerPoliciesOfListener", "PolicyNotFound"),
        (NETWORK, "CreateLoadBalancer", "InvalidSecurityGroup"),
        (NETWORK, "AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound"),
        (NETWORK, "CreateTargetGroup", "DuplicateTargetGroupName"),
        (NETWORK, "ModifyTargetGroupAttributes", "TargetGroupNotFound"),
        (NETWORK, "CreateListener", "LoadBalancerNotFound"),
        (NETWORK, "CreateListener", "TargetGroupNotFound"),
        (NETWORK, "CreateListener", "CertificateNotFound"),
        (NETWORK, "CreateListener", "DuplicateListener"),
        (NETWORK, "ModifyListenerAttributes", "ListenerNotFound"),
    ],
)
def test_what_aws_sees_a_moment_later_is_tried_again(
    here: Account, kind: Kind, operation: str, code: str
) -> None:
    body = without_group(article(here, kind))
    refusing(operation, code, times=2)
    assert here.put(body).state == "ready"
    assert here.passed
    assert len(network_snapshot(here)["groups"]) == 2
    here.put(body)
    assert here.calls.writes == []


@pytest.mark.parametrize(
    ("kind", "operation", "code"),
    [
        (CLASSIC, "SetLoadBalancerPoliciesOfListener", "PolicyNotFound"),
        (NETWORK, "CreateListener", "TargetGroupNotFound"),
    ],
)
def test_what_aws_never_sees_is_an_error_and_not_pending(
    here: Account, kind: Kind, operation: str, code: str
) -> None:
    refusing(operation, code)
    with pytest.raises(errors.Absent):
        here.put(article(here, kind))


@each_kind
def test_an_upload_that_aws_holds_up_cannot_be_carried_on_without_its_key(here: Account, kind: Kind) -> None:
    refusing("UploadServerCertificate", "ConcurrentModification")
    with pytest.raises(errors.NotYet):
        here.put(article(here, kind) | {"certificate": {"pem": pem(issued())}})
    there = network_snapshot(here)
    assert there["load balancers"] == there["network"] == {}


@pytest.mark.parametrize(("kind", "count"), [(CLASSIC, 15), (NETWORK, 40)])
def test_the_regions_quota_is_warned_of_before_it_is_reached(here: Account, kind: Kind, count: int) -> None:
    KNOBS.load_balancers_quota, KNOBS.network_load_balancers_quota = 20, 50
    body = article(here, kind)
    for number in range(count):
        if kind is CLASSIC:
            here.world.create(f"lb-{number:02}", Subnets=here.subnets[:1])
        else:
            elbv2().create_load_balancer(Name=f"lb-{number:02}", Type="network", Subnets=here.subnets[:1])
    report = here.put(body, dry_run=True)
    assert "quota" in {warning.code for warning in report.warnings}
    KNOBS.load_balancers_quota = KNOBS.network_load_balancers_quota = count
    for asked in (body, without_group(body)):
        with pytest.raises(errors.QuotaReached, match=f"the region has {count} load balancers"):
            here.put(asked)
        assert here.calls.writes == []
