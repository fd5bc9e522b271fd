from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.aws.secrets import create_secret, read_secret
from chalicelib.model.errors import Absent, AwsError, Denied, Duplicate, InvalidRequest, Refused

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

VALUE = {"certificate": "a certificate", "private_key": "hush-hush\nhush"}


@pytest.fixture
def client(aws: None) -> SecretsManagerClient:  # noqa: ARG001 - moto has to be there before the client
    return boto3.client("secretsmanager")


@pytest.fixture
def stubbed() -> Iterator[tuple[SecretsManagerClient, Stubber]]:
    client = boto3.client("secretsmanager")
    with Stubber(client) as stubber:
        yield client, stubber


def create(client: SecretsManagerClient, name: str = "bundle") -> str:
    return create_secret(client, name, VALUE, tags={"emq-elb:owner": "test"}, description="for tests")


def test_what_was_created_is_read_and_shown_to_nobody(client: SecretsManagerClient) -> None:
    create(client)
    secret = read_secret(client, "bundle", field="certificate.secret_id")
    assert secret.value == VALUE
    assert "hush" not in repr(secret)
    described = client.describe_secret(SecretId="bundle")
    assert described["Tags"] == [{"Key": "emq-elb:owner", "Value": "test"}]
    assert described["Description"] == "for tests"


def test_the_newest_version_is_read(client: SecretsManagerClient) -> None:
    create(client)
    client.put_secret_value(SecretId="bundle", SecretString='{"certificate": "another"}')
    assert read_secret(client, "bundle", field="f").value == {"certificate": "another"}


def test_a_secret_that_is_not_there_is_absent(client: SecretsManagerClient) -> None:
    with pytest.raises(Absent):
        read_secret(client, "nobody", field="f")


def test_a_secret_that_is_being_deleted_is_absent(client: SecretsManagerClient) -> None:
    create(client)
    client.delete_secret(SecretId="bundle")
    with pytest.raises(Absent):
        read_secret(client, "bundle", field="f")


@pytest.mark.parametrize(
    "text",
    [
        "hush",
        " ",
        '"hush"',
        '["hush"]',
        '{"private_key": "hush"',
        "[" * 50_000,
    ],
)
def test_a_secret_that_is_no_json_object_is_a_fault_that_shows_none_of_it(
    stubbed: tuple[SecretsManagerClient, Stubber], text: str
) -> None:
    client, stubber = stubbed
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bundle-AbCdEf"
    stubber.add_response("get_secret_value", {"ARN": arn, "VersionId": "v" * 32, "SecretString": text})
    with pytest.raises(InvalidRequest) as raised:
        read_secret(client, "bundle", field="probe.credentials_secret_id")
    (fault,) = raised.value.faults
    assert fault.field == "probe.credentials_secret_id"
    assert "bundle" in fault.message
    assert "hush" not in f"{raised.value} {raised.value!r} {raised.value.__context__!r}"


WRONG = {
    '["hush"]': "is a list",
    '{"hush": "hush"}': "is an object",
    "null": "is null",
    "true": "is true or false",
    "17": "is a number",
    "1.5e3": "is a number",
    '"hush\\ud800"': "holds half a character",
}


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("key", ["private_key", "certificate"])
def test_a_key_that_is_read_and_holds_no_text_is_a_fault_that_names_it(
    client: SecretsManagerClient, value: str, key: str
) -> None:
    client.create_secret(Name="bundle", SecretString=f'{{"{key}": {value}, "other": "text"}}')
    with pytest.raises(InvalidRequest) as raised:
        read_secret(client, "bundle", field="f", keys=("certificate", "private_key"))
    (fault,) = raised.value.faults
    assert f"`{key}` in the secret bundle {WRONG[value]}" in fault.message
    assert "hush" not in f"{raised.value} {raised.value!r} {raised.value.__context__!r}"


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("key", ["domains", "certificate_arn", "half\\ud800"])
def test_keys_of_other_tools_hold_what_they_like(client: SecretsManagerClient, value: str, key: str) -> None:
    client.create_secret(Name="bundle", SecretString=f'{{"{key}": {value}, "certificate": "text"}}')
    found = read_secret(client, "bundle", field="f", keys=("certificate", "private_key"))
    assert found.value == {"certificate": "text"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_of_json_is_read(client: SecretsManagerClient, encoding: str) -> None:
    text = json.dumps({"certificate": "# Müller 🔒"}, ensure_ascii=False)
    client.create_secret(Name="binary", SecretBinary=text.encode(encoding))
    client.create_secret(Name="text", SecretString="\ufeff" + text)
    for name in ("binary", "text"):
        assert read_secret(client, name, field="f").value == {"certificate": "# Müller 🔒"}


def test_a_binary_secret_that_is_no_json_is_a_fault(client: SecretsManagerClient) -> None:
    client.create_secret(Name="binary", SecretBinary=b"hush")
    with pytest.raises(InvalidRequest, match="binary is no JSON object"):
        read_secret(client, "binary", field="f")


def test_other_errors_stay_what_they_are(stubbed: tuple[SecretsManagerClient, Stubber]) -> None:
    client, stubber = stubbed
    stubber.add_client_error("get_secret_value", "AccessDeniedException", "no")
    with pytest.raises(Denied):
        read_secret(client, "bundle", field="f")
    stubber.add_client_error("get_secret_value", "DecryptionFailure", "no")
    with pytest.raises(AwsError, match="DecryptionFailure"):
        read_secret(client, "bundle", field="f")


def test_a_name_that_is_taken_is_a_duplicate(client: SecretsManagerClient) -> None:
    create(client)
    with pytest.raises(Duplicate):
        create(client)


@pytest.mark.parametrize("quoted", [json.dumps(VALUE), VALUE["private_key"], "hush-hush"])
def test_words_of_aws_that_quote_the_value_are_kept_from_everyone(
    stubbed: tuple[SecretsManagerClient, Stubber], quoted: str
) -> None:
    client, stubber = stubbed
    stubber.add_client_error("create_secret", "InvalidParameterException", f"not this: {quoted}")
    with pytest.raises(Refused) as raised:
        create(client)
    assert "hush" not in f"{raised.value} {raised.value!r} {raised.value.message}"
    assert raised.value.__context__ is None
