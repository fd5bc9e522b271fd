"""The account key of an ACME CA, in Secrets Manager: made at first use, read from there ever after.

The CA knows the account by this key (https://www.rfc-editor.org/rfc/rfc8555#section-7.3.1), so that nothing
else has to be kept. It signs orders, and is no part of any certificate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.apply import Progress, apply
from chalicelib.aws.secrets import read_secret
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.errors import Absent, Conflict, Denied, Duplicate, InvalidRequest
from chalicelib.x509.parse import key_text
from chalicelib.x509.pem import KeyMaterial, NewSecret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from mypy_boto3_secretsmanager import SecretsManagerClient

_BASE64URL = re.compile(r"[A-Za-z0-9_-]{2,}")


def account_key(name: str, progress: Progress, invocation: Invocation) -> EllipticCurvePrivateKey:
    """Read the key, or make it for the load balancer `name`.

    Of two runs that make it at once one is first, and the other uses that key. Conflict when the secret holds
    no such key or is being deleted.
    """
    client, secret = invocation.clients.secrets, invocation.settings.acme_account_secret
    found = _kept(client, secret)
    if found is not None:
        return found
    made = _made()
    keep = do.CreateSecret(reason="the CA does not know us yet", secret=secret)
    value = NewSecret(
        {"private_key": key_text(made)}, "ACME account key of emq-elb: the CA knows the deployment by it"
    )
    try:
        apply(name, [keep], progress, invocation, KeyMaterial(secret=value))
    except Duplicate:
        found = _kept(client, secret)
        if found is None:
            raise
        return found
    return made


@dataclass(frozen=True)
class ExternalAccount:
    """An account that the user has at the CA: ours is bound to it. The key is in no repr."""

    kid: str
    hmac_key: str = field(repr=False)


def external_account(client: SecretsManagerClient, secret_id: str) -> ExternalAccount:
    """Read `kid` and `hmac_key` of a secret (https://www.rfc-editor.org/rfc/rfc8555#section-7.3.4).

    The key is base64url, with its padding or not; plain base64 is taken too. Conflict when the secret cannot
    be read, or lacks one of them.
    """
    right = "it needs `kid` and `hmac_key`, as the CA gives them for external account binding"
    try:
        value = read_secret(client, secret_id, field="certificate.issuer", keys=("kid", "hmac_key")).value
    except (Absent, Denied):
        raise Conflict(
            f"there is no secret {secret_id}, which ACME_EAB_SECRET names, or the functions may not read it"
        ) from None
    except InvalidRequest as error:
        faults = "; ".join(fault.message for fault in error.faults)
        raise Conflict(f"{faults}; {right}") from None
    kid, key = value.get("kid", "").strip(), value.get("hmac_key", "").strip()
    key = key.translate(str.maketrans("+/", "-_")).rstrip("=")
    # One digit left over encodes no byte.
    if not kid or not _BASE64URL.fullmatch(key) or len(key) % 4 == 1:
        raise Conflict(f"the secret {secret_id} holds no account at the CA: {right}")
    return ExternalAccount(kid, key)


def _kept(client: SecretsManagerClient, secret_id: str) -> EllipticCurvePrivateKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    wrong = f"the secret {secret_id} holds no ACME account key: it needs `private_key`, EC P-256 as PEM"
    try:
        value = read_secret(client, secret_id, field="certificate.issuer", keys=("private_key",)).value
    except Absent:
        return None
    except InvalidRequest:
        raise Conflict(wrong) from None
    try:
        key = load_pem_private_key(value.get("private_key", "").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Conflict(wrong) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise Conflict(wrong)
    return key


def _made() -> EllipticCurvePrivateKey:
    """P-256: every CA must take its signatures (https://www.rfc-editor.org/rfc/rfc8555#section-6.2)."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    return generate_private_key(SECP256R1())
