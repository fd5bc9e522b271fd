"""The idle timeout of a load balancer, and the keepalive of the clients that it is made for."""

from __future__ import annotations

import math

IDLE_TIMEOUT_MAX = 3600
"""Seconds: https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html"""


def idle_timeout(keepalive: float) -> int:
    """Return the idle timeout in seconds, 1 to 3600, for the longest keepalive that clients use.

    A client is given up after one and a half times its keepalive (MQTT 3.1.1, section 3.1.2.10); the load
    balancer must not be quicker than the broker.
    """
    return max(1, min(IDLE_TIMEOUT_MAX, math.ceil(1.5 * keepalive)))


def keepalive_of(seconds: int) -> float:
    """Return the keepalive whose idle timeout is that many seconds: a whole one, else half."""
    thirds, rest = divmod(seconds, 3)
    return 2 * thirds + (0, 0.5, 1)[rest]
