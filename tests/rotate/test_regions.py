"""Superseded certificates are retired although another region is denied to us, or does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from chalicelib.certificates.users import SILENT
from chalicelib.model import errors
from tests.world.provisioning import Account, clients
from tests.world.rotating import Front, make, names, rotate, served, supersede

HERE, ELSEWHERE, FARTHER = "eu-central-1", "eu-west-1", "us-east-1"
ASKED = tuple(f"before-call.{api}.DescribeLoadBalancers" for api in ("elb", "elbv2"))
URL = f"https://elasticloadbalancing.{ELSEWHERE}.amazonaws.com"

Answer = tuple[str, int] | Exception
"""A code and a status of HTTP, or what botocore raises."""

DENIED: dict[str, Answer] = {
    "AccessDenied": ("AccessDenied", 403),
    "AccessDeniedException": ("AccessDeniedException", 400),
    "UnauthorizedOperation": ("UnauthorizedOperation", 403),
    "NotAuthorized": ("NotAuthorized", 400),
    "AuthFailure": ("AuthFailure", 401),
    "OptInRequired": ("OptInRequired", 403),
    "UnrecognizedClientException": ("UnrecognizedClientException", 400),
    "InvalidClientTokenId": ("InvalidClientTokenId", 403),
}
MUTE: dict[str, Answer] = {
    "ConnectTimeoutError": exceptions.ConnectTimeoutError(endpoint_url=URL),
    "ReadTimeoutError": exceptions.ReadTimeoutError(endpoint_url=URL),
    "EndpointConnectionError": exceptions.EndpointConnectionError(endpoint_url=URL),
    "ConnectionClosedError": exceptions.ConnectionClosedError(endpoint_url=URL),
    "ProxyConnectionError": exceptions.ProxyConnectionError(proxy_url=URL),
    "SSLError": exceptions.SSLError(endpoint_url=URL, error=OSError("made up")),
    "ResponseParserError": ResponseParserError("<html>"),
    "ServiceUnavailable": ("ServiceUnavailable", 503),
    "InternalFailure": ("InternalFailure", 500),
    "503": ("503", 503),
}
SKIPPED = {**DENIED, **MUTE}


@contextmanager
def answering(answers: Mapping[str, Answer]) -> Iterator[None]:
    """Let other regions answer so when they are asked for their load balancers."""

    def answer(context: Mapping[str, Any], **_: object) -> tuple[SimpleNamespace, Any] | None:
        given = answers.get(context["client_region"])
        if isinstance(given, Exception):
            raise given
        if given is None:
            return None
        code, status = given
        answered = {"HTTPStatusCode": status}
        error = {"Error": {"Code": code, "Message": "made up"}, "ResponseMetadata": answered}
        return SimpleNamespace(status_code=status), error

    # Clients of another region take what their session has when they are made.
    session, made = clients()._session, cast("Any", clients()._client)
    made.cache_clear()
    for asked in ASKED:
        session.register(asked, answer)  # type: ignore[arg-type] # it may answer
    try:
        yield
    finally:
        for asked in ASKED:
            session.unregister(asked, answer)  # type: ignore[arg-type] # as above
        made.cache_clear()


@pytest.fixture
def oldest(here: Account, demo: Front) -> str:
    """The name of a certificate that is due to be retired: two newer ones are there, one of them served."""
    old = supersede(here, demo)
    assert len(names(here)) == 3
    return old.rpartition("/")[2]


@pytest.mark.parametrize("code", SKIPPED)
def test_a_region_that_is_denied_or_silent_is_skipped_and_named(
    here: Account, demo: Front, oldest: str, code: str, logged: Callable[[], list[Any]]
) -> None:
    with answering({ELSEWHERE: SKIPPED[code]}):
        (rotation,) = rotate(here, demo)
    assert oldest not in names(here)
    assert len(names(here)) == 2
    (warning,) = rotation.warnings
    assert warning.code == "region-skipped"
    assert f"{ELSEWHERE} ({code})" in warning.message
    (record,) = (one for one in logged() if one["message"] == "rotate" and one["warnings"])
    assert (record["level"], record["warnings"][0]["message"]) == ("WARNING", warning.message)


def test_all_of_them_may_be(here: Account, demo: Front, oldest: str) -> None:
    found = boto3.client("ec2").describe_regions()["Regions"]
    others = {one["RegionName"] for one in found} - {HERE}
    with answering(dict.fromkeys(others, DENIED["AccessDenied"])):
        (rotation,) = rotate(here, demo)
    assert oldest not in names(here)
    (warning,) = rotation.warnings
    assert all(f"{region} (AccessDenied)" in warning.message for region in others)


def test_what_a_region_that_answers_uses_stays(here: Account, demo: Front) -> None:
    old = supersede(here, demo, used_in=FARTHER)
    with answering({ELSEWHERE: DENIED["AccessDenied"]}), here.counted() as calls:
        rotate(here, demo)
    assert old.rpartition("/")[2] in names(here)
    assert "DeleteServerCertificate" not in calls.made


def test_what_a_skipped_region_uses_stays_because_iam_says_so(here: Account, demo: Front) -> None:
    old = supersede(here, demo, used_in=ELSEWHERE)
    with answering({ELSEWHERE: DENIED["AccessDenied"]}):
        (rotation,) = rotate(here, demo)
    assert "DeleteServerCertificate" in here.calls.made
    assert old.rpartition("/")[2] in names(here)
    assert [one.code for one in rotation.warnings] == ["region-skipped"]


@pytest.mark.parametrize("code", ["Throttling", "ValidationError"])
def test_a_region_that_says_something_else_keeps_everything(
    here: Account, demo: Front, oldest: str, code: str
) -> None:
    with answering({ELSEWHERE: (code, 400)}), pytest.raises(errors.Unserved, match="retiring certificates"):
        rotate(here, demo)
    assert oldest in names(here)
    rotate(here, demo)
    assert oldest not in names(here)


def test_where_nothing_is_to_be_retired_no_region_is_asked_nor_named(here: Account, demo: Front) -> None:
    make(here, demo.port)
    with answering({ELSEWHERE: DENIED["AccessDenied"]}):
        (rotation,) = rotate(here, demo)
    assert "DescribeRegions" not in here.calls.made
    assert rotation.warnings == ()
    assert served(here, demo.port)


def test_whatever_botocore_raises_of_a_connection_counts_as_silence() -> None:
    def kinds(parent: type[Exception]) -> set[type[Exception]]:
        return {parent}.union(*map(kinds, parent.__subclasses__()))

    raised = kinds(exceptions.HTTPClientError) | kinds(exceptions.ConnectionError)
    known = {one.__name__ for one in raised if one.__module__ == exceptions.__name__}
    assert known <= SILENT
