from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber
from cryptography import x509

from chalicelib.aws import iam, secrets
from chalicelib.issuers.private_ca import (
    as_secret,
    certificate_as_secret,
    create_authority,
    issue_leaf,
    load_authority,
)
from chalicelib.model.errors import Conflict, Denied, Duplicate
from chalicelib.x509.pem import Authority, Bundle, GivenPem
from chalicelib.x509.read import checked, read_pem
from lab.machine.tls import trusting
from tests.world import certificates
from tests.world.certificates import key_pem, leaf, private_key
from tests.world.servers import server_context

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

NOW = datetime.now(UTC)
SECRET = "test/private-ca"
DOMAINS = ("mqtt.example.com", "*.eu-central-1.elb.amazonaws.com", "127.0.0.1")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return create_authority("test-dev", now=NOW)


@pytest.fixture(scope="module")
def bundle(authority: Authority) -> Bundle:
    return issue_leaf(authority, DOMAINS, now=NOW)


@pytest.fixture
def client(aws: None) -> SecretsManagerClient:  # noqa: ARG001 - moto has to be there before the client
    return boto3.client("secretsmanager")


def parsed(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text.encode())


def is_critical(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    return certificate.extensions.get_extension_for_class(kind).critical


def test_the_authority_may_sign_leaves_and_nothing_else(authority: Authority) -> None:
    certificate = parsed(authority.certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.value.ca, constraints.value.path_length, constraints.critical) == (True, 0, True)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    assert certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert "test-dev" in certificate.subject.rfc4514_string()
    assert certificate.not_valid_after_utc > NOW + timedelta(days=3649)
    facts, _ = read_pem(authority.certificate, authority.private_key, "")
    assert (facts.pool[0].key.kind, facts.pool[0].key.bits, facts.pool[0].self_signed) == ("rsa", 3072, True)


def test_a_deployment_with_a_long_name_gets_an_authority_too() -> None:
    long = create_authority("a" * 100, now=NOW)
    assert "a" * 64 in parsed(long.certificate).subject.rfc4514_string()


def test_a_leaf_holds_its_names_in_the_san_only(bundle: Bundle) -> None:
    certificate = parsed(bundle.certificate)
    assert len(list(certificate.subject)) == 0
    assert is_critical(certificate, x509.SubjectAlternativeName)
    facts, again = read_pem(bundle.certificate, bundle.private_key, bundle.chain)
    assert again == bundle
    assert facts.pool[0].domains == DOMAINS
    assert (facts.pool[0].key.kind, facts.pool[0].key.bits) == ("rsa", 2048)
    assert facts.pool[0].for_servers
    assert bundle.chain == ""


def test_a_leaf_passes_the_same_examination_as_everyones(bundle: Bundle) -> None:
    given = GivenPem(bundle.certificate, bundle.private_key, bundle.chain)
    again, warnings = checked(given, now=NOW, hostnames=["mqtt.example.com", "127.0.0.1"])
    assert again == bundle
    assert warnings == ()


def test_a_leaf_names_the_key_that_signed_it(authority: Authority, bundle: Bundle) -> None:
    issuer, certificate = parsed(authority.certificate), parsed(bundle.certificate)
    certificate.verify_directly_issued_by(issuer)
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == own
    assert certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest != own


def test_serial_numbers_do_not_repeat_and_fit_in_twenty_bytes(authority: Authority) -> None:
    serials = {
        parsed(issue_leaf(authority, ["a.example.com"], now=NOW).certificate).serial_number for _ in range(3)
    }
    assert len(serials) == 3
    assert all(0 < serial < 2**159 for serial in serials)


def test_a_leaf_is_valid_now_for_ninety_days_and_by_a_clock_that_is_a_little_behind(
    authority: Authority,
) -> None:
    later = NOW + timedelta(days=100)
    certificate = parsed(issue_leaf(authority, ["a.example.com"], now=later).certificate)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    assert later - timedelta(hours=2) < begin <= later - timedelta(minutes=59)
    assert end - begin == timedelta(days=90)


def test_a_leaf_is_never_valid_when_its_authority_is_not(authority: Authority) -> None:
    issuer = parsed(authority.certificate)
    first = parsed(issue_leaf(authority, ["a.example.com"], now=issuer.not_valid_before_utc).certificate)
    assert first.not_valid_before_utc == issuer.not_valid_before_utc
    last_day = issuer.not_valid_after_utc - timedelta(days=1)
    last = parsed(issue_leaf(authority, ["a.example.com"], now=last_day).certificate)
    assert last.not_valid_after_utc == issuer.not_valid_after_utc


@pytest.mark.parametrize("days", [-1, 3651])
def test_an_authority_that_is_not_valid_signs_nothing(authority: Authority, days: int) -> None:
    with pytest.raises(Conflict, match="the private CA is valid from"):
        issue_leaf(authority, ["a.example.com"], now=NOW + timedelta(days=days))


def shaken_hands(tmp_path: Path, authority: Authority, bundle: Bundle, hostname: str) -> str | None:
    """Shake hands over a socket pair; return the server's TLS version, or the client's complaint."""
    (tmp_path / "leaf.pem").write_text(bundle.certificate + bundle.chain)
    (tmp_path / "leaf.key").write_text(bundle.private_key)
    server = server_context(tmp_path / "leaf.pem", tmp_path / "leaf.key")
    client = trusting(authority.certificate)
    # Python 3.13's default, so that what is issued today still verifies there.
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    near, far = socket.socketpair()
    near.settimeout(10)
    far.settimeout(10)

    def serve() -> None:
        try:
            server.wrap_socket(far, server_side=True).close()
        except (ssl.SSLError, OSError):
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=hostname) as wrapped:
            return wrapped.version()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        near.close()
        thread.join(10)


@pytest.mark.parametrize(
    "hostname", ["mqtt.example.com", "demo-1.eu-central-1.elb.amazonaws.com", "127.0.0.1"]
)
def test_a_client_that_trusts_the_authority_accepts_a_leaf_for_its_names(
    tmp_path: Path, authority: Authority, bundle: Bundle, hostname: str
) -> None:
    assert shaken_hands(tmp_path, authority, bundle, hostname) == "TLSv1.2"


def test_a_client_refuses_a_leaf_for_another_name_or_of_another_authority(
    tmp_path: Path, authority: Authority, bundle: Bundle
) -> None:
    assert "mismatch" in str(shaken_hands(tmp_path, authority, bundle, "other.example.com"))
    stranger = create_authority("test-dev", now=NOW)
    assert "TLS" not in str(shaken_hands(tmp_path, stranger, bundle, "mqtt.example.com"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_verifies_a_leaf_by_its_strictest_rules(
    tmp_path: Path, authority: Authority, bundle: Bundle
) -> None:
    (tmp_path / "ca.pem").write_text(authority.certificate)
    (tmp_path / "leaf.pem").write_text(bundle.certificate)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname"]
    command += ["mqtt.example.com", "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - our own words
    assert done.stdout.strip().endswith("leaf.pem: OK"), done.stdout + done.stderr


@pytest.mark.usefixtures("aws")
def test_iam_takes_a_leaf(bundle: Bundle) -> None:
    client = boto3.client("iam")
    assert iam.upload_certificate(client, bundle, name="leaf", path="/emq-elb/", tags={})
    found = iam.find_server_certificate(client, "leaf")
    assert found is not None
    assert found.domains == DOMAINS


def keep(client: SecretsManagerClient, authority: Authority) -> None:
    """What `apply` does with it."""
    new = as_secret(authority)
    secrets.create_secret(client, SECRET, new.value, tags={}, description=new.description)


def test_the_authority_is_kept_and_read_again(client: SecretsManagerClient, authority: Authority) -> None:
    assert load_authority(client, SECRET) is None
    keep(client, authority)
    assert load_authority(client, SECRET) == authority


def test_no_key_stands_in_the_secret_of_the_certificate(authority: Authority) -> None:
    given = Authority(authority.certificate + authority.private_key, authority.private_key)
    assert certificate_as_secret(given).value == {"certificate": authority.certificate}


def test_of_two_authorities_made_at_once_the_first_is_kept(
    client: SecretsManagerClient, authority: Authority
) -> None:
    keep(client, authority)
    with pytest.raises(Duplicate):
        keep(client, create_authority("test-dev", now=NOW))
    assert load_authority(client, SECRET) == authority


def test_an_authority_is_not_stored_over_one_that_is_being_deleted(authority: Authority) -> None:
    client = boto3.client("secretsmanager")
    with Stubber(client) as stubber:
        stubber.add_client_error("create_secret", "InvalidRequestException", "scheduled for deletion")
        with pytest.raises(Conflict, match="scheduled for deletion: restore it"):
            keep(client, authority)
        stubber.add_client_error("create_secret", "AccessDeniedException", "no")
        with pytest.raises(Denied):
            keep(client, authority)


def test_an_authority_of_another_making_signs_as_well(client: SecretsManagerClient) -> None:
    own = certificates.authority("Own CA", kind="ec-p256")
    kept = Authority(own.certificate_pem, key_pem(own.key, "pkcs8"))
    keep(client, kept)
    loaded = load_authority(client, SECRET)
    assert loaded == kept
    parsed(issue_leaf(kept, ["a.example.com"], now=NOW).certificate).verify_directly_issued_by(
        own.certificate
    )


@pytest.mark.parametrize("around", certificates.AROUND.values(), ids=certificates.AROUND)
def test_what_stands_around_an_authority_of_another_making_is_left_out(
    client: SecretsManagerClient, around: Callable[[str], str]
) -> None:
    own = certificates.authority("Own CA")
    given = Authority(around(own.certificate_pem), around(own.private_key_pem))
    keep(client, given)
    loaded = load_authority(client, SECRET)
    assert loaded is not None
    assert loaded.certificate == own.certificate_pem
    parsed(issue_leaf(loaded, ["a.example.com"], now=NOW).certificate).verify_directly_issued_by(
        own.certificate
    )


NO_AUTHORITY = leaf("mqtt.example.com", signed_by=certificates.authority("Root"))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "hush",
        json.dumps({"certificate": "x", "private_key": "hush"}),
        json.dumps(
            {"certificate": NO_AUTHORITY.certificate_pem, "private_key": NO_AUTHORITY.private_key_pem}
        ),
        json.dumps(
            {
                "certificate": certificates.authority("Root").certificate_pem,
                "private_key": key_pem(private_key("other")),
            }
        ),
    ],
    ids=["empty", "no JSON", "no PEM", "no authority", "key of another"],
)
def test_a_secret_that_holds_no_authority_is_a_conflict_and_never_a_new_authority(
    client: SecretsManagerClient, text: str
) -> None:
    client.create_secret(Name=SECRET, SecretString=text)
    with pytest.raises(Conflict, match=SECRET) as raised:
        load_authority(client, SECRET)
    assert "hush" not in f"{raised.value!r}"


def test_what_is_no_authority_signs_nothing(authority: Authority) -> None:
    with pytest.raises(Conflict, match="no certificate of an authority"):
        issue_leaf(replace(authority, private_key=""), ["a.example.com"], now=NOW)


def test_keys_are_in_no_repr(authority: Authority, bundle: Bundle) -> None:
    text = repr(authority) + repr(bundle)
    lines = (authority.private_key + bundle.private_key).splitlines()
    assert not [line for line in lines if line in text]
