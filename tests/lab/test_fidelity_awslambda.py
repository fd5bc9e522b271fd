"""Lambda's Invoke is answered as AWS's page says, by whoever runs the functions, through boto3."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import boto3
import pytest
from botocore.exceptions import ClientError

from lab.fidelity.knobs import KNOBS, reset_knobs

pytestmark = pytest.mark.usefixtures("aws")

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture
def functions() -> Any:
    """Lambda, with a function `echo`."""
    role = boto3.client("iam").create_role(RoleName="echo", AssumeRolePolicyDocument=json.dumps(TRUST))
    packed = io.BytesIO()
    with ZipFile(packed, "w") as package:
        package.writestr("app.py", "")
    client = boto3.client("lambda")
    client.create_function(
        FunctionName="echo",
        Runtime="python3.11",
        Handler="app.echo",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": packed.getvalue()},
    )
    return client


@pytest.fixture
def invoked() -> Iterator[list[tuple[str, Any, str]]]:
    """What was invoked; a function fails with what its event names as `fail`, else it echoes."""
    seen: list[tuple[str, Any, str]] = []

    def invoke(name: str, event: Any, kind: str) -> tuple[Any, str | None]:
        seen.append((name, event, kind))
        failure = event.get("fail")
        return ({"errorType": failure}, "Unhandled") if failure else (event, None)

    KNOBS.invoke = invoke
    yield seen
    reset_knobs()


@pytest.mark.parametrize(
    ("event", "kind", "answered"),
    [
        ({"a": 1}, "RequestResponse", (200, None, {"a": 1})),
        ({"fail": "KeyError"}, "RequestResponse", (200, "Unhandled", {"errorType": "KeyError"})),
        ({"a": 1}, "Event", (202, None, None)),
        ({"fail": "KeyError"}, "Event", (202, None, None)),
    ],
)
def test_an_invocation_is_answered_by_the_function_or_at_once(
    functions: Any, invoked: list[Any], event: Any, kind: str, answered: tuple[int, str | None, Any]
) -> None:
    answer = functions.invoke(FunctionName="echo", InvocationType=kind, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read() or b"null")
    assert (answer["StatusCode"], answer.get("FunctionError"), payload) == answered
    assert invoked == [("echo", event, kind)]


def test_a_function_is_known_by_its_arn_too(functions: Any, invoked: list[Any]) -> None:
    arn = functions.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]
    functions.invoke(FunctionName=arn, Payload=b"{}")
    assert invoked == [("echo", {}, "RequestResponse")]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"FunctionName": "nobody", "Payload": b"{}"}, "ResourceNotFoundException"),
        (
            {"FunctionName": "echo", "Payload": b"{", "InvocationType": "Event"},
            "InvalidRequestContentException",
        ),
    ],
)
def test_what_cannot_be_invoked_is_refused_and_nothing_runs(
    functions: Any, invoked: list[Any], asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        functions.invoke(**asked)
    assert caught.value.response["Error"]["Code"] == code
    assert invoked == []


def test_a_dry_run_runs_nothing(functions: Any, invoked: list[Any]) -> None:
    assert functions.invoke(FunctionName="echo", InvocationType="DryRun")["StatusCode"] == 204
    assert invoked == []


def test_a_function_takes_fifteen_minutes_at_most(functions: Any) -> None:
    functions.update_function_configuration(FunctionName="echo", Timeout=900)
    with pytest.raises(ClientError, match="InvalidParameterValueException"):
        functions.update_function_configuration(FunctionName="echo", Timeout=901)
