"""What the deep probe is to try, and what its tries mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

from chalicelib.model.ciphers import PROTOCOLS, allowed_protocols
from chalicelib.model.load_balancer import SslPolicy, keepalive_of

Check = Literal["obsolete-tls", "idle", "delivery"]
Result = Literal["passed", "failed", "untested"]

DEEP_CAUSES = frozenset(
    {"obsolete-tls-accepted", "tls-version-refused", "idle-session-cut", "sessions-missing", "not-delivered"}
)
"""Why a check failed; each has its line in docs/operations.md, and a test holds the two together."""

LONGEST_IDLE = 800
"""Seconds that a session is left idle for real: Lambda ends a function after 900."""

LONGEST_SILENT = 340
"""Seconds that a connection is left without TCP's keep-alive: NAT gateways forget it after 350.

https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
"""

_MOST_SESSIONS = 200
_SURE = 0.99
_FEWEST = 2


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check of one listener showed, in a sentence; `counts` are numbers for the log record.

    `cause` is one of `DEEP_CAUSES` where the check failed, else empty.
    """

    check: Check
    port: int
    result: Result
    note: str
    cause: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


def obsolete_versions(policy: SslPolicy | None) -> tuple[tuple[str, bool | None], ...]:
    """The obsolete TLS versions that can be tried, and whether the policy lets clients speak each.

    None of a policy that is not known here.
    """
    allowed = allowed_protocols(policy) if policy else frozenset[str]()
    return tuple(
        (version, None if allowed is None else version in allowed)
        for version in PROTOCOLS
        if version not in {"TLSv1.2", "SSLv3"}
    )


def judge_version(port: int, version: str, *, allowed: bool | None, accepted: bool | None) -> Finding:
    """Hold what was seen against the policy; `accepted` None: this machine cannot speak that version.

    `allowed` None: nobody here knows what the policy says of it.
    """
    if accepted is None:
        return Finding(
            check="obsolete-tls", port=port, result="untested", note=f"{version} cannot be spoken here"
        )
    seen = f"{version} is {'accepted' if accepted else 'refused'}"
    if allowed is None:
        note = f"{seen}, and what the SSL policy says of it is not known here"
        return Finding(check="obsolete-tls", port=port, result="untested", note=note)
    said = f"and the SSL policy {'allows' if allowed else 'forbids'} it"
    note = f"{seen}, {said}"
    if accepted == allowed:
        return Finding(check="obsolete-tls", port=port, result="passed", note=note)
    cause = "obsolete-tls-accepted" if accepted else "tls-version-refused"
    return Finding(check="obsolete-tls", port=port, result="failed", note=note, cause=cause)


@dataclass(frozen=True, kw_only=True)
class IdleTrial:
    """How long to leave a session idle for real, and the keepalive that was asked for, both in seconds.

    `server` is the Server Keep Alive that the broker announced, where that is shorter. `silent`: TCP sends no
    keep-alive packets either, where these would count as traffic.
    """

    seconds: float
    keepalive: float
    server: int | None = None
    silent: bool = False

    def within(self, server: int | None) -> IdleTrial:
        """The trial where the broker announces a Server Keep Alive; 0 turns keepalive off."""
        if not server or server >= self.keepalive:
            return self
        return replace(self, seconds=min(self.seconds, server), keepalive=server, server=server)

    @property
    def whole(self) -> bool:
        """Whether that is as long as a device may be silent."""
        return self.seconds >= self.keepalive


def idle_trial(idle_timeout: int, remaining: float, *, silent: bool = False) -> IdleTrial | None:
    """What can be tried in the seconds that remain; None when there is no time for any of it."""
    keepalive = keepalive_of(idle_timeout)
    seconds = min(keepalive, LONGEST_SILENT if silent else LONGEST_IDLE, remaining)
    return IdleTrial(seconds=seconds, keepalive=keepalive, silent=silent) if seconds > 0 else None


def judge_idle(
    port: int, trial: IdleTrial, idle_timeout: int, *, alive: bool, gone: Collection[str] = ()
) -> Finding:
    """Say whether a session outlives its keepalive; without a trial, judge by the idle timeout.

    `gone` are the instances that went out of service meanwhile: a session may have ended with its node.
    """
    tried = f"a session {'outlived' if alive else 'did not outlive'} {trial.seconds:.0f} s without a packet"
    if trial.server is not None:
        tried += f", and the broker allows {trial.server} s (Server Keep Alive)"
    if not alive and gone:
        note = f"{tried}, and meanwhile {', '.join(sorted(gone))} went out of service"
        return Finding(check="idle", port=port, result="untested", note=note)
    if not alive:
        return Finding(check="idle", port=port, result="failed", note=tried, cause="idle-session-cut")
    if trial.whole:
        return Finding(check="idle", port=port, result="passed", note=tried)
    rest = f"up to the keepalive of {trial.keepalive:.0f} s untested, the idle timeout is {idle_timeout} s"
    return Finding(check="idle", port=port, result="untested", note=f"{tried}; {rest}")


def sessions_for(nodes: int) -> int:
    """How many sessions reach every node with 99 % likelihood, if each is as likely to get each session.

    At least two, at most 200: then it is less likely, and `nodes_met` says how many are left out.
    """
    likely = islice(_coverages(nodes), _MOST_SESSIONS)
    enough = next((count for count, share in enumerate(likely, 1) if share >= _SURE), _MOST_SESSIONS)
    return max(_FEWEST, enough)


def coverage(nodes: int, sessions: int) -> float:
    """How likely it is that so many sessions, spread at random, reach every one of so many nodes.

    A load balancer that takes turns does better.
    """
    return next(islice(_coverages(nodes), sessions - 1, None))


def _coverages(nodes: int) -> Iterator[float]:
    """The coverage of one session, of two, and so on."""
    reached = [1.0] + nodes * [0.0]  # by how many nodes have a session, how likely that is
    while True:
        for count in range(nodes, 0, -1):
            again, first = count / nodes, (nodes - count + 1) / nodes
            reached[count] = reached[count] * again + reached[count - 1] * first
        reached[0] = 0.0
        yield reached[nodes]


def nodes_met(nodes: int, sessions: int) -> int:
    """How many of so many nodes get a session, on average, if sessions are spread at random."""
    return round(nodes * (1 - (1 - 1 / nodes) ** sessions))


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of many sessions at one listener, and of the message that one of them published.

    `missing` counts, by cause, the sessions that got through the load balancer and came to nothing at a
    broker; `unreached` are those that did not get so far.
    """

    sessions: int
    came_about: int
    received: int
    missing: Mapping[str, int] = field(default_factory=dict)
    unreached: int = 0


def judge_delivery(port: int, seen: Delivery, nodes: int) -> Finding:
    """Say whether every node takes sessions, and every session gets what one of them published.

    A node that takes none is met by some sessions and not by others.
    """
    missing = sum(seen.missing.values())
    silent = max(1, round(nodes * missing / seen.sessions)) if missing else 0
    met = max(0, nodes_met(nodes, seen.sessions) - silent) if seen.came_about else 0
    came = f"{seen.came_about} of {seen.sessions} sessions came about"
    got = f"{seen.received} of {seen.came_about} sessions received a message of one of them"
    likely = coverage(nodes, seen.sessions)
    covered = f"{nodes} nodes all covered with a likelihood of {likely:.0%}"
    if likely < _SURE:
        covered += f", about {met} of them met"
    result: Result = "passed"
    note, cause = f"{got}; {covered}", ""
    if missing and seen.came_about:
        causes = ", ".join(f"{kind}: {count}" for kind, count in sorted(seen.missing.items()))
        result, cause = "failed", "sessions-missing"
        note = (
            f"{came}, {missing} did not ({causes}): about {silent} of {nodes} nodes takes no sessions; {got}"
        )
    elif seen.came_about < _FEWEST or seen.unreached:
        result, note = "untested", f"{came}: the records of `probe` say why"
    elif seen.received < seen.came_about:
        result, cause = "failed", "not-delivered"
    counts = {
        "sessions": seen.sessions,
        "came_about": seen.came_about,
        "received": seen.received,
        "nodes": nodes,
        "nodes_met": met,
    }
    return Finding(check="delivery", port=port, result=result, note=note, cause=cause, counts=counts)


def one_session_only(check: Check, port: int) -> Finding:
    """What can be said where the broker keeps one session for each user name."""
    note = (
        "the broker keeps one session for each user name (`use_username_as_clientid`), so that sessions of"
        " the probe cannot be side by side"
    )
    return Finding(check=check, port=port, result="untested", note=note)


def worst(findings: Iterable[Finding]) -> Result:
    """One word for all of them: failed before untested before passed."""
    results = {finding.result for finding in findings}
    order: tuple[Result, ...] = ("failed", "untested", "passed")
    return next((result for result in order if result in results), "untested")
