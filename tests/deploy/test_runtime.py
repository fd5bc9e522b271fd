"""Every function of the package under Lambda's own runtime client, with every sample event and bad ones."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.aws import Aws
from lab.lambda_.package import Function, Package
from lab.lambda_.routing import routed
from lab.lambda_.runtimeapi import ExecutionEnvironment, Outcome, Place, execution_environment
from lab.machine.processes import Processes
from tests.deploy.policies import granted

EVENTS = Path(__file__).parents[2] / "events"
STATUS = {
    "apigateway-delete": 404,
    "apigateway-get": 404,
    "apigateway-get-openapi": 200,
    "apigateway-get-private-ca": 404,
    "apigateway-list": 200,
    "apigateway-put-dry-run": 400,
    "apigateway-put-no-json": 400,
}
# The name in a signature where it is not the prefix of the service's actions.
SIGNED = {"monitoring": "cloudwatch"}

Start = Callable[..., ExecutionEnvironment]


@pytest.fixture(scope="module")
def start(
    package: Package, place: Place, lab_processes: Processes, address: str, empty_account: Aws
) -> Iterator[Start]:
    """Start a function of the package, once for all tests, warm from then on."""
    with ExitStack() as stack:
        running: dict[str, ExecutionEnvironment] = {}

        def started(name: str) -> ExecutionEnvironment:
            if name not in running:
                running[name] = stack.enter_context(
                    execution_environment(
                        package.functions[name],
                        place,
                        lab_processes,
                        address,
                        reach(empty_account) | {"AWS_ACCESS_KEY_ID": name},
                    )
                )
            return running[name]

        yield started


def test_a_function_sees_its_package_and_the_runtime_and_nothing_else(
    tmp_path: Path, place: Place, lab_processes: Processes, address: str
) -> None:
    source = "import importlib.util, sys\ndef seen(event, context):\n"
    source += "    return [sys.path, [bool(importlib.util.find_spec(n)) for n in ('boto3', 'moto', 'lab')]]\n"
    (tmp_path / "seen.py").write_text(source)
    function = made_up("seen.seen")
    with execution_environment(
        function, Place(tmp_path, place.runtime), lab_processes, address, {}
    ) as environment:
        path, found = environment.invoke({}).payload
    assert path[:2] == [str(tmp_path), str(place.runtime)]
    assert not [entry for entry in path if "site-packages" in entry]
    assert found == [True, False, False]


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("apigateway-*.json")))
def test_the_api_answers_every_sample_request(name: str, start: Start) -> None:
    outcome = start("APIHandler").invoke(sample(name))
    assert outcome.error is None
    assert outcome.payload["statusCode"] == STATUS[name]
    if outcome.payload["statusCode"] >= 400:
        assert json.loads(outcome.payload["body"])["status"] == STATUS[name]


@pytest.mark.parametrize(
    "name",
    sorted(path.stem for path in EVENTS.glob("*.json") if not path.stem.startswith(("apigateway", "lambda"))),
)
def test_every_sample_event_is_answered_by_every_function_that_it_is_routed_to(
    name: str, package: Package, start: Start
) -> None:
    event = sample(name)
    functions = routed(event, package.functions)
    if name == "ec2-instance-pending":  # not running yet: no rule wakes anybody for it
        assert functions == ()
        return
    assert functions
    for function in functions:
        assert start(function.resource).invoke(event).error is None, function.resource


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("lambda-*.json")))
def test_a_function_that_is_invoked_by_name_answers(name: str, package: Package, start: Start) -> None:
    (function,) = named(name, package)
    assert start(function.resource).invoke(sample(name)).error is None


def test_every_function_has_a_sample_event(package: Package) -> None:
    names = [path.stem for path in EVENTS.glob("*.json")]
    woken = {
        function.resource
        for name in names
        for function in (*named(name, package), *routed(sample(name), package.functions))
    }
    assert woken == set(package.functions)


def test_whatever_a_function_calls_its_own_policy_grants(
    package: Package, start: Start, empty_account: Aws
) -> None:
    for path in EVENTS.glob("*.json"):
        event = sample(path.stem)
        for function in (*named(path.stem, package), *routed(event, package.functions)):
            start(function.resource).invoke(event)
            called = {
                f"{SIGNED.get(call.service, call.service)}:{call.operation}"
                for call in empty_account.calls
                if call.caller == function.resource
            }
            assert called <= granted(function.policy), function.resource
    assert {"APIHandler", "Probe", "Reconcile"} <= {call.caller for call in empty_account.calls}


def test_a_payload_that_is_no_event_fails_loudly_and_the_environment_lives_on(
    package: Package, start: Start
) -> None:
    for function in package.functions.values():
        if function.resource in {"APIHandler", "Widget"}:  # these answer whatever they are sent
            continue
        environment = start(function.resource)
        assert environment.invoke({"no": "event"}).error is not None, function.resource
        assert environment.process.alive(), function.resource


def test_without_an_owner_every_function_says_which_setting_is_missing(
    package: Package, place: Place, lab_processes: Processes, address: str, empty_account: Aws
) -> None:
    reconcile = package.functions["Reconcile"]
    others = {name: value for name, value in reconcile.environment.items() if name != "OWNER"}
    with execution_environment(
        replace(reconcile, environment=others), place, lab_processes, address, reach(empty_account)
    ) as environment:
        outcome = environment.invoke(sample("schedule-tick"))
    assert outcome.error == "SettingsError"
    assert "OWNER" in outcome.payload["errorMessage"]


def test_when_aws_cannot_be_reached_a_schedule_fails_and_the_api_says_so(
    package: Package, place: Place, lab_processes: Processes, address: str
) -> None:
    def outcome(name: str, event: str, port: int) -> Outcome:
        unreachable = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{address}:{port}"}
        with execution_environment(
            package.functions[name], place, lab_processes, address, unreachable
        ) as environment:
            return environment.invoke(sample(event))

    with socket.socket() as deaf:  # bound, so that nobody else takes the port, and listening to nobody
        deaf.bind((address, 0))
        port = deaf.getsockname()[1]
        assert outcome("APIHandler", "apigateway-list", port).payload["statusCode"] == 503
        # In a minute in which the alarms are due as well, their error is the last.
        assert outcome("Reconcile", "schedule-tick", port).error in {"Unserved", "Throttled"}


def test_a_package_that_does_not_import_is_reported_as_a_failed_start(
    tmp_path: Path, place: Place, lab_processes: Processes, address: str
) -> None:
    (tmp_path / "app.py").write_text("import boto4\n")
    with (
        pytest.raises(Exception, match="boto4"),
        execution_environment(
            made_up("app.app"), Place(tmp_path, place.runtime), lab_processes, address, {}
        ) as environment,
    ):
        raise AssertionError(environment.exchange.outcomes.get(timeout=5).payload)


CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "app",
    "AWS_SECRET_ACCESS_KEY": "lab",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def reach(aws: Aws) -> dict[str, str]:
    """What lets a function reach this AWS."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": aws.endpoint}


def sample(name: str) -> Any:
    """The sample event of that name."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def named(name: str, package: Package) -> list[Function]:
    """The function that a sample is for by its own name: the API's, or one that is invoked."""
    kind, _, rest = name.partition("-")
    handlers = {"apigateway": "app.app", "lambda": f"app.{rest.partition('-')[0]}"}
    return [one for one in package.functions.values() if one.handler == handlers.get(kind)]


def made_up(handler: str) -> Function:
    """A function of no template."""
    nothing: Mapping[str, Any] = {}
    return Function("MadeUp", handler, 30, 256, "x86_64", {}, nothing, ())
