"""IAM server certificates answer as AWS's pages say, through boto3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from lab.fidelity.iam import set_quota
from lab.fidelity.knobs import KNOBS
from tests.world.certificates import (
    Issued,
    KeyFormat,
    KeyKind,
    authority,
    key_pem,
    leaf,
    private_key,
    self_signed,
)

pytestmark = pytest.mark.usefixtures("aws")

NAME = "eu-central-1-demo"
PATH = "/emq-elb/demo/eu-central-1/demo/"


@pytest.fixture
def iam() -> Any:
    return boto3.client("iam")


def upload(iam: Any, issued: Issued | None = None, **changes: Any) -> Any:
    issued = issued or leaf("mqtt.example.com")
    parameters: dict[str, Any] = {
        "ServerCertificateName": NAME,
        "CertificateBody": issued.certificate_pem,
        "PrivateKey": issued.private_key_pem,
    }
    if issued.chain_pem:
        parameters["CertificateChain"] = issued.chain_pem
    return iam.upload_server_certificate(**parameters | changes)


def refusal(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def behind_two_intermediates(**parameters: Any) -> tuple[Issued, Issued, Issued, Issued]:
    root = authority("Root")
    outer = authority("Outer", signed_by=root)
    inner = authority("Inner", signed_by=outer)
    return root, outer, inner, leaf("mqtt.example.com", signed_by=inner, **parameters)


def test_an_upload_answers_with_what_the_certificate_says(iam: Any) -> None:
    issued = leaf("mqtt.example.com")
    metadata = upload(iam, issued, Path=PATH)["ServerCertificateMetadata"]
    assert metadata["ServerCertificateName"] == NAME
    assert metadata["Path"] == PATH
    assert metadata["Arn"] == f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:server-certificate{PATH}{NAME}"
    assert metadata["Expiration"] == issued.certificate.not_valid_after_utc
    assert abs(metadata["UploadDate"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert metadata["ServerCertificateId"].startswith("ASCA")
    assert len(metadata["ServerCertificateId"]) == 21


def test_without_a_path_it_is_the_root_path(iam: Any) -> None:
    assert upload(iam)["ServerCertificateMetadata"]["Path"] == "/"


def test_every_certificate_has_an_id_of_its_own(iam: Any) -> None:
    ids = {
        upload(iam, ServerCertificateName=name)["ServerCertificateMetadata"]["ServerCertificateId"]
        for name in ("a", "b", "c")
    }
    assert len(ids) == 3


def test_get_answers_with_body_chain_and_tags_and_never_the_key(iam: Any) -> None:
    _, _, _, issued = behind_two_intermediates()
    upload(iam, issued, Tags=[{"Key": "emq-elb:owner", "Value": "emq-elb-dev"}])
    answer = iam.get_server_certificate(ServerCertificateName=NAME)["ServerCertificate"]
    assert answer["CertificateBody"].strip() == issued.certificate_pem.strip()
    assert answer["CertificateChain"].strip() == issued.chain_pem.strip()
    assert answer["Tags"] == [{"Key": "emq-elb:owner", "Value": "emq-elb-dev"}]
    assert set(answer) == {"ServerCertificateMetadata", "CertificateBody", "CertificateChain", "Tags"}
    assert "PRIVATE KEY" not in str(answer)


def test_the_lab_finds_the_key_and_the_upload_time_where_moto_keeps_certificates(iam: Any) -> None:
    KNOBS.now = lambda: 1234.5
    issued = leaf("mqtt.example.com")
    arn = upload(iam, issued)["ServerCertificateMetadata"]["Arn"]
    kept = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_certificate_by_arn(arn)
    assert kept is not None
    assert kept.private_key == issued.private_key_pem
    assert vars(kept)["uploaded_at"] == 1234.5
    assert "PRIVATE KEY" not in repr(kept)


@pytest.mark.parametrize("kind", ["rsa-2048", "ec-p256"])
@pytest.mark.parametrize("form", ["traditional", "pkcs8"])
def test_unencrypted_keys_of_every_form_are_taken(iam: Any, kind: KeyKind, form: KeyFormat) -> None:
    issued = leaf("a.example.com", kind=kind)
    upload(iam, issued, PrivateKey=key_pem(issued.key, form))
    assert iam.get_server_certificate(ServerCertificateName=NAME)


@pytest.mark.parametrize("with_root", [False, True], ids=["without the root", "with the root"])
def test_a_chain_in_order_is_taken(iam: Any, with_root: bool) -> None:
    _, _, _, issued = behind_two_intermediates()
    upload(iam, issued, CertificateChain=issued.full_chain_pem if with_root else issued.chain_pem)
    assert iam.get_server_certificate(ServerCertificateName=NAME)


@pytest.mark.parametrize(
    "issued", [self_signed("a.example.com"), self_signed("a.example.com", authority=False)]
)
def test_a_certificate_that_signed_itself_is_taken(iam: Any, issued: Issued) -> None:
    upload(iam, issued)
    assert iam.get_server_certificate(ServerCertificateName=NAME)


def test_a_chain_out_of_order_incomplete_foreign_repeated_or_wrapped_in_text_is_malformed(iam: Any) -> None:
    root, outer, inner, issued = behind_two_intermediates()
    chains = {
        "out of order": outer.certificate_pem + inner.certificate_pem,
        "a link is missing": inner.certificate_pem + root.certificate_pem,
        "of someone else": authority("Foreign").certificate_pem,
        "the leaf comes first": issued.certificate_pem + issued.chain_pem,
        "the leaf comes last": issued.full_chain_pem + issued.certificate_pem,
        "text before the first": "Subject: CN=Inner\n" + issued.chain_pem,
        "text in between": inner.certificate_pem + "Subject: CN=Outer\n" + outer.certificate_pem,
        "text behind": issued.chain_pem + "the end\n",
        "no certificate": "nothing here",
        "a block that is none": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    refusals = {why: refusal(upload, iam, issued, CertificateChain=chain) for why, chain in chains.items()}
    assert refusals == dict.fromkeys(chains, ("MalformedCertificate", 400))
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


@pytest.mark.parametrize(
    "issue",
    [
        lambda: leaf("a.example.com", not_before=datetime.now(UTC) + timedelta(minutes=1)),
        lambda: leaf("a.example.com", not_after=datetime.now(UTC) - timedelta(minutes=1)),
        lambda: leaf("a.example.com", kind="ed25519"),
    ],
    ids=["from in a minute on", "until a minute ago", "a kind of key that IAM does not take"],
)
def test_a_certificate_that_does_not_hold_now_is_malformed(iam: Any, issue: Callable[[], Issued]) -> None:
    # Issued here: a minute may pass between collecting the tests and running this one.
    issued = issue()
    assert refusal(upload, iam, issued) == ("MalformedCertificate", 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("CertificateBody", "nonsense"),
        ("CertificateBody", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        ("CertificateBody", leaf("a.example.com").certificate_pem + authority("Root").certificate_pem),
        ("CertificateBody", "Subject: CN=a\n" + leaf("a.example.com").certificate_pem),
        ("CertificateBody", key_pem(private_key("leaf"))),
        ("PrivateKey", "nonsense"),
        ("PrivateKey", leaf("a.example.com").certificate_pem),
        ("PrivateKey", key_pem(private_key("leaf"), "traditional", b"password")),
        ("PrivateKey", key_pem(private_key("leaf"), "pkcs8", b"password")),
    ],
)
def test_what_is_no_plain_pem_of_its_kind_is_malformed(iam: Any, field: str, value: str) -> None:
    assert refusal(upload, iam, **{field: value}) == ("MalformedCertificate", 400)


@pytest.mark.parametrize(
    "key", [private_key("another"), private_key("leaf", "ec-p256")], ids=["another", "another kind"]
)
def test_a_key_of_another_certificate_is_a_mismatch(iam: Any, key: Any) -> None:
    assert refusal(upload, iam, PrivateKey=key_pem(key)) == ("KeyPairMismatch", 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ServerCertificateName", "a b"),
        ("ServerCertificateName", "ä"),
        ("ServerCertificateName", "a/b"),
        ("ServerCertificateName", "a" * 129),
        ("Path", "no-slash"),
        ("Path", "/open-end"),
        ("Path", "open-begin/"),
        ("Path", "/a b/"),
        ("Path", "/" + "a" * 511 + "/"),
        ("CertificateBody", "a" * 16_385),
        ("PrivateKey", "a" * 16_385),
        ("CertificateChain", "a" * 2_097_153),
        ("CertificateBody", "snowman \N{SNOWMAN}"),
    ],
)
def test_a_value_out_of_its_pattern_is_a_validation_error(iam: Any, field: str, value: str) -> None:
    assert refusal(upload, iam, **{field: value}) == ("ValidationError", 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ServerCertificateName", "a" * 128),
        ("ServerCertificateName", "_+=,.@-"),
        ("Path", "/" + "a" * 510 + "/"),
    ],
)
def test_the_longest_and_the_oddest_name_and_path_are_taken(iam: Any, field: str, value: str) -> None:
    changes: dict[str, Any] = {field: value}
    assert upload(iam, **changes)["ServerCertificateMetadata"][field] == value


@pytest.mark.parametrize("again", [NAME, NAME.upper()], ids=["the same", "in another case"])
def test_a_name_is_taken_account_wide_whatever_the_path(iam: Any, again: str) -> None:
    upload(iam, Path="/one/")
    refused = refusal(upload, iam, leaf("b.example.com"), ServerCertificateName=again, Path="/two/")
    assert refused == ("EntityAlreadyExists", 409)


def test_no_message_shows_the_private_key(iam: Any) -> None:
    broken = leaf("a.example.com").private_key_pem.replace("-----END", "secret \N{SNOWMAN} -----END")
    with pytest.raises(ClientError) as caught:
        upload(iam, PrivateKey=broken)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert broken.splitlines()[1] not in str(caught.value.response)


def test_the_quota_is_twenty(iam: Any) -> None:
    for number in range(20):
        upload(iam, ServerCertificateName=f"number-{number}")
    assert refusal(upload, iam, ServerCertificateName="number-20") == ("LimitExceeded", 409)
    iam.delete_server_certificate(ServerCertificateName="number-7")
    assert upload(iam, ServerCertificateName="number-20")


def test_the_account_summary_counts_certificates_against_the_quota(iam: Any) -> None:
    set_quota(DEFAULT_ACCOUNT_ID, 1)
    upload(iam)
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["ServerCertificates"], summary["ServerCertificatesQuota"]) == (1, 1)
    assert refusal(upload, iam, ServerCertificateName="another") == ("LimitExceeded", 409)


def test_a_listing_is_filtered_by_path_and_shows_no_tags(iam: Any) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    upload(iam, ServerCertificateName="ours", Path="/emq-elb/demo/", Tags=tags)
    upload(iam, ServerCertificateName="theirs", Path="/emq/", Tags=tags)
    listed = iam.list_server_certificates(PathPrefix="/emq-elb/")["ServerCertificateMetadataList"]
    assert [metadata["ServerCertificateName"] for metadata in listed] == ["ours"]
    assert set(listed[0]) == {
        "ServerCertificateName",
        "ServerCertificateId",
        "Path",
        "Arn",
        "UploadDate",
        "Expiration",
    }


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_pages_show_every_certificate_once(iam: Any, size: int) -> None:
    names = [f"number-{number}" for number in range(5)]
    for name in names:
        upload(iam, ServerCertificateName=name)
    seen, pages, parameters = [], 0, {"MaxItems": size}
    while True:
        answer = iam.list_server_certificates(**parameters)
        page = answer["ServerCertificateMetadataList"]
        assert len(page) <= size
        seen += [metadata["ServerCertificateName"] for metadata in page]
        pages += 1
        assert ("Marker" in answer) == answer["IsTruncated"]
        if not answer["IsTruncated"]:
            break
        parameters["Marker"] = answer["Marker"]
    assert sorted(seen) == names
    assert pages == -(-5 // size)


def test_a_deletion_between_two_pages_skips_nothing(iam: Any) -> None:
    for name in ("a", "b", "c"):
        upload(iam, ServerCertificateName=name)
    first = iam.list_server_certificates(MaxItems=2)
    for metadata in first["ServerCertificateMetadataList"]:
        iam.delete_server_certificate(ServerCertificateName=metadata["ServerCertificateName"])
    rest = iam.list_server_certificates(Marker=first["Marker"])
    assert len(rest["ServerCertificateMetadataList"]) == 1


@pytest.mark.parametrize("parameters", [{"MaxItems": 1001}, {"PathPrefix": "emq"}, {"Marker": "?"}])
def test_a_listing_of_impossible_pages_is_a_validation_error(iam: Any, parameters: dict[str, Any]) -> None:
    assert refusal(iam.list_server_certificates, **parameters) == ("ValidationError", 400)


def test_an_update_moves_and_renames(iam: Any) -> None:
    before = upload(iam, Path="/one/")["ServerCertificateMetadata"]
    iam.update_server_certificate(
        ServerCertificateName=NAME, NewPath="/two/", NewServerCertificateName="another"
    )
    answer = iam.get_server_certificate(ServerCertificateName="another")["ServerCertificate"]
    after = answer["ServerCertificateMetadata"]
    assert after["Arn"] == f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:server-certificate/two/another"
    assert after["ServerCertificateId"] == before["ServerCertificateId"]
    assert refusal(iam.get_server_certificate, ServerCertificateName=NAME) == ("NoSuchEntity", 404)


def test_an_update_cannot_take_another_ones_name_but_may_change_its_own_case(iam: Any) -> None:
    upload(iam)
    upload(iam, ServerCertificateName="another")
    update = iam.update_server_certificate
    refused = refusal(update, ServerCertificateName=NAME, NewServerCertificateName="another")
    assert refused == ("EntityAlreadyExists", 409)
    update(ServerCertificateName="another", NewServerCertificateName="Another")
    assert iam.get_server_certificate(ServerCertificateName="Another")


def test_tags_are_added_replaced_removed_and_listed(iam: Any) -> None:
    upload(iam, Tags=[{"Key": "Kept", "Value": "1"}, {"Key": "changed", "Value": "1"}])
    iam.tag_server_certificate(
        ServerCertificateName=NAME,
        Tags=[{"Key": "Changed", "Value": "2"}, {"Key": "gone", "Value": "3"}],
    )
    iam.untag_server_certificate(ServerCertificateName=NAME, TagKeys=["gone", "never was"])
    listed = iam.list_server_certificate_tags(ServerCertificateName=NAME)
    assert listed["Tags"] == [{"Key": "Changed", "Value": "2"}, {"Key": "Kept", "Value": "1"}]
    assert listed["IsTruncated"] is False


def test_a_listing_of_tags_has_pages(iam: Any) -> None:
    upload(iam, Tags=[{"Key": key, "Value": ""} for key in "abc"])
    first = iam.list_server_certificate_tags(ServerCertificateName=NAME, MaxItems=2)
    rest = iam.list_server_certificate_tags(ServerCertificateName=NAME, Marker=first["Marker"])
    assert [tag["Key"] for tag in first["Tags"] + rest["Tags"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "aws:own", "Value": ""}], "InvalidInput"),
        ([{"Key": "twice", "Value": ""}, {"Key": "Twice", "Value": ""}], "InvalidInput"),
        ([{"Key": "k" * 129, "Value": ""}], "ValidationError"),
        ([{"Key": "k", "Value": "v" * 257}], "ValidationError"),
        ([{"Key": f"k{number}", "Value": ""} for number in range(51)], "ValidationError"),
    ],
    ids=["AWS's own", "twice", "long key", "long value", "fifty-one"],
)
def test_tags_that_aws_refuses_refuse_the_upload(iam: Any, tags: list[dict[str, str]], code: str) -> None:
    assert refusal(upload, iam, Tags=tags) == (code, 400)
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_fifty_tags_is_the_limit_of_one_certificate(iam: Any) -> None:
    upload(iam, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    more = refusal(iam.tag_server_certificate, ServerCertificateName=NAME, Tags=[{"Key": "k50", "Value": ""}])
    assert more == ("LimitExceeded", 409)
    iam.tag_server_certificate(ServerCertificateName=NAME, Tags=[{"Key": "k7", "Value": "changed"}])


def test_every_call_about_an_unknown_name_is_404(iam: Any) -> None:
    named = {"ServerCertificateName": "unknown"}
    calls: list[tuple[Any, dict[str, Any]]] = [
        (iam.get_server_certificate, {}),
        (iam.delete_server_certificate, {}),
        (iam.update_server_certificate, {"NewPath": "/a/"}),
        (iam.tag_server_certificate, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (iam.untag_server_certificate, {"TagKeys": ["a"]}),
        (iam.list_server_certificate_tags, {}),
    ]
    assert {refusal(call, **named, **more) for call, more in calls} == {("NoSuchEntity", 404)}


def test_a_deleted_certificate_is_gone_and_its_name_free(iam: Any) -> None:
    upload(iam)
    iam.delete_server_certificate(ServerCertificateName=NAME)
    assert refusal(iam.get_server_certificate, ServerCertificateName=NAME) == ("NoSuchEntity", 404)
    assert upload(iam)


def test_a_certificate_in_use_is_kept_until_the_listener_lets_go(iam: Any) -> None:
    elb = boto3.client("elb")
    arn = upload(iam)["ServerCertificateMetadata"]["Arn"]
    zone = boto3.client("ec2").describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    listener: Any = {
        "Protocol": "SSL",
        "LoadBalancerPort": 8883,
        "InstanceProtocol": "TCP",
        "InstancePort": 1883,
    }
    elb.create_load_balancer(
        LoadBalancerName="demo",
        Listeners=[listener | {"SSLCertificateId": arn}],
        AvailabilityZones=[zone],
    )
    delete = iam.delete_server_certificate
    assert refusal(delete, ServerCertificateName=NAME) == ("DeleteConflict", 409)
    assert iam.get_server_certificate(ServerCertificateName=NAME)
    elb.delete_load_balancer_listeners(LoadBalancerName="demo", LoadBalancerPorts=[8883])
    delete(ServerCertificateName=NAME)
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []
