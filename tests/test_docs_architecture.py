"""`docs/architecture.md` links every decision."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_every_decision_is_linked_under_the_number_and_title_that_it_has() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(path.name.partition("-")[0]) for path in files]
    assert numbers == list(range(1, len(files) + 1))
    headings = [path.read_text().splitlines()[0].removeprefix("# ") for path in files]
    listed = re.findall(r"^(\d+\. )\[(.+)\]\(decisions/(.+)\)$", PAGE, re.MULTILINE)
    assert [number + title for number, title, _ in listed] == headings
    assert [name for _, _, name in listed] == [path.name for path in files]
