"""Write the policies of every stage: `.chalice/policy-<function>.json` with the stage's own values in it.

They are its owner, the hosted zones of its setting DNS_ZONES and the names of ALLOWED_DOMAINS.

Run `python -m tools.policies` after a change of a policy or of a stage: a test fails until then. Chalice
reads a policy as it is, and IAM cannot put a part of a role's name into a condition, so that what one stage
may touch and another may not has to be written out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CHALICE = Path(__file__).parents[1] / ".chalice"
OWNER = "<owner>"
"""Stands for the deployment in what is written once; IAM takes it for nothing that there could be."""
ZONE = "<dns-zone>"
"""Stands in a list for each hosted zone of DNS_ZONES."""
NO_ZONE = "none-is-set"
"""Stands for them where that setting names none: no hosted zone has an id with a hyphen."""
NAME = "<allowed-name>"
"""Stands in a list for each name that ALLOWED_DOMAINS allows, else for all."""


def settings(configured: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
    """The environment of each stage of `.chalice/config.json`."""
    everywhere = configured.get("environment_variables", {})
    return {
        name: everywhere | stage.get("environment_variables", {})
        for name, stage in configured["stages"].items()
    }


def stages(configured: Mapping[str, Any]) -> Mapping[str, str]:
    """The owner of each stage of `.chalice/config.json`."""
    return {name: environment.get("OWNER", "") for name, environment in settings(configured).items()}


def filled_in(text: str, environment: Mapping[str, str]) -> str:
    """Return a policy with a stage's values in the place of those that stand for them."""
    zones = _listed(environment, "DNS_ZONES") or [NO_ZONE]
    domains = _listed(environment, "ALLOWED_DOMAINS")
    names = [name for domain in domains for name in (domain.lower(), f"*.{domain.lower()}")] or ["*"]
    text = text.replace(OWNER, environment.get("OWNER", ""))
    return _repeated(_repeated(text, ZONE, zones), NAME, names)


def _listed(environment: Mapping[str, str], name: str) -> list[str]:
    return [one.strip() for one in environment.get(name, "").split(",") if one.strip()]


def _repeated(text: str, stands: str, values: Sequence[str]) -> str:
    """The same with the line of a list that has the placeholder once for each value."""

    def lines(found: re.Match[str]) -> str:
        line = found[1]
        return ",\n".join(line.replace(stands, value) for value in values)

    return re.sub(rf'^( *"[^"\n]*{re.escape(stands)}[^"\n]*")', lines, text, flags=re.MULTILINE)


def files(folder: Path = CHALICE) -> Mapping[str, str]:
    """What belongs into the folder, by the path in it: `prod/policy-register.json`."""
    written = {path.name: path.read_text() for path in sorted(folder.glob("policy-*.json"))}
    configured = json.loads((folder / "config.json").read_text())
    return {
        f"{stage}/{name}": filled_in(text, environment)
        for stage, environment in settings(configured).items()
        for name, text in written.items()
    }


def write(folder: Path = CHALICE) -> None:
    """Write them, and take away those of stages and functions that are gone."""
    wanted = files(folder)
    for path in folder.glob("*/policy-*.json"):
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def fault(folder: Path = CHALICE) -> str | None:
    """Why nothing can be written; a policy without its owner would grant what belongs to nobody."""
    try:
        configured = json.loads((folder / "config.json").read_text())
        wrong = [f"{stage} is {owner!r}" for stage, owner in stages(configured).items() if not owner]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return f"{folder / 'config.json'} cannot be read ({error!r}): mend it, or take it back from git"
    return f"OWNER of {', '.join(wrong)}: set it to <app>-<stage> in .chalice/config.json" if wrong else None


if __name__ == "__main__":
    if found := fault():
        sys.exit(found)
    write()
