"""The API's routes as functions: what a command asks, and the JSON that it gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emq_elb.answers import Answer, failed, good
from emq_elb.asking import Asking
from emq_elb.faults import Failed, WrongUsage
from emq_elb.transport import url_of

LOAD_BALANCERS = "load-balancers"


@dataclass(frozen=True)
class Api:
    """One API, by its URL."""

    url: str
    asking: Asking

    def put(
        self, name: str, body: Mapping[str, Any], *, dry_run: bool = False, adopt: bool = False
    ) -> Answer:
        """PUT a declaration; the answer may be an error."""
        content = json.dumps(body).encode()
        return self._ask("PUT", (LOAD_BALANCERS, named(name)), content, dry_run=dry_run, adopt=adopt)

    def find(self, name: str, *, adopt: bool = False) -> Mapping[str, Any] | None:
        """Return a load balancer as GET shows it; None when there is none."""
        answer = self._ask("GET", (LOAD_BALANCERS, named(name)), adopt=adopt)
        return None if answer.status == 404 and answer.problem else good(answer, 200)

    def get(self, name: str, *, adopt: bool = False) -> Mapping[str, Any]:
        """Return a load balancer as GET shows it."""
        return good(self._ask("GET", (LOAD_BALANCERS, named(name)), adopt=adopt), 200)

    def list(self) -> Mapping[str, Any]:
        """Return all load balancers of the deployment, in short."""
        return good(self._ask("GET", (LOAD_BALANCERS,)), 200)

    def delete(self, name: str, *, dry_run: bool = False, force: bool = False) -> Answer:
        """DELETE a load balancer; the answer may be an error."""
        return self._ask("DELETE", (LOAD_BALANCERS, named(name)), dry_run=dry_run, force=force)

    def rotate(self, name: str, *, dry_run: bool = False, new_ca: bool = False) -> Mapping[str, Any]:
        """Replace the certificate."""
        path = (LOAD_BALANCERS, named(name), "rotate")
        return good(self._ask("POST", path, dry_run=dry_run, new_ca=new_ca), 200, 202)

    def probe(self, name: str, *, deep: bool = False) -> Mapping[str, Any]:
        """Use the load balancer as a device would."""
        return good(self._ask("POST", (LOAD_BALANCERS, named(name), "probe"), deep=deep), 200, 202)

    def private_ca(self) -> str:
        """Return the private CA's certificate, PEM."""
        answer = self._ask("GET", ("private-ca.pem",))
        if answer.status != 200:
            raise failed(answer)
        if not answer.text.startswith("-----BEGIN CERTIFICATE-----"):
            raise Failed("the answer is no certificate", "is the URL that of the API?")
        return answer.text

    def description(self) -> Mapping[str, Any]:
        """Return the API's own description, OpenAPI."""
        return good(self._ask("GET", ("openapi.json",)), 200)

    def _ask(self, method: str, path: tuple[str, ...], content: bytes | None = None, **query: bool) -> Answer:
        return self.asking.ask(method, url_of(self.url, path, query), content)


def named(name: str) -> str:
    """Return a name that can stand in a path; whether it is a good one is for the API to say."""
    if name in {"", ".", ".."}:
        raise WrongUsage(f"{name!r} is no name of a load balancer")
    return name
