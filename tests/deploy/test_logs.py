"""What a function logs at the lowest level: never what it sends to AWS, nor what AWS answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from moto.moto_api._internal.models import moto_api_backend

from lab import aws as api
from lab.aws import Aws
from lab.lambda_.package import Package
from lab.lambda_.runtimeapi import ExecutionEnvironment, Place, execution_environment
from lab.machine.processes import Processes
from lab.nodes import vpc
from tests.deploy.test_runtime import reach
from tests.world.certificates import authority, leaf

EVENTS = Path(__file__).parents[2] / "events"
UPLOADED = leaf("mqtt.example.com", signed_by=authority("Log CA"))
KEPT = leaf("kept.example.com", signed_by=authority("Log CA"))
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html and
# https://docs.aws.amazon.com/powertools/python/latest/core/logger/
EVERY_LEVEL = {
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
    "LOG_LEVEL": "DEBUG",
    "POWERTOOLS_DEBUG": "true",
    "POWERTOOLS_LOGGER_LOG_EVENT": "true",
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
}


@pytest.fixture
def account(address: str) -> Iterator[Aws]:
    """An account of its own with a network; empty again afterwards, for others share moto's memory."""
    with api.serve(address) as aws:
        api.warm(aws)
        yield aws
    moto_api_backend.reset()


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_LAMBDA_LOG_FORMAT": "JSON", **EVERY_LEVEL},
        {"AWS_LAMBDA_LOG_FORMAT": "Text", **EVERY_LEVEL},
        {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"},
    ],
    ids=["json", "text", "trace"],
)
def test_no_log_level_shows_a_key_or_a_secret(
    *,
    environment: dict[str, str],
    package: Package,
    place: Place,
    lab_processes: Processes,
    address: str,
    account: Aws,
) -> None:
    subnets = [*vpc.prepare(account.ec2()).subnets.values()]
    bundle = {"certificate": KEPT.certificate_pem, "private_key": KEPT.private_key_pem}
    account.secretsmanager().create_secret(Name="emq-elb-prod/mqtt", SecretString=json.dumps(bundle))
    certificates: dict[str, Any] = {
        "uploaded": {
            "pem": {"certificate": UPLOADED.certificate_pem, "private_key": UPLOADED.private_key_pem}
        },
        "issued": {"issuer": "private-ca", "domains": ["a.example.com"]},
        "issued-too": {"issuer": "private-ca", "domains": ["b.example.com"]},
        "kept": {"secret_id": "emq-elb-prod/mqtt"},
    }
    # The log has the function's name, and each case its own.
    function = replace(package.functions["APIHandler"], resource=f"Logging{uuid4().hex}")
    with execution_environment(
        function, place, lab_processes, address, reach(account) | environment
    ) as running:
        for name, certificate in certificates.items():
            created = put(running, name, {"subnets": subnets, "certificate": certificate})
            assert created["statusCode"] == 201, created["body"]
        written = running.process.log.read_text()

    keys = {"uploaded": UPLOADED.private_key_pem, "kept": KEPT.private_key_pem}
    for secret in account.secretsmanager().list_secrets()["SecretList"]:
        if secret["Name"].endswith("/private-ca-certificate"):
            continue  # it is there to be shown
        keys[secret["Name"]] = account.secretsmanager().get_secret_value(SecretId=secret["ARN"])[
            "SecretString"
        ]
    for certificate in account.iam().list_server_certificates()["ServerCertificateMetadataList"]:
        keys[certificate["Arn"]] = api.server_certificate_pem(certificate["Arn"]) or ""
    assert len(keys) == 2 + 2 + 4
    assert [name for name, key in keys.items() if any(run in written for run in secret_runs(key))] == []
    assert written.count('"invocation"') == len(certificates)
    assert not re.search(r"botocore|urllib3|boto3", written)


def put(running: ExecutionEnvironment, name: str, body: object) -> Any:
    """The answer to a PUT."""
    event = json.loads((EVENTS / "apigateway-put-dry-run.json").read_text())
    event |= {"queryStringParameters": None, "multiValueQueryStringParameters": None}
    event |= {"pathParameters": {"name": name}, "body": json.dumps(body)}
    outcome = running.invoke(event)
    assert outcome.error is None, outcome.payload
    return outcome.payload


def secret_runs(text: str) -> list[str]:
    """The pieces of every key in a text that no way of writing it down changes."""
    keys = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END", text, re.DOTALL)
    assert keys
    return [run for key in keys for run in re.findall(r"[A-Za-z0-9]{12,}", key.replace(r"\n", " "))]
