"""From a body whose types pydantic has let pass to the declaration that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chalicelib.api.wording import DRAINING
from chalicelib.model.dns_options import DnsOptions
from chalicelib.model.load_balancer import (
    AccessLogs,
    CustomPolicy,
    HealthCheck,
    Listener,
    PredefinedPolicy,
    SslPolicy,
)
from chalicelib.model.members import Members
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.provision.declaration import (
    DEFAULTS,
    Allow,
    CertificateSource,
    Declaration,
    GivenArn,
    GivenIssuer,
    GivenSecret,
)
from chalicelib.x509.pem import GivenPem


def declaration_of(name: str, given: Mapping[str, Any]) -> Declaration:
    """Return the declaration; what the body omits takes the defaults of `Declaration` and its values."""
    defaults = DEFAULTS[given.get("type", Declaration.type)]
    said = {field: make(given[field]) for field, make in _MADE.items() if field in given}
    omitted = frozenset({"type", *defaults}.difference(given))
    if "interval" not in given.get("access_logs", {}):
        omitted |= {"access_logs.interval"}
    made = Declaration(name=name, **{**defaults, **said}, omitted=omitted)
    return made.with_instances(_placed(given["instances"])) if "instances" in given else made


def _as_it_is(value: object) -> object:
    return value


def _listeners(given: Iterable[Mapping[str, Any]]) -> tuple[Listener, ...]:
    return tuple(Listener(**listener) for listener in given)


def _certificate(given: Mapping[str, Any]) -> CertificateSource:
    match given:
        case {"arn": arn}:
            return GivenArn(arn, given.get("source"))
        case {"secret_id": secret_id}:
            return GivenSecret(secret_id)
        case {"pem": texts}:
            return GivenPem(**texts)
        case _:
            return GivenIssuer(given["issuer"], tuple(given.get("domains", GivenIssuer.domains)))


def _ssl_policy(given: str | Mapping[str, Any] | None) -> SslPolicy | None:
    if given is None:
        return None
    if isinstance(given, str):
        return PredefinedPolicy(given)
    return CustomPolicy(
        **{**given, "protocols": frozenset(given["protocols"]), "ciphers": frozenset(given["ciphers"])}
    )


def _allow(given: Mapping[str, Iterable[str]]) -> Allow:
    return Allow(**{who: tuple(cidrs) for who, cidrs in given.items()})


def _dns(given: bool | Mapping[str, Any]) -> DnsOptions | None:
    if isinstance(given, bool):
        return DnsOptions() if given else None
    return DnsOptions(tuple(given.get("zone_ids", ())), given.get("weight"))


def _placed(given: Iterable[str | Mapping[str, str]]) -> Iterator[tuple[int, str]]:
    for place, one in enumerate(given):
        if isinstance(one, str):
            yield place, one
        elif one.get("state") != DRAINING:
            yield place, one["id"]


_MADE: Mapping[str, Callable[[Any], Any]] = {
    "type": _as_it_is,
    "subnets": tuple,
    "cluster": _as_it_is,
    "scheme": _as_it_is,
    "listeners": _listeners,
    "certificate": _certificate,
    "ssl_policy": _ssl_policy,
    "security_groups": tuple,
    "allow": _allow,
    "health_check": lambda given: HealthCheck(**given),
    "keepalive": lambda seconds: int(seconds) if seconds % 1 == 0 else seconds,
    "connection_draining": _as_it_is,
    "cross_zone": _as_it_is,
    "proxy_protocol": lambda given: tuple(given) if isinstance(given, list) else given,
    "access_logs": lambda given: AccessLogs(**given),
    "members": lambda given: Members(**{kind: tuple(names) for kind, names in given.items()}),
    "hostname": _as_it_is,
    "dns": _dns,
    "probe": lambda given: ProbeOptions(**given),
    "tags": dict,
    "addresses": dict,
}
