"""The deep probe: what takes minutes, every hour and on request.

Obsolete TLS is refused as the SSL policy says, an idle session outlives the keepalive that was asked for,
every node takes sessions, and a message reaches every node of the cluster. A frozen node, and a cluster that
has split, are found by this alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from chalicelib import observe, telemetry
from chalicelib.invocation import Invocation
from chalicelib.model.errors import EmqElbError, Unserved
from chalicelib.model.load_balancer import Listener, LoadBalancer, Member, idle_timeout_at
from chalicelib.model.metrics import SUCCESS
from chalicelib.observe import Unread
from chalicelib.probe import deep_sessions as deep
from chalicelib.probe.apply import means, read_installed, read_secrets
from chalicelib.probe.deep_plan import (
    Finding,
    Result,
    idle_trial,
    judge_delivery,
    judge_idle,
    judge_version,
    obsolete_versions,
    one_session_only,
    sessions_for,
    worst,
)
from chalicelib.probe.device import DeviceClient
from chalicelib.probe.plan import Failure, Target, enabled, first_turn, targets
from chalicelib.probe.report import log_deep_verdict
from chalicelib.probe.story import find
from chalicelib.tls import connect as tls
from chalicelib.tls.connect import Resolve

_AT_ONCE = 50
# Threads that open sessions, for all load balancers together.
_OPENING = 100
# Lambda allows 1,024 descriptors and as many threads: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_SESSIONS = 600
# A fault that passes is none: what fails is looked at three times.
_TRIES = 3
_PAUSE = 60
# The alarm wants as many bad minutes in a row.
_BAD_MINUTES = 3


@dataclass(frozen=True, kw_only=True)
class DeepVerdict:
    """What the checks of one load balancer showed; `error` is an unexpected error."""

    load_balancer: str
    findings: tuple[Finding, ...]
    error: Exception | None = None

    @property
    def result(self) -> Result:
        """One word for all of it."""
        return worst(self.findings)


def deep_probe_all(
    invocation: Invocation, *, resolve: Resolve = tls.resolve, unread: Unread = observe.raise_unread
) -> tuple[DeepVerdict, ...]:
    """Probe every load balancer of ours that is to be probed, side by side.

    An unexpected error at one load balancer fails that one alone, and `complain_of_deep` raises it, so that
    the function fails. `unread` gets the name of one that AWS does not show.
    """
    balancers = [
        one for one in observe.ours_with_listeners(invocation, unread) if enabled(one) and targets(one)
    ]
    begin = first_turn(int(invocation.now().timestamp()) // 3600, len(balancers))
    return _probed([*balancers[begin:], *balancers[:begin]], invocation, resolve)


def deep_probe_one(name: str, invocation: Invocation, *, resolve: Resolve = tls.resolve) -> DeepVerdict:
    """Probe one; raises NotFound and Conflict as `probe_one` does."""
    (verdict,) = _probed([find(name, invocation)], invocation, resolve)
    return verdict


def complain_of_deep(verdicts: Iterable[DeepVerdict], unread: Iterable[tuple[str, Exception]] = ()) -> None:
    """Raise Unserved with what AWS did not show, and every unexpected error."""
    failures = [*unread, *((one.load_balancer, one.error) for one in verdicts if one.error)]
    if failures:
        raise Unserved(failures)


def _probed(
    balancers: Iterable[LoadBalancer], invocation: Invocation, resolve: Resolve
) -> tuple[DeepVerdict, ...]:
    balancers = tuple(balancers)
    secrets = read_secrets(balancers, invocation)

    permits, openers = deep.Permits(_SESSIONS), ThreadPoolExecutor(_OPENING)

    def one(balancer: LoadBalancer) -> DeepVerdict:
        try:
            given = means(balancer, secrets, invocation)
            shared = _Shared(invocation, permits, openers)
            findings = _findings(balancer.name, given, shared, resolve) if given else ()
            verdict = DeepVerdict(load_balancer=balancer.name, findings=findings)
        except Exception as error:  # noqa: BLE001 - what one brings along is no other's
            telemetry.failed("deep_probe", error, load_balancer=balancer.name)
            verdict = DeepVerdict(load_balancer=balancer.name, findings=(), error=error)
        log_deep_verdict(verdict.load_balancer, verdict.result, verdict.findings)
        return verdict

    with openers, ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(one, balancers))


@dataclass(frozen=True)
class _Shared:
    """What the load balancers share: the invocation, how many sessions there may be, who opens them."""

    invocation: Invocation
    permits: deep.Permits
    openers: Executor


def _findings(name: str, given: DeviceClient, shared: _Shared, resolve: Resolve) -> tuple[Finding, ...]:
    invocation = shared.invocation
    try:
        found = observe.find_load_balancer(name, invocation)
    except EmqElbError as error:
        telemetry.failed("deep_probe", error)
        return ()
    if found is None:
        return ()
    serving = _serving(found.members)
    findings: list[Finding] = []
    for target in targets(found.load_balancer, read_installed([found.load_balancer], invocation)):
        try:
            addresses = resolve(target.host)
        except OSError:
            continue  # the probe reports it within the minute
        listener = next(one for one in found.load_balancer.listeners if one.port == target.port)
        trial = _Trial(found.load_balancer, listener, target, addresses, serving, given, shared)
        if deep.one_session_a_user(target, addresses[0], given, timeout=trial.timeout):
            findings += [one_session_only(check, target.port) for check in ("delivery", "idle")]
            findings += _again(trial, _obsolete)
        else:
            findings += _again(trial, lambda trial: [*_obsolete(trial), *_delivery(trial)])
            findings += _idle(trial)
    return tuple(findings)


@dataclass(frozen=True)
class _Trial:
    balancer: LoadBalancer
    listener: Listener
    target: Target
    addresses: tuple[str, ...]
    serving: frozenset[str]
    means: DeviceClient
    shared: _Shared

    @property
    def invocation(self) -> Invocation:
        return self.shared.invocation

    @property
    def nodes(self) -> int:
        return max(1, len(self.serving))

    @property
    def timeout(self) -> float:
        return self.invocation.settings.probe_timeout.total_seconds()

    @property
    def remaining(self) -> float:
        return (self.invocation.deadline - self.invocation.now()).total_seconds()


def _again(trial: _Trial, look: Callable[[_Trial], list[Finding]]) -> list[Finding]:
    """Look; where something failed, log it at once and look again a minute later, then let the alarm ring.

    Where there is no time for a second look it does not ring: the next hour begins elsewhere in the order.
    """
    for made in range(1, _TRIES + 1):
        found = look(trial)
        if worst(found) != "failed":
            return found
        log_deep_verdict(trial.balancer.name, "failed", found)
        if made == _TRIES or trial.remaining < _PAUSE + 2 * trial.timeout:
            break
        trial.invocation.sleep(_PAUSE)
    if made > 1:
        _ring(trial)
    return found


def _ring(trial: _Trial) -> None:
    """Make the last three minutes bad ones: the probe's own metric is good in each.

    All at once, since looks take their time: a minute between two of them would keep the alarm quiet.
    """
    seen = trial.invocation.now().replace(microsecond=0)
    for minutes in range(_BAD_MINUTES):
        telemetry.emit(trial.balancer.name, seen - minutes * timedelta(minutes=1), **{SUCCESS: 0})


def _obsolete(trial: _Trial) -> list[Finding]:
    if not trial.target.secure:
        return []
    port = trial.target.port
    return [
        judge_version(
            port,
            version,
            allowed=allowed,
            accepted=deep.accepts(trial.target, trial.addresses[0], version, timeout=trial.timeout),
        )
        for version, allowed in obsolete_versions(trial.listener.ssl_policy)
    ]


def _delivery(trial: _Trial) -> list[Finding]:
    sessions = sessions_for(trial.nodes)
    with trial.shared.permits.taken(sessions):
        seen = deep.delivered(
            trial.target,
            trial.addresses,
            trial.means,
            sessions=sessions,
            timeout=trial.timeout,
            openers=trial.shared.openers,
        )
    return [judge_delivery(trial.target.port, seen, trial.nodes)]


def _idle(trial: _Trial) -> list[Finding]:
    port, idle_timeout = trial.target.port, idle_timeout_at(trial.balancer, trial.listener)
    left = trial.remaining - 2 * trial.timeout
    planned = idle_trial(idle_timeout, left, silent=trial.listener.kept_by_tcp)
    if planned is None:
        return [Finding(check="idle", port=port, result="untested", note="there is no time left to try it")]
    seen = deep.outlives(trial.target, trial.addresses[0], trial.means, planned, timeout=trial.timeout)
    if isinstance(seen, Failure):
        words = f" ({seen.detail})" if seen.detail else ""
        note = f"no session with a keepalive of {planned.keepalive:.0f} s came about: {seen.cause}{words}"
        return [Finding(check="idle", port=port, result="untested", note=note)]
    gone = () if seen.alive else _gone(trial)
    found = judge_idle(port, seen.trial, idle_timeout, alive=seen.alive, gone=gone)
    if found.result == "failed":
        _ring(trial)  # to look again would take as long
    return [found]


def _gone(trial: _Trial) -> frozenset[str]:
    """The instances that went out of service since the look began; none where AWS cannot be asked."""
    try:
        found = observe.find_load_balancer(trial.balancer.name, trial.invocation)
    except EmqElbError as error:
        telemetry.failed("deep_probe", error)
        return frozenset()
    return trial.serving - _serving(found.members if found else ())


def _serving(members: Iterable[Member]) -> frozenset[str]:
    return frozenset(member.id for member in members if member.in_service)
