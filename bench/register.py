"""Instances are launched within ten seconds, an EC2 event for each; in the end all are registered.

Ours is the story behind the function `register`, warm, one event after another as reserved concurrency 1
hands them over. A burst is replayed with a clock of its own, which goes only while somebody waits: wall time
means nothing here, and is left out. Beside it the two functions that are written first: register whoever is
launched; describe, look at the tag, register. A look of ours has five reads: the instance of the event, both
kinds of load balancers, their tags, the instances of the region.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.account import (
    CALLS,
    CPU,
    EVENTS,
    MEMORY,
    OWNER,
    READS,
    WRITES,
    Account,
    counts,
    deployed,
    open_account,
    program,
)
from bench.job import Chart, Contender, Figure, Goal, Job, Lineup, NotRun, Run
from bench.launches import launching
from bench.peers import ANSIBLE
from bench.tools import PROGRAMS, programs, versions
from chalicelib.model.names import CLUSTER_TAG, OWNER_TAG
from lab.nodes.vpc import Vpc

NAME = "demo"
OURS, EACH, DESCRIBED, PLAYBOOK = "ours: register", "one call each", "describe, then register", "Ansible"
LAUNCHES = {"1 launch": 1, "20 launches": 20, "100 launches": 100, "1,000 launches": 1000}
# So many by Ansible, which takes more than a second for each.
BY_HAND = "20 launches"
# So many by one call each take the emulator a minute: only counts are taken, once.
MANY = 1000
WAYS = {OURS: "story", EACH: "each", DESCRIBED: "described"}
NOTES = {
    OURS: "looks at all load balancers of ours, and at who belongs or does not; lets events settle first",
    EACH: "registers every instance of the account, whatever it is for",
    DESCRIBED: "never finds what no event announced, and takes nobody out",
    PLAYBOOK: "`elb_instance` in a loop, as it is: it waits for each until it is in service",
}
"""What each does more or less."""


def replay(account: Account, way: str, launches: int) -> Run:
    """Launch while the program answers the events, and return what it took."""
    vpc = account.empty()
    _create(account, vpc)

    def launch(count: int) -> list[str]:
        return account.launch(vpc, count, {CLUSTER_TAG: NAME})

    address = account.network.host(6)
    with launching(address, launch) as port:
        asked = {"name": NAME, "launches": launches, "address": address, "port": port}
        request = account.write("request.json", asked)
        ran = account.run(way, program("register_events", way, request), more=deployed())
    _see(account, launches)
    return ran


def play(account: Account, ansible: Path, launches: int) -> Run:
    """Register instances that all run already."""
    vpc = account.empty()
    _create(account, vpc)
    instances = account.launch(vpc, launches, {CLUSTER_TAG: NAME})
    request = account.write("request.json", {"name": NAME, "instances": instances})
    command = [ansible / "ansible-playbook", "-e", f"request={request}", PROGRAMS / "register.yml"]
    ran = account.run("ansible", command, more={"LANG": "C.UTF-8"})
    _see(account, launches)
    return ran


def _create(account: Account, vpc: Vpc) -> None:
    account.aws.elb().create_load_balancer(
        LoadBalancerName=NAME,
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 1883, "InstancePort": 1883}],
        Subnets=[*vpc.subnets.values()],
        Tags=[{"Key": OWNER_TAG, "Value": OWNER}],
    )


def _see(account: Account, launches: int) -> None:
    (there,) = account.aws.elb().describe_load_balancers()["LoadBalancerDescriptions"]
    if len(there["Instances"]) != launches:
        raise RuntimeError(f"{len(there['Instances'])} of {launches} are registered")


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Yield every way for every number of launches, each run once already."""
    ansible, missing = programs("ansible", ANSIBLE)
    with open_account() as account:
        for way in WAYS.values():
            replay(account, way, 1)
        yield Lineup(tuple(_lineup(account, ansible, missing)), versions())


def _lineup(account: Account, ansible: Path, missing: str) -> Iterator[Contender | NotRun]:
    for case, launches in LAUNCHES.items():
        for name, way in WAYS.items():
            run = partial(replay, account, way, launches)
            if launches < MANY or name == OURS:
                yield Contender(case, name, run, NOTES[name])
            else:
                yield Contender(case, name, partial(counts, run), NOTES[name], rounds=1)
        if case == BY_HAND and missing:
            yield NotRun(case, PLAYBOOK, missing)
        elif case == BY_HAND:
            yield Contender(case, PLAYBOOK, partial(play, account, ansible, launches), NOTES[PLAYBOOK])


MOST = "1,000 launches"
JOB = Job(
    name="register",
    title="Register launches",
    figures=(CALLS, READS, WRITES, EVENTS, CPU, MEMORY, Figure("waited", "longest wait, s", digits=0)),
    open=open_lineup,
    reference=OURS,
    compared=("calls", "cpu"),
    charts=(
        Chart("calls", "AWS calls for a burst of launches", LAUNCHES, "launches within ten seconds"),
        Chart("cpu", "CPU for a burst of launches, seconds", LAUNCHES, "launches within ten seconds"),
    ),
    goals=(
        Goal("a burst of 1,000 launches, at most 12 calls", "calls", (MOST, OURS), most=12),
        Goal("describe and register take 2,000", "calls", (MOST, DESCRIBED), least=2000),
    ),
    unsaid=(
        "What AWS's throttles make of 2,000 calls: they are the account's, shared with everybody else in it.",
        "Cold containers: without reserved concurrency each of them looks for itself, at 3 reads.",
        "The real time that calls take, so that the others wait less than a second here and longer at AWS.",
    ),
)
