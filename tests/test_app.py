"""The routes and functions of the app, through Chalice's own test client: statuses, bodies, payloads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.app import IAMAuthorizer
from chalice.test import Client, HTTPResponse

import app
from chalicelib import container
from chalicelib.api.openapi import document
from chalicelib.x509 import pem as pem_texts
from lab.fidelity.knobs import FAILED_CHECKS, KNOBS
from tests.world.certificates import authority, key_pem
from tests.world.chalice_client import app_client
from tests.world.provisioning import Account, issued, pem
from tests.world.rotating import keep_secret

ROOT = Path(__file__).parents[1]
JSON = {"Content-Type": "application/json"}
# Chalice's test client cannot check signatures, and says so at each request.
pytestmark = pytest.mark.filterwarnings("ignore:IAMAuthorizer is not a supported in local mode")
OTHER = issued("other.example.com", key="other")


@dataclass
class Api:
    """The app behind its test client; `invoked` is what it handed over to its own functions."""

    client: Client
    invoked: list[tuple[str, Any]] = field(default_factory=list)

    def put(self, body: Any, path: str = "/load-balancers/demo", **headers: str) -> HTTPResponse:
        """PUT a value as JSON, or bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.http.put(path, headers={**JSON, **headers}, body=raw)

    def provision(self) -> Any:
        """Run the function with what it was invoked with last, as Lambda does."""
        function, payload = self.invoked[-1]
        assert function == "emq-elb-dev-provision"
        return self.client.lambda_.invoke("provision", payload).payload

    def answer(self, params: Any, **_: Any) -> tuple[Any, Any]:
        """Take an invocation in Lambda's place."""
        name = params["url_path"].split("/")[-2]
        self.invoked.append((name, json.loads(params["body"])))
        return SimpleNamespace(status_code=202), {"StatusCode": 202, "ResponseMetadata": {}}


@pytest.fixture
def api(here: Account) -> Iterator[Api]:
    """The app in an empty account; `here` is that account."""
    with app_client() as client:
        api = Api(client)
        container.clients().functions.meta.events.register("before-call.lambda.Invoke", api.answer)  # type: ignore[arg-type] # it may answer
        assert here.snapshot()["load balancers"] == {}
        yield api


def problem(response: HTTPResponse, status: int, slug: str) -> Any:
    """The problem document, which must be one."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    answer = json.loads(response.body)
    assert (answer["type"], answer["status"]) == (f"/problems/{slug}", status)
    assert answer["title"]
    assert answer["detail"]
    return answer


def test_there_is_no_route_without_a_signature() -> None:
    routes = [entry for methods in app.app.routes.values() for entry in methods.values()]
    assert len(routes) > 7
    assert {type(entry.authorizer) for entry in routes} == {IAMAuthorizer}


def test_put_creates_then_converges_then_changes_nothing(here: Account, api: Api) -> None:
    body = here.article
    created = api.put(body)
    assert created.status_code == 201
    answer = created.json_body
    assert set(answer) == {"name", "dns_name", "state", "changed", "actions", "warnings", "load_balancer"}
    assert (answer["name"], answer["state"], answer["changed"]) == ("demo", "ready", True)
    assert answer["actions"][0]["action"] == "CreateLoadBalancer"
    assert answer["dns_name"].endswith(".eu-central-1.elb.amazonaws.com")
    again = api.put(body)
    assert (again.status_code, again.json_body["changed"], again.json_body["actions"]) == (200, False, [])
    changed = api.put({**body, "connection_draining": 60})
    assert (changed.status_code, changed.json_body["changed"]) == (200, True)


def test_a_dry_run_is_200_and_changes_nothing(here: Account, api: Api) -> None:
    body = here.article
    planned = api.put(body, "/load-balancers/demo?dry_run=true")
    assert (planned.status_code, planned.json_body["changed"]) == (200, True)
    assert here.snapshot()["load balancers"] == {}
    assert api.invoked == []


def test_an_instance_full_of_tags_is_429_that_names_it_and_the_rest_is_followed_up(
    here: Account, api: Api
) -> None:
    body = here.article
    full = body["instances"][0]
    for number in range(49):
        here.tag([full], f"theirs-{number}", "x")
    answer = problem(api.put(body), 429, "quota-reached")
    assert (answer["code"], answer["operation"]) == ("TagLimitExceeded", "CreateTags")
    assert answer["detail"].startswith(f"{full} carries as many tags as EC2 allows")
    assert here.snapshot()["load balancers"]["demo"]["instances"] == ["node-2"]
    assert [payload["done"] for _, payload in api.invoked] == ["Load Balancer Provisioned"]


def test_get_and_list_show_it_and_what_get_shows_can_be_sent_back(here: Account, api: Api) -> None:
    api.put(here.article)
    shown = api.client.http.get("/load-balancers/demo")
    assert (shown.status_code, shown.json_body["name"]) == (200, "demo")
    assert api.put(shown.json_body).json_body["actions"] == []
    listed = api.client.http.get("/load-balancers")
    assert listed.status_code == 200
    assert [one["name"] for one in listed.json_body["load_balancers"]] == ["demo"]


def test_what_is_not_there_or_not_ours_is_404(here: Account, api: Api) -> None:
    here.world.create("theirs", Subnets=here.subnets[:1])
    for path in ("/load-balancers/none", "/load-balancers/theirs", "/load-balancers/%2A", "/private-ca.pem"):
        problem(api.client.http.get(path), 404, "not-found")
    problem(api.client.http.delete("/load-balancers/none"), 404, "not-found")
    assert api.client.http.get("/load-balancers/theirs?adopt=true").status_code == 200


def test_a_load_balancer_that_is_not_ours_is_409_until_it_is_adopted(here: Account, api: Api) -> None:
    here.world.create("theirs", Subnets=here.subnets[:1])
    body = api.client.http.get("/load-balancers/theirs?adopt=true").json_body
    answer = problem(api.put(body, "/load-balancers/theirs"), 409, "not-ours")
    assert "?adopt=true" in answer["detail"]
    assert api.put(body, "/load-balancers/theirs?adopt=true").status_code == 200


def test_delete_is_409_while_members_serve_and_200_when_forced(here: Account, api: Api) -> None:
    api.put(here.article)
    problem(api.client.http.delete("/load-balancers/demo"), 409, "conflict")
    planned = api.client.http.delete("/load-balancers/demo?force=true&dry_run=true")
    assert [one["action"] for one in planned.json_body["actions"]] == ["DeleteLoadBalancer"]
    gone = api.client.http.delete("/load-balancers/demo?force=true")
    assert (gone.status_code, gone.json_body["load_balancer"], gone.json_body["state"]) == (
        200,
        None,
        "ready",
    )
    assert here.snapshot()["load balancers"] == {}


def test_every_fault_of_query_and_body_is_answered_at_once(here: Account, api: Api) -> None:
    body = {**here.article, "keepalive": "long", "subnets": ["subnet-00000000"]}
    answer = problem(api.put(body, "/load-balancers/-bad-?dry_run=maybe&adapt=true"), 400, "invalid-request")
    assert {fault["field"] for fault in answer["errors"]} == {
        "name",
        "keepalive",
        "subnets[0]",
        "dry_run",
        "adapt",
    }
    assert here.snapshot()["load balancers"] == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/load-balancers?adopt=true"),
        ("get", "/load-balancers/demo?force=true"),
        ("delete", "/load-balancers/demo?force=yes"),
        ("delete", "/load-balancers/demo?dry_run=true&dry_run=false"),
        ("get", "/private-ca.pem?x=1"),
        ("get", "/openapi.json?pretty=true"),
    ],
)
def test_a_query_parameter_that_nobody_knows_is_a_fault(api: Api, method: str, path: str) -> None:
    problem(getattr(api.client.http, method)(path), 400, "invalid-request")


@pytest.mark.parametrize("raw", [b"", b"  ", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"a":1,"a":2}', b"NaN"])
def test_a_body_that_is_no_json_object_is_400(api: Api, raw: bytes) -> None:
    problem(api.put(raw), 400, "invalid-request")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "/load-balancers/{name}"),
        ("post", "/load-balancers/{name}/probe"),
        ("post", "/load-balancers/{name}/rotate"),
    ],
)
def test_another_content_type_is_415_as_the_description_says(api: Api, method: str, path: str) -> None:
    call = getattr(api.client.http, method)
    headers = {"Content-Type": "application/yaml"}
    assert call(path.format(name="demo"), headers=headers, body=b"subnets: []").status_code == 415
    assert "415" in document()["paths"][path][method]["responses"]


def test_a_body_beyond_its_size_is_400(api: Api) -> None:
    problem(api.put({"hostname": "x" * 1_000_001}), 400, "invalid-request")


@pytest.mark.parametrize(
    "certificate",
    [
        {"issuer": "private-ca"},
        {"issuer": "private-ca", "domains": ["ä.example.com", "", "a" * 300]},
        {"pem": pem(OTHER)},
        {"arn": "arn:aws:iam::123456789012:server-certificate/"},
        {"secret_id": ""},
    ],
    ids=["issuer", "issuer with domains", "PEM", "ARN", "secret"],
)
def test_no_certificate_is_made_for_names_that_are_none(
    here: Account, api: Api, certificate: dict[str, Any]
) -> None:
    body = {**here.article, "certificate": certificate, "hostname": "ä"}
    answer = problem(api.put(body), 400, "invalid-request")
    assert "hostname" in {fault["field"] for fault in answer["errors"]}


@pytest.mark.parametrize(
    ("code", "status", "slug"),
    [
        ("Throttling", 503, "throttled"),
        ("AccessDenied", 502, "denied"),
        ("InternalFailure", 503, "throttled"),
    ],
)
def test_what_aws_refuses_has_its_status(api: Api, code: str, status: int, slug: str) -> None:
    def refuse(**_: Any) -> tuple[Any, Any]:
        return SimpleNamespace(status_code=400), {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {},
        }

    events = container.clients().elb.meta.events
    events.register("before-call.elastic-load-balancing.DescribeLoadBalancers", refuse)  # type: ignore[arg-type] # it may answer
    response = api.client.http.get("/load-balancers")
    answer = problem(response, status, slug)
    assert (answer["code"], answer["operation"]) == (code, "DescribeLoadBalancers")
    assert ("Retry-After" in response.headers) == (status == 503)


def test_the_quota_is_429(here: Account, api: Api) -> None:
    body = here.article
    KNOBS.load_balancers_quota = 0
    problem(api.put(body), 429, "quota-reached")


def test_what_nobody_foresaw_is_500_without_its_words(
    api: Api, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[Any]]
) -> None:
    monkeypatch.setenv("SETTLE_SECONDS", "a while")
    answer = problem(api.client.http.get("/load-balancers"), 500, "internal-error")
    assert "SETTLE_SECONDS" not in json.dumps(answer)
    assert answer["request_id"] in answer["detail"]
    assert "SETTLE_SECONDS" in json.dumps(logged())


def put_that_waits(api: Api, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answer a second PUT, with a certificate that ELB does not know within the time for an answer."""
    api.put(body)
    monkeypatch.setattr(app, "ANSWER_WITHIN", timedelta(0))
    KNOBS.certificate_propagation_seconds = 60
    return api.put({**body, "certificate": {"pem": pem(OTHER)}})


def test_what_needs_longer_is_202_and_the_function_finishes_it(
    here: Account, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = put_that_waits(api, here.article, monkeypatch)
    assert (response.status_code, response.json_body["state"]) == (202, "pending")
    assert response.json_body["load_balancer"]["state"] == "pending"
    _, payload = api.invoked[-1]
    assert set(payload) == {"name", "body", "since", "existed", "adopt", "certificate"}
    assert payload["body"]["certificate"]["arn"].startswith("arn:aws:iam:")
    text = json.dumps(payload)
    assert not [line for line in OTHER.private_key_pem.splitlines() if line in text]
    here.passed += timedelta(minutes=2)
    assert api.provision() == {"name": "demo", "outcome": "ready"}
    assert api.client.http.get("/load-balancers/demo").json_body["state"] == "ready"
    assert api.client.http.get("/load-balancers/demo").json_body["certificate"]["domains"] == [
        "other.example.com"
    ]


def test_the_function_gives_way_to_a_later_request(
    here: Account, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = here.article
    put_that_waits(api, body, monkeypatch)
    waiting = api.invoked[-1]
    api.put(body)
    here.passed += timedelta(minutes=2)
    api.invoked.append(waiting)
    assert api.provision() == {"name": "demo", "outcome": "superseded"}


def test_a_delete_that_aws_holds_up_is_202_and_finished_by_the_function(
    here: Account, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {key: value for key, value in here.article.items() if key != "security_groups"}
    api.put(body)
    KNOBS.instance_health = lambda *_: FAILED_CHECKS
    KNOBS.interface_linger_seconds = 60
    monkeypatch.setattr(app, "ANSWER_WITHIN", timedelta(0))
    response = api.client.http.delete("/load-balancers/demo")
    assert (response.status_code, response.json_body["state"]) == (202, "pending")
    assert set(api.invoked[-1][1]) == {"name", "leftovers"}
    here.passed += timedelta(minutes=2)
    assert api.provision() == {"name": "demo", "outcome": "deleted"}
    assert set(here.snapshot()["groups"]) == {"by-hand"}


def test_the_private_ca_is_shown_once_there_is_one(here: Account, api: Api) -> None:
    api.put({**here.article, "certificate": {"issuer": "private-ca"}})
    shown = api.client.http.get("/private-ca.pem")
    assert shown.status_code == 200
    assert shown.body.startswith(b"-----BEGIN CERTIFICATE-----")
    assert b"PRIVATE" not in shown.body


@pytest.mark.usefixtures("here")
def test_of_the_private_cas_secret_certificates_alone_are_shown(api: Api) -> None:
    root = authority("Company Root")
    own = authority("Company CA", signed_by=root)
    lines = [line for line in own.private_key_pem.splitlines() if "-----" not in line]
    hidden = own.private_key_pem.replace("RSA PRIVATE KEY", "CERTIFICATE")
    parameters = pem_texts.encode("DH PARAMETERS", b"parameters")
    text = (
        f"# Müller, {lines[3]}\n{own.certificate_pem}{hidden}{parameters}{root.certificate_pem}{lines[4]}\n"
    )
    keep_secret(
        json.dumps({"certificate": text, "private_key": own.private_key_pem}), "emq-elb-dev/private-ca"
    )
    shown = api.client.http.get("/private-ca.pem")
    assert shown.status_code == 200
    assert shown.body.decode() == own.certificate_pem + root.certificate_pem


@pytest.mark.parametrize("form", ["PKCS #1", "PKCS #8", "encrypted"])
@pytest.mark.parametrize("first", [True, False])
def test_a_key_among_the_private_cas_certificates_is_refused_and_never_shown(
    here: Account, api: Api, form: str, *, first: bool
) -> None:
    own = authority("Company CA")
    key = key_pem(
        own.key, "traditional" if form == "PKCS #1" else "pkcs8", b"word" if form == "encrypted" else None
    )
    text = key + own.certificate_pem if first else own.certificate_pem + key
    keep_secret(
        json.dumps({"certificate": text, "private_key": own.private_key_pem}), "emq-elb-dev/private-ca"
    )
    shown = api.client.http.get("/private-ca.pem")
    assert "a private key stands in the certificate" in problem(shown, 409, "conflict")["detail"]
    asked = api.put({**here.article, "certificate": {"issuer": "private-ca"}})
    assert "a private key stands in the certificate" in problem(asked, 409, "conflict")["detail"]
    shown_bytes = shown.body + asked.body
    assert not [line for line in key.splitlines() if line.encode() in shown_bytes]


def test_the_api_describes_itself(api: Api) -> None:
    described = api.client.http.get("/openapi.json")
    assert described.status_code == 200
    paths = set(described.json_body["paths"])
    assert paths == {route for route in app.app.routes}  # noqa: C416 - a set of its keys, whatever mapping it is


def test_every_route_wants_a_signature() -> None:
    for path, methods in app.app.routes.items():
        for method, entry in methods.items():
            assert entry.authorizer is app.signed, f"{method} {path}"


def test_reconcile_sweeps_without_a_payload(here: Account, api: Api) -> None:
    event = api.client.events.generate_cw_event(
        source="aws.events", detail_type="Scheduled Event", detail={}, resources=[], region="eu-central-1"
    )
    api.client.lambda_.invoke("reconcile", {**event, "version": "0"})
    assert here.snapshot()["groups"] == {}


def test_no_log_line_and_no_answer_holds_a_key(
    here: Account, api: Api, logged: Callable[[], list[Any]]
) -> None:
    one = issued()
    body = {**here.article, "certificate": {"pem": pem(one)}}
    broken = {**pem(one), "chain": one.private_key_pem}
    answers = [
        api.put(body).body,
        api.put(body, "/load-balancers/demo?dry_run=true").body,
        api.put({**body, "certificate": {"pem": broken}}).body,
        api.put({**body, "certificate": {"pem": {"certificate": one.private_key_pem}}}).body,
        api.put({**body, "hostname": one.private_key_pem}).body,
        api.put(json.dumps(body).encode()[:-1]).body,
        api.client.http.get("/load-balancers/demo").body,
        json.dumps(api.invoked).encode(),
    ]
    lines = json.dumps(logged())
    everything = b"".join(answers).decode() + lines
    assert "invocation" in lines
    secret = [line for line in one.private_key_pem.splitlines() if not line.startswith("-----")]
    assert not [line for line in secret if line in everything]


def test_each_invocation_and_each_action_is_one_line_of_json(
    here: Account, api: Api, logged: Callable[[], list[Any]]
) -> None:
    body = here.article
    report = api.put(body).json_body
    lines = logged()
    messages = [line["message"] for line in lines]
    assert messages.count("invocation") == 1
    assert messages.count("elb.create-load-balancer") == 1
    actions = [line for line in lines if line.get("fields") is not None]
    assert [line["reason"] for line in actions] == [action["reason"] for action in report["actions"]]
    (canonical,) = (line for line in lines if line["message"] == "invocation")
    assert (canonical["function"], canonical["status"], canonical["load_balancer"]) == (
        "put_load_balancer",
        201,
        "demo",
    )


@pytest.mark.parametrize("function", ["rotate", "deep_probe"])
def test_what_was_asked_of_a_load_balancer_that_is_gone_by_now_is_done(
    function: str, api: Api, logged: Callable[[], list[Any]]
) -> None:
    event = json.loads((ROOT / "events" / f"lambda-{function}-asked.json").read_text())
    api.client.lambda_.invoke(function, event)
    (record,) = logged()
    assert (record["function"], record["load_balancer"], record["outcome"]) == (function, "demo", "gone")
