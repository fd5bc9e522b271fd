"""Run contenders in turns, so that what else the machine does falls on all alike."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.job import Contender, NotRun, Row

Say = Callable[[str], None]


def interleave(contenders: Sequence[Contender | NotRun], rounds: int, say: Say) -> tuple[Row, ...]:
    """Return a row for each, in their order; one that raises is not run again."""
    rows = [_row(one) for one in contenders]
    most = max((_rounds(one, rounds) for one in contenders), default=0)
    for number in range(most):
        for place, one in enumerate(contenders):
            if isinstance(one, Contender) and number < _rounds(one, rounds) and not rows[place].failed:
                rows[place] = _once(one, rows[place])
                last = rows[place].reason or _figures(rows[place])
                say(f"  {number + 1}/{_rounds(one, rounds)} {one.case}, {one.name}: {last}")
    return tuple(rows)


def _rounds(one: Contender | NotRun, rounds: int) -> int:
    return 0 if isinstance(one, NotRun) else one.rounds or rounds


def _row(one: Contender | NotRun) -> Row:
    reason = one.reason if isinstance(one, NotRun) else None
    return Row(case=one.case, contender=one.name, note=one.note, reason=reason)


def _once(one: Contender, row: Row) -> Row:
    try:
        return replace(row, runs=(*row.runs, dict(one.run())))
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on and the page shows it
        traceback.print_exc()
        return replace(row, reason=one_line(error), failed=True)


def _figures(row: Row) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in row.runs[-1].items())


def one_line(error: BaseException) -> str:
    """Return an error's name and the first line of what it says."""
    said = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {said[0]}"[:200]
