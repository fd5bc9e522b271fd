"""`cluster` in a PUT: several load balancers serve one, and what was deployed before needs no change."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.errors import Conflict
from chalicelib.model.names import CLUSTER_TAG
from lab.fidelity.knobs import FAILED_CHECKS, KNOBS
from tests.world.provisioning import Account
from tests.world.register import Fleet

PLAIN = [{"protocol": "TCP", "port": 1883, "instance_protocol": "TCP", "instance_port": 1883}]


def body(here: Account, **more: Any) -> dict[str, Any]:
    """A declaration without a certificate."""
    return {"subnets": here.subnets[:2], "listeners": PLAIN, "security_groups": [here.group()], **more}


def tags(here: Account, name: str = "demo") -> dict[str, str]:
    """The tags of a load balancer, as AWS has them."""
    found: dict[str, str] = here.snapshot()["load balancers"][name]["tags"]
    return found


def members(here: Account, name: str = "demo") -> list[str]:
    """The names of the instances that are registered with it."""
    found: list[str] = here.snapshot()["load balancers"][name]["instances"]
    return found


def codes(report: Any) -> list[str]:
    return [warning.code for warning in report.warnings]


@pytest.mark.quick
def test_a_new_one_says_which_cluster_it_serves_at_no_cost(here: Account) -> None:
    here.put(body(here, instances=here.launch("node-1")))
    assert here.calls.writes.count("AddTags") == 0
    assert tags(here)[CLUSTER_TAG] == "demo"
    assert here.get()["cluster"] == "demo"
    assert here.snapshot()["instances"] == {"node-1": "demo"}


@pytest.mark.parametrize("declared", [{}, {"cluster": "demo"}])
def test_one_of_ours_without_the_tag_serves_its_own_name_and_stays_as_it_is(
    here: Account, declared: dict[str, str]
) -> None:
    """As one that was deployed before."""
    asked = body(here, instances=here.launch("node-1"))
    here.put(asked)
    here.world.elb.remove_tags(LoadBalancerNames=["demo"], Tags=[{"Key": CLUSTER_TAG}])
    assert here.put({**asked, **declared}).changed is False
    assert here.calls.writes == []
    assert here.get()["cluster"] == "demo"
    here.put(here.get())
    assert here.calls.writes == []
    assert Fleet(here).reconcile().steps == ()
    assert CLUSTER_TAG not in tags(here)


@pytest.mark.parametrize("second", [{"scheme": "internal"}, {"scheme": "internet-facing"}])
def test_a_second_one_serves_the_cluster_and_changes_nothing_at_the_first(
    here: Account, second: dict[str, str]
) -> None:
    first = body(here, instances=here.launch("node-1", "node-2"))
    here.put(first)
    before = here.snapshot()["load balancers"]["demo"]
    report = here.put(body(here, cluster="demo", **second), name="demo-2")
    assert report.created
    assert "no-members" not in codes(report)
    assert members(here, "demo-2") == ["node-1", "node-2"]
    assert here.snapshot()["load balancers"]["demo"] == before
    for name in ("demo", "demo-2"):
        here.put(here.get(name), name=name)
        assert here.calls.writes == [], "what GET shows can be sent back"
    assert here.get("demo-2")["cluster"] == "demo"
    here.put(first)
    assert here.calls.writes == []


def test_an_instance_that_is_named_joins_every_load_balancer_of_the_cluster(here: Account) -> None:
    here.put(body(here), name="demo")
    here.put(body(here, cluster="demo", instances=here.launch("node-1")), name="demo-2")
    assert (members(here, "demo"), members(here, "demo-2")) == ([], ["node-1"])
    assert here.snapshot()["instances"] == {"node-1": "demo"}
    Fleet(here).reconcile()
    assert members(here, "demo") == ["node-1"]


def test_what_the_body_omits_takes_its_default_the_cluster_too(here: Account) -> None:
    here.put(body(here, cluster="mqtt"))
    here.launch("node-1", **{"emq-elb_cluster": "demo"})
    report = here.put(body(here))
    assert here.calls.writes == ["AddTags", "RegisterInstancesWithLoadBalancer"]
    assert codes(report).count("cluster-changes") == 0, "nobody was registered"
    assert (tags(here)[CLUSTER_TAG], members(here)) == ("demo", ["node-1"])


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_change_of_the_cluster_passes_no_guard_and_the_review_says_so(here: Account, dry_run: bool) -> None:
    ids = here.launch("node-1", "node-2", "node-3", "node-4")
    here.put(body(here, instances=ids))
    here.launch("node-5", **{"emq-elb_cluster": "blue"})
    report = here.put(body(here, cluster="blue"), dry_run=dry_run)
    (warning,) = [one.message for one in report.warnings if one.code == "cluster-changes"]
    assert f"from the cluster demo to blue, and {', '.join(sorted(ids))} belong to another cluster" in warning
    assert [step.action for step in report.steps] == ["AddTags", "RegisterInstances", "DeregisterInstances"]
    assert report.view is not None
    assert report.view.load_balancer.cluster == "blue"
    if dry_run:
        assert here.calls.writes == []
        return
    assert len(members(here)) == 3
    fleet = Fleet(here)
    for _ in range(2):
        fleet.reconcile()
    assert members(here) == ["node-5"]
    assert "cluster-changes" not in codes(here.put(body(here, cluster="blue")))
    assert here.calls.writes == []


def test_a_change_of_the_cluster_keeps_the_last_one_in_service(here: Account) -> None:
    here.put(body(here, instances=here.launch("node-1")))
    report = here.put(body(here, cluster="blue"))
    assert [step.action for step in report.steps] == ["AddTags"]
    assert members(here) == ["node-1"]
    Fleet(here).reconcile()
    assert members(here) == ["node-1"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_instance_of_another_cluster_is_refused_with_the_ways_out(here: Account, dry_run: bool) -> None:
    (theirs,) = here.launch("theirs", **{"emq-elb_cluster": "mqtt/prod"})
    asked = body(here, instances=[theirs])
    before = here.snapshot()
    with pytest.raises(Conflict, match=rf'{theirs} is tagged emq-elb:cluster=mqtt/prod.*"mqtt/prod"`$'):
        here.put(asked, dry_run=dry_run)
    assert here.calls.writes == []
    assert here.snapshot() == before
    here.put({**asked, "cluster": "mqtt/prod"}, dry_run=dry_run)
    if not dry_run:
        assert members(here) == ["theirs"]


def test_what_get_shows_with_another_cluster_names_instances_of_the_old_one(here: Account) -> None:
    here.put(body(here, instances=here.launch("node-1")))
    with pytest.raises(Conflict, match="leave it out of `instances`"):
        here.put({**here.get(), "cluster": "blue"})
    assert here.calls.writes == []


def test_one_made_by_hand_can_be_adopted_into_a_cluster_that_is_served_already(here: Account) -> None:
    ids = here.launch("node-1", "node-2")
    here.put(body(here, instances=ids[:1]))
    plain = {"Protocol": "TCP", "LoadBalancerPort": 1883, "InstancePort": 1883}
    here.world.create("old", plain, Subnets=here.subnets[:2])
    here.world.elb.register_instances_with_load_balancer(
        LoadBalancerName="old", Instances=[{"InstanceId": id_} for id_ in ids]
    )
    shown = here.get("old", adopt=True)
    assert shown["cluster"] == "old"
    with pytest.raises(Conflict, match=r"an instance is in one cluster: .* declare `\"cluster\": \"demo\"`"):
        here.put(shown, name="old", adopt=True)
    assert here.calls.writes == []
    here.put({**shown, "cluster": "demo"}, name="old", adopt=True)
    assert here.calls.writes == ["CreateTags", "AddTags"]
    assert here.snapshot()["instances"] == {"node-1": "demo", "node-2": "demo"}
    Fleet(here).reconcile()
    assert members(here, "old") == members(here, "demo") == ["node-1", "node-2"]


def test_the_nodes_of_one_that_is_deleted_stay_tagged_and_serve_the_other(here: Account) -> None:
    here.put(body(here, instances=here.launch("node-1", "node-2")))
    here.put(body(here, cluster="demo"), name="demo-2")
    with pytest.raises(Conflict, match="are in service behind demo"):
        here.delete("demo")
    here.delete("demo", force=True)
    assert here.snapshot()["instances"] == {"node-1": "demo", "node-2": "demo"}
    fleet = Fleet(here)
    assert fleet.reconcile().steps == ()
    assert members(here, "demo-2") == ["node-1", "node-2"]
    KNOBS.instance_health = lambda *_: FAILED_CHECKS
    here.delete("demo-2")
    assert fleet.reconcile().failures == ()


def test_members_in_service_keep_each_load_balancer_for_itself(here: Account) -> None:
    """That the other one's are in service is no reason to keep this one."""
    here.put(body(here, instances=here.launch("node-1")))
    here.put(body(here, cluster="demo"), name="demo-2")
    KNOBS.instance_health = lambda name, _: FAILED_CHECKS if name == "demo-2" else None
    here.delete("demo-2")
    with pytest.raises(Conflict, match="is in service behind demo"):
        here.delete("demo")


def test_the_background_goes_on_with_the_cluster_that_was_declared(here: Account) -> None:
    KNOBS.certificate_propagation_seconds = 60
    asked = body(here, cluster="mqtt", instances=here.launch("node-1"))
    asked |= {"listeners": [{**PLAIN[0], "protocol": "SSL", "port": 8883}]}
    asked |= {"certificate": {"issuer": "private-ca", "domains": ["mqtt.example.com"]}}
    report = here.put(asked, within=5)
    assert report.state == "pending"
    here.carry_on(report, asked)
    assert tags(here)[CLUSTER_TAG] == "mqtt"
    assert here.snapshot()["instances"] == {"node-1": "mqtt"}
