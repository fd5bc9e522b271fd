"""What botocore raises, as errors of ours."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PaginationError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from chalicelib.aws.errors import translated
from chalicelib.model import errors

URL = "https://elasticloadbalancing.eu-central-1.amazonaws.com"


def client_error(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "CreateLoadBalancer")


@pytest.mark.parametrize(
    ("raised", "ours", "code"),
    [
        (client_error("DuplicateLoadBalancerName"), errors.Duplicate, "DuplicateLoadBalancerName"),
        (client_error("CertificateNotFound"), errors.NotYet, "CertificateNotFound"),
        (client_error("TooManyLoadBalancers"), errors.QuotaReached, "TooManyLoadBalancers"),
        (client_error("Throttling"), errors.Throttled, "Throttling"),
        (client_error("UnauthorizedOperation"), errors.Denied, "UnauthorizedOperation"),
        (client_error("AuthFailure"), errors.Denied, "AuthFailure"),
        (client_error("OptInRequired"), errors.Denied, "OptInRequired"),
        (client_error("InvalidClientTokenId"), errors.Denied, "InvalidClientTokenId"),
        (client_error("UnrecognizedClientException"), errors.Denied, "UnrecognizedClientException"),
        (client_error("InvalidSubnet"), errors.Refused, "InvalidSubnet"),
        (client_error("InternalFailure"), errors.Throttled, "InternalFailure"),
        (client_error("NeverHeardOf"), errors.AwsError, "NeverHeardOf"),
        (client_error("NeverHeardOf", 500), errors.Throttled, "NeverHeardOf"),
        (EndpointConnectionError(endpoint_url=URL), errors.Throttled, "EndpointConnectionError"),
        (ConnectTimeoutError(endpoint_url=URL), errors.Throttled, "ConnectTimeoutError"),
        (ReadTimeoutError(endpoint_url=URL), errors.Throttled, "ReadTimeoutError"),
        (ResponseParserError("<html>"), errors.Throttled, "ResponseParserError"),
        (PaginationError(message="the same next token twice"), errors.Throttled, "PaginationError"),
        (NoCredentialsError(), errors.Denied, "NoCredentials"),
        (ParamValidationError(report="hush"), errors.Refused, "ParamValidation"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value),
)
def test_whatever_botocore_raises_has_a_class_of_ours(
    raised: Exception, ours: type[errors.AwsError], code: str
) -> None:
    with pytest.raises(errors.AwsError) as caught, translated("CreateLoadBalancer"):
        raise raised
    assert type(caught.value) is ours
    assert (caught.value.operation, caught.value.code) == ("CreateLoadBalancer", code)


def test_a_value_that_botocore_refuses_is_not_repeated() -> None:
    with pytest.raises(errors.Refused) as caught, translated("CreateLoadBalancer"):
        raise ParamValidationError(report="Invalid type for parameter PrivateKey, value: hush")
    assert "hush" not in str(caught.value)


def test_what_is_no_error_of_botocores_passes_through() -> None:
    with pytest.raises(ValueError, match="ours"), translated("CreateLoadBalancer"):
        raise ValueError("ours")
