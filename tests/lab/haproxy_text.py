"""HAProxy's configuration, taken apart."""

from __future__ import annotations


def block(text: str, first_line: str) -> list[str]:
    """Return the lines of one configuration block, without its first."""
    (found,) = (lines for lines in map(str.splitlines, text.split("\n\n")) if lines[0] == first_line)
    return [line.strip() for line in found[1:]]
