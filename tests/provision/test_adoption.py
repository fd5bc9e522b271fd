"""Taking over a load balancer that somebody made by hand, as the article describes it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.errors import Conflict, Denied, NotFound, NotOurs, NotYet
from lab.fidelity.knobs import KNOBS, Health
from tests.lab.load_balancing import ssl
from tests.world.by_hand import NAME, cookies, negotiating, proxying, register
from tests.world.provisioning import WATCHED, Account

HTTP = {"Protocol": "HTTP", "LoadBalancerPort": 18083, "InstanceProtocol": "HTTP", "InstancePort": 18083}


def by_hand(here: Account, *names: str, **parameters: Any) -> list[str]:
    """The article's load balancer made in the console, with these instances registered; their ids."""
    here.world.create("demo", ssl(here.world.upload("by-hand")), HTTP, Subnets=here.subnets[:2], **parameters)
    ids = here.launch(*names)
    if ids:
        register(here, ids)
    return ids


def ciphers(here: Account) -> None:
    on = ("Protocol-TLSv1.2", "AES128-SHA256", "Server-Defined-Cipher-Order")
    negotiating(here, "mine", dict.fromkeys(on, "true"), 8883)


def attributes(here: Account) -> None:
    here.world.elb.modify_load_balancer_attributes(
        **NAME,
        LoadBalancerAttributes={
            "AccessLog": {"Enabled": True, "S3BucketName": "logs", "S3BucketPrefix": "a", "EmitInterval": 5},
            "ConnectionDraining": {"Enabled": True, "Timeout": 17},
            "ConnectionSettings": {"IdleTimeout": 3600},
            "CrossZoneLoadBalancing": {"Enabled": True},
        },
    )


@pytest.mark.parametrize(
    "done_by_hand", [lambda _: None, cookies, proxying, ciphers, attributes], ids=lambda done: done.__name__
)
def test_what_get_shows_of_one_made_by_hand_changes_nothing_but_tags(
    here: Account, done_by_hand: Any
) -> None:
    by_hand(here, "node-1", "node-2", Tags=[{"Key": "team", "Value": "iot"}])
    done_by_hand(here)
    shown = here.get(adopt=True)
    before = here.snapshot()["load balancers"]["demo"]
    here.put(shown, adopt=True)
    assert here.calls.writes == ["CreateTags", "AddTags"]
    after = here.snapshot()
    tags = {
        "team": "iot",
        "emq-elb:owner": "emq-elb-test",
        "emq-elb:cluster": "demo",
        "emq-elb:certificate": "external",
    }
    assert after["load balancers"]["demo"] == before | {"tags": tags}
    assert after["instances"] == {"node-1": "demo", "node-2": "demo"}
    here.put(here.get())
    assert here.calls.writes == []


def test_members_are_tagged_before_the_load_balancer_is_ours(here: Account) -> None:
    by_hand(here, "node-1", "node-2", "node-3")
    shown = here.get(adopt=True)
    # The body need not name them: being registered by hand is what made them members.
    report = here.put({**shown, "instances": []}, adopt=True)
    assert here.calls.writes == ["CreateTags", "AddTags"]
    assert len(report.steps[0].fields["instances"]) == 3  # type: ignore[arg-type]
    assert len(here.world.describe()["Instances"]) == 3


def test_an_instance_that_aws_is_about_to_take_out_is_not_tagged(here: Account) -> None:
    first, _ = by_hand(here, "node-1", "node-2")
    shown = here.get(adopt=True)
    here.world.ec2.terminate_instances(InstanceIds=[first])
    here.put({**shown, "instances": []}, adopt=True)
    assert here.snapshot()["instances"] == {"node-1": None, "node-2": "demo"}


def test_a_load_balancer_that_is_not_ours_is_refused_with_the_way_out(here: Account) -> None:
    by_hand(here, "node-1")
    shown = here.get(adopt=True)
    before = here.snapshot()
    for dry_run in (False, True):
        with pytest.raises(NotOurs, match=r"GET /load-balancers/demo\?adopt=true"):
            here.put(shown, dry_run=dry_run)
        assert here.calls.writes == []
    with pytest.raises(NotFound):
        here.get()
    with pytest.raises(NotOurs):
        here.delete(force=True)
    assert here.snapshot() == before


def test_another_owners_is_refused_whatever_is_asked(here: Account) -> None:
    by_hand(here, "node-1", Tags=[{"Key": "emq-elb:owner", "Value": "emq-elb-prod"}])
    shown = here.owned_by("emq-elb-prod").get()
    for adopt in (False, True):
        with pytest.raises(NotOurs, match="emq-elb-prod"):
            here.put(shown, adopt=adopt)
        assert here.calls.writes == []
    with pytest.raises(NotFound):
        here.get(adopt=True)
    with pytest.raises(NotOurs):
        here.delete(force=True)
    assert here.calls.writes == []


def test_a_member_of_another_cluster_is_a_conflict(here: Account) -> None:
    first, _ = by_hand(here, "node-1", "node-2")
    shown = here.get(adopt=True)
    here.tag([first], "emq-elb:cluster", "other")
    with pytest.raises(Conflict, match=f"instance {first} is tagged emq-elb:cluster=other"):
        here.put({**shown, "instances": []}, adopt=True)
    assert here.calls.writes == []


def test_a_dry_run_shows_what_adopting_would_change(here: Account) -> None:
    by_hand(here, "node-1")
    body = {**here.get(adopt=True), "ssl_policy": "ELBSecurityPolicy-TLS-1-2-2017-01"}
    before = here.snapshot()
    planned = [step.action for step in here.put(body, adopt=True, dry_run=True).steps]
    assert here.snapshot() == before
    assert planned == [
        "CreateTags",
        "AddTags",
        "CreateLoadBalancerPolicy",
        "SetLoadBalancerPoliciesOfListener",
        "RemoveTags",
    ]
    here.put(body, adopt=True)
    assert here.calls.writes == planned


def test_what_is_ours_already_may_be_adopted_once_more(here: Account) -> None:
    body = here.article
    here.put(body)
    here.put(body, adopt=True)
    assert here.calls.writes == []


def test_a_draining_member_that_get_showed_is_not_asked_for_again(here: Account) -> None:
    body = here.article
    here.put(body)
    first = body["instances"][0]
    here.world.ec2.delete_tags(Resources=[first], Tags=[{"Key": "emq-elb:cluster"}])
    here.world.elb.deregister_instances_from_load_balancer(**NAME, Instances=[{"InstanceId": first}])
    KNOBS.instance_health = lambda *_: Health("InService")
    shown = here.get()
    assert {one["id"]: one["state"] for one in shown["instances"]}[first] == "Draining"
    here.put(shown)
    assert here.calls.writes == []


@pytest.mark.parametrize(("times", "waited"), [(3, True), (8, True), (0, False)])
def test_what_became_ours_a_moment_ago_may_be_denied_until_iam_sees_the_tag(
    here: Account, times: int, waited: bool
) -> None:
    by_hand(here, "node-1")
    shown = {**here.get(adopt=True), "connection_draining": 60}
    left = [times]

    def unseen(operation: str, _: Any) -> str | None:
        left[0] -= operation == "ModifyLoadBalancerAttributes"
        return "AccessDenied" if operation == "ModifyLoadBalancerAttributes" and left[0] >= 0 else None

    WATCHED.refuse = unseen
    report = here.put(shown, adopt=True)
    assert report.state == ("pending" if times == 8 else "ready")
    if report.state == "pending":
        here.carry_on(report, shown)
    assert here.get()["connection_draining"] == 60
    assert bool(here.passed) == waited


def test_what_the_role_may_not_do_is_reported_at_once_where_the_tag_is_old(here: Account) -> None:
    by_hand(here, "node-1")
    shown = here.get(adopt=True)
    here.put(shown, adopt=True)
    WATCHED.refuse = lambda operation, _: "AccessDenied" if operation.startswith("Modify") else None
    with pytest.raises(Denied):
        here.put({**shown, "connection_draining": 60})
    assert not here.passed


def test_an_adoption_is_not_left_to_the_background_before_it_is_ours(here: Account) -> None:
    by_hand(here, "node-1")
    shown = here.get(adopt=True)
    before = here.snapshot()["load balancers"]
    WATCHED.refuse = lambda asked, _: "ConcurrentTagAccess" if asked == "CreateTags" else None
    with pytest.raises(NotYet):
        here.put(shown, adopt=True)
    assert here.snapshot()["load balancers"] == before, "nothing is written on what is not ours"
