"""The deployment `prod` in an account, each of its functions held to its own policy.

with deployed(here, roles, acme) as prod:
    prod.http("PUT", "/load-balancers/demo", body)      # as the API handler
    prod.background()                                   # what it handed over, each as its own function
    prod.run("reconcile", sample("schedule-tick"))
    roles["reconcile"].denied
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib.container import last_look
from chalicelib.settings import Settings
from lab.certificates.acme import Acme
from lab.fidelity.authorization import Role, denial, enforce, release
from lab.fidelity.authorization_call import Call
from tests.deploy.policies import policy, policy_files
from tests.world.provisioning import CALLER, Account, clients
from tests.world.servers import ADDRESS
from tools.policies import NO_ZONE

ROOT = Path(__file__).parents[2]
STAGE = "prod"
OWNER = "emq-elb-prod"
API = "api_handler"


@dataclass
class Deployment:
    """`invoked` are the functions that wait to be run, with their payloads; `roles` what each was asked.

    `zone` is a hosted zone in which it may keep records, as DNS_ZONES would name it.
    """

    here: Account
    client: Client
    roles: dict[str, Role]
    acme: Acme
    zone: str | None = None
    invoked: list[tuple[str, Any]] = field(default_factory=list)

    @contextmanager
    def acting(self, function: str) -> Iterator[None]:
        """Let the app's calls be those of the function's role while the block lasts."""
        text = json.dumps(policy(policy_files(STAGE)[function]))
        role = enforce(CALLER, json.loads(text.replace(NO_ZONE, self.zone or NO_ZONE)))
        try:
            yield
        finally:
            release(CALLER)
            known = self.roles.setdefault(function, Role(role.policy))
            known.used |= role.used
            known.allowed += role.allowed
            known.denied += role.denied

    def http(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the API, which must not fail on our side; the answer's JSON."""
        with self.acting(API):
            answer = self.client.http.request(
                method, path, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
            )
        assert answer.status_code < 500, (method, path, answer.body)
        return None if path == "/private-ca.pem" else answer.json_body

    def put(self, body: Mapping[str, Any], name: str = "demo", query: str = "") -> Any:
        """PUT, which must be taken."""
        answer = self.http("PUT", f"/load-balancers/{name}{query}", body)
        assert "load_balancer" in answer, answer
        return answer

    def run(self, function: str, event: Any) -> Any:
        """Run a function with an event."""
        with self.acting(function):
            return self.client.lambda_.invoke(function, event).payload

    def forgive(self, function: str, action: str) -> None:
        """Forget that AWS denied this, and nothing else, to the function: what it was about is gone."""
        role = self.roles[function]
        assert {question.action for question in role.denied} == {action}
        role.denied.clear()

    def background(self) -> None:
        """Run what waits, and what is handed over meanwhile."""
        while self.invoked:
            name, payload = self.invoked.pop(0)
            self.run(name.removeprefix(f"{OWNER}-"), payload)

    def at(self, minute: int) -> None:
        """Let time pass until the clock shows this minute of an hour."""
        now = self.here.now()
        self.here.passed += timedelta(minutes=(minute - now.minute) % 60)

    def take(self, params: Mapping[str, Any], **_: Any) -> tuple[Any, Any]:
        """Take an invocation in Lambda's place, or refuse it as Lambda does."""
        name = params["url_path"].split("/")[-2]
        call = Call("lambda", "Invoke", {"FunctionName": name}, "123456789012", "eu-central-1")
        if refused := denial(CALLER, call):
            code, status, message = refused
            answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=status), answer
        self.invoked.append((name, json.loads(params["body"])))
        return SimpleNamespace(status_code=202), {"StatusCode": 202, "ResponseMetadata": {}}


@contextmanager
def deployed(here: Account, roles: dict[str, Role], acme: Acme) -> Iterator[Deployment]:
    """Deploy the stage into the account, with its clock and clients; `roles` go on from where they were.

    `acme` is a CA that the deployment may use.
    """
    here.settings = replace(
        Settings(owner=OWNER),
        private_ca_secret=f"{OWNER}/private-ca",
        acme_account_secret=f"{OWNER}/acme-account",
        drain_on_rebalance=True,
    )
    events, resolve = clients().functions.meta.events, socket.getaddrinfo

    def on_loopback(host: Any, *arguments: Any, **options: Any) -> Any:
        return resolve(ADDRESS if str(host).endswith(".amazonaws.com") else host, *arguments, **options)

    with (
        pytest.MonkeyPatch.context() as patched,
        Client(app.app, stage_name=STAGE, project_dir=str(ROOT)) as client,
    ):
        made = Deployment(here, client, roles, acme)
        patched.setattr(app, "clients", clients)
        patched.setattr(app, "settings", lambda: here.settings)
        patched.setattr(
            app, "invocation", lambda asked: here.invocation(20 if asked == app.ANSWER_WITHIN else 890)
        )
        patched.setattr(socket, "getaddrinfo", on_loopback)
        last_look.clear()
        events.register("before-call.lambda.Invoke", made.take)  # type: ignore[arg-type] # it may answer
        try:
            yield made
        finally:
            events.unregister("before-call.lambda.Invoke", made.take)  # type: ignore[arg-type] # as above
            last_look.clear()
