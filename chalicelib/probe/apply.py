"""The attempts of a probe: from load balancers to what became of each of their addresses.

`story` imports it where there is something to probe: a region without load balancers needs no MQTT client.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chalicelib import telemetry
from chalicelib.aws.certificate import read_certificate
from chalicelib.aws.secrets import read_secret
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Absent
from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.names import CERTIFICATE_TAG, PRIVATE_CA, PROBE_TAG, authority_certificate_secret
from chalicelib.model.probe_options import ProbeOptions, read_probe_tag
from chalicelib.probe.device import DeviceClient
from chalicelib.probe.mqtt import Credentials
from chalicelib.probe.plan import (
    Failure,
    HostnameRecord,
    Outcome,
    Verdict,
    certificates_to_read,
    first_turn,
    judge_outcomes,
    targets,
    unforeseen,
)
from chalicelib.probe.pool import Attempt, attempt_all
from chalicelib.tls import connect as tls
from chalicelib.tls.connect import Resolve
from chalicelib.tls.handshake import Trust

_READS_AT_ONCE = 8
_KEYS = ("username", "password", "certificate")
_UNREADABLE = Failure("prepare", "secret")

Secrets = Mapping[str, Mapping[str, str] | None]


def verdicts(
    balancers: Sequence[LoadBalancer],
    records: Mapping[str, HostnameRecord],
    invocation: Invocation,
    resolve: Resolve,
) -> tuple[Verdict, ...]:
    """Try each address of each target, many at a time, beginning elsewhere in the order each minute.

    `records` are those of the hostnames, by the load balancers' names.

    What cannot be read of one load balancer, or is a defect at it, fails that one alone.
    """
    secrets, installed = read_secrets(balancers, invocation), read_installed(balancers, invocation)
    outcomes: dict[str, list[Outcome]] = {one.name: [] for one in balancers}
    attempts: list[Attempt] = []
    for one in balancers:
        try:
            given = means(one, secrets, invocation) or _UNREADABLE
        except Exception as error:  # noqa: BLE001 - what one brings along is no other's
            _unexpected(one.name, error)
            given = unforeseen(error)
        for target in targets(one, installed):
            match given:
                case Failure():
                    outcomes[one.name].append(Outcome(port=target.port, failure=given))
                case DeviceClient():
                    attempts.append(Attempt(replace(target, record=records.get(one.name)), given))
    begin = first_turn(int(invocation.now().timestamp()) // 60, len(attempts))
    left = (invocation.deadline - invocation.now()).total_seconds()
    timeout = min(invocation.settings.probe_timeout.total_seconds(), max(left - 1, 0))
    tried = attempt_all(
        [*attempts[begin:], *attempts[:begin]],
        resolve,
        timeout=timeout,
        until=time.monotonic() + left,
        unexpected=_unexpected,
    )
    for name, outcome in tried:
        outcomes[name].append(outcome)
    return tuple(judge_outcomes(name, seen) for name, seen in sorted(outcomes.items()))


def read_secrets(balancers: Iterable[LoadBalancer], invocation: Invocation) -> Secrets:
    """Read every secret that a probe of these needs, once; None for one that cannot be read."""
    wanted = {id_ for one in balancers for id_ in _secrets_of(one, invocation)}
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        found = pool.map(lambda id_: _read(id_, invocation), sorted(wanted))
        return dict(zip(sorted(wanted), found, strict=True))


def read_installed(balancers: Iterable[LoadBalancer], invocation: Invocation) -> Mapping[str, frozenset[str]]:
    """Read the names in the certificates that a password depends on, by ARN; none where AWS shows none."""
    wanted = sorted({arn for one in balancers for arn in certificates_to_read(one)})
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(lambda arn: _names(arn, invocation), wanted), strict=True))


def _names(arn: str, invocation: Invocation) -> frozenset[str]:
    try:
        found = read_certificate(arn, invocation.clients)
    except Exception as error:  # noqa: BLE001 - it fails those that serve this certificate
        telemetry.failed("probe", error, certificate=arn)
        return frozenset()
    return frozenset(found.domains if found else ())


def _secrets_of(balancer: LoadBalancer, invocation: Invocation) -> list[str]:
    options = _options(balancer)
    private_ca = balancer.tags.get(CERTIFICATE_TAG) == PRIVATE_CA
    authority = authority_certificate_secret(invocation.settings.private_ca_secret)
    ids = (options.credentials_secret_id, options.ca_secret_id)
    return [*filter(None, ids), *([authority] if private_ca else [])]


def _read(secret_id: str, invocation: Invocation) -> Mapping[str, str] | None:
    client, private_ca = invocation.clients.secrets, invocation.settings.private_ca_secret
    try:
        try:
            return read_secret(client, secret_id, field="probe", keys=_KEYS).value
        except Absent:
            if secret_id != authority_certificate_secret(private_ca):
                raise
            # A CA of before its certificate had a secret of its own: `rotate` is about to make that.
            return read_secret(client, private_ca, field="probe", keys=_KEYS).value
    except Exception as error:  # noqa: BLE001 - it fails those that need this secret
        telemetry.failed("probe", error, secret=secret_id)
        return None


def means(balancer: LoadBalancer, secrets: Secrets, invocation: Invocation) -> DeviceClient | None:
    """Return whom the probe trusts and its credentials; None where a secret that the tag names is no use."""
    options = _options(balancer)
    anchors = []
    for id_ in _secrets_of(balancer, invocation):
        if id_ == options.credentials_secret_id:
            continue
        anchor = tls.anchor((secrets.get(id_) or {}).get("certificate", ""))
        if anchor is not None:
            anchors.append(anchor)
        elif id_ == options.ca_secret_id:
            return None
    credentials = Credentials()
    if options.credentials_secret_id:
        known = secrets.get(options.credentials_secret_id)
        if known is None or "username" not in known:
            return None
        credentials = Credentials(known["username"], known.get("password"))
    return DeviceClient(trust=Trust(tuple(anchors)), credentials=credentials)


def _unexpected(load_balancer: str, error: Exception) -> None:
    telemetry.failed("probe", error, load_balancer=load_balancer)


def _options(balancer: LoadBalancer) -> ProbeOptions:
    return read_probe_tag(balancer.tags.get(PROBE_TAG))
