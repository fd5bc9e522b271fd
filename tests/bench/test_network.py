"""The jobs about network load balancers: everybody does what was asked, in as many calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from bench import network, network_reconcile
from bench.account import Account, open_account, program
from bench.job import Contender, Job, NotRun
from bench.network_provisioning import asked, lacking
from bench.network_tools import TERRAFORM, programs_here
from bench.reconcile import OURS
from bench.tools import FLOOR, PLAYBOOK, PUT, STORY, Tool, background
from bench.twice import Runs

PROVISIONED = {FLOOR: (13, 11), STORY: (14, 16), PUT: (14, 16), TERRAFORM: (19, 21)}
"""What a first run writes, and what a second one reads."""
ROTATED = {FLOOR: (3, 2), network.ROTATE: (8, 2), TERRAFORM: (13, 3)}
"""Reads and writes for one certificate."""
LOOKED = {FLOOR: 6, OURS: 8, TERRAFORM: 26}
"""Reads for one load balancer with five instances."""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """One for all tests: each begins with emptying it."""
    with open_account() as opened:
        yield opened


@pytest.mark.parametrize("name", PROVISIONED)
def test_everybody_makes_all_of_it_and_nothing_again(account: Account, name: str) -> None:
    with background(account) as invoked:
        here = programs_here(str(account.directory / "request.json"), invoked)
        runs = Runs(account, next(one for one in here if one.name == name), asked, lacking)
        first = runs.first()
    (again,) = runs.again
    assert (first["writes"], again["reads"]) == PROVISIONED[name]
    assert again["writes"] == 0


def test_what_somebody_left_out_is_seen(account: Account) -> None:
    given = asked(account)
    account.run("floor", program("network_floor", "create", account.directory / "request.json"))
    assert lacking(account, given) == frozenset()
    elb = account.aws.elbv2()
    (made,) = elb.describe_load_balancers()["LoadBalancers"]
    for one in elb.describe_listeners(LoadBalancerArn=made["LoadBalancerArn"])["Listeners"]:
        if one["Protocol"] == "TLS":
            elb.modify_listener(ListenerArn=one["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08")
        else:
            elb.modify_listener_attributes(
                ListenerArn=one["ListenerArn"],
                Attributes=[{"Key": "tcp.idle_timeout.seconds", "Value": "350"}],
            )
    another = replace(given, instances=(*given.instances, "i-0"))
    assert lacking(account, another) == {"SSL policy", "idle timeout", "instances"}


@pytest.mark.parametrize("name", ROTATED)
def test_everybody_replaces_a_certificate_that_is_due(account: Account, name: str) -> None:
    ran = network.rotate(account, 1, name)
    assert (ran["reads"], ran["writes"]) == ROTATED[name]


def test_everybody_looks_at_a_load_balancer_without_drift(account: Account) -> None:
    account.empty()
    network_reconcile.build(account, 1)
    for name, reads in LOOKED.items():
        ran = network_reconcile.look(account, 1, name)
        assert (ran["reads"], ran["writes"]) == (reads, 0)


def contenders(job: Job, account: Account) -> Sequence[Contender | NotRun]:
    """Who takes part, without a run."""
    if job is network_reconcile.JOB:
        return tuple(network_reconcile.lineup(account))
    tools = [Tool(name, (), (), ()) for name in (*PROVISIONED, PLAYBOOK)]
    runs = [Runs(account, tool, asked, lacking) for tool in tools]
    return (*network.provisioned(runs), *network.rotated_by(account))


@pytest.mark.parametrize("job", [network.JOB, network_reconcile.JOB], ids=lambda one: str(one.name))
def test_goals_are_about_who_takes_part_and_beside_whom_calls_alone_are_counted(
    job: Job, account: Account
) -> None:
    rows = {(one.case, one.name) for one in contenders(job, account)}
    for goal in job.goals:
        assert goal.of in rows
        assert goal.beside is None or goal.beside in rows
        if TERRAFORM in {goal.of[1], goal.beside[1] if goal.beside else ""}:
            assert goal.figure in {"calls", "writes"}
