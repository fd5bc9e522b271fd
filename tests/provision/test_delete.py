"""DELETE: everything that was made for a load balancer goes, whatever AWS holds on to meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.aws.ec2 import regions
from chalicelib.model import errors
from chalicelib.model.errors import Conflict, NotFound
from chalicelib.provision import delete as deprovision
from chalicelib.provision.sweep import sweep
from lab.fidelity.knobs import FAILED_CHECKS, KNOBS
from tests.world.provisioning import DONE, WATCHED, Account, granted, issued, pem


def made(here: Account) -> dict[str, Any]:
    """One with a certificate and a group of ours, and two members; its body."""
    body = {
        "subnets": here.subnets[:2],
        "certificate": {"pem": pem(issued())},
        "instances": here.launch("node-1", "node-2"),
    }
    here.put(body)
    return body


def left(here: Account) -> dict[str, Any]:
    """What there still is of it."""
    found = here.snapshot()
    return {kind: found[kind] for kind in ("load balancers", "groups", "certificates") if found[kind]}


@pytest.mark.quick
def test_it_goes_with_everything_that_was_made_for_it(here: Account) -> None:
    made(here)
    report = here.delete(force=True)
    assert report.state == "ready"
    assert [step.action for step in report.steps] == [
        "DeleteLoadBalancer",
        "DeleteServerCertificate",
        "DeleteSecurityGroup",
    ]
    assert left(here) == {}


def test_what_was_only_named_stays(here: Account) -> None:
    here.put(here.article)
    assert [step.action for step in here.delete(force=True).steps] == ["DeleteLoadBalancer"]
    assert left(here) == {"groups": {"by-hand": []}, "certificates": ["/ mqtt.example.com"]}


def test_a_dry_run_shows_the_plan_and_deletes_nothing(here: Account) -> None:
    made(here)
    before = here.snapshot()
    report = here.delete(force=True, dry_run=True)
    assert len(report.steps) == 3
    assert here.calls.writes == []
    assert here.snapshot() == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_members_in_service_keep_it_unless_it_is_forced(here: Account, dry_run: bool) -> None:
    made(here)
    with pytest.raises(Conflict, match=r"are in service behind demo: \?force=true"):
        here.delete(dry_run=dry_run)
    assert here.calls.writes == []
    KNOBS.instance_health = lambda *_: FAILED_CHECKS
    assert here.delete(dry_run=dry_run).state == "ready"


@pytest.mark.parametrize("name", ["none", "*", "demo*", "d?mo", "a b", "-", "internal-x"])
def test_what_is_not_there_is_not_found_and_nobody_elses_things_go(here: Account, name: str) -> None:
    made(here)
    before = here.snapshot()
    with pytest.raises(NotFound):
        here.delete(name, force=True)
    assert here.calls.writes == []
    assert here.snapshot() == before


@pytest.mark.parametrize("outgoing", [False, True])
def test_a_group_that_others_refer_to_keeps_it(here: Account, outgoing: bool) -> None:
    made(here)
    nodes = here.group("nodes", here.world.describe()["SecurityGroups"][0], outgoing=outgoing)
    before = here.snapshot()
    with pytest.raises(Conflict, match=nodes):
        here.delete(force=True)
    assert here.snapshot() == before


def test_a_certificate_that_another_load_balancer_uses_keeps_it(here: Account) -> None:
    body = made(here)
    here.put(
        {**body, "certificate": {"arn": here.served()}, "instances": []},
        name="other",
    )
    with pytest.raises(Conflict, match="load balancer other"):
        here.delete(force=True)
    assert "demo" in here.snapshot()["load balancers"]


def test_what_aws_holds_on_to_for_a_moment_is_waited_for(here: Account) -> None:
    made(here)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 8
    assert here.delete(force=True).state == "ready"
    assert timedelta(seconds=8) <= here.passed < timedelta(seconds=20)
    assert left(here) == {}


def test_what_aws_refuses_keeps_nothing_else_and_the_next_delete_finishes_it(here: Account) -> None:
    made(here)
    WATCHED.refuse = lambda operation, _: "Throttling" if operation == "DeleteServerCertificate" else None
    with pytest.raises(errors.Throttled):
        here.delete(force=True)
    assert set(left(here)) == {"certificates"}
    WATCHED.refuse = granted
    here.delete()
    assert left(here) == {}


def test_what_was_made_for_one_that_somebody_else_deletes_meanwhile_goes(here: Account) -> None:
    made(here)
    WATCHED.refuse = lambda asked, _: f"{DONE}LoadBalancerNotFound" if asked == "DeleteLoadBalancer" else None
    assert here.delete(force=True).state == "ready"
    assert left(here) == {}


def test_what_aws_holds_on_to_for_longer_is_finished_in_the_background(here: Account) -> None:
    made(here)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 120
    report = here.delete(force=True)
    assert report.state == "pending"
    assert set(left(here)) == {"groups", "certificates"}
    here.finish(report)
    assert left(here) == {}


def test_the_next_delete_finishes_it_too(here: Account) -> None:
    made(here)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 120
    here.delete(force=True)
    here.passed += timedelta(minutes=5)
    assert here.delete().state == "ready"
    assert left(here) == {}
    with pytest.raises(NotFound):
        here.delete()


def test_what_is_never_let_go_is_an_error_so_that_lambda_tries_again(here: Account) -> None:
    made(here)
    KNOBS.interface_linger_seconds = 10_000
    report = here.delete(force=True)
    with pytest.raises(errors.NotYet):
        here.finish(report)


def test_what_the_background_was_to_delete_may_be_gone_already(here: Account) -> None:
    made(here)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 120
    report = here.delete(force=True)
    here.passed += timedelta(minutes=5)
    here.delete()
    here.finish(report)
    assert left(here) == {}


def test_one_of_that_name_that_was_made_in_the_meantime_keeps_its_own(here: Account) -> None:
    body = made(here)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 120
    report = here.delete(force=True)
    here.put(body)
    before = here.snapshot()
    here.passed += timedelta(minutes=10)
    here.finish(report)
    assert here.snapshot() == before
    assert here.put(body).steps == ()


def test_one_of_that_name_with_others_loses_only_what_it_does_not_use(here: Account) -> None:
    body = made(here)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 120
    report = here.delete(force=True)
    other = pem(issued("other.example.com", key="other"))
    here.put({**body, "certificate": {"pem": other}})
    here.finish(report)
    assert [one.partition(" ")[2] for one in here.snapshot()["certificates"]] == ["other.example.com"]
    assert set(here.snapshot()["groups"]) == {"demo-elb"}


def test_each_is_looked_at_again_before_it_is_deleted(here: Account) -> None:
    made(here)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 120
    report = here.delete(force=True)
    here.passed += timedelta(minutes=5)
    here.finish(report)
    asked = 1 + 2 * len(regions(here.invocation().clients.ec2))  # who else serves the certificate
    assert here.calls.made[asked:-1] == [
        *["DescribeLoadBalancers"] * 2,  # of either kind
        "DeleteServerCertificate",
        *["DescribeLoadBalancers"] * 2,
        "DeleteSecurityGroup",
    ]


def swept(here: Account) -> list[str]:
    with here.counted():
        return [step.action for step in sweep(here.invocation(50))]


def abandoned(here: Account) -> dict[str, Any]:
    """A load balancer that somebody deleted in the console, with what we made for it left."""
    body = made(here)
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    return body


def test_what_a_load_balancer_deleted_elsewhere_left_is_swept_when_it_is_an_hour_old(here: Account) -> None:
    abandoned(here)
    assert swept(here) == ["CreateTags"], "the time is written on the group"
    here.passed += timedelta(minutes=59)
    assert swept(here) == []
    assert len(left(here)) == 2
    here.passed += timedelta(minutes=2)
    assert swept(here) == ["DeleteServerCertificate", "DeleteSecurityGroup"]
    assert left(here) == {}


def test_what_is_in_use_is_not_swept(here: Account) -> None:
    body = made(here)
    before = here.snapshot()
    here.passed += timedelta(days=2)
    assert swept(here) == []
    assert here.calls.writes == []
    assert here.snapshot() == before
    assert here.put(body).steps == ()


def test_what_another_load_balancer_uses_is_not_swept(here: Account) -> None:
    body = made(here)
    own = here.world.describe()["SecurityGroups"][0]
    shared = {"certificate": {"arn": here.served()}, "security_groups": [own], "instances": []}
    here.put({**body, **shared}, name="other")
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    for _ in range(2):
        here.passed += timedelta(hours=2)
        assert swept(here) == []
    assert not [call for call in here.calls.writes if call.startswith("Delete")]


def test_what_aws_denies_keeps_nothing_else_from_being_swept(here: Account) -> None:
    abandoned(here)
    swept(here)
    here.passed += timedelta(hours=2)
    WATCHED.refuse = lambda operation, _: "Throttling" if operation == "DeleteServerCertificate" else None
    with pytest.raises(errors.Unserved, match="demo: DeleteServerCertificate: Throttling"):
        sweep(here.invocation(50))
    assert set(left(here)) == {"certificates"}


def test_a_group_whose_load_balancer_came_back_starts_its_hour_anew(here: Account) -> None:
    body = abandoned(here)
    swept(here)
    here.passed += timedelta(minutes=50)
    here.put(body)
    swept(here)
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    here.passed += timedelta(minutes=50)
    assert "DeleteSecurityGroup" not in swept(here)
    here.passed += timedelta(minutes=61)
    assert "DeleteSecurityGroup" in swept(here)


def test_what_aws_holds_on_to_is_tried_once_a_look(here: Account) -> None:
    abandoned(here)
    swept(here)
    here.passed += timedelta(hours=2)
    before = here.passed
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = 100_000
    here.world.ec2.create_network_interface(
        SubnetId=here.subnets[0],
        Groups=[
            here.world.ec2.describe_security_groups(GroupNames=["demo-elb"])["SecurityGroups"][0]["GroupId"]
        ],
    )
    swept(here)
    assert here.passed == before
    assert here.calls.writes.count("DeleteSecurityGroup") == 1


def test_another_deployments_leftovers_are_not_swept(here: Account) -> None:
    abandoned(here)
    other = here.owned_by("emq-elb-prod")
    for _ in range(2):
        here.passed += timedelta(hours=2)
        assert swept(other) == []
    assert other.calls.writes == []
    assert len(left(here)) == 2


def test_a_look_at_an_account_without_anything_of_ours_costs_three_calls(here: Account) -> None:
    assert swept(here) == []
    assert here.calls.made == ["ListServerCertificates", "DescribeSecurityGroups", "DescribeTargetGroups"]


def test_the_payload_of_the_background_survives_being_json() -> None:
    payload = {"certificates": ["a"], "groups": ["sg-1"], "target_groups": {"demo-1883-2a97": "arn:…"}}
    assert [type(one).__name__ for one in deprovision._read(payload)] == [
        "DeleteTargetGroup",
        "DeleteServerCertificate",
        "DeleteSecurityGroup",
    ]
    assert deprovision._payload(deprovision._read(payload)) == payload
