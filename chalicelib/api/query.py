"""The query of a request, with every fault of it at once."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.api.wording import unknown
from chalicelib.core.errors import Fault
from chalicelib.core.syntax import shown


def read_flags(query: Mapping[str, str] | None, *known: str) -> tuple[dict[str, bool], tuple[Fault, ...]]:
    """Return the known query parameters as flags, false when absent; an unknown one is a fault."""
    given = query or {}
    wrong = [
        Fault(name, f"true or false is right, not {shown(value)}")
        for name, value in given.items()
        if name in known and value not in {"true", "false"}
    ]
    wrong += [unknown(name, known) for name in given if name not in known]
    return {name: given.get(name) == "true" for name in known}, tuple(wrong)
