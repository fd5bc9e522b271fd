"""What a user types against the lab: `emq-elb`, HTTP requests, `mosquitto_pub` and `mosquitto_sub`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from lab.aws import REGION, SECRET
from lab.demo.story import hold
from lab.lab import Lab
from lab.lambda_.api import OPENER, ROOT
from lab.machine.processes import Process, Processes, with_server_paths

USER = "you"
"""The access key id that requests to the app are signed with."""


@dataclass(frozen=True)
class Reply:
    """An answer of the app's; `body` is the parsed JSON, or the text of what is none."""

    status: int
    body: Any


def emq_elb(lab: Lab, *arguments: str) -> str:
    """Type an `emq-elb` command, print it with what it says, and return its result; hold that it succeeds.

    It is the one of this checkout, and signs; files are in the lab's directory.
    """
    print(f"   $ emq-elb {' '.join(arguments)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "emq_elb", *arguments],
        cwd=lab.directory,
        env=lab.aws.environment(USER)
        | {"EMQ_ELB_URL": lab.api_url, "PYTHONPATH": str(ROOT / "client"), "COLUMNS": "110"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    hold(done.returncode == 0, f"emq-elb {arguments[0]} succeeds: {done.returncode} {said}")
    return said


def show(said: str) -> None:
    """Print what a command said."""
    print("\n".join(f"   {line.rstrip()}" for line in said.strip().splitlines()), flush=True)


def request(method: str, url: str, body: object = None, *, secret: str | None = SECRET) -> Reply:
    """Ask the app, signed as AWS's own API is unless there is no secret; an error status is an answer too."""
    content = None if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"}
    headers = kind if secret is None else signature(method, url, content, kind, secret)
    asked = Request(url, content, headers, method=method)  # noqa: S310 - http to loopback
    try:
        with OPENER.open(asked, timeout=60) as answer:
            return _reply(answer.status, answer.read())
    except HTTPError as error:
        with error:
            return _reply(error.code, error.read())


def signature(
    method: str, url: str, content: bytes | None, headers: Mapping[str, str], secret: str = SECRET
) -> dict[str, str]:
    """Return the headers with those of Signature Version 4, for API Gateway.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-using-iam-permissions-to-invoke-api.html
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    asked = AWSRequest(method, url, dict(headers), content)
    SigV4Auth(Credentials(USER, secret), "execute-api", REGION).add_auth(asked)
    return dict(asked.headers)


def _reply(status: int, content: bytes) -> Reply:
    text = content.decode()
    try:
        return Reply(status, json.loads(text))
    except ValueError:
        return Reply(status, text)


def publish(where: Sequence[str], topic: str, payload: str) -> subprocess.CompletedProcess[str]:
    """Run `mosquitto_pub -d` with the options that say where; its output lists the packets."""
    return subprocess.run(
        ["mosquitto_pub", *where, "-d", "-q", "1", "-t", topic, "-m", payload],
        env=with_server_paths(os.environ),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def subscribe(processes: Processes, where: Sequence[str], topic: str, name: str = "subscriber") -> Process:
    """Leave a `mosquitto_sub` running, and return it once it is subscribed; its log holds what arrives."""
    log = processes.directory / f"{name}.log"
    return processes.start(
        name,
        ["stdbuf", "-oL", "mosquitto_sub", *where, "-d", "-q", "1", "-t", topic],
        ready=lambda: log.exists() and "Subscribed" in log.read_text(),
    )


def through_tls(address: str, port: int, authority: Path) -> list[str]:
    """Return mosquitto's options for a TLS listener whose certificate and name are verified."""
    return ["-h", address, "-p", str(port), "--cafile", str(authority)]


def plainly(address: str, port: int) -> list[str]:
    """Return mosquitto's options for a plain listener."""
    return ["-h", address, "-p", str(port)]
