"""The attempts of a probe: from load balancers to what became of each of their addresses.

Apart from `probe.py`, so that a region without load balancers starts without an MQTT client.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from chalicelib import telemetry
from chalicelib.adapters import tls
from chalicelib.adapters.attempts import Attempt, attempt_all
from chalicelib.adapters.mqtt import Means
from chalicelib.adapters.mqtt_session import Credentials
from chalicelib.adapters.secrets import read_secret
from chalicelib.core.errors import EmqElbError
from chalicelib.core.handshake import Trust
from chalicelib.core.holding import PRIVATE_CA
from chalicelib.core.model import LoadBalancer
from chalicelib.core.names import CERTIFICATE_TAG, PROBE_TAG
from chalicelib.core.probe_options import ProbeOptions, read_probe_tag
from chalicelib.core.verdict import Failure, Outcome, Verdict, judge, targets
from chalicelib.invocation import Invocation

_READS_AT_ONCE = 8
_UNREADABLE = Failure("prepare", "secret")

Resolve = Callable[[str], tuple[str, ...]]
Secrets = Mapping[str, Mapping[str, str] | None]


def verdicts(
    balancers: Sequence[LoadBalancer], invocation: Invocation, resolve: Resolve
) -> tuple[Verdict, ...]:
    """Try each address of each target, all at once; a secret that cannot be read fails its own."""
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
