"""The app's HTTP API as a child process: waited for, or reported with why it does not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.aws import Aws
from lab.demo import client
from lab.lambda_.api import start_api
from lab.machine.addresses import Network
from lab.machine.processes import DidNotStartError, Processes

APP = """
import os
from chalice import Chalice, Response
app = Chalice(app_name="small")

@app.route("/openapi.json")
def openapi():
    return Response({"endpoint": os.environ["AWS_ENDPOINT_URL"]}, status_code=STATUS)

@app.route("/echo", methods=["PUT"])
def echo():
    return app.current_request.json_body
"""


def project(directory: Path, status: int) -> Path:
    """Write a small Chalice project whose description is answered with that status."""
    (directory / ".chalice").mkdir(parents=True)
    (directory / ".chalice" / "config.json").write_text(
        json.dumps({"version": "2.0", "app_name": "small", "stages": {"dev": {}}})
    )
    (directory / "app.py").write_text(APP.replace("STATUS", str(status)))
    return directory


def test_the_api_is_ready_once_it_describes_itself(
    processes: Processes, network: Network, tmp_path: Path
) -> None:
    aws = Aws("http://127.0.0.1:1")
    url = start_api(processes, network.api, aws.environment("app"), project(tmp_path / "small", 200))
    assert client.request("GET", f"{url}/openapi.json").body == {"endpoint": "http://127.0.0.1:1"}
    assert client.request("PUT", f"{url}/echo", {"a": 1}) == client.Reply(200, {"a": 1})
    assert client.request("GET", f"{url}/nowhere").status == 403  # as API Gateway answers


def test_an_app_that_fails_is_reported_at_once(
    processes: Processes, network: Network, tmp_path: Path
) -> None:
    with pytest.raises(DidNotStartError, match="the app answers 500"):
        start_api(processes, network.api, Aws("").environment("app"), project(tmp_path / "small", 500))
    assert processes.running == {}


def test_nothing_of_the_users_own_reaches_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    environment = Aws("http://127.0.0.1:1").environment("app")
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTPS_PROXY"} & environment.keys()
    assert environment["AWS_ACCESS_KEY_ID"] == "app"
