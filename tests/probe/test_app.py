"""The route and the functions of the probe, through Chalice's own test client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from botocore.exceptions import ClientError
from chalice.test import Client

from chalicelib import container, telemetry
from chalicelib.model.errors import Unserved
from chalicelib.probe.story import probe_all
from chalicelib.settings import Settings
from tests.probe.test_deep import Cluster
from tests.probe.test_story import create, listener
from tests.world.chalice_client import OWNER, ROOT, app_client, invoked, lead_names_here
from tests.world.emitted import emitted
from tests.world.mqtt_broker import broker
from tests.world.provisioning import Account
from tests.world.servers import ADDRESS, serving

# Chalice's test client cannot check signatures, and says so at each request.
pytestmark = pytest.mark.filterwarnings("ignore:IAMAuthorizer is not a supported in local mode")
PATH = "/load-balancers/demo/probe"
TICK = json.loads((ROOT / "events" / "schedule-tick.json").read_text())


@pytest.fixture
def here(here: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account as the app sees it, its load balancers' names leading to loopback."""
    here.settings = Settings(owner=OWNER, private_ca_secret=f"{OWNER}/private-ca")
    lead_names_here(monkeypatch)
    return here


@pytest.fixture
def client() -> Iterator[Client]:
    with app_client() as made:
        yield made


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What is logged."""
    stream = StringIO()
    monkeypatch.setattr(telemetry.logger().registered_handler, "stream", stream)
    return stream


def test_a_probe_on_request_answers_with_the_outcomes_good_or_bad(here: Account, client: Client) -> None:
    with serving(broker()) as server:
        create(here, "demo", listener(server.port), owner=OWNER)
        create(here, "ill", listener(1), owner=OWNER)
        well, ill = client.http.post(PATH), client.http.post("/load-balancers/ill/probe")
    assert (well.status_code, well.json_body["verdict"]) == (200, "ok")
    assert (ill.status_code, ill.json_body["verdict"]) == (200, "failed")
    (target,) = ill.json_body["targets"]
    assert (target["phase"], target["cause"]) == ("tcp", "tcp-refused")


def test_a_deep_probe_on_request_is_202_and_left_to_its_function(
    here: Account, client: Client, log: StringIO
) -> None:
    with serving(Cluster().talk) as server:
        create(here, "demo", listener(server.port), owner=OWNER)
        here.world.elb.modify_load_balancer_attributes(
            LoadBalancerName="demo", LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": 1}}
        )
        asked = invoked()
        response = client.http.post(f"{PATH}?deep=true")
        assert (response.status_code, response.json_body["state"]) == (202, "pending")
        ((function, event),) = asked
        assert function == f"{OWNER}-deep_probe"
        client.lambda_.invoke("deep_probe", event)
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    (record,) = [one for one in records if one["message"] == "deep-probe"]
    assert record["load_balancer"] == "demo"
    assert {one["check"]: one["result"] for one in record["findings"]}["delivery"] == "passed"


@pytest.mark.parametrize("deep", ["", "?deep=true"])
def test_what_is_not_ours_or_carries_no_mqtt_is_refused_at_once(
    here: Account, client: Client, deep: str
) -> None:
    create(here, "demo", {**listener(80), "Protocol": "HTTP", "InstanceProtocol": "HTTP"}, owner=OWNER)
    asked = invoked()
    assert client.http.post(f"{PATH}{deep}").status_code == 409
    assert client.http.post(f"/load-balancers/none/probe{deep}").status_code == 404
    assert client.http.post(f"{PATH}?deeply=true").status_code == 400
    assert asked == []


def test_a_probe_that_had_no_turn_is_neither_a_metric_nor_an_exception(
    here: Account, client: Client, log: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    create(here, "demo", listener(1), owner=OWNER)
    client.lambda_.invoke("probe", TICK)
    assert emitted(capsys.readouterr().out) == []
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (verdict,) = [one for one in lines if one["message"] == "probe"]
    # Chalice's test client gives a function three seconds, which is less than a probe is to have.
    assert [failed["cause"] for failed in verdict["failed"]] == ["deadline"]
    assert verdict["verdict"] == "untried"
    assert [one["untried"] for one in lines if one["message"] == "invocation"] == [1]


def test_a_failed_probe_is_a_metric_and_no_exception(
    here: Account, log: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    create(here, "demo", listener(1), owner=OWNER)
    probe_all(here.invocation(), resolve=lambda _: (ADDRESS,))
    (record,) = emitted(capsys.readouterr().out)
    assert (record["LoadBalancer"], record["ProbeSuccess"]) == ("demo", 0)
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    (verdict,) = [one for one in records if one["message"] == "probe"]
    assert [failed["cause"] for failed in verdict["failed"]] == ["tcp-refused"]


def test_an_exception_means_that_the_prober_is_broken(
    here: Account, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    create(here, "demo", listener(1), owner=OWNER)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "made up"}}, "DescribeLoadBalancers")

    container.clients().elb.meta.events.register(
        "before-call.elastic-load-balancing.DescribeLoadBalancers", refuse
    )
    with pytest.raises(Unserved, match=r"classic load balancers: .*AccessDenied"):
        client.lambda_.invoke("probe", TICK)
    assert emitted(capsys.readouterr().out) == []
