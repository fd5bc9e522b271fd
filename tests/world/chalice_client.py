"""Chalice's own test client for the app, and who is invoked asynchronously."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import container
from tests.world.servers import ADDRESS

ROOT = Path(__file__).parents[2]
OWNER = "emq-elb-dev"
"""The deployment that the stage makes the app."""


@contextmanager
def new_container() -> Iterator[None]:
    """Let the app read its environment anew."""
    cached = (container.settings, container.clients)
    for one in cached:
        one.cache_clear()
    yield
    for one in cached:
        one.cache_clear()


@contextmanager
def app_client() -> Iterator[Client]:
    """Yield a client of the stage `dev` in a new container."""
    with new_container(), Client(app.app, stage_name="dev", project_dir=str(ROOT)) as made:
        yield made


def invoked() -> list[tuple[str, Any]]:
    """Take the asynchronous invocations from now on: the list grows, nothing is run."""
    found: list[tuple[str, Any]] = []

    def take(params: Any, **_: Any) -> tuple[Any, Any]:
        found.append((params["url_path"].split("/")[-2], json.loads(params["body"])))
        return SimpleNamespace(status_code=202), {"StatusCode": 202, "ResponseMetadata": {}}

    events = container.clients().functions.meta.events
    events.register("before-call.lambda.Invoke", take)  # type: ignore[arg-type] # it may answer
    return found


def lead_names_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the names of load balancers resolve to the address of the tests' own servers."""
    system = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        known = isinstance(host, str) and host.endswith(".amazonaws.com")
        return system(ADDRESS if known else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
