"""A real ACME server for tests, seen by an account whose Route 53 shows its DNS server what has spread.

with pebble() as acme, account() as here, trusting(acme):
    ...
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from lab.certificates.acme import Acme, open_acme
from lab.machine.addresses import claim
from lab.machine.processes import open_processes


@contextmanager
def pebble(**how: Any) -> Iterator[Acme]:
    """Run one on a loopback network of its own; `how` is for `open_acme`."""
    with (
        tempfile.TemporaryDirectory() as directory,
        claim(Random()) as network,  # noqa: S311 - picks an address, keeps no secret
        open_processes(Path(directory)) as processes,
        open_acme(processes, network.host(6), **how) as acme,
    ):
        yield acme
