"""Probe: use every load balancer of ours as a device would, and tell how that went.

observe (load balancers, tags, secrets) → plan (targets) → try each address of each, all at once → judge and
tell. A probe that fails is a metric; an exception here means that the prober itself is broken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from chalicelib import observe, telemetry
from chalicelib.adapters import elb, tls
from chalicelib.adapters.attempts import Attempt, attempt_all
from chalicelib.adapters.mqtt import Means
from chalicelib.adapters.mqtt_session import Credentials
from chalicelib.adapters.secrets import read_secret
from chalicelib.core.declared import ProbeOptions
from chalicelib.core.errors import Conflict, EmqElbError, NotFound
from chalicelib.core.handshake import Trust
from chalicelib.core.holding import PRIVATE_CA
from chalicelib.core.model import LoadBalancer
from chalicelib.core.names import CERTIFICATE_TAG, OWNER_TAG, PROBE_TAG
from chalicelib.core.probe_metrics import metrics
from chalicelib.core.probe_options import read_probe_tag
from chalicelib.core.syntax import name_fault
from chalicelib.core.verdict import Failure, Outcome, Verdict, enabled, judge, targets
from chalicelib.invocation import Invocation

_READS_AT_ONCE = 8
_UNREADABLE = Failure("prepare", "secret")

Resolve = Callable[[str], tuple[str, ...]]
Secrets = Mapping[str, Mapping[str, str] | None]


def probe_all(invocation: Invocation, *, resolve: Resolve = tls.resolve) -> tuple[Verdict, ...]:
    """Probe every load balancer of ours that is to be probed; put metrics and tell what is not well.

    In ceil(N/400) + ceil(N/20) calls to AWS for the region's N load balancers, and one for each secret. The
    metrics are of the minute in which the probe began: no minute is left out because one took longer.
    """
    began = invocation.now()
    balancers = [one for one in observe.ours(invocation) if enabled(one) and targets(one)]
    verdicts = _probed(balancers, invocation, resolve)
    for verdict in verdicts:
        telemetry.emit(verdict.load_balancer, began, **metrics(verdict, began))
        telemetry.probed(verdict)
    return verdicts


def probe_one(name: str, invocation: Invocation, *, resolve: Resolve = tls.resolve) -> Verdict:
    """Probe one load balancer now, whether or not the schedule does.

    Raises NotFound when it is not ours, Conflict when no listener of it carries MQTT.
    """
    (verdict,) = _probed([find(name, invocation)], invocation, resolve)
    telemetry.probed(verdict)
    return verdict


def find(name: str, invocation: Invocation) -> LoadBalancer:
    """One load balancer of ours with a listener that carries MQTT, in two calls; as `probe_one` raises."""
    client = invocation.clients.elb
    described = None if name_fault(name) else elb.describe(client, name)
    tags = elb.tags_of(client, [name]).get(name, {}) if described else {}
    if described is None or tags.get(OWNER_TAG) != invocation.settings.owner:
        raise NotFound(f"there is no load balancer {name} of ours")
    found = elb.load_balancer(described, {}, {}, tags)
    if not targets(found):
        raise Conflict(f"no listener of {name} carries MQTT: SSL, or TCP to the brokers' port")
    return found


def _probed(
    balancers: Iterable[LoadBalancer], invocation: Invocation, resolve: Resolve
) -> tuple[Verdict, ...]:
    balancers = tuple(balancers)
    secrets = read_secrets(balancers, invocation)
    known = {one.name: means(one, secrets, invocation) for one in balancers}
    outcomes: dict[str, list[Outcome]] = {
        one.name: [Outcome(port=target.port, failure=_UNREADABLE) for target in targets(one)]
        if known[one.name] is None
        else []
        for one in balancers
    }
    attempts = [
        Attempt(target, given)
        for one in balancers
        for target in targets(one)
        if (given := known[one.name]) is not None
    ]
    left = (invocation.deadline - invocation.now()).total_seconds()
    timeout = min(invocation.settings.probe_timeout.total_seconds(), max(left - 1, 0))
    for name, outcome in attempt_all(attempts, resolve, timeout=timeout, until=time.monotonic() + left):
        outcomes[name].append(outcome)
    return tuple(judge(name, seen) for name, seen in sorted(outcomes.items()))


def read_secrets(balancers: Iterable[LoadBalancer], invocation: Invocation) -> Secrets:
    """Every secret that a probe of these needs, each read once; None for one that cannot be read."""
    wanted = {id_ for one in balancers for id_ in _secrets_of(one, invocation)}
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        found = pool.map(lambda id_: _read(id_, invocation), sorted(wanted))
        return dict(zip(sorted(wanted), found, strict=True))


def _secrets_of(balancer: LoadBalancer, invocation: Invocation) -> list[str]:
    options = _options(balancer)
    private_ca = balancer.tags.get(CERTIFICATE_TAG) == PRIVATE_CA
    ids = (options.credentials_secret_id, options.ca_secret_id)
    return [*filter(None, ids), *([invocation.settings.private_ca_secret] if private_ca else [])]


def _read(secret_id: str, invocation: Invocation) -> Mapping[str, str] | None:
    try:
        return read_secret(invocation.clients.secrets, secret_id, field="probe").value
    except EmqElbError as error:
        telemetry.failed("probe", error)
        return None


def means(balancer: LoadBalancer, secrets: Secrets, invocation: Invocation) -> Means | None:
    """Whom a probe of this one trusts and who it is; None when a secret that its tag names is not usable."""
    options = _options(balancer)
    anchors = []
    for id_ in _secrets_of(balancer, invocation):
        if id_ == options.credentials_secret_id:
            continue
        certificate = (secrets.get(id_) or {}).get("certificate", "")
        if tls.is_anchor(certificate):
            anchors.append(certificate)
        elif id_ == options.ca_secret_id:
            return None
    credentials = Credentials()
    if options.credentials_secret_id:
        known = secrets.get(options.credentials_secret_id)
        if known is None or "username" not in known:
            return None
        credentials = Credentials(known["username"], known.get("password"))
    return Means(trust=Trust(tuple(anchors)), credentials=credentials)


def _options(balancer: LoadBalancer) -> ProbeOptions:
    return read_probe_tag(balancer.tags.get(PROBE_TAG))
