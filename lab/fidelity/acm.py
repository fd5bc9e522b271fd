"""Corrections to moto's ACM: serial numbers, and listings as AWS filters and fills them."""

from __future__ import annotations

from typing import Any

from moto.acm.models import CertBundle
from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.responses import ActionResult

DEFAULT_KEY_TYPES = ["RSA_1024", "RSA_2048"]
MOST_NAMES = 100

_describe = CertBundle.describe
_list_certificates = AWSCertificateManagerResponse.list_certificates


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for name, correction in {"describe": _with_serial}.items():
        setattr(CertBundle, name, correction)
    for name, listing in {"list_certificates": _with_names}.items():
        setattr(AWSCertificateManagerResponse, name, listing)


def _with_serial(bundle: CertBundle) -> dict[str, Any]:
    """The serial number is hexadecimal, a colon between bytes; moto writes it in decimal.

    https://docs.aws.amazon.com/acm/latest/APIReference/API_DescribeCertificate.html
    """
    described = _describe(bundle)
    certificate = described["Certificate"]
    serial = int(certificate["Serial"])
    certificate["Serial"] = serial.to_bytes(max(1, (serial.bit_length() + 7) // 8), "big").hex(":")
    return described


def _with_names(response: AWSCertificateManagerResponse) -> ActionResult:
    """A listing shows up to 100 names, and only RSA keys up to 2048 bits unless others are asked for.

    https://docs.aws.amazon.com/acm/latest/APIReference/API_Filters.html
    https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateSummary.html
    """
    listed: Any = _list_certificates(response).result
    includes = response._get_param("Includes", {})  # noqa: SLF001 - moto parses no parameters ahead for ACM
    asked = includes.get("keyTypes", DEFAULT_KEY_TYPES)
    summaries = [one for one in listed["CertificateSummaryList"] if one["KeyAlgorithm"] in asked]
    for summary in summaries:
        names = summary["SubjectAlternativeNames"]
        summary["SubjectAlternativeNameSummaries"] = names[:MOST_NAMES]
        summary["HasAdditionalSubjectAlternativeNames"] = len(names) > MOST_NAMES
    return ActionResult({"CertificateSummaryList": summaries})
