"""Ours, as the story `provision` alone: the body is read and examined as the API would, and converged."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

from chalicelib import container
from chalicelib.api.requests import read_put
from chalicelib.provision import put as provision


def main() -> None:
    """Converge, or with `nothing` make the clients and end."""
    mode, request = sys.argv[1:]
    asked = json.loads(Path(request).read_text())
    clients = container.clients()
    if mode == "nothing":
        _ = clients.elb, clients.ec2, clients.iam
        return
    declaration, faults = read_put(asked["name"], asked["body"], region=clients.region)
    report = provision.put(declaration, faults, container.invocation(timedelta(seconds=20)))
    if report.state != "ready":
        raise SystemExit(f"{asked['name']} is {report.state}")


if __name__ == "__main__":
    main()
