"""`make rehearse`: deploy, use, update and delete the app with `chalice`, on this machine.

Exit status 0 only if every step held.
"""

from __future__ import annotations

from lab.demo.demo import closing
from lab.demo.story import DidNotHoldError, bold, hold, summary, tell
from lab.lab import open_lab
from lab.rehearsal.chapters import chapters
from lab.rehearsal.rehearsal import STAGE, open_rehearsal


def rehearse() -> int:
    """Rehearse a deployment and return the exit status."""
    print(bold(f"chalice deploy --stage {STAGE}, rehearsed on this machine"), flush=True)
    try:
        with (
            open_lab(app=False, say=_say) as lab,
            open_rehearsal(lab, _say) as rehearsal,
        ):
            steps = tell(chapters(rehearsal), lab.aws.calls, callers=rehearsal.story.callers)
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
