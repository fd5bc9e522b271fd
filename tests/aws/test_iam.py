from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import ANY, Stubber

from chalicelib.aws import iam
from chalicelib.model.errors import (
    AwsError,
    Conflict,
    Denied,
    Duplicate,
    NotYet,
    QuotaReached,
    Refused,
    Throttled,
)
from chalicelib.x509.pem import Bundle, certificate_digest, certificate_name
from tests.world.certificates import authority, leaf

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ROOT = authority("Root")
MIDDLE = authority("Middle", signed_by=ROOT)
DEVICE = leaf("mqtt.example.com", "*.example.org", signed_by=MIDDLE, addresses=["10.0.0.1"])
BUNDLE = Bundle(DEVICE.certificate_pem, DEVICE.private_key_pem, DEVICE.chain_pem)
PATH = "/emq-elb/test/eu-central-1/demo/"
NAME = certificate_name("eu-central-1", "demo", BUNDLE)
TAGS = {"emq-elb:owner": "test"}
KEY_LINES = BUNDLE.private_key.splitlines()


@pytest.fixture
def client(aws: None) -> IAMClient:  # noqa: ARG001 - moto has to be there before the client
    return boto3.client("iam")


@pytest.fixture
def calls(client: IAMClient) -> list[str]:
    made: list[str] = []
    client.meta.events.register("before-call.iam", lambda model, **_: made.append(model.name))
    return made


@pytest.fixture
def stubbed() -> Iterator[tuple[IAMClient, Stubber]]:
    client = boto3.client("iam")
    with Stubber(client) as stubber:
        yield client, stubber


def upload(client: IAMClient, bundle: Bundle = BUNDLE, *, name: str = NAME, path: str = PATH) -> str:
    return iam.upload_certificate(client, bundle, name=name, path=path, tags=TAGS)


def test_what_was_uploaded_is_found_with_all_that_it_says(client: IAMClient, calls: list[str]) -> None:
    arn = upload(client)
    found = iam.find_server_certificate(client, NAME)
    assert calls == ["UploadServerCertificate", "GetServerCertificate"]
    assert found is not None
    assert (found.arn, found.name, found.path) == (arn, NAME, PATH)
    assert arn.endswith(f"server-certificate{PATH}{NAME}")
    assert found.domains == ("mqtt.example.com", "*.example.org", "10.0.0.1")
    assert int(found.serial, 16) == DEVICE.certificate.serial_number
    assert found.not_before == DEVICE.certificate.not_valid_before_utc
    assert found.not_after == DEVICE.certificate.not_valid_after_utc
    assert found.digest == certificate_digest(BUNDLE.certificate, BUNDLE.chain)
    assert found.uploaded is not None
    tags = client.list_server_certificate_tags(ServerCertificateName=NAME)["Tags"]
    assert tags == [{"Key": "emq-elb:owner", "Value": "test"}]


def test_a_leaf_alone_is_uploaded_without_a_chain(client: IAMClient) -> None:
    upload(client, Bundle(BUNDLE.certificate, BUNDLE.private_key))
    assert (
        "CertificateChain"
        not in client.get_server_certificate(ServerCertificateName=NAME)["ServerCertificate"]
    )


def test_a_certificate_that_is_not_there_is_none(client: IAMClient) -> None:
    assert iam.find_server_certificate(client, "nobody") is None


def test_a_certificate_that_cannot_be_read_still_has_what_its_metadata_says(
    stubbed: tuple[IAMClient, Stubber],
) -> None:
    client, stubber = stubbed
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    metadata = {
        "Path": "/",
        "ServerCertificateName": "old",
        "ServerCertificateId": "ASCAEXAMPLEEXAMPLE",
        "Arn": "arn:aws:iam::123456789012:server-certificate/old",
        "UploadDate": moment,
        "Expiration": moment,
    }
    answer = {"ServerCertificate": {"ServerCertificateMetadata": metadata, "CertificateBody": "unreadable"}}
    stubber.add_response("get_server_certificate", answer, {"ServerCertificateName": "old"})
    found = iam.find_server_certificate(client, "old")
    assert found is not None
    assert (found.not_after, found.domains, found.digest) == (moment, (), None)


def test_uploading_the_same_twice_gives_the_same_arn(client: IAMClient, calls: list[str]) -> None:
    arn = upload(client)
    calls.clear()
    assert upload(client) == arn
    assert calls == ["UploadServerCertificate", "GetServerCertificate"]


def test_a_name_that_is_taken_under_another_path_is_a_conflict(client: IAMClient) -> None:
    upload(client, path="/")
    with pytest.raises(Conflict, match=r"under / and not /emq-elb/"):
        upload(client)


def test_a_name_that_is_taken_by_other_content_is_a_conflict(client: IAMClient) -> None:
    upload(client, Bundle(BUNDLE.certificate, BUNDLE.private_key))
    with pytest.raises(Conflict, match="another content"):
        upload(client)


def test_a_name_that_was_taken_a_moment_ago_and_is_free_again_is_reported_as_taken(
    stubbed: tuple[IAMClient, Stubber],
) -> None:
    client, stubber = stubbed
    stubber.add_client_error("upload_server_certificate", "EntityAlreadyExists", "taken", 409)
    stubber.add_client_error("get_server_certificate", "NoSuchEntity", "gone", 404)
    with pytest.raises(Duplicate):
        upload(client)


def test_certificates_are_listed_by_their_path_a_thousand_a_call(client: IAMClient, calls: list[str]) -> None:
    other = leaf("other.example.com", signed_by=MIDDLE)
    other_bundle = Bundle(other.certificate_pem, other.private_key_pem, other.chain_pem)
    arn = upload(client)
    upload(client, other_bundle, name="other", path="/emq-elb/test/eu-central-1/demo-2/")
    calls.clear()
    assert [one.arn for one in iam.list_certificates(client, PATH)] == [arn]
    assert {one.name for one in iam.list_certificates(client, "/emq-elb/test/")} == {NAME, "other"}
    assert calls == ["ListServerCertificates"] * 2
    listed = iam.list_certificates(client, PATH)[0]
    assert (listed.path, listed.not_after) == (PATH, DEVICE.certificate.not_valid_after_utc)


def test_a_long_list_is_followed_to_its_end(stubbed: tuple[IAMClient, Stubber]) -> None:
    client, stubber = stubbed
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    pages = [[f"{page}-{number}" for number in range(2)] for page in range(3)]
    for page, names in enumerate(pages):
        metadata = [
            {
                "Path": PATH,
                "ServerCertificateName": name,
                "ServerCertificateId": "ASCAEXAMPLEEXAMPLE",
                "Arn": f"arn:aws:iam::123456789012:server-certificate{PATH}{name}",
                "UploadDate": moment,
                "Expiration": moment,
            }
            for name in names
        ]
        more = {"IsTruncated": True, "Marker": str(page)} if page < 2 else {"IsTruncated": False}
        marker = {"Marker": str(page - 1)} if page else {}
        stubber.add_response(
            "list_server_certificates",
            {"ServerCertificateMetadataList": metadata, **more},
            {"PathPrefix": PATH, "MaxItems": 1000, **marker},
        )
    assert [one.name for one in iam.list_certificates(client, PATH)] == [
        name for page in pages for name in page
    ]
    stubber.assert_no_pending_responses()


def test_deleting_says_whether_there_was_something_to_delete(client: IAMClient) -> None:
    upload(client)
    assert iam.delete_certificate(client, NAME) is True
    assert iam.delete_certificate(client, NAME) is False
    assert iam.find_server_certificate(client, NAME) is None


def test_what_is_in_use_is_not_deleted(stubbed: tuple[IAMClient, Stubber]) -> None:
    client, stubber = stubbed
    stubber.add_client_error("delete_server_certificate", "DeleteConflict", "in use by a listener", 409)
    with pytest.raises(NotYet):
        iam.delete_certificate(client, NAME)


def test_the_quota_is_read_with_what_is_used_of_it(client: IAMClient) -> None:
    upload(client)
    assert iam.account_quota(client) == (1, 20)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("LimitExceeded", QuotaReached),
        ("MalformedCertificate", Refused),
        ("KeyPairMismatch", Refused),
        ("AccessDenied", Denied),
        ("Throttling", Throttled),
        ("ServiceFailure", Throttled),
    ],
)
def test_errors_of_an_upload_keep_their_code(
    stubbed: tuple[IAMClient, Stubber], code: str, error: type[AwsError]
) -> None:
    client, stubber = stubbed
    stubber.add_client_error("upload_server_certificate", code, "AWS's own words")
    with pytest.raises(error) as raised:
        upload(client)
    assert type(raised.value) is error
    assert (raised.value.operation, raised.value.code) == ("UploadServerCertificate", code)
    assert raised.value.message == "AWS's own words"


@pytest.mark.parametrize(
    "quoted",
    [BUNDLE.private_key, KEY_LINES[3], BUNDLE.private_key.replace("\n", " ")],
    ids=["whole", "one line", "on one line"],
)
def test_words_of_aws_that_quote_the_key_are_kept_from_everyone(
    stubbed: tuple[IAMClient, Stubber], quoted: str
) -> None:
    client, stubber = stubbed
    message = f"1 validation error detected: Value '{quoted}' at 'privateKey' failed to satisfy constraint"
    stubber.add_client_error("upload_server_certificate", "ValidationError", message)
    with pytest.raises(Refused) as raised:
        upload(client)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    text = f"{raised.value!r} {raised.value} {raised.value.message}"
    assert not [line for line in KEY_LINES if line in text]


def test_the_key_goes_to_aws_and_nowhere_else(
    stubbed: tuple[IAMClient, Stubber], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client, stubber = stubbed
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    metadata = {
        "Path": PATH,
        "ServerCertificateName": NAME,
        "ServerCertificateId": "ASCAEXAMPLEEXAMPLE",
        "Arn": "arn:aws:iam::123456789012:server-certificate/x",
        "UploadDate": moment,
        "Expiration": moment,
    }
    stubber.add_response(
        "upload_server_certificate",
        {"ServerCertificateMetadata": metadata},
        {
            "ServerCertificateName": NAME,
            "Path": PATH,
            "CertificateBody": BUNDLE.certificate,
            "CertificateChain": BUNDLE.chain,
            "PrivateKey": BUNDLE.private_key,
            "Tags": ANY,
        },
    )
    arn = upload(client)
    text = arn + repr(BUNDLE) + "".join(capfd.readouterr()) + caplog.text
    assert not [line for line in KEY_LINES[1:-1] if line in text]
