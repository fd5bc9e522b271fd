"""What a function pays before its first line: `import app` loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = {
    "acme",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "cryptography",
    "josepy",
    "moto",
    "paho",
    "pydantic",
    "requests",
    "ssl",
}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a statement."""
    program = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_the_app_loads_nothing_heavy() -> None:
    assert loaded_by("import app") & HEAVY == set()


def test_importing_the_app_loads_what_every_function_needs_and_no_story() -> None:
    program = "import app, sys; print(*sorted(name for name in sys.modules if name.startswith('chalicelib')))"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    shared = ("chalicelib.api", "chalicelib.api.answers", "chalicelib.container", "chalicelib.rules")
    assert tuple(done.stdout.split()) == ("chalicelib", *shared)


def test_a_client_is_made_without_what_handles_certificates_and_bodies() -> None:
    made = loaded_by("from chalicelib.aws.clients import Clients; Clients().elb_in('eu-central-1')")
    assert "botocore" in made
    assert made & {"OpenSSL", "acme", "boto3", "cryptography", "pydantic"} == set()


def test_pyopenssl_is_there_for_whom_it_is_meant() -> None:
    program = "from chalicelib.aws.clients import open_session; open_session(); import OpenSSL.crypto"
    assert {"OpenSSL", "cryptography"} <= loaded_by(program)


def test_what_is_heavy_is_seen_when_it_is_loaded() -> None:
    assert "boto3" in loaded_by("import boto3")
