"""EventBridge: events of our own, on the account's default bus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.model import errors
from chalicelib.model.batches import batches

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "emq-elb"
# PutEvents takes at most this many entries
# (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html).
_ENTRIES = 10


@dataclass(frozen=True)
class Announcement:
    """One event: its detail-type, and its detail as JSON values."""

    detail_type: str
    detail: Mapping[str, object]


def put_events(client: EventBridgeClient, announcements: Sequence[Announcement]) -> None:
    """Put them on the default bus, ten a call; raises `AwsError` also when AWS takes only some of them."""
    for some in batches(announcements, _ENTRIES):
        with translated("PutEvents"):
            answer = client.put_events(
                Entries=[
                    {"Source": SOURCE, "DetailType": one.detail_type, "Detail": json.dumps(one.detail)}
                    for one in some
                ]
            )
        refused = [entry for entry in answer["Entries"] if "ErrorCode" in entry]
        if refused:
            code, message = refused[0].get("ErrorCode", ""), refused[0].get("ErrorMessage", "")
            raise errors.AwsError("PutEvents", code, f"{len(refused)} refused: {message}")
