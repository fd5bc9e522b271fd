"""The app's HTTP API and its functions, as child processes that see the lab's AWS and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from lab.machine.addresses import answers, free_port
from lab.machine.processes import DidNotStartError, Processes

ROOT = Path(__file__).parents[2]
STAGE = "dev"

# The user's own proxy must not see what goes to loopback.
OPENER = build_opener(ProxyHandler({}))


def start_functions(processes: Processes, address: str, environment: Mapping[str, str]) -> str:
    """Start the process that answers Lambda's Invoke; return its endpoint URL."""
    port = free_port(address)
    endpoint = f"http://{address}:{port}"
    processes.start(
        "functions",
        [sys.executable, "-m", "lab.lambda_.functions", address, str(port), STAGE],
        ready=lambda: answers(address, port),
        environment={**environment, "AWS_ENDPOINT_URL_LAMBDA": endpoint},
        cwd=ROOT,
    )
    return endpoint


def start_api(
    processes: Processes, address: str, environment: Mapping[str, str], project: Path = ROOT
) -> str:
    """Start `chalice local`; return its URL once it describes itself."""
    port = free_port(address)
    url = f"http://{address}:{port}"
    chalice = Path(sys.executable).with_name("chalice")
    processes.start(
        "api",
        [str(chalice), "local", "--host", address, "--port", str(port), "--stage", STAGE, "--no-autoreload"],
        ready=lambda: _describes_itself(url),
        environment=environment,
        cwd=project,
        seconds=60,
    )
    return url


def _describes_itself(url: str) -> bool:
    try:
        with OPENER.open(f"{url}/openapi.json", timeout=10) as answer:
            return bool(answer.status == 200)
    except HTTPError as error:
        with error:
            raise DidNotStartError(f"the app answers {error.code}: {error.read(500).decode()}") from error
    except OSError:  # nothing listens yet
        return False
