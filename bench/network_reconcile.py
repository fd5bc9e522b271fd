"""The look of every minute at N network load balancers, two target groups and five instances each, no drift.

Ours is the story behind the function `reconcile`. `DescribeTargetHealth` alone says which instances are
registered, a call for each target group: the floor reads all of them each time, and so would Terraform's
refresh, which asks for each target by itself. Of more than ten load balancers ours reads ten in turns, and
those where something happens ([decision 15](decisions/0015-network-load-balancers-take-turns.md)).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from boto3.session import Session

from bench.account import (
    CALLS,
    CPU,
    MEMORY,
    OWNER,
    SECONDS,
    WRITES,
    Account,
    counts,
    deployed,
    open_account,
    program,
)
from bench.crowd import Remembered, populate_network
from bench.job import Chart, Contender, Goal, Job, Lineup, Run
from bench.network_tools import TERRAFORM, TERRAFORM_NOTE
from bench.reconcile import FLOOR, MEMBERS, OURS, WALL, case
from bench.stacks import remember
from bench.tools import versions
from chalicelib.model.names import CLUSTER_TAG, OWNER_TAG
from lab.aws import SECRET
from lab.fidelity.knobs import KNOBS

# A region for each, so that all of them are there at once: to build the largest takes longer than to look.
SIZES = {1: "eu-central-1", 10: "eu-west-1", 100: "eu-west-2", 200: "eu-north-1"}
NOTES = {
    OURS: (
        "lists the classic ones too, and reads whose the target groups are; decides of each instance whether"
        " it belongs, with the reason"
    ),
    FLOOR: "reads the targets of every group each time; compares two sets",
    TERRAFORM: TERRAFORM_NOTE,
}


def look(account: Account, balancers: int, name: str) -> Run:
    """Look once at a region in one of the ways."""
    region = SIZES[balancers]
    if name == OURS:
        return account.run("story", program("reconcile", "story"), region, deployed())
    if name == FLOOR:
        return account.run("floor", program("reconcile", "network_floor"), region)
    request = _place(account, balancers) / "request.json"
    return account.run("plan", program("terraform_replay", "plan", request), region)


def build(account: Account, balancers: int) -> None:
    """Fill a region, and write what Terraform would remember of it."""
    region, place = SIZES[balancers], _place(account, balancers)
    populate_network(region, balancers, MEMBERS, CLUSTER_TAG, (OWNER_TAG, OWNER))
    place.mkdir()
    (place / "request.json").write_text("{}")
    client = Session("lab", SECRET, region_name=region).client("elbv2", endpoint_url=account.aws.endpoint)
    remember(client, place / "state.json")


def _place(account: Account, balancers: int) -> Path:
    return account.directory / str(balancers)


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Build every region once, for nobody changes it; yield all ways for each, the timed ones run once."""
    with open_account(around=Remembered) as account:
        KNOBS.network_load_balancers_quota = 400
        for balancers in SIZES:
            build(account, balancers)
            for name in (FLOOR, OURS):  # the floor waits longer for the emulator
                look(account, balancers, name)
        yield Lineup(tuple(lineup(account)), versions())


def lineup(account: Account) -> Iterator[Contender]:
    """Yield everybody who looks, for each size; of replays the counts alone."""
    for balancers in SIZES:
        for name, note in NOTES.items():
            run = partial(look, account, balancers, name)
            if name == TERRAFORM:
                yield Contender(case(balancers), name, partial(counts, run), note, rounds=1)
            else:
                yield Contender(case(balancers), name, run, note)


POSITIONS = {case(balancers): balancers for balancers in SIZES}
ACROSS = "network load balancers, with five instances each"
JOB = Job(
    name="network-reconcile",
    title="Reconcile network load balancers",
    figures=(CALLS, WRITES, SECONDS, CPU, MEMORY),
    open=open_lineup,
    reference=FLOOR,
    compared=("calls", "cpu"),
    charts=(
        Chart("calls", "AWS calls of a look at network load balancers", POSITIONS, ACROSS),
        Chart("cpu", "CPU of a look at network load balancers, seconds", POSITIONS, ACROSS),
    ),
    goals=(
        Goal("1 load balancer and 5 instances: at most 8 calls", "calls", (case(1), OURS), most=8),
        Goal("10 and 50: as many calls as the floor", "calls", (case(10), OURS), (case(10), FLOOR), most=1),
        Goal(
            "100 and 500: fewer calls than the floor",
            "calls",
            (case(100), OURS),
            (case(100), FLOOR),
            most=0.99,
        ),
        Goal("200 and 1,000: at most 35 calls", "calls", (case(200), OURS), most=35),
        Goal("200 and 1,000: no write", "writes", (case(200), OURS), most=0),
        Goal("200 and 1,000: CPU at most the floor's", "cpu", (case(200), OURS), (case(200), FLOOR), most=1),
    ),
    unsaid=(
        "How late something is seen that no event announced: with 200 load balancers up to 20 minutes.",
        WALL,
    ),
)
