"""Write the policies of every stage: `.chalice/policy-<function>.json` with the stage's owner in its place.

Run `python -m tools.policies` after a change of a policy or of a stage: a test fails until then. Chalice
reads a policy as it is, and IAM cannot put a part of a role's name into a condition, so that what one stage
may touch and another may not has to be written out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHALICE = Path(__file__).parents[1] / ".chalice"
OWNER = "<owner>"
"""Stands for the deployment in what is written once; IAM takes it for nothing that there could be."""


def stages(configured: Mapping[str, Any]) -> Mapping[str, str]:
    """The owner of each stage of `.chalice/config.json`."""
    everywhere = configured.get("environment_variables", {})
    return {
        name: (everywhere | stage.get("environment_variables", {})).get("OWNER", "")
        for name, stage in configured["stages"].items()
    }


def files(folder: Path = CHALICE) -> Mapping[str, str]:
    """What belongs into the folder, by the path in it: `prod/policy-register.json`."""
    written = {path.name: path.read_text() for path in sorted(folder.glob("policy-*.json"))}
    configured = json.loads((folder / "config.json").read_text())
    return {
        f"{stage}/{name}": text.replace(OWNER, owner)
        for stage, owner in stages(configured).items()
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
