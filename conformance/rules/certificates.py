"""Server certificates in IAM."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import PrivateFormat

from conformance import pki
from conformance.account import CERTIFICATES, Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import CERTIFICATE, OTHER_CERTIFICATE, certificate_request, upload_for_the_rule
from conformance.rule import question, rule

MALFORMED = "MalformedCertificate"


@rule(code="model/names", corrects=("iam", "iam_parameters"))
def names_of_certificates(aws: Account) -> None:
    """A server certificate's name is of letters, digits and _+=,.@-, up to 128 of them; its path has up to
    512 characters and begins and ends with a slash.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
    """
    call, bundle = aws.client("iam").upload_server_certificate, pki.leaf("P-256")
    for name in ("a" * 129, "white space", "slash/slash"):
        refused(call, "ValidationError", **certificate_request(aws, bundle, ServerCertificateName=name))
    for path in (f"/{'p' * 512}/", "no-slash", "/none-at-the-end"):
        refused(call, "ValidationError", **certificate_request(aws, bundle, Path=path))


@rule(CERTIFICATE, code="certificates/upload", corrects="iam")
def a_certificates_name_is_taken_once(aws: Account) -> str:
    """A name is taken once in an account, whatever the path: EntityAlreadyExists.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
    https://github.com/Netflix/lemur/issues/3907
    """
    iam, name = aws.client("iam"), aws.need(CERTIFICATE).name
    path = f"{CERTIFICATES}{aws.run.name}/other/"
    request = certificate_request(aws, pki.leaf("P-256"), ServerCertificateName=name, Path=path)
    return refused(iam.upload_server_certificate, "EntityAlreadyExists", **request)


@question(CERTIFICATE, code="certificates/upload", corrects="iam")
def the_same_name_in_capitals(aws: Account) -> str:
    """Whether names that differ in case collide is documented for users, groups and roles only.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    iam, name = aws.client("iam"), aws.need(CERTIFICATE).name.upper()
    aws.defer(iam.delete_server_certificate, ServerCertificateName=name)
    request = certificate_request(aws, pki.leaf("P-256"), ServerCertificateName=name)
    return outcome(iam.upload_server_certificate, **request)


@rule(code="aws/iam", corrects="iam")
def the_quota_of_certificates_can_be_read(aws: Account) -> str:
    """GetAccountSummary has the quota of server certificates (20 by default, up to 1,000) and their number.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
    """
    summary = aws.client("iam").get_account_summary()["SummaryMap"]
    hold("ServerCertificates" in summary, f"it names {', '.join(sorted(summary))}")
    return f"ServerCertificatesQuota {summary['ServerCertificatesQuota']}"


@rule(code=("x509/preflight", "x509/pem_faults"), corrects="server_certificate")
def a_certificate_is_pem_and_fits_its_key(aws: Account) -> None:
    """What is no PEM is MalformedCertificate, an encrypted key too; a key of another certificate is
    KeyPairMismatch.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
    """
    call, bundle, other = aws.client("iam").upload_server_certificate, pki.leaf(), pki.leaf()
    refused(call, MALFORMED, **certificate_request(aws, bundle, CertificateBody="no PEM"))
    refused(call, MALFORMED, **certificate_request(aws, bundle, PrivateKey="no PEM"))
    refused(call, MALFORMED, **certificate_request(aws, bundle, PrivateKey=bundle.encrypted_key_pem()))
    refused(call, "KeyPairMismatch", **certificate_request(aws, bundle, PrivateKey=other.key_pem()))


@rule(code="x509/preflight", corrects="server_certificate")
def a_certificate_is_valid_now(aws: Account) -> None:
    """A certificate must be valid now: a notBefore that is ahead is MalformedCertificate, and so is an
    expired one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
    https://github.com/aws/aws-sdk-go/issues/2586
    """
    call = aws.client("iam").upload_server_certificate
    ahead = pki.leaf("P-256", begins=timedelta(minutes=5))
    refused(call, MALFORMED, **certificate_request(aws, ahead))
    over = pki.leaf("P-256", begins=timedelta(days=-2), ends=timedelta(days=-1))
    refused(call, MALFORMED, **certificate_request(aws, over))


@rule(code=("x509/preflight", "x509/pem"), corrects="server_certificate")
def a_chain_begins_with_the_issuer(aws: Account) -> None:
    """The chain has the issuer first, each certifying the one before, and not the certificate itself.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
    """
    call, bundle = aws.client("iam").upload_server_certificate, pki.leaf("P-256")
    intermediate, root = map(pki.pem, bundle.chain)
    for chain in (root + intermediate, bundle.body + intermediate + root, root):
        refused(call, MALFORMED, **certificate_request(aws, bundle, CertificateChain=chain))


@rule(code="x509/pem", corrects="server_certificate")
def text_before_a_chain_is_refused(aws: Account) -> str:
    """Text before a BEGIN line gives an error about the chain.

    https://github.com/aws/aws-cli/issues/715
    """
    call, bundle = aws.client("iam").upload_server_certificate, pki.leaf("P-256")
    request = certificate_request(aws, bundle, CertificateChain=f"subject=issuer\n{bundle.chain_pem}")
    return refused(call, MALFORMED, **request)


@rule(code="x509/pem", corrects="server_certificate")
def forms_of_keys(aws: Account) -> None:
    """PKCS#1 and SEC1 keys are taken.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
    """
    for kind in ("RSA-2048", "P-256"):
        upload_for_the_rule(aws, pki.leaf("RSA-2048" if kind == "RSA-2048" else "P-256"))


@question(code="x509/pem", corrects="server_certificate")
def a_pkcs8_key(aws: Account) -> str:
    """No page says whether IAM takes an unencrypted PKCS#8 key.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
    """
    iam, bundle = aws.client("iam"), pki.leaf()
    name = aws.name("crt")
    aws.defer(iam.delete_server_certificate, ServerCertificateName=name)
    key = bundle.key_pem(PrivateFormat.PKCS8)
    request = certificate_request(aws, bundle, ServerCertificateName=name, PrivateKey=key)
    return outcome(iam.upload_server_certificate, **request)


@rule(code="api/body", corrects="iam_parameters")
def certificates_have_a_size(aws: Account) -> None:
    """A certificate and a key have at most 16,384 characters.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
    """
    call, bundle = aws.client("iam").upload_server_certificate, pki.leaf("P-256")
    padding = "\n" * 16_384
    for field, text in (("CertificateBody", bundle.body), ("PrivateKey", bundle.key_pem())):
        refused(call, "ValidationError", **certificate_request(aws, bundle, **{field: text + padding}))


@rule(CERTIFICATE, code="aws/iam", corrects="iam")
def a_key_is_never_read_back(aws: Account) -> None:
    """GetServerCertificate answers certificate, chain and tags, and never the private key.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetServerCertificate.html
    """
    uploaded = aws.need(CERTIFICATE)
    answer = aws.client("iam").get_server_certificate(ServerCertificateName=uploaded.name)[
        "ServerCertificate"
    ]
    same(answer["CertificateBody"].strip(), uploaded.bundle.body.strip(), "the certificate")
    same(answer["CertificateChain"].strip(), uploaded.bundle.chain_pem.strip(), "the chain")
    hold("PRIVATE" not in str(answer), "the answer holds a private key")


@rule(CERTIFICATE, OTHER_CERTIFICATE, code="aws/iam", corrects=("iam", "iam_parameters"))
def certificates_are_listed_by_path_and_page(aws: Account) -> None:
    """ListServerCertificates has a path prefix, 1 to 1000 a page, and metadata with the expiration and no
    tags; a new certificate is there at once.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServerCertificates.html
    """
    call, prefix = aws.client("iam").list_server_certificates, f"{CERTIFICATES}{aws.run.name}/"
    seen: dict[str, Any] = {}
    new = upload_for_the_rule(aws, pki.leaf("P-256"))
    answer = call(PathPrefix=prefix, MaxItems=1)
    hold(
        answer["IsTruncated"] and len(answer["ServerCertificateMetadataList"]) == 1,
        "the first page is not one",
    )
    while True:
        seen |= {one["ServerCertificateName"]: one for one in answer["ServerCertificateMetadataList"]}
        if not answer["IsTruncated"]:
            break
        answer = call(PathPrefix=prefix, MaxItems=1, Marker=answer["Marker"])
    wanted = {aws.need(CERTIFICATE).name, aws.need(OTHER_CERTIFICATE).name, new.name}
    hold(seen.keys() >= wanted, f"the pages together leave out {wanted - seen.keys()}")
    found = seen[new.name]
    fields = {"ServerCertificateName", "ServerCertificateId", "Path", "Arn", "UploadDate", "Expiration"}
    same(set(found), fields, "the metadata")
    same(found["Expiration"], new.bundle.certificate.not_valid_after_utc, "the expiration")
    for size in (0, 1001):
        refused(call, "ValidationError", MaxItems=size)


@rule(code="aws/errors", corrects="iam")
def a_certificate_that_is_not_there(aws: Account) -> None:
    """A certificate that does not exist is NoSuchEntity.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    """
    iam, name = aws.client("iam"), {"ServerCertificateName": aws.name("none")}
    refused(iam.get_server_certificate, "NoSuchEntity", **name)
    refused(iam.delete_server_certificate, "NoSuchEntity", **name)


@rule(code="aws/errors", corrects="iam")
def no_tag_of_a_certificate_begins_with_aws(aws: Account) -> str:
    """A tag whose key begins with aws: is InvalidInput.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    tags = [*aws.tags, {"Key": "aws:conform", "Value": ""}]
    call = aws.client("iam").upload_server_certificate
    return refused(call, "InvalidInput", **certificate_request(aws, pki.leaf("P-256"), Tags=tags))
