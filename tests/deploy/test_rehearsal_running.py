"""Deployed functions at work: warm, under their own policies, tried again, ended when late, replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.aws import Aws
from lab.fidelity.knobs import KNOBS
from lab.lambda_.package import Function
from lab.lambda_.runtimeapi import Outcome, Place
from lab.machine.processes import Processes, until
from lab.rehearsal.deployed import Deployed
from lab.rehearsal.gateway import TIMED_OUT
from lab.rehearsal.running import Functions

APP = """
import os, time
calls = 0

def count(event, context):
    global calls
    calls += 1
    return [REVISION, calls, context.invoked_function_arn.rpartition(":")[2]]

def fail(event, context):
    raise KeyError(event["name"])

def late(event, context):
    time.sleep(60)

def vanish(event, context):
    os._exit(3)

def resolve(event, context):
    import socket
    return socket.getaddrinfo(event["name"], 8883)[0][4][0]

def tags(event, context):
    import boto3
    return [one["Key"] for one in boto3.client("ec2").describe_tags()["Tags"]]

def hand_over(event, context):
    import boto3
    answer = boto3.client("lambda").invoke(FunctionName="small", InvocationType="Event", Payload=b"{}")
    return answer["StatusCode"]
"""
NOTHING: Mapping[str, Any] = {"Version": "2012-10-17", "Statement": []}
TAGS = {"Effect": "Allow", "Action": "ec2:DescribeTags", "Resource": "*", "Sid": "Tags"}


def deployed(*names: str, policy: Mapping[str, Any] = NOTHING, code: str = "one") -> dict[str, Deployed]:
    """Functions of the little app above; one that is late has a second."""
    return {
        f"made-up-{name}": Deployed(
            f"arn:aws:lambda:eu-central-1:123456789012:function:made-up-{name}",
            f"made-up-{name}",
            code,
            Function(
                f"made-up-{name}", f"app.{name}", 1 if name == "late" else 30, 256, "x86_64", {}, policy, ()
            ),
        )
        for name in names
    }


@pytest.fixture
def tasks(tmp_path: Path) -> Mapping[str, Path]:
    """Two revisions of the app, unpacked."""
    found = {}
    for number, code in enumerate(("one", "two"), 1):
        found[code] = tmp_path / code
        found[code].mkdir()
        (found[code] / "app.py").write_text(f"REVISION = {number}\n{APP}")
    return found


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """The file in which the names of load balancers are; there is none yet."""
    return tmp_path / "hosts.json"


@pytest.fixture
def functions(
    place: Place, lab_processes: Processes, address: str, empty_account: Aws, hosts: Path
) -> Iterator[Functions]:
    """A place for functions to run in."""
    reach = {
        "AWS_ENDPOINT_URL": empty_account.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "LAB_HOSTS": str(hosts),
    }
    running = Functions(lab_processes, address, place.runtime, reach)
    KNOBS.invoke = running.answer
    yield running
    KNOBS.invoke = None
    running.end()


def test_an_environment_stays_warm_and_a_new_deployment_starts_anew(
    functions: Functions, tasks: Mapping[str, Path]
) -> None:
    functions.deploy(deployed("count"), tasks)
    assert [functions.invoke("made-up-count", {}).payload[:2] for _ in range(2)] == [[1, 1], [1, 2]]
    functions.deploy(deployed("count", code="two"), tasks)
    assert functions.invoke("made-up-count", {}).payload == [2, 1, "made-up-count"]


def test_what_is_not_deployed_any_more_is_not_found(functions: Functions, tasks: Mapping[str, Path]) -> None:
    functions.deploy(deployed("count"), tasks)
    functions.deploy({}, tasks)
    assert functions.invoke("made-up-count", {}).error == "ResourceNotFoundException"


@pytest.mark.parametrize(("name", "error"), [("late", TIMED_OUT), ("vanish", "Runtime.ExitError")])
def test_one_that_is_late_or_vanishes_is_reported_and_started_again(
    functions: Functions, tasks: Mapping[str, Path], name: str, error: str
) -> None:
    functions.deploy(deployed(name), tasks)
    assert [functions.invoke(f"made-up-{name}", {}).error for _ in range(2)] == [error, error]
    assert functions.warm[f"made-up-{name}"].environment is None


def test_a_failure_is_reported_at_once_and_an_event_is_tried_three_times(
    functions: Functions, tasks: Mapping[str, Path]
) -> None:
    functions.deploy(deployed("fail", "count"), tasks)
    payload, error = functions.answer("made-up-fail", {"name": "x"}, "RequestResponse")
    assert (payload["errorType"], error) == ("KeyError", "Unhandled")
    assert functions.delivered("made-up-fail", {"name": "x"}) == "KeyError: 'x'"
    functions.outcomes.clear()
    assert functions.answer("made-up-fail", {"name": "x"}, "Event") == (None, None)
    until(lambda: len(functions.outcomes) == 3, 30, "it is tried three times")
    assert [outcome.error for _, outcome in functions.outcomes] == ["KeyError"] * 3
    assert functions.retried("made-up-count", {}).payload[1] == 1


def test_a_function_finds_load_balancers_by_their_names(
    functions: Functions, tasks: Mapping[str, Path], hosts: Path
) -> None:
    hosts.write_text('{"demo-1.elb.example.com": ["127.9.8.7"]}')
    functions.deploy(deployed("resolve"), tasks)
    assert functions.invoke("made-up-resolve", {"name": "Demo-1.ELB.example.com"}).payload == "127.9.8.7"


def test_each_function_may_do_what_its_role_allows_and_no_more(
    functions: Functions, tasks: Mapping[str, Path]
) -> None:
    functions.deploy(deployed("tags"), tasks)
    refused = functions.invoke("made-up-tags", {})
    assert refused.error == "ClientError"
    assert "UnauthorizedOperation" in refused.payload["errorMessage"]
    functions.deploy(deployed("tags", policy={**NOTHING, "Statement": [TAGS]}), tasks)
    assert functions.invoke("made-up-tags", {}) == Outcome([])
    assert functions.denied() == ["made-up-tags ec2:DescribeTags"]


def test_one_hands_over_to_another_through_lambda_if_its_role_allows_that(
    functions: Functions, tasks: Mapping[str, Path], arn: str
) -> None:
    small = {"small": deployed("count")["made-up-count"]}
    for resource in (f"{arn}-other", arn):
        grant = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": resource}
        functions.deploy(small | deployed("hand_over", policy={**NOTHING, "Statement": [grant]}), tasks)
        last = functions.invoke("made-up-hand_over", {})
    assert last == Outcome(202)
    until(lambda: "small" in {name for name, _ in functions.outcomes}, 30, "the other one has run")
    assert functions.outcomes[0][1].error == "ClientError"
    assert functions.denied() == ["made-up-hand_over lambda:InvokeFunction"]
