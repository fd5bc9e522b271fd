from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.aws.acm import describe_certificate, find_acm_certificate
from chalicelib.model.errors import Absent, Fault, InvalidRequest
from chalicelib.model.load_balancer import LoadBalancerType
from tests.world.certificates import authority, leaf

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient

ARN = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
ISSUED = {
    "CertificateArn": ARN,
    "DomainName": "mqtt.example.com",
    "SubjectAlternativeNames": ["mqtt.example.com", "*.example.org"],
    "Serial": "07:71:71:f4",
    "Status": "ISSUED",
    "KeyAlgorithm": "RSA-2048",
    "NotBefore": BEGIN,
    "NotAfter": END,
}


@pytest.fixture
def stubbed() -> Iterator[tuple[ACMClient, Stubber]]:
    client = boto3.client("acm")
    with Stubber(client) as stubber:
        yield client, stubber


def faults(
    stubbed: tuple[ACMClient, Stubber], type_: LoadBalancerType = "classic", **different: Any
) -> tuple[Fault, ...]:
    client, stubber = stubbed
    detail = {key: value for key, value in {**ISSUED, **different}.items() if value is not None}
    stubber.add_response("describe_certificate", {"Certificate": detail})
    with pytest.raises(InvalidRequest) as raised:
        describe_certificate(client, ARN, type_)
    return raised.value.faults


def test_an_issued_certificate_is_described_by_one_call(stubbed: tuple[ACMClient, Stubber]) -> None:
    client, stubber = stubbed
    stubber.add_response("describe_certificate", {"Certificate": ISSUED}, {"CertificateArn": ARN})
    found = describe_certificate(client, ARN, "classic")
    assert (found.arn, found.name, found.path, found.digest) == (ARN, None, None, None)
    assert (found.not_before, found.not_after) == (BEGIN, END)
    assert found.domains == ("mqtt.example.com", "*.example.org")
    assert found.serial == "077171F4"


@pytest.mark.parametrize("status", ["PENDING_VALIDATION", "EXPIRED", "REVOKED", "FAILED", "INACTIVE"])
def test_one_that_is_not_issued_cannot_be_used(stubbed: tuple[ACMClient, Stubber], status: str) -> None:
    (fault,) = faults(stubbed, Status=status, NotBefore=None, NotAfter=None)
    assert fault.field == "certificate.arn"
    assert status in fault.message


@pytest.mark.parametrize(
    ("type_", "algorithm"),
    [
        ("classic", "RSA_4096"),
        ("classic", "EC_prime256v1"),
        ("classic", "EC_secp384r1"),
        ("network", "RSA_4096"),
    ],
)
def test_a_key_that_a_load_balancer_of_that_type_does_not_take_from_acm_is_a_fault(
    stubbed: tuple[ACMClient, Stubber], type_: LoadBalancerType, algorithm: str
) -> None:
    (fault,) = faults(stubbed, type_, KeyAlgorithm=algorithm)
    assert algorithm in fault.message
    assert f"a {type_} load balancer" in fault.message


@pytest.mark.parametrize("algorithm", ["RSA_3072", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"])
def test_a_network_load_balancer_takes_ecdsa_keys_from_acm(
    stubbed: tuple[ACMClient, Stubber], algorithm: str
) -> None:
    client, stubber = stubbed
    stubber.add_response("describe_certificate", {"Certificate": {**ISSUED, "KeyAlgorithm": algorithm}})
    assert describe_certificate(client, ARN, "network").arn == ARN


@pytest.mark.parametrize("status", ["ISSUED", "EXPIRED", "REVOKED", "INACTIVE"])
def test_one_that_is_served_is_found_whatever_became_of_it(
    stubbed: tuple[ACMClient, Stubber], status: str
) -> None:
    client, stubber = stubbed
    detail = {**ISSUED, "Status": status, "KeyAlgorithm": "RSA_4096"}
    stubber.add_response("describe_certificate", {"Certificate": detail})
    found = find_acm_certificate(client, ARN)
    assert found is not None
    assert (found.arn, found.not_after) == (ARN, END)


def test_one_that_was_never_issued_or_is_gone_is_not_found(stubbed: tuple[ACMClient, Stubber]) -> None:
    client, stubber = stubbed
    pending = {"CertificateArn": ARN, "DomainName": "mqtt.example.com", "Status": "PENDING_VALIDATION"}
    stubber.add_response("describe_certificate", {"Certificate": pending})
    assert find_acm_certificate(client, ARN) is None
    stubber.add_client_error("describe_certificate", "ResourceNotFoundException", "not found")
    assert find_acm_certificate(client, ARN) is None


def test_one_that_is_not_there_is_absent(stubbed: tuple[ACMClient, Stubber]) -> None:
    client, stubber = stubbed
    stubber.add_client_error("describe_certificate", "ResourceNotFoundException", "not found")
    with pytest.raises(Absent):
        describe_certificate(client, ARN, "classic")


@pytest.mark.usefixtures("aws")
def test_an_imported_certificate_is_read_from_the_corrected_moto() -> None:
    client = boto3.client("acm")
    device = leaf("mqtt.example.com", signed_by=authority("Root"))
    arn = client.import_certificate(
        Certificate=device.certificate_pem.encode(),
        PrivateKey=device.private_key_pem.encode(),
        CertificateChain=device.root_pem.encode(),
    )["CertificateArn"]
    found = describe_certificate(client, arn, "network")
    assert found.not_after == device.certificate.not_valid_after_utc
    assert "mqtt.example.com" in found.domains
