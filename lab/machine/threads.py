"""Work in a thread of its own while a block lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def beside(name: str, work: Callable[[Event], None]) -> Iterator[None]:
    """Run `work` in a thread of that name; at the end of the block set its event, and wait for the thread."""
    stop = Event()
    thread = Thread(target=work, args=(stop,), name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
