"""Ours, as the story `probe`: every load balancer of the region, all of whose names mean one address here.

Writes the CPU seconds until the first name is resolved, and the milliseconds for each target from then on.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from chalicelib import container
from chalicelib.probe.story import probe_all


def main() -> None:
    """Probe; an outcome that is not good is an error."""
    address, expected = sys.argv[1], int(sys.argv[2])
    started: list[float] = []

    def resolve(_host: str) -> tuple[str, ...]:
        if not started:
            started.append(time.process_time())
        return (address,)

    verdicts = probe_all(container.invocation(timedelta(seconds=60)), resolve=resolve)
    bad = [one.failure.cause for one in verdicts if one.failure]
    if bad or len(verdicts) != expected:
        raise SystemExit(f"{len(verdicts)} of {expected} probed, {len(bad)} not well: {', '.join(set(bad))}")
    each = (time.process_time() - started[0]) / expected * 1000
    Path(os.environ["FIGURES"]).write_text(json.dumps({"start": started[0], "each": each}))


if __name__ == "__main__":
    main()
