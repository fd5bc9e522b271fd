"""The command line, and what keeps it from an account in which it has no business."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.config import Config

import conformance.__main__ as entry
from conformance import guard, record
from conformance.account import Account, Budget, Run
from conformance.emulated import PLACE, emulated
from conformance.needs import GROUP, NETWORK, TARGETS, VPC, network_request, new_balancer, new_vpc
from conformance.rule import RULES
from conformance.run import Result
from conformance.sweep import things

NOW = datetime.now(UTC)


@pytest.fixture
def aws() -> Iterator[Account]:
    """An account with a run, on the corrected moto."""
    with emulated() as session:
        yield Account(session, PLACE, Run.begin(NOW), Budget(1, 60))


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where reports go in a test."""
    monkeypatch.setattr(entry, "REPORTS", tmp_path)
    return tmp_path


def test_a_run_on_moto_writes_a_report_and_confirms_nothing(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = record.VERIFIED.read_bytes()
    assert entry.main(["--only", "cloudwatch,account_limits_have_names"]) == 0
    assert record.VERIFIED.read_bytes() == before
    (report,) = reports.glob("*.md")
    assert "AWS was not asked" in report.read_text()
    assert "6 rules" in capsys.readouterr().out


def test_a_command_line_that_says_too_little(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["--profile", "me"]) == 64
    assert entry.main(["--only", "no-such-rule"]) == 64
    assert "name the region" in capsys.readouterr().err


def test_an_account_with_a_deployment_is_refused(aws: Account, capsys: pytest.CaptureFixture[str]) -> None:
    with aws.asking([VPC]):
        owned = [*aws.tags, {"Key": "emq-elb:owner", "Value": "emq-elb-prod"}]
        name = new_balancer(aws, Tags=owned)
    assert not entry.allowed(aws, [*RULES.values()], beside=False, ask=lambda _: "yes")
    assert f"load balancer {name} in eu-central-1" in capsys.readouterr().out
    assert entry.allowed(aws, [*RULES.values()], beside=True, ask=lambda _: "yes")


def test_an_account_with_a_network_load_balancer_of_a_deployment_is_refused(
    aws: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    with aws.asking([VPC, GROUP]):
        request = network_request(aws, Tags=[{"Key": "emq-elb:owner", "Value": "emq-elb-prod"}])
    aws.client("elbv2").create_load_balancer(**request)
    assert not entry.allowed(aws, [*RULES.values()], beside=False, ask=lambda _: "yes")
    assert f"load balancer {request['Name']} in eu-central-1" in capsys.readouterr().out


def test_the_sweep_takes_a_network_load_balancer_that_is_protected_from_deletion(aws: Account) -> None:
    with aws.asking([NETWORK, TARGETS]):
        arn = aws.need(NETWORK).arn
    protected = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    aws.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=protected)
    assert {"network load balancer", "target group"} <= {one.kind for one in things(aws.client)}
    assert entry.sweep_up(aws, aws.run.name) == 0
    assert things(aws.client) == []


def test_nothing_begins_without_a_yes(aws: Account, capsys: pytest.CaptureFixture[str]) -> None:
    rules = [*RULES.values()]
    assert not entry.allowed(aws, rules, beside=False, ask=lambda _: "no")
    assert entry.allowed(aws, rules, beside=False, ask=lambda _: " Yes ")

    def closed(_: str) -> str:
        raise EOFError

    assert not entry.allowed(aws, rules, beside=False, ask=closed)
    said = capsys.readouterr().out
    assert "123456789012 in eu-central-1" in said
    assert "load balancer ($0.028)" in said
    assert "$1.00 at most" in said


def test_an_emulator_is_not_aws(aws: Account) -> None:
    local = Config(signature_version="v4")
    assert guard.is_aws(aws.client)
    assert not guard.is_aws(
        lambda service: aws.session.client(service, endpoint_url="http://127.0.0.1:1", config=local)
    )


def test_all_of_it_costs_less_than_two_dollars() -> None:
    assert "costs about $0." in guard.plan("1", "eu-west-1", [*RULES.values()], Budget(2, 60), [])


def test_the_sweep_takes_old_runs_and_leaves_young_ones_and_strangers(
    aws: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    ec2 = aws.client("ec2")
    old = replace(aws, run=Run.begin(NOW - timedelta(hours=3)))
    vpcs = [new_vpc(one, "10.1.0.0/16") for one in (old, aws)]
    stranger = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    named = ec2.create_vpc(
        CidrBlock="10.3.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": old.run.name}]}],
    )["Vpc"]["VpcId"]
    assert entry.sweep_up(aws, "") == 0
    there = {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]}
    assert there >= {vpcs[1], stranger, named}
    assert vpcs[0] not in there
    assert entry.sweep_up(aws, aws.run.name) == 0
    assert things(aws.client) == []
    assert f"deletes VPC {vpcs[0]}" in capsys.readouterr().out


def test_the_sweep_says_what_is_left_and_why(aws: Account, capsys: pytest.CaptureFixture[str]) -> None:
    vpc = new_vpc(aws, "10.1.0.0/16")
    aws.client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")  # somebody else's
    place = replace(PLACE, longest=0.0)
    assert entry.sweep_up(replace(aws, place=place), aws.run.name) == 1
    assert f"Still there: VPC {vpc}: DependencyViolation" in capsys.readouterr().out


def test_what_differs_is_said_with_what_stands_on_it() -> None:
    rule = RULES["elb_looks_at_no_route_table"]
    said = entry.summary([Result(rule, "differs", "InvalidSubnet")], [])
    for part in (rule.fact, *rule.pages, "lab/fidelity/elb_network.py", "chalicelib/provision/review.py"):
        assert part in said
