"""Names of load balancers for the app's processes, whose interpreter imports this when it starts.

The lab's names are in no DNS. `PYTHONPATH` leads the app's processes here, so that `socket.getaddrinfo` looks
into the file that `LAB_HOSTS` names first, and the app itself knows nothing of it.
https://docs.python.org/3/library/site.html
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

system = socket.getaddrinfo


def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
    """Resolve as the system does, but for the names in the file."""
    addresses = _hosts().get(host.lower(), []) if isinstance(host, str) else []
    if not addresses:
        return system(host, port, *arguments, **options)
    return [found for address in addresses for found in system(address, port, *arguments, **options)]


def _hosts() -> dict[str, list[str]]:
    try:
        known: dict[str, list[str]] = json.loads(Path(os.environ["LAB_HOSTS"]).read_text())
    except (KeyError, OSError):  # no lab, or no load balancer yet
        return {}
    return known


socket.getaddrinfo = getaddrinfo
