"""Requests over the wire: signed for host, port and query, and what is said when the network fails."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from emq_elb.faults import Failed
from emq_elb.transport import Lost, Send, sender, url_of
from lab.aws import REGION
from lab.lambda_.runtimeapi import Outcome
from lab.machine.addresses import free_port
from lab.rehearsal.front import front
from lab.rehearsal.gateway import Api, Route
from tests.world.certificates import leaf
from tests.world.servers import ADDRESS, garbage, hanging_up, serving, speaking_tls

WHO = Credentials("you", "secret")


def to_loopback(signer: Credentials | None = WHO) -> Send:
    return sender(signer, REGION, None, loopback=True)


@pytest.mark.parametrize("name", ["demo", "a b", "ä", "a/b", "a%2Fb", "a+b", "~", "a;b=c", "*"])
def test_what_is_signed_is_what_is_sent(name: str) -> None:
    seen = []

    def invoke(_function: str, event: dict[str, object]) -> Outcome:
        seen.append((event["pathParameters"], event["queryStringParameters"]))
        return Outcome({"statusCode": 200, "body": "{}"})

    api = Api("a1", "api", (Route("PUT", "/load-balancers/{name}", "f", signed=True),))
    with front(ADDRESS, lambda: api, {"you": "secret"}, invoke) as url:
        asked = url_of(f"{url}/api", ("load-balancers", name), {"dry_run": True, "adopt": True, "x": False})
        assert asked.endswith("?adopt=true&dry_run=true")
        assert to_loopback()("PUT", asked, b'{"a": 1}').status == 200
    assert seen == [({"name": name}, {"adopt": "true", "dry_run": "true"})]


@given(st.text(min_size=1).filter(lambda name: name not in {".", ".."} and name.isprintable()))
def test_a_name_stays_one_part_of_the_path(name: str) -> None:
    path = url_of("https://h", ("load-balancers", name), {}).removeprefix("https://h/load-balancers/")
    assert not {*path} & {*"/?#; +"}


def test_without_a_signer_nothing_is_signed() -> None:
    heard = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(4096).decode())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(talk) as server:
        answer = to_loopback(None)("GET", f"http://{ADDRESS}:{server.port}/load-balancers", None)
    assert (answer.status, answer.signed) == (200, False)
    assert "uthorization" not in heard[0]


def test_an_answer_that_does_not_come_is_lost() -> None:
    with serving(hanging_up) as server, pytest.raises(Lost):
        to_loopback()("PUT", f"http://{ADDRESS}:{server.port}/x", b"{}")


def test_where_nobody_listens_there_is_no_network() -> None:
    with pytest.raises(Failed, match="cannot be reached") as error:
        to_loopback()("GET", f"http://{ADDRESS}:{free_port(ADDRESS)}/x", None)
    assert "network" in error.value.remedy


def test_a_name_that_does_not_resolve_is_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(Failed, match="cannot be reached"):
        sender(WHO, REGION, None, loopback=False)("GET", "https://elb-api.example.com/x", None)


def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path) -> None:
    with (
        serving(speaking_tls(leaf("mqtt.example.com"), tmp_path)) as server,
        pytest.raises(Failed, match="TLS with the API fails") as error,
    ):
        to_loopback()("GET", f"https://{ADDRESS}:{server.port}/x", None)
    assert "AWS_CA_BUNDLE" in error.value.remedy


def test_what_speaks_no_tls_is_a_fault() -> None:
    with serving(garbage) as server, pytest.raises(Failed):
        to_loopback()("GET", f"https://{ADDRESS}:{server.port}/x", None)
