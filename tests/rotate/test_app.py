"""The route and the functions of rotation, through Chalice's own test client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib.settings import Settings
from lab.fidelity.knobs import KNOBS
from tests.world.chalice_client import OWNER, ROOT, app_client, invoked, lead_names_here
from tests.world.emitted import emitted
from tests.world.issuing import make_due
from tests.world.provisioning import Account
from tests.world.rotating import (
    Front,
    bundle,
    front,
    keep_secret,
    make,
    names,
    served,
    tag,
    uploaded_a_minute_ago,
)

# Chalice's test client cannot check signatures, and says so at each request.
pytestmark = pytest.mark.filterwarnings("ignore:IAMAuthorizer is not a supported in local mode")
PATH = "/load-balancers/demo/rotate"


@pytest.fixture
def here(here: Account) -> Account:
    """The account as the app sees it: its stage's deployment owns what is made."""
    here.settings = Settings(owner=OWNER, private_ca_secret=f"{OWNER}/private-ca")
    return here


@pytest.fixture
def demo(here: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """A load balancer whose name leads to it, as in the lab."""
    lead_names_here(monkeypatch)
    with front(here) as made:
        yield made


@pytest.fixture
def client() -> Iterator[Client]:
    with app_client() as made:
        yield made


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize("type_", ["classic", "network"])
def test_post_replaces_the_certificate_and_answers_which_one_is_served(
    here: Account, demo: Front, client: Client, type_: str
) -> None:
    old = make(here, demo.port, passed=timedelta(), type_=type_)
    foreseen = client.http.post(f"{PATH}?dry_run=true").json_body
    assert (foreseen["state"], foreseen["certificate"]["arn"]) == ("rotated", old)
    response = client.http.post(PATH)
    answer = response.json_body
    assert (response.status_code, answer["state"], answer["verified"]) == (200, "rotated", True)
    assert set(answer) == {"name", "state", "verified", "reason", "certificate", "warnings"}
    assert answer["certificate"]["arn"] == served(here, demo.port) != old
    assert answer["certificate"]["domains"] == ["mqtt.example.com"]


def test_post_says_why_there_is_nothing_to_replace_it_with(
    here: Account, demo: Front, client: Client
) -> None:
    keep_secret(bundle(40))
    make(here, demo.port, {"secret_id": "mqtt"}, passed=timedelta())
    assert client.http.post(PATH).json_body["state"] == "kept"
    keep_secret("{}")
    refused = client.http.post(PATH)
    assert (refused.status_code, refused.json_body["type"]) == (409, "/problems/conflict")
    assert "private_key" in refused.json_body["detail"]
    assert client.http.post("/load-balancers/none/rotate").status_code == 404
    assert client.http.post(f"{PATH}?force=true").status_code == 400


@pytest.mark.parametrize("type_", ["classic", "network"])
def test_what_elb_does_not_know_in_time_is_202_and_carried_on_by_the_function(
    here: Account, demo: Front, client: Client, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    make(here, demo.port, passed=timedelta(minutes=-1), type_=type_)
    asked = invoked()
    monkeypatch.setattr(app, "ANSWER_WITHIN", timedelta(seconds=1))
    KNOBS.certificate_propagation_seconds = 60
    response = client.http.post(PATH)
    assert (response.status_code, response.json_body["state"]) == (202, "pending")
    ((function, payload),) = asked
    assert function == f"{OWNER}-rotate"
    assert "PRIVATE" not in json.dumps(payload)
    here.passed = timedelta(seconds=90)
    client.lambda_.invoke("rotate", payload)
    assert served(here, demo.port) == response.json_body["certificate"]["arn"]
    assert len(names(here)) == 2


@pytest.mark.parametrize("source", ["private-ca", "pem"])
def test_the_widgets_button_replaces_what_is_not_due_once_and_only_what_we_renew(
    here: Account, demo: Front, client: Client, source: str
) -> None:
    old = make(here, demo.port, passed=timedelta())
    uploaded_a_minute_ago()
    asked = invoked()
    client.lambda_.invoke("widget", {"action": "rotate", "name": "demo"})
    ((function, payload),) = asked
    assert function == f"{OWNER}-rotate"
    # A PUT may come in between.
    tag(here, "certificate", source)
    client.lambda_.invoke("rotate", payload)
    new = served(here, demo.port)
    assert (new != old) is (source == "private-ca")
    client.lambda_.invoke("rotate", payload)
    assert served(here, demo.port) == new, "Lambda may try again"


def test_the_schedule_replaces_what_is_due(here: Account, demo: Front, client: Client) -> None:
    old = make(here, demo.port)
    client.lambda_.invoke("rotate", sample("schedule-rotate"))
    assert served(here, demo.port) != old


def test_while_the_ca_wants_to_be_left_alone_post_says_until_when(
    here: Account, demo: Front, client: Client
) -> None:
    make_due(here, demo.port)
    until = here.now() + timedelta(days=3)
    tag(here, "pending", f"2026-01-01T00:00:00Z issuing not before {until:%Y-%m-%dT%H:%M:%SZ}")
    refused = client.http.post(PATH)
    assert (refused.status_code, refused.json_body["type"]) == (429, "/problems/issuer-limited")
    assert refused.headers["Retry-After"] == f"{until:%a, %d %b %Y %H:%M:%S} GMT"


def test_acms_event_is_a_metric_of_whoever_serves_the_certificate(
    here: Account, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = make(here)
    client.lambda_.invoke("expiring", {**sample("acm-approaching-expiration"), "resources": [arn]})
    (record,) = emitted(capsys.readouterr().out)
    assert (record["LoadBalancer"], record["CertificateDaysToExpiry"]) == ("demo", 31)


@pytest.mark.parametrize(
    "days", ["NaN", "Infinity", "-Infinity", "1e999", "-1", "401", "true", '"31"', "null"]
)
def test_an_event_with_days_that_cannot_be_is_dropped(
    here: Account,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    logged: Callable[[], list[Any]],
    days: str,
) -> None:
    """Whoever may put events could else keep the alarm quiet, or make the function fail for ever."""
    event = sample("acm-approaching-expiration")
    forged = json.loads(json.dumps({**event, "resources": [make(here)]}).replace(": 31", f": {days}"))
    with here.counted() as calls:
        client.lambda_.invoke("expiring", forged)
    assert calls.made == []
    assert emitted(capsys.readouterr().out) == []
    assert [record["message"] for record in logged()][-1] == "event dropped"


@pytest.mark.parametrize(
    "resources", [[], None, "arn", [1], ["arn:aws:acm:eu-central-1:123456789012:certificate/x"] * 11]
)
def test_an_event_about_no_certificate_of_acm_is_about_nobody(
    here: Account, client: Client, capsys: pytest.CaptureFixture[str], resources: object
) -> None:
    make(here)
    client.lambda_.invoke("expiring", {**sample("acm-approaching-expiration"), "resources": resources})
    assert emitted(capsys.readouterr().out) == []
