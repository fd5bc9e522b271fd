"""The ways to provision a network load balancer that are measured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bench.account import Account
from bench.peers import ANSIBLE, size
from bench.tools import (
    FLOOR,
    FLOOR_NOTE,
    PLAYBOOK,
    PROGRAMS,
    Tool,
    background,
    ours,
    programs,
    python,
)

TERRAFORM = "Terraform's calls"
TERRAFORM_NOTE = (
    "replayed as read from its AWS provider, version 6, without `GetCallerIdentity` and what it reads again"
    " while it waits; what Terraform itself computes is not measured"
)


@contextmanager
def tools(account: Account) -> Iterator[tuple[Tool, ...]]:
    """Yield every tool; Ansible says why in `missing` where it cannot be installed."""
    request = str(account.directory / "request.json")
    with background(account) as invoked:
        yield (*programs_here(request, invoked), _ansible(request))


def programs_here(request: str, invoked: str) -> Iterator[Tool]:
    """Yield those for which nothing is installed; Lambda's Invoke is answered at `invoked`."""
    yield Tool(FLOOR, python("network_floor"), ("create", request), ("compare", request), note=FLOOR_NOTE)
    yield from ours(request, invoked)
    note = f"{TERRAFORM_NOTE}; its second run is a refresh"
    yield Tool(TERRAFORM, python("terraform_replay"), ("apply", request), ("plan", request), note=note)


def _ansible(request: str) -> Tool:
    ansible, missing = programs("ansible", ANSIBLE)
    arguments = ("-e", f"request={request}", str(PROGRAMS / "network.yml"))
    return Tool(
        PLAYBOOK,
        (str(ansible / "ansible-playbook"),),
        arguments,
        arguments,
        environment={"PATH": f"{ansible}:{os.environ['PATH']}", "LANG": "C.UTF-8"},
        note=(
            "`iam_server_certificate`, `elb_target_group` and `elb_network_lb`, which take no security group"
            " and no idle timeout, and let no session of a slow node live: it makes less;"
            f" {size(ansible)} MB"
        ),
        lacks=frozenset({"security group", "idle timeout", "sessions of slow nodes"}),
        missing=missing,
    )
