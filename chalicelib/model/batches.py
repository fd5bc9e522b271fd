"""As many at once as AWS takes in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from chalicelib.model.errors import Absent

T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return the items in their order, `size` at a time."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def of_those_there(
    ids: Sequence[str], size: int, ask: Callable[[Sequence[str]], Mapping[str, T]]
) -> Mapping[str, T]:
    """Ask for `size` ids at a time, and return the answers by id.

    At AWS an id that vanished in between fails the whole call. The ids of such a batch are then asked for one
    by one, and the one that vanished is left out.
    """
    found: dict[str, T] = {}
    for batch in batches(ids, size):
        try:
            found |= ask(batch)
        except Absent:
            if len(batch) > 1:
                found |= of_those_there(batch, 1, ask)
    return found
