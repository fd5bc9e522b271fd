"""A CA that knows its customers: a new account is bound to one of theirs (RFC 8555, section 7.3.4)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from chalicelib.acme.account import ExternalAccount, external_account
from chalicelib.acme.connection import connect_to_ca
from chalicelib.acme.messages import sign_in
from chalicelib.model.errors import Conflict, IssuerRefused
from lab.certificates.acme import Acme
from tests.world.pebble import pebble

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KID, HMAC_KEY = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
CUSTOMER = ExternalAccount(KID, HMAC_KEY)


@pytest.fixture(scope="module")
def strict() -> Iterator[Acme]:
    with pebble(customers={KID: HMAC_KEY}) as acme:
        yield acme


def signed_in(acme: Acme, *bound_to: ExternalAccount | None) -> list[str]:
    """Sign in with one new key, once for each of these; return the account that the CA gave each time."""
    key, found = generate_private_key(SECP256R1()), []
    for one in bound_to:
        with closing(connect_to_ca(acme.directory, key, lambda: datetime.now(UTC), str(acme.trust))) as ca:
            sign_in(ca, "ops@example.com", one)
            found.append(str(ca.net.account.uri if ca.net.account else ""))
    return found


def test_an_account_is_bound_to_the_users_own_and_found_again(strict: Acme) -> None:
    first, again = signed_in(strict, CUSTOMER, CUSTOMER)
    assert first == again != ""


def test_without_a_binding_the_ca_says_what_it_lacks(strict: Acme) -> None:
    with pytest.raises(IssuerRefused, match="externalAccountRequired"):
        signed_in(strict, None)


@pytest.mark.parametrize("wrong", [ExternalAccount("kid-9", HMAC_KEY), ExternalAccount(KID, "AAAA")])
def test_a_binding_to_nobody_is_refused(strict: Acme, wrong: ExternalAccount) -> None:
    with pytest.raises(IssuerRefused):
        signed_in(strict, wrong)


@pytest.fixture
def client(aws: None) -> SecretsManagerClient:  # noqa: ARG001 - moto has to be there before the client
    return boto3.client("secretsmanager")


def keep(client: SecretsManagerClient, **value: object) -> None:
    client.create_secret(Name="zerossl", SecretString=json.dumps(value))


@pytest.mark.parametrize(
    "written",
    [
        HMAC_KEY,
        f" {HMAC_KEY}\n",
        base64.urlsafe_b64encode(base64.urlsafe_b64decode(HMAC_KEY) + b"\xfb").decode(),
        base64.b64encode(base64.urlsafe_b64decode(HMAC_KEY) + b"\xfb").decode(),
    ],
)
def test_the_key_is_read_as_cas_write_it(client: SecretsManagerClient, written: str) -> None:
    keep(client, kid=KID, hmac_key=written, email="ops@example.com", tags=["x"])
    found = external_account(client, "zerossl")
    wanted = base64.urlsafe_b64decode(written.strip().replace("+", "-").replace("/", "_") + "==")
    assert base64.urlsafe_b64decode(found.hmac_key + "==") == wanted
    assert (found.kid, HMAC_KEY in repr(found)) == (KID, False)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"kid": KID},
        {"hmac_key": HMAC_KEY},
        {"kid": "", "hmac_key": HMAC_KEY},
        {"kid": KID, "hmac_key": "hush hush"},
        {"kid": KID, "hmac_key": "hushx"},
        {"kid": KID, "hmac_key": ["hush"]},
        {"kid": 7, "hmac_key": HMAC_KEY},
    ],
)
def test_a_secret_without_them_is_said_and_not_shown(
    client: SecretsManagerClient, value: dict[str, object]
) -> None:
    keep(client, **value)
    with pytest.raises(Conflict, match=r"zerossl.*`kid` and `hmac_key`") as caught:
        external_account(client, "zerossl")
    assert "hush" not in str(caught.value)


def test_a_secret_that_is_not_there_is_named(client: SecretsManagerClient) -> None:
    with pytest.raises(Conflict, match="there is no secret zerossl, which ACME_EAB_SECRET names"):
        external_account(client, "zerossl")
