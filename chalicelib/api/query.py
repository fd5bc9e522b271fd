"""The query of a request, with every fault of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chalicelib.api.wording import unknown
from chalicelib.model.errors import Fault
from chalicelib.model.syntax import quoted


def read_flags(query: Mapping[str, Sequence[str]], *known: str) -> tuple[dict[str, bool], tuple[Fault, ...]]:
    """Return the known query parameters as flags, false when absent; an unknown one is a fault.

    A parameter that comes twice is a fault too: `dry_run=true&dry_run=false` has no clear meaning.
    """
    given = {name: values for name, values in query.items() if name in known}
    wrong = [
        Fault(name, f"it must be true or false, not {quoted(value)}")
        for name, values in given.items()
        for value in values
        if value not in {"true", "false"}
    ]
    wrong += [
        Fault(name, f"it is given {len(values)} times") for name, values in given.items() if len(values) != 1
    ]
    wrong += [unknown(name, known) for name in query if name not in known]
    return {name: [*given.get(name, ())] == ["true"] for name in known}, tuple(wrong)
