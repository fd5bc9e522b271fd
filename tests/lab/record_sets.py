"""Batches of changes of record sets, through boto3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

Change = tuple[str, dict[str, Any]]
"""An action (`CREATE`, `DELETE`, `UPSERT`), and a record set as Route 53 shapes it."""


def change(route53: Any, zone: str, *changes: Change) -> Any:
    """Make the changes of one batch, and return Route 53's ChangeInfo."""
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    return route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)["ChangeInfo"]


def refused(route53: Any, zone: str, *changes: Change) -> tuple[str, str]:
    """Return the code and the message with which Route 53 refuses the batch."""
    with pytest.raises(ClientError) as caught:
        change(route53, zone, *changes)
    error: Any = caught.value.response["Error"]
    return error["Code"], error["Message"]
