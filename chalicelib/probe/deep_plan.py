"""What the deep probe is to try, and what its tries mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from chalicelib.model.ciphers import PROTOCOLS, allowed_protocols
from chalicelib.model.load_balancer import SslPolicy, keepalive_of

Check = Literal["obsolete-tls", "idle", "delivery"]
Result = Literal["passed", "failed", "untested"]

LONGEST_IDLE = 800
"""Seconds that a session is left idle for real: Lambda ends a function after 900."""

_MOST_SESSIONS = 64
_SURE = 0.99


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check of one listener showed, in a sentence."""

    check: Check
    port: int
    result: Result
    note: str


def obsolete_versions(policy: SslPolicy | None) -> tuple[tuple[str, bool], ...]:
    """The obsolete TLS versions that can be tried, and whether the policy lets clients speak each."""
    allowed = allowed_protocols(policy) if policy else frozenset()
    return tuple((version, version in allowed) for version in PROTOCOLS if version != "TLSv1.2")


def judge_version(port: int, version: str, *, allowed: bool, accepted: bool | None) -> Finding:
    """Hold what was seen against the policy; `accepted` None: this machine cannot speak that version."""
    if accepted is None:
        return Finding(
            check="obsolete-tls", port=port, result="untested", note=f"{version} cannot be spoken here"
        )
    seen = f"{version} is {'accepted' if accepted else 'refused'}"
    said = f"and the SSL policy {'allows' if allowed else 'forbids'} it"
    result: Result = "passed" if accepted == allowed else "failed"
    return Finding(check="obsolete-tls", port=port, result=result, note=f"{seen}, {said}")


@dataclass(frozen=True, kw_only=True)
class IdleTrial:
    """How long to leave a session idle for real, and the keepalive that was asked for, both in seconds."""

    seconds: float
    keepalive: float

    @property
    def whole(self) -> bool:
        """Whether that is as long as a device may be silent."""
        return self.seconds >= self.keepalive


def idle_trial(idle_timeout: int, remaining: float) -> IdleTrial | None:
    """What can be tried in the seconds that remain; None when there is no time for any of it."""
    keepalive = keepalive_of(idle_timeout)
    seconds = min(keepalive, LONGEST_IDLE, remaining)
    return IdleTrial(seconds=seconds, keepalive=keepalive) if seconds > 0 else None


def judge_idle(
    port: int, trial: IdleTrial, idle_timeout: int, *, alive: bool, gone: Collection[str] = ()
) -> Finding:
    """Say whether a session outlives its keepalive; what was not tried is read from the idle timeout.

    `gone` are the instances that went out of service meanwhile: a session may have ended with its node.
    """
    tried = f"a session {'outlived' if alive else 'did not outlive'} {trial.seconds:.0f} s without a packet"
    if not alive and gone:
        note = f"{tried}, and meanwhile {', '.join(sorted(gone))} went out of service"
        return Finding(check="idle", port=port, result="untested", note=note)
    if not alive:
        return Finding(check="idle", port=port, result="failed", note=tried)
    if trial.whole:
        return Finding(check="idle", port=port, result="passed", note=tried)
    rest = f"up to the keepalive of {trial.keepalive:.0f} s untested, the idle timeout is {idle_timeout} s"
    return Finding(check="idle", port=port, result="untested", note=f"{tried}; {rest}")


def sessions_for(nodes: int) -> int:
    """How many sessions reach every node with 99 % likelihood, if each is as likely to get each session.

    At least two, at most 64: then it is less likely, and `coverage` says how much.
    """
    sessions = max(2, nodes)
    while coverage(nodes, sessions) < _SURE and sessions < _MOST_SESSIONS:
        sessions += 1
    return sessions


def coverage(nodes: int, sessions: int) -> float:
    """How likely it is that so many sessions, spread at random, reach every one of so many nodes.

    A load balancer that takes turns does better.
    """
    reached = [1.0]  # by how many nodes have a session, how likely that is
    for _ in range(sessions):
        grown = [0.0] * (len(reached) + 1)
        for count, likelihood in enumerate(reached):
            again = min(1.0, count / nodes)
            grown[count] += likelihood * again
            grown[count + 1] += likelihood * (1 - again)
        reached = grown
    return reached[nodes] if sessions >= nodes else 0.0


def judge_delivery(port: int, received: Iterable[bool], nodes: int) -> Finding:
    """Say whether every session got what one of them published."""
    seen = tuple(received)
    likely = f"{nodes} nodes all covered with a likelihood of {coverage(nodes, len(seen)):.0%}"
    return Finding(
        check="delivery",
        port=port,
        result="passed" if all(seen) else "failed",
        note=f"{sum(seen)} of {len(seen)} sessions received a message of one of them; {likely}",
    )


def worst(findings: Iterable[Finding]) -> Result:
    """One word for all of them: failed before untested before passed."""
    results = {finding.result for finding in findings}
    order: tuple[Result, ...] = ("failed", "untested", "passed")
    return next((result for result in order if result in results), "untested")
