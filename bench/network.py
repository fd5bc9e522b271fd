"""A network load balancer from its creation to its certificate's renewal.

Made are TLS 8883 → 1883 and TCP 18083 → 18083, a certificate from PEM files, a security group of its own and
two instances, in an account that has nothing else; then the same is run again. Certificates of 1 and of 20
load balancers end in ten days, and each is replaced by one of the same private CA.

Ours are the stories `provision` and `rotate`, and the whole PUT. Beside them stand the fewest calls with
which AWS's API can do the same
([decision 14](decisions/0014-a-network-load-balancer-takes-eleven-writes.md)), Ansible as it is, and the
calls of Terraform's AWS provider as read from its code, for Terraform itself cannot be had here: of it the
table has calls alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from bench.estate import BY_STORY, DAYS_LEFT, NetworkEstate, Way, rotated
from bench.job import Chart, Contender, Goal, Job, Lineup, NotRun, Run
from bench.network_provisioning import asked, lacking
from bench.network_tools import TERRAFORM, TERRAFORM_NOTE, tools
from bench.tools import FLOOR, STORY, versions
from bench.twice import Runs, contender, cpu_goals

FIRST, AGAIN = "first run", "run again"
DUE = {"1 is due": 1, "20 are due": 20}
ONE, TWENTY = DUE
ROTATE = "ours: rotate"
NOTES = {
    FLOOR: "asks each load balancer for its listeners, uploads and swaps; touches whatever is there",
    ROTATE: "reads the private CA from its secret, examines what is due and what is new",
    TERRAFORM: f"{TERRAFORM_NOTE}; refreshes everything, and deletes the old certificate",
}


WAYS = {
    FLOOR: Way("floor", lambda request: program("rotate_replays", "network_floor", request)),
    ROTATE: BY_STORY,
    TERRAFORM: Way("terraform", lambda request: program("terraform_replay", "rotate", request)),
}


def rotate(account: Account, balancers: int, name: str) -> Run:
    """Have as many certificates replaced in one of the ways."""
    return rotated(account, NetworkEstate(balancers, DAYS_LEFT), WAYS[name])


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Yield everybody in each case, each run once already, so that everybody's bytecode is there."""
    with open_account() as account, tools(account) as found:
        runs = [Runs(account, tool, asked, lacking) for tool in found]
        for one in runs:
            one.warm()
        for name in NOTES:
            rotate(account, 1, name)
        yield Lineup((*provisioned(runs), *rotated_by(account)), versions())


def provisioned(runs: Sequence[Runs]) -> Iterator[Contender | NotRun]:
    """Yield every tool in a first run and in another one; of replays the counts alone."""
    for case, run in ((FIRST, Runs.first), (AGAIN, Runs.second)):
        for one in runs:
            if one.tool.name == TERRAFORM:
                yield contender(case, one.tool, partial(counts, partial(run, one)), rounds=1)
            else:
                yield contender(case, one.tool, partial(run, one))


def rotated_by(account: Account) -> Iterator[Contender]:
    """Yield everybody who rotates; of replays the counts alone."""
    for case, balancers in DUE.items():
        for name, note in NOTES.items():
            run = partial(rotate, account, balancers, name)
            if name == TERRAFORM:
                yield Contender(case, name, partial(counts, run), note, rounds=1)
            else:
                yield Contender(case, name, run, note)


JOB = Job(
    name="network",
    title="A network load balancer",
    figures=(CALLS, READS, WRITES, EVENTS, SECONDS, CPU, MEMORY),
    open=open_lineup,
    reference=FLOOR,
    compared=("calls", "cpu"),
    charts=(
        Chart("calls", "AWS calls for a network load balancer"),
        Chart("cpu", "CPU for a network load balancer, seconds"),
    ),
    goals=(
        Goal(
            "at most 14 writes: the floor's 13, and the mark of what is half made",
            "writes",
            (FIRST, STORY),
            most=14,
        ),
        Goal("at most 0.6 of Terraform's calls", "calls", (FIRST, STORY), (FIRST, TERRAFORM), most=0.6),
        *cpu_goals(FIRST),
        Goal("a second run writes nothing", "writes", (AGAIN, STORY), most=0),
        Goal("a second run: at most 16 calls", "calls", (AGAIN, STORY), most=16),
        Goal(
            "a second run: fewer calls than Terraform's refresh",
            "calls",
            (AGAIN, STORY),
            (AGAIN, TERRAFORM),
            most=0.99,
        ),
        Goal("1 is due: at most 10 calls", "calls", (ONE, ROTATE), most=10),
        Goal("20 are due: at most 86 calls", "calls", (TWENTY, ROTATE), most=86),
        Goal("20 are due: as many writes as the floor", "writes", (TWENTY, ROTATE), (TWENTY, FLOOR), most=1),
        Goal(
            "20 are due: at most half of Terraform's calls",
            "calls",
            (TWENTY, ROTATE),
            (TWENTY, TERRAFORM),
            most=0.5,
        ),
    ),
    unsaid=(
        "How long AWS takes: a load balancer is `provisioning` for minutes, for which Terraform waits.",
        "What Terraform is as a whole program: its own CPU, its download of the provider, its state.",
        "Ansible in the cases of rotation: somebody would have to decide what is due, and issue it.",
        "What a rotation costs that fails: nothing here makes handshakes, or goes back.",
    ),
)
