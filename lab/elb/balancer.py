"""A running HAProxy that stands for one load balancer, changed while its sessions live on.

Certificates and instances change by the runtime socket; what that cannot do is a reload, in which the
listening sockets are handed to a new worker and the old one keeps its sessions until they end. Draining
reaches the old workers too, by the master's socket. https://docs.haproxy.org/2.6/management.html
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.elb.haproxy import HEALTH, NOWHERE, STATE, LoadBalancer, Member, Slot, relocated, render, sections
from lab.elb.runtimesocket import MASTER, ask, sessions, statistics, workers
from lab.machine.processes import Process, Processes, until, with_server_paths

CONFIGURATION = "haproxy.cfg"


class RefusedError(Exception):
    """HAProxy refused a configuration or a certificate; what it had before still stands."""


@dataclass
class Balancer:
    """The process, and what it was last set to."""

    directory: Path
    load_balancer: LoadBalancer
    members: dict[Slot, Member] = field(default_factory=dict)
    draining: dict[Slot, float] = field(default_factory=dict)
    """Slots whose instance is going, with the time at which its sessions are cut."""
    process: Process | None = None


@dataclass(frozen=True)
class Check:
    """What the health check says of a slot, in HAProxy's words.

    `status` is `UP`, `DOWN`, `DRAIN` or `MAINT`, `last` the last check's result: `INI` before the first,
    `L4OK`, `L7OK` …, `L4CON`, `L7STS` … when it failed.
    """

    status: str
    last: str

    @property
    def up(self) -> bool:
        """Return whether it passes; also while it has failed fewer times than the threshold (`UP 1/2`)."""
        return self.status.split()[0] == "UP"

    @property
    def failed(self) -> bool:
        """Return whether it is down because checks failed, rather than because too few have passed yet."""
        return self.status.startswith("DOWN") and self.last not in {"", "INI"} and "OK" not in self.last


def start(
    processes: Processes, directory: Path, load_balancer: LoadBalancer, pems: Mapping[int, str]
) -> Balancer:
    """Start a HAProxy without instances; `pems` are certificate, chain and key by listener port."""
    directory.mkdir(mode=0o700, parents=True)
    balancer = Balancer(directory, load_balancer)
    for port, pem in pems.items():
        _write(directory / f"{port}.pem", pem)
    _write(directory / STATE, "1\n")
    _configure(balancer)
    balancer.process = processes.start(
        f"haproxy-{load_balancer.name}",
        ["haproxy", "-W", "-db", "-S", f"unix@{MASTER}", "-f", CONFIGURATION],
        ready=lambda: _worker_answers(balancer),
        cwd=directory,
    )
    return balancer


def change(balancer: Balancer, load_balancer: LoadBalancer, pems: Mapping[int, str]) -> None:
    """Take up listeners, policies, health check and the rest by a reload; open sessions live on."""
    for port, pem in pems.items():
        _write(balancer.directory / f"{port}.pem", pem)
    before = balancer.load_balancer
    balancer.load_balancer = load_balancer
    zones = {zone for zone, _ in load_balancer.zones}
    balancer.members = {slot: member for slot, member in balancer.members.items() if slot.zone in zones}
    balancer.draining = {slot: at for slot, at in balancer.draining.items() if slot.zone in zones}
    state = ask(balancer.directory, "show servers state").lstrip()
    _write(balancer.directory / STATE, relocated(state, load_balancer, balancer.members))
    try:
        _configure(balancer)
    except RefusedError:
        balancer.load_balancer = before
        raise
    old = workers(balancer.directory)[0]
    ask(balancer.directory, "reload", MASTER)
    until(
        lambda: _worker_answers(balancer, other_than=old),
        10,
        f"HAProxy of {load_balancer.name} reloads",
    )


def install(balancer: Balancer, port: int, pem: str) -> None:
    """Swap the certificate of a listener under its open sessions.

    Raises RefusedError when HAProxy does not take it (key and certificate of different pairs, for instance).
    """
    name = f"{port}.pem"
    payload = "\n".join(line for line in pem.splitlines() if line)  # an empty line would end it
    said = ask(balancer.directory, f"set ssl cert {name} <<\n{payload}\n")
    committed = ask(balancer.directory, f"commit ssl cert {name}")
    if "Success" not in committed:
        ask(balancer.directory, f"abort ssl cert {name}")
        raise RefusedError(f"{name}: {said.strip()} {committed.strip()}")
    _write(balancer.directory / name, pem)  # a reload goes back to the file


def register(balancer: Balancer, slot: Slot, member: Member) -> None:
    """Put an instance into an empty slot; it takes traffic once its checks have passed."""
    balancer.members[slot] = member
    check_at = member.endpoint(balancer.load_balancer.health_check.port)
    commands = [_address(HEALTH, slot, check_at)]
    commands += [
        _address(section.name, slot, member.endpoint(section.listener.instance_port))
        for section in sections(balancer.load_balancer)
        if slot in section.slots
    ]
    # Leaving maintenance, HAProxy takes a server for healthy until its first check; AWS does not. By way of
    # the draining state it can be said to be down before it may take anything.
    commands += [
        f"set server {HEALTH}/{slot} state drain",
        f"set server {HEALTH}/{slot} health down",
        f"set server {HEALTH}/{slot} state ready",
    ]
    ask(balancer.directory, ";".join(commands))


def drain(balancer: Balancer, slot: Slot, cut_at: float) -> None:
    """Send no new connection to a slot's instance; `settle` cuts what is open when the time comes.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
    """
    balancer.draining[slot] = cut_at
    ask(balancer.directory, f"set server {HEALTH}/{slot} state drain")


def settle(balancer: Balancer, now: float) -> None:
    """Free the draining slots that have no session left, or whose time is over; the rest of those is cut."""
    if not balancer.draining:
        return
    open_sessions = sessions(balancer.directory)
    for slot, cut_at in list(balancer.draining.items()):
        if open_sessions.get(str(slot)) and now < cut_at:
            continue
        for session in open_sessions.get(str(slot), ()):
            ask(balancer.directory, f"@!{session.worker} shutdown session {session.id}", MASTER)
        ask(balancer.directory, f"set server {HEALTH}/{slot} state maint")
        backends = [section.name for section in sections(balancer.load_balancer) if slot in section.slots]
        ask(balancer.directory, ";".join(_address(name, slot, NOWHERE) for name in [HEALTH, *backends]))
        del balancer.draining[slot]
        balancer.members.pop(slot, None)


def checks(balancer: Balancer) -> dict[Slot, Check]:
    """Return what the health check says of every slot that holds an instance."""
    names = {str(slot): slot for slot in balancer.members}
    return {
        names[row["svname"]]: Check(row["status"], row["check_status"].removeprefix("* "))
        for row in statistics(balancer.directory)
        if row["pxname"] == HEALTH and row["svname"] in names
    }


def _worker_answers(balancer: Balancer, other_than: int = 0) -> bool:
    try:
        current = workers(balancer.directory)[0]
        return current not in {0, other_than} and f"Pid: {current}\n" in ask(balancer.directory, "show info")
    except OSError:  # the master's socket is closed for a moment while it starts itself again
        return False


def _configure(balancer: Balancer) -> None:
    """Write the configuration if HAProxy finds no fault with it."""
    draft = balancer.directory / f"{CONFIGURATION}.draft"
    _write(draft, render(balancer.load_balancer, balancer.members))
    verdict = subprocess.run(
        ["haproxy", "-c", "-f", draft.name],
        cwd=balancer.directory,
        env=with_server_paths(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if verdict.returncode != 0:
        raise RefusedError(verdict.stderr.strip())
    draft.replace(balancer.directory / CONFIGURATION)


def _write(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only: there are private keys among them."""
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _address(backend: str, slot: Slot, endpoint: tuple[str, int]) -> str:
    return f"set server {backend}/{slot} addr {endpoint[0]} port {endpoint[1]}"
