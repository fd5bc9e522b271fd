"""What the lists of requirements name."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def names_in(file: str) -> set[str]:
    """What a file of requirements names, as PyPI compares names."""
    lines = re.findall(r"^[\w.-]+", (ROOT / file).read_text(), re.MULTILINE)
    return {str(canonicalize_name(line)) for line in lines}
