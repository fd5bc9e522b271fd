"""A PEM bundle that other tooling keeps in Secrets Manager: its current version is the certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.aws.secrets import read_secret
from chalicelib.model.errors import Absent, Denied, Fault, InvalidRequest
from chalicelib.model.names import OWNER_TAG
from chalicelib.x509.facts import given_in_secret
from chalicelib.x509.pem import GivenPem

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FIELD = "certificate.secret_id"
KEYS = frozenset({"certificate", "fullchain", "private_key", "chain"})


def fetch(client: SecretsManagerClient, secret_id: str) -> GivenPem:
    """Read the texts. InvalidRequest when there is no such secret, or not all of them are in it.

    So it is too when the role may not read it: AWS then does not say whether there is one.
    """
    try:
        found = read_secret(client, secret_id, field=FIELD, keys=KEYS)
    except Absent:
        raise InvalidRequest([Fault(FIELD, f"there is no secret {secret_id} in this region")]) from None
    except Denied:
        message = (
            f"there is no secret {secret_id}, or the functions may not read it: one that is not named after"
            f" the deployment needs the deployment's name as its tag {OWNER_TAG}"
        )
        raise InvalidRequest([Fault(FIELD, message)]) from None
    return given_in_secret(found.value)
