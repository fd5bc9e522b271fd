"""Lambda's Invoke as the lab answers it, asked by the real SDK."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from lab.cloudwatch.metrics import embedded
from lab.lambda_.functions import Configuration, Context, Functions, configuration, server
from lab.machine.addresses import Network
from lab.machine.processes import until
from lab.machine.serving import serving

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

CONFIG = Configuration("emq-elb", "dev", {}, {"provision": 900})


@pytest.mark.parametrize(
    ("deployed", "function"),
    [
        ("emq-elb-dev-provision", "provision"),
        ("emq-elb-dev-deep_probe", "deep_probe"),
        ("emq-elb-dev", "api_handler"),
        ("arn:aws:lambda:eu-central-1:123456789012:function:emq-elb-dev-drain", "drain"),
        ("emq-elb-prod-provision", None),
        ("other", None),
    ],
)
def test_a_deployed_name_leads_to_its_function(deployed: str, function: str | None) -> None:
    assert CONFIG.function(deployed) == function


def test_the_nearest_configuration_counts() -> None:
    text = json.dumps(
        {
            "app_name": "emq-elb",
            "environment_variables": {"A": "app", "B": "app"},
            "lambda_timeout": 30,
            "lambda_functions": {"provision": {"lambda_timeout": 900}, "drain": {"lambda_timeout": 50}},
            "stages": {
                "dev": {
                    "environment_variables": {"B": "stage"},
                    "lambda_functions": {"drain": {"lambda_timeout": 55}},
                },
                "short": {"lambda_timeout": 20},
            },
        }
    )
    found = configuration(text, "dev")
    assert found.environment == {"A": "app", "B": "stage"}
    assert [found.timeout(name) for name in ("provision", "drain", "other")] == [900, 55, 30]
    assert configuration(text, "short").timeout("provision") == 20  # as Chalice has it: the stage comes first


def test_the_time_that_is_left_runs_down_to_nothing() -> None:
    clock = iter([100.0, 200.0])
    context = Context("f", deadline=102.5, clock=lambda: next(clock))
    assert [context.get_remaining_time_in_millis() for _ in range(2)] == [2500, 0]


class Bench:
    """Functions that note what they are asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def lookup(self, name: str) -> Any:
        """Return a function by name."""
        return {"echo": self.echo, "fail": self.fail, "fail_once": self.fail_once}.get(name)

    def echo(self, event: Any, context: Context) -> Any:
        """Give the event back."""
        self.asked.append(event)
        return {"event": event, "left": context.get_remaining_time_in_millis() > 0}

    def fail(self, event: Any, _context: Context) -> Any:
        """Fail every time."""
        self.asked.append(event)
        raise ValueError("no good")

    def fail_once(self, event: Any, context: Context) -> Any:
        """Fail the first time."""
        return self.fail(event, context) if not self.asked else self.echo(event, context)


@pytest.fixture
def bench() -> Bench:
    """Functions to invoke."""
    return Bench()


@pytest.fixture
def client(bench: Bench, network: Network) -> Iterator[LambdaClient]:
    """The SDK's client for Lambda, led to the lab."""
    with serving(server(network.functions, 0, Functions(CONFIG, bench.lookup)), "functions") as listening:
        client = boto3.client("lambda", endpoint_url=f"http://{network.functions}:{listening.server_port}")
        yield client
        client.close()


def test_a_function_is_invoked_and_its_answer_comes_back(client: LambdaClient) -> None:
    answer = client.invoke(FunctionName="emq-elb-dev-echo", Payload=b'{"a": 1}')
    assert not answer.get("FunctionError")
    assert json.loads(answer["Payload"].read()) == {"event": {"a": 1}, "left": True}


def test_an_error_comes_back_in_lambdas_shape(client: LambdaClient) -> None:
    answer = client.invoke(FunctionName="emq-elb-dev-fail", Payload=b"{}")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    report = json.loads(answer["Payload"].read())
    assert (report["errorType"], report["errorMessage"]) == ("ValueError", "no good")


@pytest.mark.parametrize(("function", "attempts"), [("echo", 1), ("fail_once", 2), ("fail", 3)])
def test_an_asynchronous_invocation_is_tried_until_it_succeeds_thrice_at_most(
    client: LambdaClient, bench: Bench, function: str, attempts: int
) -> None:
    name = f"emq-elb-dev-{function}"
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202
    until(lambda: name not in {thread.name for thread in threading.enumerate()}, 5, "it has ended")
    assert len(bench.asked) == attempts


@pytest.mark.parametrize(("function", "errors"), [("echo", 0), ("fail", 1)])
def test_each_invocation_is_counted_as_lambda_counts_it(
    client: LambdaClient, capsys: pytest.CaptureFixture[str], function: str, errors: int
) -> None:
    client.invoke(FunctionName=f"emq-elb-dev-{function}", Payload=b"{}")
    points = [point for line in capsys.readouterr().out.splitlines() for point in embedded(line)]
    assert {(point.namespace, point.dimensions) for point in points} == {
        ("AWS/Lambda", (("FunctionName", f"emq-elb-dev-{function}"),))
    }
    assert {point.name: point.value for point in points} == {"Invocations": 1, "Errors": errors}


def test_an_unknown_function_is_not_found(client: LambdaClient) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="emq-elb-dev-nothing")
