"""A PEM bundle that other tooling keeps in Secrets Manager: its current version is the certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.adapters.secrets import read_secret
from chalicelib.core.certificates import given_in_secret
from chalicelib.core.declared import GivenPem
from chalicelib.core.errors import Absent, Fault, InvalidRequest

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FIELD = "certificate.secret_id"


def fetch(client: SecretsManagerClient, secret_id: str) -> GivenPem:
    """Read the texts. InvalidRequest when there is no such secret, or not all of them are in it."""
    try:
        found = read_secret(client, secret_id, field=FIELD)
    except Absent:
        raise InvalidRequest([Fault(FIELD, f"there is no secret {secret_id} in this region")]) from None
    return given_in_secret(found.value)
