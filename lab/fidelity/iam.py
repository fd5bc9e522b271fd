"""Corrections to moto's IAM: server certificates that are checked, counted, listed and held as AWS does.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html and the
operations' own pages under https://docs.aws.amazon.com/IAM/latest/APIReference/. Errors and their HTTP
statuses are those of the service model; ValidationError (400) is IAM's for a value out of its pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import IAMException
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.responses import IamResponse

from lab.fidelity import elb, elbv2
from lab.fidelity.iam_parameters import (
    LONGEST_CHAIN,
    LONGEST_PATH,
    LONGEST_PEM,
    NAME,
    PATH,
    PATH_PREFIX,
    named,
    page,
    pem,
)
from lab.fidelity.server_certificate import ServerCertificate, check

MOST_TAGS = 50


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for operation in OPERATIONS:
        setattr(IamResponse, operation.__name__, operation)


def set_quota(account_id: str, server_certificates: int) -> None:
    """Set the account's quota of server certificates (20 until then, and after moto's reset).

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    summary = iam_backends[account_id]["aws"].account_summary
    summary._server_certificates_quota = server_certificates  # noqa: SLF001 - GetAccountSummary reads it there


def upload_server_certificate(response: IamResponse) -> ActionResult:
    """Take a certificate that holds now, under a name that is free, within the quota.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
    """
    backend = response.backend
    name = named(response, "ServerCertificateName", NAME)
    path = named(response, "Path", PATH, LONGEST_PATH) if response.params.get("Path") else "/"
    body = pem(response, "CertificateBody", LONGEST_PEM)
    private_key = pem(response, "PrivateKey", LONGEST_PEM)
    chain = response.params.get("CertificateChain") and pem(response, "CertificateChain", LONGEST_CHAIN)
    tags = _tags(backend, response.params.get("Tags", []))
    certificate = check(body, private_key, chain, datetime.now(UTC))
    _refuse_taken(backend, name)
    quota = backend.account_summary.summary_map["ServerCertificatesQuota"]
    if len(backend.certificates) >= quota:
        raise IAMException("LimitExceeded", f"Cannot exceed quota for ServerCertificatesPerAccount: {quota}")
    kept = ServerCertificate(
        account_id=backend.account_id,
        region_name=backend.region_name,
        name=name,
        path=path,
        body=body,
        private_key=private_key,
        chain=chain,
        expiration=certificate.not_valid_after_utc,
        tags=tags,
    )
    backend.certificates[kept.server_certificate_id] = kept
    return ActionResult({"ServerCertificateMetadata": kept.metadata, "Tags": list(kept.tags.values())})


def get_server_certificate(response: IamResponse) -> ActionResult:
    """Show a certificate with its chain and tags, and never its key.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetServerCertificate.html
    """
    kept = _existing(response)
    answer = {
        "ServerCertificateMetadata": kept.metadata,
        "CertificateBody": kept.cert_body,
        "Tags": list(kept.tags.values()),
    }
    if kept.cert_chain:
        answer["CertificateChain"] = kept.cert_chain
    return ActionResult({"ServerCertificate": answer})


def list_server_certificates(response: IamResponse) -> ActionResult:
    """Show the metadata of certificates under a path, by name, page by page.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServerCertificates.html
    """
    prefix = "/"
    if response.params.get("PathPrefix"):
        prefix = named(response, "PathPrefix", PATH_PREFIX, LONGEST_PATH)
    under = {kept.cert_name: kept for kept in _all(response.backend) if kept.path.startswith(prefix)}
    names, paging = page(response, sorted(under))
    metadata = [under[name].metadata for name in names]
    return ActionResult({"ServerCertificateMetadataList": metadata, **paging})


def update_server_certificate(response: IamResponse) -> ActionResult:
    """Move a certificate to another path or name; its id stays, its ARN does not.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateServerCertificate.html
    """
    kept = _existing(response)
    path, name = kept.path, kept.cert_name
    if response.params.get("NewPath"):
        path = named(response, "NewPath", PATH, LONGEST_PATH)
    if response.params.get("NewServerCertificateName"):
        name = named(response, "NewServerCertificateName", NAME)
        if name.lower() != kept.cert_name.lower():
            _refuse_taken(response.backend, name)
    kept.path, kept.cert_name = path, name
    return EmptyResult()


def delete_server_certificate(response: IamResponse) -> ActionResult:
    """Delete a certificate that no load balancer uses.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    """
    kept = _existing(response)
    account = response.backend.account_id
    if elb.certificate_in_use(account, kept.arn) or elbv2.certificate_in_use(account, kept.arn):
        raise IAMException(
            "DeleteConflict",
            f"Certificate: {kept.server_certificate_id} is currently in use by a load balancer."
            " Please remove it first before deleting it from IAM.",
        )
    del response.backend.certificates[kept.server_certificate_id]
    return EmptyResult()


def tag_server_certificate(response: IamResponse) -> ActionResult:
    """Add tags to a certificate, or give those that it has another value.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagServerCertificate.html
    """
    kept = _existing(response)
    tags = kept.tags | _tags(response.backend, response.params.get("Tags", []))
    if len(tags) > MOST_TAGS:
        raise IAMException("LimitExceeded", f"Cannot exceed quota for TagsPerServerCertificate: {MOST_TAGS}")
    kept.tags = tags
    return EmptyResult()


def untag_server_certificate(response: IamResponse) -> ActionResult:
    """Remove tags from a certificate; a key that it does not have is no error.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagServerCertificate.html
    """
    kept = _existing(response)
    unwanted = {key.lower() for key in response.params.get("TagKeys", [])}
    kept.tags = {key: tag for key, tag in kept.tags.items() if key not in unwanted}
    return EmptyResult()


def list_server_certificate_tags(response: IamResponse) -> ActionResult:
    """Show the tags of a certificate, by key, page by page.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServerCertificateTags.html
    """
    kept = _existing(response)
    keys, paging = page(response, sorted(kept.tags))
    return ActionResult({"Tags": [kept.tags[key] for key in keys], **paging})


OPERATIONS: Sequence[Callable[[IamResponse], ActionResult]] = (
    upload_server_certificate,
    get_server_certificate,
    list_server_certificates,
    update_server_certificate,
    delete_server_certificate,
    tag_server_certificate,
    untag_server_certificate,
    list_server_certificate_tags,
)


def _all(backend: IAMBackend) -> list[ServerCertificate]:
    return [kept for kept in backend.certificates.values() if isinstance(kept, ServerCertificate)]


def _existing(response: IamResponse) -> ServerCertificate:
    name = named(response, "ServerCertificateName", NAME)
    for kept in _all(response.backend):
        if kept.cert_name == name:
            return kept
    raise IAMException("NoSuchEntity", f"The Server Certificate with name {name} cannot be found.")


def _refuse_taken(backend: IAMBackend, name: str) -> None:
    # Account-wide, whatever the path (https://github.com/Netflix/lemur/issues/3907). That names differing
    # only in case collide is documented for users, groups and roles: taken as the stricter reading.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names
    if name.lower() in {kept.cert_name.lower() for kept in _all(backend)}:
        raise IAMException("EntityAlreadyExists", f"The Server Certificate with name {name} already exists.")


def _tags(backend: IAMBackend, tags: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return the tags by lower-case key: keys are case-insensitive and keep their case.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        raise IAMException("InvalidInput", "System tags cannot be added/updated by requester.")
    return backend._tag_verification(tags)  # noqa: SLF001 - moto's own check, the one of users and roles
