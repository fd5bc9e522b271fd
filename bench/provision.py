"""The article's load balancer: certificate, security group, SSL and HTTP listener, SSL policy, two instances.

Each contender is given a certificate as PEM files and two running instances, and makes the rest in an account
that has nothing else; then it is run again on what it made. Ours runs as the story `provision` alone, and as
the whole PUT: API Gateway's event to the app's handler, without API Gateway and without Lambda's runtime
client. Starting is shown apart: the same programs, ended before any work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.account import CPU, MEMORY, READS, SECONDS, WRITES, open_account
from bench.job import Chart, Contender, Goal, Job, Lineup, NotRun
from bench.provisioning import asked, lacking
from bench.tools import CLI, FLOOR, STORY, tools, versions
from bench.twice import Runs, contender, cpu_goals

FIRST, AGAIN, START = "first run", "run again", "start, no work"


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Yield every tool in each case, each run once already, so that everybody's bytecode is there."""
    with open_account() as account, tools(account) as found:
        runs = {tool.name: Runs(account, tool, asked, lacking) for tool in found}
        for one in runs.values():
            one.warm()
        yield Lineup(tuple(_lineup(tuple(runs.values()))), versions())


def _lineup(runs: Sequence[Runs]) -> Iterator[Contender | NotRun]:
    for one in runs:
        yield contender(FIRST, one.tool, one.first)
    for one in runs:
        if one.tool.once:
            yield NotRun(AGAIN, one.tool.name, one.tool.once)
        else:
            yield contender(AGAIN, one.tool, one.second)
    for one in runs:
        yield contender(START, one.tool, one.start)


STACKS = (
    "What moto would make of a stack: so that CloudFormation can run at all, its load balancers are made by"
    " the corrected operations (`lab/fidelity/elb_stacks.py`). Ansible and the AWS CLI run as they are."
)
JOB = Job(
    name="provision",
    title="Provision the article's load balancer",
    figures=(READS, WRITES, SECONDS, CPU, MEMORY),
    open=open_lineup,
    reference=FLOOR,
    compared=("cpu", "seconds"),
    charts=(Chart("cpu", "CPU to provision the article's load balancer, seconds"),),
    goals=(
        Goal("as many writes as the floor", "writes", (FIRST, STORY), beside=(FIRST, FLOOR), most=1),
        *cpu_goals(FIRST),
        Goal(
            "the CLI script takes at least 4 times the story's CPU",
            "cpu",
            (FIRST, CLI),
            (FIRST, STORY),
            least=4,
        ),
        Goal("a second run writes nothing", "writes", (AGAIN, STORY), most=0),
    ),
    unsaid=(
        "How long AWS takes: the emulator answers in milliseconds, AWS in tenths of a second.",
        "How long a new certificate stays unknown at AWS; of the contenders ours alone waits for it.",
        STACKS,
        "What each tool takes after a mistake: ours goes on from whatever a killed run left.",
    ),
)
