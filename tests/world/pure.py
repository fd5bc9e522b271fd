"""Which tests `make quick` runs: those of modules that neither start nor imitate anything, and a few walks.

A new module counts by what it imports; a test that needs AWS joins by `@pytest.mark.quick`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("bench", "deploy", "e2e", "enforced", "lab")
"""Folders of tests whose subject is a process, a package or an emulator."""
WORLDLY = frozenset({"acme", "aws", "ca", "demo", "here"})
"""Fixtures that stand for AWS, or for an ACME server."""
IMPORTED = re.compile(r"^(?:from|import) (lab|moto|boto3|conformance|tests\.[\w.]+)\b", re.MULTILINE)
MARKED = "pytest.mark.quick"


def is_quick(module: Path) -> bool:
    """Return whether a module of tests is run, all of it or what is marked."""
    return is_pure(module) or MARKED in module.read_text()


def is_pure(module: Path) -> bool:
    """Return whether a module of tests stands outside of those folders and works without AWS."""
    return module.parent.name not in ELSEWHERE and _imitates_nothing(module)


@cache
def _imitates_nothing(module: Path) -> bool:
    for name in IMPORTED.findall(module.read_text()):
        file = ROOT / f"{name.replace('.', '/')}.py"
        if not name.startswith("tests.") or not (file.exists() and _imitates_nothing(file)):
            return False
    return True
