"""The account key of an ACME CA, in Secrets Manager: made at first use, read from there ever after.

The CA knows the account by this key (https://www.rfc-editor.org/rfc/rfc8555#section-7.3.1), so that nothing
else has to be kept. It signs orders, and is no part of any certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.apply import Progress, apply
from chalicelib.aws.secrets import read_secret
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.errors import Absent, Conflict, Duplicate, InvalidRequest
from chalicelib.x509.parse import key_text
from chalicelib.x509.pem import KeyMaterial, NewSecret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from mypy_boto3_secretsmanager import SecretsManagerClient


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


def _kept(client: SecretsManagerClient, secret_id: str) -> EllipticCurvePrivateKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    wrong = f"the secret {secret_id} holds no ACME account key: `private_key`, EC P-256 as PEM, is right"
    try:
        value = read_secret(client, secret_id, field="certificate.issuer").value
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
