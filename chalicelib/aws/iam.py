"""IAM's server certificates: one call each.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.secrecy import discreetly
from chalicelib.model.errors import Absent, Conflict, Denied, Duplicate
from chalicelib.model.load_balancer import Certificate
from chalicelib.model.names import CERTIFICATE_TAG
from chalicelib.x509.pem import Bundle, certificate_digest
from chalicelib.x509.read import read_leaf

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ServerCertificateMetadataTypeDef

_PAGE = 1000


def find_server_certificate(client: IAMClient, name: str) -> Certificate | None:
    """Read one server certificate by its name, which is unique in the account; None when there is none."""
    try:
        with translated("GetServerCertificate"):
            found = client.get_server_certificate(ServerCertificateName=name)["ServerCertificate"]
    except Absent:
        return None
    metadata = found["ServerCertificateMetadata"]
    leaf = read_leaf(found["CertificateBody"], found.get("CertificateChain", ""))
    if leaf is None:
        return _listed(metadata)
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    return replace(_listed(metadata), not_after=leaf.not_after, leaf=leaf, source=tags.get(CERTIFICATE_TAG))


def list_certificates(client: IAMClient, path_prefix: str) -> tuple[Certificate, ...]:
    """List the certificates under a path, a thousand a call, as far as a listing shows them.

    It shows name, path, expiry and upload, but no domains, serial number, digest or tags.
    """
    with translated("ListServerCertificates"):
        pages = client.get_paginator("list_server_certificates").paginate(
            PathPrefix=path_prefix, PaginationConfig={"PageSize": _PAGE}
        )
        return tuple(_listed(one) for page in pages for one in page["ServerCertificateMetadataList"])


def upload_certificate(
    client: IAMClient, bundle: Bundle, *, name: str, path: str, tags: Mapping[str, str]
) -> str:
    """Upload, and return the ARN.

    Where a certificate with the same name, path and content exists, return its ARN. Conflict when one of that
    name has another path or content.
    """
    try:
        return _upload(client, bundle, name, path, tags)
    except Duplicate:
        existing = find_server_certificate(client, name)
        if existing is None:
            raise
    if existing.path != path:
        raise Conflict(
            f"there is a server certificate {name} already, under {existing.path} and not {path}: names are"
            " unique in the account"
        )
    if existing.digest != certificate_digest(bundle.certificate, bundle.chain):
        raise Conflict(f"there is a server certificate {name} already, with another content")
    return existing.arn


def delete_certificate(client: IAMClient, name: str) -> bool:
    """Delete; False when there was none. NotYet while a listener uses it, and for some time after.

    A role that may delete under one path only gets AccessDenied for a name that is gone: it could have any
    path (https://github.com/cloud-gov/terraform-provision/pull/1716).
    """
    try:
        with translated("DeleteServerCertificate"):
            client.delete_server_certificate(ServerCertificateName=name)
    except Absent:
        return False
    except Denied:
        if any(one.name == name for one in list_certificates(client, "/")):
            raise
        return False
    return True


def account_quota(client: IAMClient) -> tuple[int, int]:
    """Return how many server certificates the account has, and how many it may have."""
    with translated("GetAccountSummary"):
        summary = client.get_account_summary()["SummaryMap"]
    return summary["ServerCertificates"], summary["ServerCertificatesQuota"]


def _upload(client: IAMClient, bundle: Bundle, name: str, path: str, tags: Mapping[str, str]) -> str:
    answer = discreetly(
        "UploadServerCertificate",
        (bundle.private_key, bundle.certificate, bundle.chain),
        lambda: client.upload_server_certificate(
            ServerCertificateName=name,
            Path=path,
            CertificateBody=bundle.certificate,
            PrivateKey=bundle.private_key,
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            # An empty chain is a value out of its bounds, not the lack of one.
            **({"CertificateChain": bundle.chain} if bundle.chain else {}),
        ),
    )
    return answer["ServerCertificateMetadata"]["Arn"]


def _listed(metadata: ServerCertificateMetadataTypeDef) -> Certificate:
    return Certificate(
        arn=metadata["Arn"],
        not_after=metadata["Expiration"],
        name=metadata["ServerCertificateName"],
        path=metadata["Path"],
        uploaded=metadata["UploadDate"],
    )
