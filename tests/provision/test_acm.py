"""A load balancer with a certificate of ACM: the app's routes and schedule, with the models that ship."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from chalice.test import Client

from chalicelib import container
from tests.lab.load_balancing import ssl
from tests.world import provisioning
from tests.world.chalice_client import app_client
from tests.world.provisioning import Account, issued
from tests.world.register import sample
from tools.models import called

# Chalice's test client cannot check signatures, and says so at each request.
pytestmark = pytest.mark.filterwarnings("ignore:IAMAuthorizer is not a supported in local mode")
DEMO = "/load-balancers/demo"


@pytest.fixture
def client(here: Account) -> Iterator[Client]:
    """The app in an empty account."""
    with app_client() as made:
        assert here.snapshot()["load balancers"] == {}
        yield made


@pytest.fixture
def arn(here: Account) -> str:
    """A certificate that was imported into ACM."""
    assert here.certificates() == []
    return imported("mqtt.example.com")


def imported(host: str) -> str:
    """Import a certificate for this host into ACM, and return its ARN."""
    one = issued(host, key=host)
    return boto3.client("acm").import_certificate(
        Certificate=one.certificate_pem.encode(),
        PrivateKey=one.private_key_pem.encode(),
        CertificateChain=one.full_chain_pem.encode(),
    )["CertificateArn"]


def put(client: Client, body: Any, query: str = "") -> Any:
    """PUT, which must succeed, and return its answer."""
    answer = client.http.put(
        f"{DEMO}{query}", headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
    )
    assert answer.status_code in {200, 201}, answer.body
    return answer.json_body


def get(client: Client, query: str = "") -> Any:
    """GET, which must succeed, and return its answer."""
    answer = client.http.get(f"{DEMO}{query}")
    assert answer.status_code == 200, answer.body
    return answer.json_body


@pytest.mark.usefixtures("client")
def test_the_apps_own_clients_know_what_ships_and_no_more() -> None:
    for clients in (container.clients(), provisioning.clients()):
        for service, operations in called().items():
            assert {*clients._client(service).meta.service_model.operation_names} == operations


def test_it_is_put_and_shown_and_put_again_without_a_change(here: Account, client: Client, arn: str) -> None:
    answer = put(client, here.article | {"certificate": {"arn": arn}})
    assert answer["state"] == "ready"
    assert here.served() == arn
    shown = get(client)
    assert (shown["certificate"]["arn"], shown["certificate"]["domains"]) == (arn, ["mqtt.example.com"])
    assert shown["certificate"]["not_after"]
    assert put(client, shown)["actions"] == []


def test_one_made_by_hand_is_shown_and_adopted(here: Account, client: Client, arn: str) -> None:
    here.world.create("demo", ssl(arn), Subnets=here.subnets[:2])
    shown = get(client, "?adopt=true")
    assert shown["certificate"]["arn"] == arn
    answer = put(client, shown, "?adopt=true")
    assert [one["action"] for one in answer["actions"]] == ["AddTags"]
    assert get(client)["certificate"]["source"] == "external"
    assert here.served() == arn


def test_it_is_exchanged_in_place_for_another_and_for_one_of_the_private_ca(
    here: Account, client: Client, arn: str
) -> None:
    body = here.article
    put(client, body | {"certificate": {"arn": arn}})
    other = imported("new.example.com")
    answer = put(client, body | {"certificate": {"arn": other}})
    assert [one["action"] for one in answer["actions"]] == ["SetLoadBalancerListenerSSLCertificate"]
    assert here.served() == other
    put(client, body | {"certificate": {"issuer": "private-ca"}, "hostname": "mqtt.example.com"})
    assert here.served().startswith("arn:aws:iam:")
    assert get(client)["certificate"]["source"] == "private-ca"


def test_its_rotation_is_left_to_acm(
    here: Account, client: Client, arn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(client, here.article | {"certificate": {"arn": arn}})
    capsys.readouterr()
    client.lambda_.invoke("rotate", sample("schedule-rotate"))
    assert '"CertificateDaysToExpiry"' in capsys.readouterr().out
    asked = client.http.post(f"{DEMO}/rotate")
    assert (asked.status_code, asked.json_body["type"]) == (409, "/problems/conflict")
    assert here.served() == arn
