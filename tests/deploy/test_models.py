"""The cut service models: complete, current, and not needed."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest

from lab.aws import Aws
from lab.lambda_.package import Package
from lab.lambda_.runtimeapi import Place, execution_environment
from lab.machine.processes import Processes
from tests.deploy.test_runtime import reach, sample
from tools.calls import ROOT
from tools.models import MODELS, bare, called, cut, files, spoken


def test_what_is_shipped_is_what_this_botocore_and_these_adapters_ask_for() -> None:
    there = {str(path.relative_to(MODELS)): path.read_text() for path in MODELS.rglob("*") if path.is_file()}
    assert there.keys() == files().keys(), "type: make models"
    assert there == files(), "type: make models"


def test_every_operation_that_is_called_is_in_a_model() -> None:
    for service, operations in called().items():
        (model,) = MODELS.glob(f"{service}/*/service-2.json")
        assert operations == json.loads(model.read_text())["operations"].keys()


def test_a_member_that_is_named_documentation_is_kept() -> None:
    assert bare({"documentation": "words", "members": {"documentation": {"shape": "S"}}}) == {
        "members": {"documentation": {"shape": "S"}}
    }


def test_the_documentation_that_botocore_requires_is_kept() -> None:
    whole = {
        "metadata": {"protocol": "json"},
        "documentation": "words",
        "operations": {"Get": {"name": "Get", "documentation": "words"}},
        "shapes": {},
        "clientContextParams": {"Kind": {"documentation": "words", "type": "string"}},
    }
    kept = cut(whole, frozenset({"Get"}))
    assert kept["clientContextParams"] == {"Kind": {"documentation": "words", "type": "string"}}
    assert "documentation" not in kept
    assert kept["operations"] == {"Get": {"name": "Get"}}


@pytest.mark.parametrize(
    ("metadata", "protocol"),
    [
        ({"protocol": "ec2"}, "ec2"),
        ({"protocol": "json", "protocols": ["smithy-rpc-v2-cbor", "json"]}, "json"),
        ({"protocol": "smithy-rpc-v2-cbor", "protocols": ["smithy-rpc-v2-cbor", "json", "query"]}, "query"),
        ({"protocol": "rest-json", "protocols": ["rest-json"]}, "rest-json"),
    ],
)
def test_a_service_is_called_by_a_protocol_that_every_botocore_knows(
    metadata: dict[str, Any], protocol: str
) -> None:
    chosen = spoken({"serviceId": "S", "awsQueryCompatible": {}, **metadata})
    assert (chosen["protocol"], chosen["protocols"]) == (protocol, [protocol])
    assert ("awsQueryCompatible" in chosen) == (protocol != "query")


def test_a_service_that_only_a_newer_botocore_can_call_is_refused() -> None:
    with pytest.raises(ValueError, match=r"S offers .*smithy-rpc-v2-cbor"):
        spoken({"serviceId": "S", "protocol": "smithy-rpc-v2-cbor", "protocols": ["smithy-rpc-v2-cbor"]})


PRINTS_ITS_OPERATIONS = """
from chalicelib.container import clients
made = clients()
models = {service: getattr(made, name).meta.service_model for name, service in SERVICES.items()}
print({service: sorted(model.operation_names) for service, model in models.items()})
"""
# The services whose clients have another name.
NAMES = {"events": "eventbridge", "lambda": "functions", "secretsmanager": "secrets"}
PLACES: dict[str, str] = {
    "the checkout": "import app",
    "the lab's functions": "from lab.lambda_.functions import of_app; of_app('register')",
    "the package": "import app",
}


@pytest.mark.parametrize("where", PLACES)
def test_the_app_s_own_clients_know_the_operations_that_are_called_and_no_other(
    where: str, place: Place, tmp_path: Path
) -> None:
    services = {NAMES.get(service, service): service for service in called()}
    packaged = where == "the package"
    path = [place.task, place.runtime] if packaged else [ROOT]
    program = (
        f"import sys; sys.path[:0] = {[str(one) for one in path]}; SERVICES = {services}\n"
        f"{PLACES[where]}\n{PRINTS_ITS_OPERATIONS}"
    )
    # The package is tried without what is installed here.
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *(["-I", "-S"] if packaged else []), "-B", "-c", program],
        cwd=tmp_path,
        # Whole models are of no use to the app, wherever they are.
        env={**os.environ, "AWS_DATA_PATH": str(Path(botocore.__file__).parent / "data")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    known = ast.literal_eval(done.stdout)
    assert known == {service: sorted(operations) for service, operations in called().items()}


def test_the_tests_own_clients_are_made_from_whole_models() -> None:
    whole = boto3.client("elb").meta.service_model.operation_names
    assert set(whole) > called()["elb"]


@pytest.mark.parametrize("function", ["APIHandler", "Reconcile"])
def test_without_them_everything_works_as_well(  # noqa: PLR0917 - fixtures, which pytest gives by name
    function: str,
    package: Package,
    place: Place,
    tmp_path: Path,
    lab_processes: Processes,
    address: str,
    empty_account: Aws,
) -> None:
    task = tmp_path / "task"
    shutil.copytree(place.task, task)
    event = sample("apigateway-list" if function == "APIHandler" else "schedule-tick")
    outcomes = []
    for _ in range(2):
        with execution_environment(
            package.functions[function],
            Place(task, place.runtime),
            lab_processes,
            address,
            reach(empty_account),
        ) as environment:
            outcomes.append(environment.invoke(event))
        shutil.rmtree(task / "aws-models", ignore_errors=True)
    with_models, without = outcomes
    assert with_models == without
    assert without.error is None
