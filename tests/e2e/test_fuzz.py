"""The API, fuzzed from its own description against `chalice local` and the lab's AWS: nothing is a 500."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from chalicelib.api.openapi import document
from lab.aws import serve, warm
from lab.lab import app_environment, directory_of_its_own
from lab.lambda_.api import start_api, start_functions
from lab.machine.addresses import claim
from lab.machine.processes import open_processes
from lab.nodes.vpc import prepare

# Not loaded for every run of pytest (pyproject.toml): to import it takes longer than most tests.
pytest_plugins = ["schemathesis.pytest.plugin"]

# Without the phase that tries every boundary of every field: hundreds of requests, which tests/api holds to
# tables and properties without a server.
CONFIG = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
SCHEMA = schemathesis.openapi.from_dict(document(), config=CONFIG)
# The same examples at every run: what fails here must fail again.
ENOUGH = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
# What the description says of an answer must be so; a status that Chalice or API Gateway answers by itself,
# as 405 for a method that a route does not know, is not in it.
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]


@dataclass(frozen=True)
class Fuzzed:
    """Where the API answers, and subnets that are there."""

    url: str
    subnets: list[str]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    """The app behind `chalice local`, an AWS that knows nothing yet, and no data plane."""
    with (
        directory_of_its_own() as directory,
        claim(Random()) as network,  # noqa: S311 - picks an address, keeps no secret
        serve(network.aws) as aws,
        open_processes(directory) as processes,
    ):
        environment = app_environment(aws, directory / "hosts", "")
        functions = start_functions(processes, network.functions, environment)
        warm(aws)
        vpc = prepare(aws.ec2())
        url = start_api(processes, network.api, {**environment, "AWS_ENDPOINT_URL_LAMBDA": functions})
        yield Fuzzed(url, list(vpc.subnets.values()))


@SCHEMA.parametrize()
@ENOUGH
def test_no_request_makes_it_fail(case: schemathesis.Case[Any], fuzzed: Fuzzed) -> None:
    # Python's own server, which `chalice local` stands on, answers 501 to methods that it does not know.
    assume(case.method.lower() == case.operation.method.lower())
    case.call_and_validate(base_url=fuzzed.url, checks=CHECKS, timeout=60)


@SCHEMA.include(method="PUT").parametrize()
@ENOUGH
def test_no_declaration_for_subnets_that_are_there_makes_it_fail(
    case: schemathesis.Case[Any], fuzzed: Fuzzed
) -> None:
    assume(case.method == "PUT")
    # Ids that are made up end at their first look-up: with real ones the whole plan is made.
    real: dict[str, Any] = {"subnets": fuzzed.subnets, "certificate": {"issuer": "private-ca"}}
    if isinstance(case.body, dict):
        made_up = {"subnets", "certificate", "instances", "security_groups"}
        case.body = {key: value for key, value in case.body.items() if key not in made_up} | real
    case.query = {"dry_run": "true"}
    case.call_and_validate(base_url=fuzzed.url, checks=CHECKS, timeout=60)
