"""Certificates of N load balancers end in ten days and are replaced; or none is due, and that is seen.

Each load balancer has one of its own, signed by the same private CA. Ours is the story behind the function
`rotate`. Beside it, replayed call by call as read from their code: letsencrypt-aws, which knows its load
balancers from its configuration, and lemur, which first brings its database up to date. Everybody makes keys
and has them signed by the same function in its own process. There is no data plane, so that nobody makes the
handshakes which ours alone would; see [the swap](#swap-a-certificate-under-load).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.account import (
    CALLS,
    CPU,
    EVENTS,
    MEMORY,
    READS,
    SECONDS,
    WRITES,
    Account,
    counts,
    open_account,
    program,
)
from bench.estate import BY_STORY, DAYS_LEFT, DAYS_LEFT_IDLE, Estate, Way, rotated
from bench.job import Chart, Contender, Goal, Job, Lineup, Run
from bench.tools import versions
from lab.fidelity.knobs import KNOBS

OURS, FLOOR = "ours: rotate", "boto3, the floor"
LETSENCRYPT, LEMUR = "letsencrypt-aws", "lemur"
WATCHED = "ours: rotate, uploaded certificates"
DUE = {"1 is due": 1, "20 are due": 20, "100 are due": 100}
IDLE = "100, none is due"
# So many keys take all the time: only counts are taken, once.
MANY = 100
WAYS = {OURS: "story", LETSENCRYPT: "letsencrypt_aws", LEMUR: "lemur", FLOOR: "floor"}
NOTES = {
    OURS: (
        "reads the private CA from its secret, examines what is due and what is new; a handshake would save"
        " one read for each that is due"
    ),
    WATCHED: "certificates that nobody renews, so that no secret is read",
    LETSENCRYPT: (
        "renews 45 days ahead; left out are its calls of ACME and Route 53, and 15 s of sleep for each"
    ),
    LEMUR: "assumes its role for every function of its plugin; left out is its database",
    FLOOR: "lists by the largest pages, uploads and swaps; touches whatever is there, whosever it is",
}


def rotate(account: Account, estate: Estate, way: str) -> Run:
    """Have an estate rotated in one of the ways."""
    if way == "story":
        return rotated(account, estate, BY_STORY)
    before_days = 45 if way == "letsencrypt_aws" else 30
    replay = Way(way, lambda request: program("rotate_replays", way, request), before_days=before_days)
    return rotated(account, estate, replay)


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Yield every way for every estate, each run once already."""
    with open_account() as account:
        KNOBS.load_balancers_quota = 200
        for way in WAYS.values():
            rotate(account, Estate(1, DAYS_LEFT), way)
        yield Lineup(tuple(_lineup(account)), versions())


def _lineup(account: Account) -> Iterator[Contender]:
    for case, balancers in DUE.items():
        for name, way in WAYS.items():
            run = partial(rotate, account, Estate(balancers, DAYS_LEFT), way)
            if balancers < MANY:
                yield Contender(case, name, run, NOTES[name])
            else:
                yield Contender(case, name, partial(counts, run), NOTES[name], rounds=1)
    for name, way in WAYS.items():
        idle = Estate(100, DAYS_LEFT_IDLE)
        yield Contender(IDLE, name, partial(rotate, account, idle, way), NOTES[name])
        if name == OURS:
            watched = Estate(100, DAYS_LEFT_IDLE, source="pem")
            yield Contender(IDLE, WATCHED, partial(rotate, account, watched, way), NOTES[WATCHED])


JOB = Job(
    name="rotate",
    title="Rotate certificates",
    figures=(CALLS, READS, WRITES, EVENTS, SECONDS, CPU, MEMORY),
    open=open_lineup,
    reference=OURS,
    compared=("calls", "cpu"),
    charts=(Chart("calls", "AWS calls to rotate, and to see that nothing is due"),),
    goals=(
        Goal("nothing due of 100, uploaded certificates: at most 8 calls", "calls", (IDLE, WATCHED), most=8),
        Goal("nothing due of 100, private CA: at most 9 calls", "calls", (IDLE, OURS), most=9),
        Goal("letsencrypt-aws takes 300", "calls", (IDLE, LETSENCRYPT), least=300),
    ),
    unsaid=(
        "How the others behave as whole programs: only their AWS calls are replayed, in their order.",
        "What a rotation costs that fails: nothing here makes handshakes, or goes back.",
    ),
)
