"""A classic and a network load balancer of ours of one name: each story serves the former and warns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.api.views import list_json
from chalicelib.model.errors import Conflict, NotOurs, Unserved
from chalicelib.observe import ours_of_either_kind, ours_with_listeners
from chalicelib.probe.deep import deep_probe_all
from chalicelib.probe.story import probe_all
from chalicelib.rotate.story import rotate_one
from tests.probe.test_deep import Cluster
from tests.probe.test_story import create, listener, resolve
from tests.world.chalice_client import OWNER, app_client
from tests.world.mqtt_broker import broker
from tests.world.network import create_network, elbv2, network_snapshot
from tests.world.provisioning import Account
from tests.world.register import Fleet
from tests.world.rotating import Front, make, nowhere, rotate, served
from tests.world.servers import serving

BOTH = "a classic and a network load balancer of ours are both named demo"
Logged = Callable[[], list[Any]]


def asked(here: Account, kind: str) -> dict[str, Any]:
    """A body of PUT for a load balancer of that kind."""
    arn = next((one["Arn"] for one in here.certificates()), None) or here.world.upload("by-hand")
    given = {"subnets": here.subnets[:2], "security_groups": [here.group()], "certificate": {"arn": arn}}
    return {"type": kind, **given}


@pytest.fixture
def two(here: Account) -> Account:
    """An account with two load balancers of ours named demo, with listeners on other ports."""
    here.put(asked(here, "classic"))
    create_network(here, "demo", (1883, 1883))
    return here


def warned(logged: Logged) -> list[Any]:
    """The names in the records that say of two."""
    return [one["load_balancers"] for one in logged() if one["message"] == "two of one name"]


@pytest.mark.parametrize("kind", ["classic", "network"])
def test_neither_put_nor_delete_touches_one_of_two(two: Account, kind: str) -> None:
    before = network_snapshot(two)
    for adopt in (False, True):
        with pytest.raises(Conflict, match=BOTH):
            two.put(asked(two, kind), adopt=adopt)
    with pytest.raises(Conflict, match=BOTH):
        two.delete(force=True)
    assert network_snapshot(two) == before


@pytest.mark.parametrize("stays", ["classic", "network"])
def test_with_the_owner_tag_off_the_other_one_this_one_is_as_any(two: Account, stays: str) -> None:
    if stays == "classic":
        (one,) = elbv2().describe_load_balancers()["LoadBalancers"]
        elbv2().remove_tags(ResourceArns=[one["LoadBalancerArn"]], TagKeys=["emq-elb:owner"])
    else:
        two.world.elb.remove_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "emq-elb:owner"}])
    report = two.put(asked(two, stays))
    assert report.view is not None
    assert report.view.load_balancer.type == two.get()["type"] == stays
    assert "unmanaged" not in two.get()
    two.delete(force=True)
    networks = elbv2().describe_load_balancers()["LoadBalancers"]
    classics = two.world.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    assert (len(networks), len(classics)) == ((1, 0) if stays == "classic" else (0, 1))


def test_a_put_of_one_kind_refuses_a_name_that_the_other_kind_has(here: Account) -> None:
    here.put(asked(here, "classic"))
    with pytest.raises(Conflict, match="it is a classic load balancer, which AWS cannot change"):
        here.put(asked(here, "network"))
    create_network(here, "nobodys", (1883, 1883), owner="another")
    with pytest.raises(NotOurs, match="belongs to the deployment another"):
        here.put(asked(here, "classic"), "nobodys")


def test_get_shows_the_classic_one_and_says_that_there_are_two(two: Account) -> None:
    shown = two.get()
    assert shown["type"] == "classic"
    assert [one.partition(":")[0] for one in shown["unmanaged"]] == [BOTH]
    listed = list_json(ours_of_either_kind(two.invocation()))["load_balancers"]
    assert isinstance(listed, list)
    assert [(one["name"], one["type"]) for one in listed] == [("demo", "classic"), ("demo", "network")]


def test_a_look_serves_the_classic_one_and_everybody_else(two: Account, logged: Logged) -> None:
    fleet = Fleet(two)
    fleet.network("other")
    (node,), (beside,) = fleet.nodes("demo"), fleet.nodes("other")
    look = fleet.answer(fleet.event("ec2-instance-running", node))
    assert node in {one["InstanceId"] for one in two.world.describe()["Instances"]}
    assert (fleet.targets("other"), fleet.targets("demo")) == ({beside}, set())
    assert look is not None
    assert look.failures == (), "Lambda tries the event again for nothing"
    assert look.load_balancers is not None, "or nobody's name is kept in DNS"
    assert warned(logged) == [["demo"]]


def test_reconcile_fails_with_the_name_so_that_an_alarm_rings(here: Account, logged: Logged) -> None:
    fleet = Fleet(here)
    fleet.balancer("demo", owner=OWNER)
    create_network(here, "demo", (1883, 1883), owner=OWNER)
    with app_client() as client:
        event = client.events.generate_cw_event("aws.events", "Scheduled Event", {}, [], "eu-central-1")
        with pytest.raises(Unserved) as raised:
            client.lambda_.invoke("reconcile", {**event, "version": "0"})
    assert [(name, BOTH in str(error)) for name, error in raised.value.failures] == [("demo", True)]
    (canonical,) = (one for one in logged() if one.get("function") == "reconcile")
    assert canonical["level"] == "INFO", "it did the rest before"


def test_rotate_replaces_the_classic_ones_certificate_and_fails_with_the_name(
    here: Account, demo: Front
) -> None:
    old = make(here, demo.port)
    theirs = here.world.upload()
    create_network(here, "demo", (8884, 1883), certificate=theirs)
    with pytest.raises(Unserved) as raised:
        rotate(here, demo)
    assert [(name, BOTH in str(error)) for name, error in raised.value.failures] == [("demo", True)]
    assert served(here, demo.port) != old
    (network,) = network_snapshot(here)["network"].values()
    assert network["listeners"][8884][1] == ["certificate"]
    rotation = rotate_one("demo", here.invocation(), nowhere(), dry_run=True)
    assert [one.code for one in rotation.warnings] == ["same-name"]


@pytest.mark.parametrize("probe", [probe_all, deep_probe_all])
def test_the_probes_use_the_classic_one_and_warn(here: Account, logged: Logged, probe: Any) -> None:
    with serving(Cluster().talk if probe is deep_probe_all else broker()) as server:
        create(here, "demo", listener(server.port))
        create_network(here, "demo", (1, 1883))
        (verdict,) = probe(here.invocation(within=21.5), resolve=resolve)
    assert verdict.load_balancer == "demo"
    assert getattr(verdict, "grade", "ok") == "ok"
    assert warned(logged) == [["demo"]]


def test_alarms_and_widget_are_of_the_classic_one(two: Account, logged: Logged) -> None:
    (one,) = ours_with_listeners(two.invocation())
    assert (one.type, one.name) == ("classic", "demo")
    assert warned(logged) == [["demo"]]
