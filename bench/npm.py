"""A package of npm's below `.bench/`, installed once; Debian has npm as `nodejs` and `npm`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.peers import PEERS, NotInstalledError

MQTT = "mqtt@5.16.0"


def installed(package: str = MQTT) -> Path:
    """Return a directory from which the package can be required. Raises NotInstalledError."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        raise NotInstalledError(f"{' and '.join(missing)} missing: apt-get install nodejs npm")
    place = PEERS / package.replace("@", "-")
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        command = ["npm", "install", "--prefix", str(place), "--no-audit", "--no-fund", package]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["(it said nothing)"]
            raise NotInstalledError(f"npm install {package}: {said[-1]}")
        (place / "ready").touch()
    return place
