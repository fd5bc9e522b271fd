"""A running HAProxy that stands for one load balancer, changed while its sessions live on.

Certificates and members change by the runtime socket; what that cannot do is a reload, in which the
listening sockets are handed to a new worker and the old one keeps its sessions until they end. Draining
reaches the old workers too, by the master's socket. https://docs.haproxy.org/2.6/management.html
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from lab.elb.haproxy import (
    NOWHERE,
    STATE,
    Endpoint,
    LoadBalancer,
    Member,
    Place,
    Slot,
    places,
    relocated,
    render,
)
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
    """Slots whose member is going, with the time at which its sessions are cut."""
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
    """Start a HAProxy without members; `pems` are certificate, chain and key by listener port."""
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
    pools = {pool.name for pool in load_balancer.pools}

    def stays(slot: Slot) -> bool:
        return slot.zone in zones and slot.pool in pools

    balancer.members = {slot: member for slot, member in balancer.members.items() if stays(slot)}
    balancer.draining = {slot: at for slot, at in balancer.draining.items() if stays(slot)}
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
    """Put a member into an empty slot; it takes traffic once its checks have passed."""
    balancer.members[slot] = member
    found = places(balancer.load_balancer, slot)
    commands = [_address(place, slot, member.endpoint(place.port)) for place in found]
    # Leaving maintenance, HAProxy takes a server for healthy until its first check; AWS does not. By way of
    # the draining state it can be said to be down before it may take anything.
    for place in found:
        match place.role:
            case "checks":
                commands += [
                    _set(place, slot, "state drain"),
                    _set(place, slot, "health down"),
                    _set(place, slot, "state ready"),
                ]
            case "open":
                commands.append(_set(place, slot, "state ready"))
            case "follows":
                pass
            case _:
                assert_never(place.role)
    ask(balancer.directory, ";".join(commands))


def drain(balancer: Balancer, slot: Slot, cut_at: float) -> None:
    """Send no new connection to a slot's member; `settle` cuts what is open when the time comes.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
    """
    balancer.draining[slot] = cut_at
    _let(balancer, slot, "drain")


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
        _let(balancer, slot, "maint")
        found = places(balancer.load_balancer, slot)
        ask(balancer.directory, ";".join(_address(place, slot, NOWHERE) for place in found))
        del balancer.draining[slot]
        balancer.members.pop(slot, None)


def checks(balancer: Balancer) -> dict[Slot, Check]:
    """Return what the health check says of every slot that holds a member."""
    at = {
        (places(balancer.load_balancer, slot)[0].backend, str(slot)): slot for slot in list(balancer.members)
    }
    return {
        at[row["pxname"], row["svname"]]: Check(row["status"], row["check_status"].removeprefix("* "))
        for row in statistics(balancer.directory)
        if (row["pxname"], row["svname"]) in at
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


def _let(balancer: Balancer, slot: Slot, state: str) -> None:
    """Set a slot's state where it does not follow another's."""
    found = [place for place in places(balancer.load_balancer, slot) if place.role != "follows"]
    ask(balancer.directory, ";".join(_set(place, slot, f"state {state}") for place in found))


def _set(place: Place, slot: Slot, what: str) -> str:
    return f"set server {place.backend}/{slot} {what}"


def _address(place: Place, slot: Slot, endpoint: Endpoint) -> str:
    return _set(place, slot, f"addr {endpoint[0]} port {endpoint[1]}")
