"""Creating a load balancer, and asking for it again: what is made, in how many calls, and what is logged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import observe, telemetry
from chalicelib.api.views import report_json
from chalicelib.aws import elb
from chalicelib.model import actions as do
from chalicelib.model.actions import to_step
from lab.fidelity.knobs import KNOBS, Health
from tests.world.provisioning import Account, clients, issued, pem

# CreateLoadBalancer makes no policy of one's own, health check, attributes or members: each is a call of its
# own, as is the end of `pending`.
# https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
FLOOR = [
    "CreateLoadBalancer",
    "CreateLoadBalancerPolicy",
    "SetLoadBalancerPoliciesOfListener",
    "ConfigureHealthCheck",
    "RegisterInstancesWithLoadBalancer",
    "RemoveTags",
]
# Everything that differs from what a load balancer is born with, but attributes.
BORN_ATTRIBUTES = {"keepalive": 40, "connection_draining": 0, "cross_zone": False}


def tagged(here: Account) -> dict[str, Any]:
    """The article's load balancer, whose instances are tagged already."""
    body = {**here.article, **BORN_ATTRIBUTES}
    here.tag(body["instances"], "emq-elb:cluster", "demo")
    return body


def without(body: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {field: value for field, value in body.items() if field not in fields}


@pytest.mark.quick
def test_the_articles_load_balancer_is_made_with_the_fewest_calls(here: Account) -> None:
    report = here.put(tagged(here))
    assert sorted(here.calls.writes) == sorted(FLOOR)
    assert len(here.calls.reads) <= 9
    assert report.created
    assert report.state == "ready"


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (lambda _, body: without(body, *BORN_ATTRIBUTES), ["ModifyLoadBalancerAttributes"]),
        (
            lambda _, body: {**body, "certificate": {"pem": pem(issued())}},
            ["UploadServerCertificate"],
        ),
        (
            lambda _, body: without(body, "security_groups"),
            ["AuthorizeSecurityGroupIngress", "CreateSecurityGroup"],
        ),
        (lambda here, body: {**body, "instances": here.launch("node-3")}, ["CreateTags"]),
        (
            lambda _, body: {**body, "proxy_protocol": True},
            ["CreateLoadBalancerPolicy", "SetLoadBalancerPoliciesForBackendServer"],
        ),
        (lambda _, body: {**body, "tags": {"team": "iot"}, "hostname": "mqtt.example.com"}, []),
    ],
    ids=["attributes", "PEM", "own group", "untagged instance", "PROXY protocol", "tags"],
)
def test_whatever_more_is_asked_for_costs_its_own_calls_and_no_other(
    here: Account, change: Any, more: list[str]
) -> None:
    here.put(change(here, tagged(here)))
    assert sorted(here.calls.writes) == sorted([*FLOOR, *more])
    assert len(here.calls.reads) <= 9


@pytest.mark.quick
@pytest.mark.parametrize("own_group", [False, True])
@pytest.mark.parametrize("issuer", [False, True])
def test_the_same_request_again_changes_nothing_and_reads_little(
    here: Account, own_group: bool, issuer: bool
) -> None:
    body = here.article
    if own_group:
        del body["security_groups"]
    if issuer:
        body["certificate"] = {"issuer": "private-ca"}
    here.put(body)
    before = here.snapshot()
    report = here.put(body)
    assert here.calls.writes == []
    assert len(here.calls.reads) <= 11
    assert not report.changed
    assert not report.created
    assert here.snapshot() == before


@pytest.mark.quick
def test_a_dry_run_shows_the_plan_and_changes_nothing(here: Account) -> None:
    body = {**here.article, "certificate": {"issuer": "private-ca"}}
    before = here.snapshot()
    planned = here.put(body, dry_run=True)
    assert here.calls.writes == []
    assert here.snapshot() == before
    done = here.put(body)
    assert [step.action for step in planned.steps] == [step.action for step in done.steps]
    assert planned.created


@pytest.mark.quick
def test_get_shows_what_put_answered(here: Account) -> None:
    body = {**here.article, "hostname": "mqtt.example.com", "tags": {"team": "iot"}, "probe": {"qos": 2}}
    # A PUT answers that a member was registered a moment ago; by GET its first check may be over.
    KNOBS.instance_health = lambda *_: Health(
        "OutOfService", "ELB", "Instance registration is still in progress."
    )
    answered = json.loads(json.dumps(report_json(here.put(body))))["load_balancer"]
    shown = here.get()
    assert len(here.calls.made) <= 8
    assert here.calls.writes == []
    assert shown == answered


def test_get_costs_eight_calls_at_most_with_a_group_of_ours(here: Account) -> None:
    body = without(here.article, "security_groups")
    here.put(body)
    assert here.get()["allow"] == {"mqtt": ["0.0.0.0/0"], "dashboard": []}
    assert len(here.calls.made) <= 8


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"allow": {"mqtt": ["10.0.0.0/8", "192.168.0.0/16"], "dashboard": ["10.1.0.0/16"]}},
        {"certificate": {"issuer": "private-ca", "domains": ["a.example.com", "*.b.example.com"]}},
        {"ssl_policy": {"protocols": ["TLSv1.2"], "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"]}},
        {"ssl_policy": "ELBSecurityPolicy-2016-08"},
        {"proxy_protocol": True, "access_logs": {"bucket": "logs", "prefix": "mqtt", "interval": 5}},
        {"hostname": "mqtt.example.com", "tags": {"team": "iot"}, "probe": {"enabled": False, "qos": 0}},
        {"scheme": "internal", "connection_draining": 0, "keepalive": 33.5},
        {"listeners": [{"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883}]},
    ],
    ids=str,
)
def test_what_get_shows_sent_back_changes_nothing(here: Account, change: dict[str, Any]) -> None:
    body = without(here.article, "security_groups") | change
    if "listeners" in change:
        del body["certificate"]
    here.put(body)
    report = here.put(here.get())
    assert report.steps == ()


@pytest.mark.parametrize("count", [0, 1, 20, 21, 45])
def test_a_list_costs_one_call_for_each_400_and_one_for_each_20(here: Account, count: int) -> None:
    KNOBS.load_balancers_quota = 100
    tags = [{"Key": "emq-elb:owner", "Value": here.settings.owner}]
    for number in range(count):
        ours = {"Tags": tags} if number % 2 == 0 else {}
        here.world.create(f"lb-{number:02}", Subnets=here.subnets[:1], **ours)
    with here.counted() as calls:
        found = observe.ours_of_either_kind(here.invocation())
    assert len(calls.made) == 2 + -(-count // 20)
    assert [one.name for one in found] == [f"lb-{number:02}" for number in range(0, count, 2)]


def test_a_list_leaves_out_what_vanishes_while_it_is_read(here: Account) -> None:
    for name in ("one", "two", "three"):
        here.world.create(name, Subnets=here.subnets[:1])
    assert elb.load_balancer_tags(clients().elb, ["one", "gone", "three"]).keys() == {"one", "three"}


def test_each_action_is_logged_as_it_is_done(here: Account) -> None:
    report = here.put(here.article)
    assert [step for _, step in here.steps] == [*report.steps]
    assert {name for name, _ in here.steps} == {"demo"}
    assert report.steps[0].action == "CreateLoadBalancer"


@pytest.mark.parametrize(
    ("action", "record"),
    [
        (do.DeleteLoadBalancer(reason="x"), "elb.delete-load-balancer"),
        (
            do.SetLoadBalancerListenerSSLCertificate(reason="x", port=1, certificate="x"),
            "elb.set-load-balancer-listener-ssl-certificate",
        ),
        (
            do.UploadServerCertificate(reason="x", certificate="x"),
            "iam.upload-server-certificate",
        ),
        (do.CreateTags(reason="x", resources=("i-1",), tag=("a", "b")), "ec2.create-tags"),
        (do.CreateSecret(reason="x", secret="x"), "secretsmanager.create-secret"),
    ],
)
def test_a_record_is_named_like_the_call_and_its_service(action: do.Action, record: str) -> None:
    assert telemetry.record_name(to_step(action)) == record
