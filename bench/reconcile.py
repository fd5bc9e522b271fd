"""The look of every minute as the account grows: N load balancers, up to 5,000 tagged instances, no drift.

Ours is the story behind the function `reconcile`. Beside it the floor: as many reads as AWS's pages make
necessary (400 load balancers, the tags of 20, 1,000 instances), and a comparison of two sets. Ours lists
network load balancers too, of which there are none here: one call more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.account import (
    CALLS,
    CPU,
    MEMORY,
    OWNER,
    SECONDS,
    WRITES,
    Account,
    deployed,
    open_account,
    program,
)
from bench.crowd import Remembered, populate
from bench.job import Chart, Contender, Goal, Job, Lineup, Run
from bench.tools import versions
from chalicelib.model.names import CLUSTER_TAG, OWNER_TAG
from lab.fidelity.knobs import KNOBS

OURS, FLOOR = "ours: reconcile", "boto3, the floor"
WAYS = {OURS: "story", FLOOR: "floor"}
MEMBERS = 5
# A region for each, so that all of them are there at once: to build the largest takes longer than to look.
SIZES = {1: "eu-central-1", 10: "eu-west-1", 100: "eu-west-2", 1000: "eu-north-1"}
NOTES = {
    OURS: "decides of each instance whether it belongs, with the reason; puts a gauge for each load balancer",
    FLOOR: "compares two sets; knows nothing of zones, of what is on its way out, or of a group's hooks",
}


def look(account: Account, region: str, way: str) -> Run:
    """Look once at a region."""
    return account.run(way, program("reconcile", way), region, deployed() if way == "story" else {})


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Build every region once, for nobody changes it, and yield both ways for each, each run once already."""
    with open_account(around=Remembered) as account:
        KNOBS.load_balancers_quota = 2000
        for balancers, region in SIZES.items():
            populate(region, balancers, MEMBERS, CLUSTER_TAG, (OWNER_TAG, OWNER))
            for way in (FLOOR, OURS):  # the floor waits a minute for the emulator, ours ten seconds
                look(account, region, WAYS[way])
        yield Lineup(tuple(_lineup(account)), versions())


def _lineup(account: Account) -> Iterator[Contender]:
    for balancers, region in SIZES.items():
        for name, way in WAYS.items():
            yield Contender(case(balancers), name, partial(look, account, region, way), NOTES[name])


def case(balancers: int) -> str:
    """Return how a size is named."""
    return f"N = {balancers:,}, M = {MEMBERS * balancers:,}"


POSITIONS = {case(balancers): balancers for balancers in SIZES}
WALL = (
    "Wall time at AWS. Here the answers to DescribeInstances come out of a memory, the same for both: the"
    " emulator would take seconds for each page."
)
JOB = Job(
    name="reconcile",
    title="Reconcile as the account grows",
    figures=(CALLS, WRITES, SECONDS, CPU, MEMORY),
    open=open_lineup,
    reference=FLOOR,
    compared=("calls", "cpu"),
    charts=(
        Chart("calls", "AWS calls of a look", POSITIONS, "load balancers, with five instances each"),
        Chart("cpu", "CPU of a look, seconds", POSITIONS, "load balancers, with five instances each"),
    ),
    goals=(
        Goal(
            "1,000 load balancers and 5,000 instances: as many calls as the floor",
            "calls",
            (case(1000), OURS),
            (case(1000), FLOOR),
            most=1,
        ),
    ),
    unsaid=(
        WALL,
        "Instances in Auto Scaling groups: one read more for each 50.",
    ),
)
