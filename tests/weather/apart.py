"""A story's scene, arranged once in a process of its own; each run of the story is a copy of that process.

To arrange a scene takes as long as to play in it. A copy (`fork`) costs a tenth, and whatever the run does to
its account, the scene stays as it was for the next one.

    with Stage(story) as stage:
        stage.good                  how the story goes in good weather
        stage.play(met, refusal)    run `met` there; an AssertionError with its traceback where it failed
"""

from __future__ import annotations

import gc
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from tests.weather.stories import Good, Scene, Story, arranged, in_good_weather
from tests.world.provisioning import account

Play = Callable[[Story, Scene, Good, Any], None]


class Stage:
    """The process with the scene. It ends when this one closes the pipe, or ends itself."""

    def __init__(self, story: Story) -> None:
        self._ours, theirs = Pipe()
        self._pid = _forked(lambda: _serve(story, theirs, self._ours))
        theirs.close()
        self.good = self._answer()

    def play(self, play: Play, about: object) -> None:
        """Run it in a copy of the scene; raises what it raised, as text."""
        self._ours.send((play, about))
        self._answer()

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._ours.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _answer(self) -> Any:
        value, failure = self._ours.recv()
        if failure:
            raise AssertionError(failure)
        return value


def _serve(story: Story, requests: Connection, other_end: Connection) -> None:
    """Arrange the scene, say how it goes in good weather, then play whatever is asked for."""
    other_end.close()
    # In this process, so that no copy has to read a model or import a module again.
    good, failure = _outcome(partial(_played_well, story))
    requests.send((good, failure))
    if failure:
        return
    with account() as here:
        scene = arranged(story, here)
        gc.freeze()
        while True:
            try:
                play, about = requests.recv()
            except EOFError:
                return
            requests.send(_copied(partial(play, story, scene, good, about)))


def _played_well(story: Story) -> Good:
    with account() as here:
        return in_good_weather(story, arranged(story, here))


def _outcome(do: Callable[[], object]) -> tuple[Any, str | None]:
    """Do something; return what it returns, or the traceback of its failure."""
    try:
        return do(), None
    except BaseException:  # noqa: BLE001 - the one who asked gets it
        return None, traceback.format_exc()


def _copied(do: Callable[[], object]) -> tuple[Any, str | None]:
    """Do something in a copy of this process; return what it returns, or the traceback of its failure."""
    ours, theirs = Pipe(duplex=False)

    def work() -> None:
        gc.disable()
        theirs.send(_outcome(do))

    pid = _forked(work)
    theirs.close()
    try:
        found: tuple[Any, str | None] = ours.recv()
    except EOFError:
        found = None, "the process ended without an answer"
    ours.close()
    os.waitpid(pid, 0)
    return found


def _forked(do: Callable[[], object]) -> int:
    """Do something in a copy of this process that ends with it; return the copy's process id.

    The only other threads are those by which pytest's workers hear from one another; the copy needs none.
    """
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        pid = os.fork()
    if pid:
        return pid
    try:
        do()
    finally:
        os._exit(0)
