"""ACM shows imported certificates as AWS's pages say, through boto3."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from tests.world.certificates import Issued, KeyKind, authority, leaf

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def acm() -> Any:
    return boto3.client("acm")


def import_certificate(acm: Any, issued: Issued) -> str:
    return str(
        acm.import_certificate(
            Certificate=issued.certificate_pem.encode(), PrivateKey=issued.private_key_pem.encode()
        )["CertificateArn"]
    )


def test_an_imported_certificate_shows_its_end_its_names_and_its_serial_in_hexadecimal(acm: Any) -> None:
    issued = leaf("mqtt.example.com", "*.example.com", signed_by=authority("Root"))
    arn = import_certificate(acm, issued)
    described = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert described["NotAfter"] == issued.certificate.not_valid_after_utc
    assert described["SubjectAlternativeNames"] == ["mqtt.example.com", "*.example.com"]
    assert (described["Type"], described["Status"]) == ("IMPORTED", "ISSUED")
    pairs = described["Serial"].split(":")
    assert {len(pair) for pair in pairs} == {2}
    assert int("".join(pairs), 16) == issued.certificate.serial_number


def test_a_listing_shows_end_and_names(acm: Any) -> None:
    issued = leaf("mqtt.example.com", "*.example.com", signed_by=authority("Root"))
    arn = import_certificate(acm, issued)
    (summary,) = acm.list_certificates()["CertificateSummaryList"]
    assert summary["CertificateArn"] == arn
    assert summary["NotAfter"] == issued.certificate.not_valid_after_utc
    assert summary["SubjectAlternativeNameSummaries"] == ["mqtt.example.com", "*.example.com"]
    assert summary["HasAdditionalSubjectAlternativeNames"] is False


def test_a_listing_shows_a_hundred_names_at_most(acm: Any) -> None:
    import_certificate(acm, leaf(*(f"n{number}.example.com" for number in range(101))))
    (summary,) = acm.list_certificates()["CertificateSummaryList"]
    assert len(summary["SubjectAlternativeNameSummaries"]) == 100
    assert summary["HasAdditionalSubjectAlternativeNames"] is True


@pytest.mark.parametrize(("kind", "key_type"), [("rsa-4096", "RSA_4096"), ("ec-p256", "EC_prime256v1")])
def test_a_listing_leaves_out_other_keys_unless_they_are_asked_for(
    acm: Any, kind: KeyKind, key_type: str
) -> None:
    arn = import_certificate(acm, leaf("mqtt.example.com", kind=kind))
    assert acm.list_certificates()["CertificateSummaryList"] == []
    (summary,) = acm.list_certificates(Includes={"keyTypes": [key_type]})["CertificateSummaryList"]
    assert summary["CertificateArn"] == arn
