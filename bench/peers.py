"""Programs of others, each in a virtual environment of its own under `.bench/`, installed once.

Galaxy is not needed: PyPI's `ansible` carries the collections `amazon.aws` and `community.aws`. The AWS CLI
is version 1, which PyPI has; version 2 is a bundle of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parents[1] / ".bench"
BYTECODE = PEERS / "bytecode"

ANSIBLE = ("ansible==12.3.0", "boto3==1.44.5")
AWS_CLI = ("awscli==1.46.3",)


class NotInstalledError(Exception):
    """A peer that could not be installed; the message is pip's last line."""


def installed(name: str, requirements: tuple[str, ...]) -> Path:
    """Return the directory of the peer's programs; other requirements than the last time install it anew.

    Raises NotInstalledError.
    """
    place = PEERS / f"{name}-{hashlib.sha256(json.dumps(requirements).encode()).hexdigest()[:8]}"
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--no-compile", *requirements])
        (place / "ready").touch()
    return place / "bin"


def size(programs: Path) -> int:
    """Return how much room a peer takes, in MB."""
    return sum(file.lstat().st_size for file in programs.parent.rglob("*")) // 1_000_000


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["(it said nothing)"]
        raise NotInstalledError(f"{' '.join(command[1:4])}: {said[-1]}")
