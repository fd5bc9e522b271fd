"""Secrets Manager answers as AWS's pages say, through boto3."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.usefixtures("aws")

NAME = "emq-elb-dev/private-ca"
FIRST, SECOND, UNKNOWN = "1" * 32, "2" * 32, "9" * 32


@pytest.fixture
def secrets() -> Any:
    return boto3.client("secretsmanager")


def refusal(call: Any, **parameters: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def make_versions(secrets: Any) -> None:
    """Make a secret with a current version and a pending one."""
    secrets.create_secret(Name=NAME, SecretString="first", ClientRequestToken=FIRST)
    secrets.put_secret_value(
        SecretId=NAME, SecretString="second", ClientRequestToken=SECOND, VersionStages=["AWSPENDING"]
    )


def test_the_current_version_is_the_one_labelled_so_before_and_after_the_label_moves(secrets: Any) -> None:
    make_versions(secrets)

    def value(**which: str) -> str:
        return str(secrets.get_secret_value(SecretId=NAME, **which)["SecretString"])

    assert value() == "first"
    assert value(VersionStage="AWSPENDING") == "second"
    secrets.update_secret_version_stage(
        SecretId=NAME, VersionStage="AWSCURRENT", RemoveFromVersionId=FIRST, MoveToVersionId=SECOND
    )
    assert value() == "second"
    assert value(VersionStage="AWSPREVIOUS") == "first"
    assert value(VersionId=FIRST) == "first"


def test_a_secret_marked_deleted_is_an_invalid_request_until_it_is_restored(secrets: Any) -> None:
    make_versions(secrets)
    secrets.delete_secret(SecretId=NAME)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (secrets.get_secret_value, {"SecretId": NAME}),
        (secrets.get_secret_value, {"SecretId": NAME, "VersionStage": "NONE"}),
        (secrets.put_secret_value, {"SecretId": NAME, "SecretString": "third"}),
        (secrets.create_secret, {"Name": NAME, "SecretString": "third"}),
        (
            secrets.update_secret_version_stage,
            {"SecretId": NAME, "VersionStage": "AWSPENDING", "RemoveFromVersionId": SECOND},
        ),
    ]
    assert {refusal(call, **parameters) for call, parameters in calls} == {("InvalidRequestException", 400)}
    assert "DeletedDate" in secrets.describe_secret(SecretId=NAME)
    secrets.restore_secret(SecretId=NAME)
    assert secrets.get_secret_value(SecretId=NAME)["SecretString"] == "first"


def test_what_does_not_exist_is_not_found_with_status_400(secrets: Any) -> None:
    make_versions(secrets)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (secrets.get_secret_value, {"SecretId": "unknown"}),
        (secrets.get_secret_value, {"SecretId": NAME, "VersionId": UNKNOWN}),
        (secrets.get_secret_value, {"SecretId": NAME, "VersionStage": "NONE"}),
        (secrets.describe_secret, {"SecretId": "unknown"}),
        (secrets.put_secret_value, {"SecretId": "unknown", "SecretString": "x"}),
        (secrets.delete_secret, {"SecretId": "unknown"}),
    ]
    assert {refusal(call, **parameters) for call, parameters in calls} == {("ResourceNotFoundException", 400)}


def test_a_secret_without_a_value_has_no_current_version(secrets: Any) -> None:
    secrets.create_secret(Name=NAME)
    assert refusal(secrets.get_secret_value, SecretId=NAME) == ("ResourceNotFoundException", 400)


def test_a_name_in_use_is_taken(secrets: Any) -> None:
    make_versions(secrets)
    refused = refusal(secrets.create_secret, Name=NAME, SecretString="x")
    assert refused == ("ResourceExistsException", 400)


def test_a_request_token_is_good_for_one_value(secrets: Any) -> None:
    make_versions(secrets)
    again = {"SecretId": NAME, "ClientRequestToken": SECOND}
    assert secrets.put_secret_value(**again, SecretString="second")["VersionId"] == SECOND
    assert refusal(secrets.put_secret_value, **again, SecretString="other")[0] == "ResourceExistsException"
