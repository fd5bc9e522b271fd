"""Whatever the root's level: no library's logger is turned up, and the list has all that we load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws.library_logs import LIBRARIES

ROOT = Path(__file__).parents[2]
# Ours, and the library that writes our own records; it has seen nothing else.
SPEAKING = {"emq-elb", "aws_lambda_powertools"}
CHILDREN = (
    "botocore.endpoint",
    "botocore.parsers",
    "urllib3.connectionpool",
    "acme.client",
    "acme.made.later",
)

# As Lambda starts a function at DEBUG, and with every module of ours, with whatever they import when used.
PROGRAM = """
import json, logging, pkgutil, http.client
from importlib import import_module
logging.getLogger().setLevel("DEBUG")
import chalicelib, app
for found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
    import_module(found.name)
from chalicelib.container import clients
clients().elb
clients().secrets
import acme.client, acme.messages, josepy, requests, OpenSSL.crypto
print(json.dumps({
    "loggers": sorted(logging.root.manager.loggerDict),
    "low": [name for name in [*logging.root.manager.loggerDict, *%r]
            if logging.getLogger(name).getEffectiveLevel() < logging.WARNING],
    "printing": http.client.HTTPConnection.debuglevel,
}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What a fresh interpreter has once a function could have used all that we use."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", PROGRAM % (CHILDREN,)],
        cwd=ROOT,
        env={**os.environ, "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return loaded


def test_every_logger_that_a_function_loads_is_held(found: dict[str, Any]) -> None:
    names = {name.partition(".")[0] for name in found["loggers"]}
    assert names - SPEAKING <= {*LIBRARIES}
    assert {"acme", "botocore", "requests", "urllib3"} <= names


def test_no_logger_but_ours_is_below_a_warning_when_the_root_is(found: dict[str, Any]) -> None:
    assert {name.partition(".")[0] for name in found["low"]} <= SPEAKING


def test_http_client_prints_nothing(found: dict[str, Any]) -> None:
    assert found["printing"] == 0
