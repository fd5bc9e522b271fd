"""The package as it would be deployed, and a place to run it that sees nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from lab import aws as api
from lab.aws import Aws
from lab.lambda_.package import Package, build, copy_runtime, unpack
from lab.lambda_.runtimeapi import Place
from lab.machine.addresses import claim
from lab.machine.processes import Processes, open_processes
from tests.deploy.small import small
from tools.deploy import write_bytecode


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The stage prod, packaged by chalice with the bytecode that `make deploy` adds."""
    return build(tmp_path_factory.mktemp("package"), stage="prod", prepare=write_bytecode)


@pytest.fixture(scope="session")
def place(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The package unpacked in a directory of its own, and what Lambda's runtime brings in another."""
    directory = tmp_path_factory.mktemp("lambda")
    return Place(unpack(package.zip, directory / "task"), copy_runtime(directory / "runtime"))


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """A loopback address that nobody else uses."""
    with claim(Random()) as network:  # noqa: S311 - picks an address, keeps no secret
        yield network.functions


@pytest.fixture(scope="session")
def lab_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Children that are gone at the end of the session."""
    with open_processes(tmp_path_factory.mktemp("processes")) as processes:
        yield processes


@pytest.fixture(scope="session")
def empty_account(address: str) -> Iterator[Aws]:
    """The corrected AWS, in which there is nothing of ours."""
    with api.serve(address) as aws:
        api.warm(aws)
        yield aws


@pytest.fixture
def arn(empty_account: Aws) -> Iterator[str]:
    """The ARN of the function `small` in that account."""
    with small(empty_account) as made:
        yield made
