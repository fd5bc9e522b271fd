"""What AWS needs longer for than a request may take: 202, then the background, and who may take over."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.model import errors
from chalicelib.model.report import Report
from lab.fidelity.knobs import KNOBS
from tests.world.kinds import (
    CLASSIC,
    NETWORK,
    Kind,
    article,
    each_kind,
    registered,
    security_groups,
    served,
    without_group,
)
from tests.world.network import network_snapshot
from tests.world.provisioning import Account, Killed, issued, pem

KEY = issued("new.example.com", key="new").private_key_pem


def there(here: Account, kind: Kind = CLASSIC) -> dict[str, Any]:
    """The body of a load balancer that is there, with a certificate that AWS knows."""
    body = article(here, kind)
    here.put(body)
    KNOBS.certificate_propagation_seconds = 120
    return body


def new(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "certificate": {"pem": pem(issued("new.example.com", key="new"))}}


def state(here: Account) -> str:
    return str(here.get()["state"])


@each_kind
def test_past_the_deadline_the_background_finishes_what_was_begun(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    asked = new({**body, "connection_draining": 60})
    report = here.put(asked)
    assert report.state == "pending"
    assert here.passed < timedelta(seconds=20)
    assert state(here) == "pending"
    finished = here.carry_on(report, body)
    assert finished is not None
    assert finished.state == "ready"
    assert state(here) == "ready"
    assert served(here).partition("/")[2].startswith("emq-elb/emq-elb-test/eu-central-1/demo/")
    assert here.calls.writes.count("UploadServerCertificate") == 0


def test_a_load_balancer_that_is_not_there_yet_is_made_in_the_background(here: Account) -> None:
    KNOBS.certificate_propagation_seconds = 120
    body = {**here.article, "certificate": {"issuer": "private-ca", "domains": ["mqtt.example.com"]}}
    body |= {"instances": here.launch("node-3")}
    report = here.put(body)
    assert report.state == "pending"
    assert report.view is None
    assert here.snapshot()["load balancers"] == {}
    finished = here.carry_on(report, body)
    assert finished is not None
    assert finished.created
    assert here.get()["certificate"]["domains"] == ["mqtt.example.com"]
    assert len(here.certificates()) == 2  # the article's, and one new one
    assert here.snapshot()["load balancers"]["demo"]["tags"] == {
        "emq-elb:certificate": "private-ca",
        "emq-elb:cluster": "demo",
        "emq-elb:owner": "emq-elb-test",
    }
    here.put(body)
    assert here.calls.writes == []


def test_a_network_one_takes_no_client_until_aws_knows_its_certificate(here: Account) -> None:
    KNOBS.certificate_propagation_seconds = 120
    body = {
        **article(here, NETWORK),
        "certificate": {"issuer": "private-ca", "domains": ["mqtt.example.com"]},
    }
    report = here.put(body)
    assert (report.state, state(here)) == ("pending", "pending")
    assert registered(here) == ["node-1", "node-2"]
    assert 8883 not in {one["port"] for one in here.get()["listeners"]}
    finished = here.carry_on(report, body)
    assert finished is not None
    assert (finished.state, state(here)) == ("ready", "ready")
    assert here.get()["certificate"]["domains"] == ["mqtt.example.com"]
    here.put(body)
    assert here.calls.writes == []


def test_whose_the_bucket_of_the_logs_is_is_asked_for_the_answer_and_not_in_the_background(
    here: Account,
) -> None:
    body = there(here)
    asked = new({**body, "access_logs": {"bucket": "logs"}})
    report = here.put(asked)
    assert report.state == "pending"
    assert "ListBuckets" in here.calls.reads
    finished = here.carry_on(report, asked)
    assert finished is not None
    assert finished.state == "ready"
    assert "ListBuckets" not in here.calls.reads


@each_kind
def test_the_background_installs_the_certificate_that_it_was_given_whatever_is_served(
    here: Account, kind: Kind
) -> None:
    body = {**article(here, kind), "certificate": {"issuer": "private-ca", "domains": ["old.example.com"]}}
    here.put(body)
    KNOBS.certificate_propagation_seconds = 120
    asked = {**body, "certificate": {"issuer": "private-ca", "domains": ["new.example.com"]}}
    report = here.put(asked)
    assert report.state == "pending"
    assert here.carry_on(report, body) is not None
    assert here.get()["certificate"]["domains"] == ["new.example.com"]
    assert len(here.certificates()) == 3  # the article's, the old one, and one new one
    here.put(asked)
    assert here.calls.writes == []


@each_kind
def test_what_the_background_is_given_holds_no_key(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    report = here.put(new(body))
    text = json.dumps(report.carry_on) + repr(report) + repr(here.steps)
    assert not [line for line in KEY.splitlines() if line in text]


@each_kind
def test_the_background_reads_aws_again_before_every_call(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    report = here.put(new({**body, "connection_draining": 60, "keepalive": 60, "tags": {"team": "iot"}}))
    KNOBS.certificate_propagation_seconds = 0
    here.carry_on(report, {**body, "connection_draining": 60, "keepalive": 60, "tags": {"team": "iot"}})
    made = here.calls.made
    positions = [place for place, name in enumerate(made) if name in here.calls.writes]
    assert len(positions) >= 2
    for before, after in pairwise(positions):
        assert "DescribeLoadBalancers" in made[before:after]


@each_kind
def test_a_later_request_stops_the_background_before_its_next_call(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    report = here.put(new(body))
    here.passed += timedelta(seconds=5)
    here.put({**body, "connection_draining": 30})
    before = network_snapshot(here)
    here.passed += timedelta(minutes=10)
    assert here.carry_on(report, body) is None
    assert here.calls.writes == []
    assert network_snapshot(here) == before


@each_kind
def test_a_later_request_that_waits_too_takes_the_work_over(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    first = here.put(new(body))
    here.passed += timedelta(seconds=5)
    KNOBS.certificate_propagation_seconds = 1000
    second = here.put(new({**body, "connection_draining": 30}))
    assert (first.state, second.state) == ("pending", "pending")
    KNOBS.certificate_propagation_seconds = 0
    assert here.carry_on(first, body) is None
    assert here.calls.writes == []
    finished = here.carry_on(second, {**body, "connection_draining": 30})
    assert finished is not None
    assert state(here) == "ready"
    assert here.get()["connection_draining"] == 30


def test_a_request_writes_into_the_tag_at_once_that_it_counts_now(here: Account) -> None:
    body = there(here)
    here.put(new(body))
    here.passed += timedelta(seconds=5)
    here.put({**body, "connection_draining": 30})
    first, *others = here.calls.writes
    assert first == "AddTags"
    assert here.steps[-len(here.calls.writes)][1].fields["tags"][0][0] == "emq-elb:pending"  # type: ignore[index]
    assert others == ["AddTags", "ModifyLoadBalancerAttributes", "RemoveTags"]


@pytest.mark.parametrize("kill_after", [2, 3, 4])
def test_of_two_requests_that_wait_for_one_that_is_not_there_yet_the_later_counts(
    here: Account, kill_after: int
) -> None:
    KNOBS.certificate_propagation_seconds = 1000
    older = {**here.article, "certificate": {"issuer": "private-ca"}, "connection_draining": 30}
    later = {**older, "connection_draining": 60}
    first = here.put(older)
    here.passed += timedelta(seconds=5)
    second = here.put(later)
    assert (first.state, second.state) == ("pending", "pending")
    KNOBS.certificate_propagation_seconds = 0
    here.calls.kill_after = kill_after
    with pytest.raises(Killed):
        here.carry_on(first, older)
    here.calls.kill_after = None
    assert here.carry_on(second, later) is not None
    assert (state(here), here.get()["connection_draining"]) == ("ready", 60)
    assert here.carry_on(first, older) is None
    assert (state(here), here.get()["connection_draining"]) == ("ready", 60)


@each_kind
def test_what_was_deleted_in_the_meantime_is_not_made_again(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    report = here.put(new(body))
    here.delete(force=True)
    assert here.carry_on(report, body) is None
    left = network_snapshot(here)
    assert left["load balancers"] == left["network"] == {}


def test_what_was_deleted_before_it_was_made_is_not_made_in_the_background(here: Account) -> None:
    KNOBS.certificate_propagation_seconds = 120
    body = {**here.article, "certificate": {"issuer": "private-ca"}}
    report = here.put(body)
    here.delete()
    assert here.carry_on(report, body) is None
    assert here.calls.writes == []


def test_a_certificate_of_somebody_elses_that_is_gone_is_a_fault_in_the_background_too(here: Account) -> None:
    KNOBS.certificate_propagation_seconds = 120
    body = here.article
    report = here.put(body)
    assert report.state == "pending"
    here.world.iam.delete_server_certificate(ServerCertificateName="by-hand")
    with pytest.raises(errors.InvalidRequest):
        here.carry_on(report, body)


def test_the_background_that_made_it_does_not_make_it_again_either(here: Account) -> None:
    KNOBS.certificate_propagation_seconds = 120
    body = {**here.article, "certificate": {"issuer": "private-ca"}}
    report = here.put(body)
    KNOBS.certificate_propagation_seconds = 0
    here.calls.kill_after = 2
    with pytest.raises(Killed):
        here.carry_on(report, body)
    here.calls.kill_after = None
    assert here.snapshot()["load balancers"]["demo"]["tags"]["emq-elb:pending"]
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    existed = Report(name="demo", state="pending", steps=(), carry_on={**report.carry_on, "existed": True})
    assert here.carry_on(existed, body) is None


@each_kind
@pytest.mark.parametrize("kill_after", [1, 2, 3])
def test_a_killed_background_run_is_resumed_by_lambdas_retry(
    here: Account, kind: Kind, kill_after: int
) -> None:
    body = there(here, kind)
    asked = {**body, "keepalive": 60, "tags": {"team": "iot"}, "ssl_policy": "ELBSecurityPolicy-2016-08"}
    report = here.put(new(asked))
    here.calls.kill_after = kill_after
    with pytest.raises(Killed):
        here.carry_on(report, asked)
    here.calls.kill_after = None
    finished = here.carry_on(report, asked)
    assert finished is not None
    assert here.put(here.get()).steps == ()
    assert state(here) == "ready"


@each_kind
def test_what_takes_even_longer_is_an_error_so_that_lambda_tries_again(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    KNOBS.certificate_propagation_seconds = 3600
    report = here.put(new(body))
    with pytest.raises(errors.NotYet):
        here.carry_on(report, body)
    assert state(here) == "pending"


@each_kind
def test_the_same_request_finishes_what_the_background_did_not(here: Account, kind: Kind) -> None:
    body = there(here, kind)
    report = here.put(new(body))
    assert report.state == "pending"
    KNOBS.certificate_propagation_seconds = 0
    assert here.put(new(body)).state == "ready"
    assert state(here) == "ready"
    assert len(here.certificates()) == 2


@each_kind
def test_a_group_that_is_let_go_slowly_is_carried_on_too(here: Account, kind: Kind) -> None:
    body = without_group(article(here, kind))
    here.put(body)
    (own,) = security_groups(here, kind)
    # Somebody's interface is in the group: AWS does not let it go while it is.
    interface = here.world.ec2.create_network_interface(SubnetId=here.subnets[0], Groups=[own])
    report = here.put({**body, "security_groups": [here.group()]})
    assert report.state == "pending"
    here.world.ec2.delete_network_interface(
        NetworkInterfaceId=interface["NetworkInterface"]["NetworkInterfaceId"]
    )
    assert here.carry_on(report, {**body, "security_groups": [here.group()]}) is not None
    assert set(here.snapshot()["groups"]) == {"by-hand"}
    assert state(here) == "ready"
