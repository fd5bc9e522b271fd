"""`make rehearse`: deploy, use, update and delete the app with `chalice`, on this machine; or upgrade it.

Exit status 0 only if every step held.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.demo.demo import closing
from lab.demo.story import DidNotHoldError, bold, hold, play, summary
from lab.lab import open_lab
from lab.lambda_.api import ROOT
from lab.rehearsal import upgrade
from lab.rehearsal.chapters import chapters
from lab.rehearsal.rehearsal import STAGE, Rehearsal, open_rehearsal

Chapters = list[tuple[str, Callable[[], str]]]


def rehearse() -> int:
    """Rehearse a deployment and return the exit status."""
    return _rehearse(f"chalice deploy --stage {STAGE}, rehearsed on this machine", ROOT, chapters)


def rehearse_upgrade(commit: str) -> int:
    """Rehearse an upgrade in place from a commit and return the exit status."""
    with TemporaryDirectory(prefix="emq-elb-commit-") as name:
        project = upgrade.checkout(commit, Path(name))
        title = f"chalice deploy --stage {STAGE}, upgraded from {commit} on this machine"
        return _rehearse(title, project, lambda rehearsal: upgrade.chapters(rehearsal, commit))


def _rehearse(title: str, project: Path, steps_of: Callable[[Rehearsal], Chapters]) -> int:
    print(bold(title), flush=True)
    try:
        with (
            open_lab(app=False, say=_say) as lab,
            open_rehearsal(lab, _say, project) as rehearsal,
        ):
            steps = play(steps_of(rehearsal), lab.aws.calls, callers=rehearsal.story.callers)
            print(f"\n{summary(steps)}\n", flush=True)
            denied = ", ".join(rehearsal.functions.denied()) or "nothing"
            hold(
                all(step.held for step in steps),
                f"It did not hold; denied was {denied}; the logs are in {lab.directory}",
            )
    except DidNotHoldError as error:
        print(error)
        return 1
    print(closing(steps))
    return 0


def _say(part: str) -> None:
    print(f"   {part}", flush=True)
