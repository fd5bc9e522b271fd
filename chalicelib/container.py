"""What lives as long as the container, and the `Invocation` that each event gets from it.

`app` imports this before anything else: nothing heavy may stand at its top.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.aws.clients import Clients
    from chalicelib.invocation import Invocation
    from chalicelib.register.settle import Memory
    from chalicelib.settings import Settings

# What a function keeps for its last call and its answer.
_RESERVE = timedelta(seconds=5)

last_look: dict[str, Memory] = {}
"""When a function last looked, and what it answered since; everything else is read from AWS again."""


@cache
def settings() -> Settings:
    """The environment, read when first needed."""
    from chalicelib.settings import read_settings

    return read_settings(os.environ)


@cache
def clients() -> Clients:
    """The clients, with the connections that they keep open."""
    from chalicelib.aws.clients import Clients

    return Clients()


def invocation(within: timedelta) -> Invocation:
    """Return what a story needs to answer within that time."""
    from chalicelib import telemetry
    from chalicelib.invocation import Invocation

    return Invocation(
        clients=clients(),
        settings=settings(),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        deadline=datetime.now(UTC) + within,
        log=telemetry.action,
    )


def remaining(context: Any) -> timedelta:
    """Return how long the function may still work, less a reserve for its answer."""
    return timedelta(milliseconds=context.get_remaining_time_in_millis()) - _RESERVE


def own_arn(context: Any) -> str:
    """The ARN of the function that runs, by what Lambda says."""
    return str(context.invoked_function_arn)
