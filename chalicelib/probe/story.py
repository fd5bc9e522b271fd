"""Probe: use every load balancer of ours as a device would, and report how that went.

observe (load balancers, tags, secrets) → plan (targets) → try each address of each, all at once → judge and
report. A probe that fails is a metric; an exception means that the prober itself is broken, and comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from chalicelib import observe, telemetry
from chalicelib.invocation import Invocation
from chalicelib.model.errors import AwsError, Conflict, Unserved
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.observe import Unread
from chalicelib.probe.metrics import metrics
from chalicelib.probe.plan import HostnameRecord, Verdict, broken, enabled, hostname_records, targets
from chalicelib.probe.report import log_verdict
from chalicelib.tls import connect as tls

if TYPE_CHECKING:
    from chalicelib.tls.connect import Resolve


def probe_all(
    invocation: Invocation, *, resolve: Resolve = tls.resolve, unread: Unread = observe.raise_unread
) -> tuple[Verdict, ...]:
    """Probe every load balancer of ours that is to be probed; put metrics and log what is not well.

    An unexpected error at one load balancer fails that one alone, and `complain` raises it, so that the
    function fails. A load balancer that had no turn before the deadline gets no metric, and none that AWS
    does not show: `unread` gets its name.

    In ceil(N/400) + ceil(N/20) calls to AWS for the region's N load balancers of each kind, one for each
    network one, and one for each secret. The metrics are of the minute in which the probe began: no minute
    is left out because one took longer.
    """
    began = invocation.now()
    lacking: list[str] = []

    def noted(place: str, error: AwsError) -> None:
        lacking.append(place)
        unread(place, error)

    ours = observe.ours_with_listeners(invocation, noted)
    balancers = [one for one in ours if enabled(one) and targets(one)]
    # A hostname may lead to one that AWS does not show.
    verdicts = _probed(balancers, {} if lacking else hostname_records(ours), invocation, resolve)
    for verdict in verdicts:
        if found := metrics(verdict, began):
            telemetry.emit(verdict.load_balancer, began, **found)
        log_verdict(verdict)
    return verdicts


def complain(verdicts: Sequence[Verdict], unread: Iterable[tuple[str, Exception]] = ()) -> None:
    """Raise Unserved with what AWS did not show, and where the prober itself failed: that is in the log."""
    failures: list[tuple[str, Exception]] = [
        *unread,
        *((name, Conflict("the prober failed, see the record `unexpected`")) for name in broken(verdicts)),
    ]
    if failures:
        raise Unserved(failures)


def probe_one(name: str, invocation: Invocation, *, resolve: Resolve = tls.resolve) -> Verdict:
    """Probe one load balancer now, whether or not the schedule does.

    Raises NotFound when it is not ours, Conflict when no listener of it carries MQTT.
    """
    found = find(name, invocation)
    records = hostname_records([found])
    if any(record.shared for record in records.values()):
        records = hostname_records(observe.ours_of_either_kind(invocation))
    (verdict,) = _probed([found], records, invocation, resolve)
    log_verdict(verdict)
    return verdict


def find(name: str, invocation: Invocation) -> LoadBalancer:
    """One load balancer of ours with a listener that carries MQTT; raises as `probe_one` does."""
    found = observe.one_of_ours(name, invocation)
    if not targets(found):
        raise Conflict(f"no listener of {name} carries MQTT: SSL or TLS, or TCP to the brokers' port")
    return found


def _probed(
    balancers: Sequence[LoadBalancer],
    records: Mapping[str, HostnameRecord],
    invocation: Invocation,
    resolve: Resolve,
) -> tuple[Verdict, ...]:
    if not balancers:
        return ()
    from chalicelib.probe.apply import verdicts

    return verdicts(balancers, records, invocation, resolve)
