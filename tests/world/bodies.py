"""Declarations written down as bodies, by hand: the reader is what is tested."""

from __future__ import annotations

from typing import Any, assert_never

from chalicelib.model.load_balancer import CustomPolicy, PredefinedPolicy, SslPolicy
from chalicelib.provision.declaration import (
    CertificateSource,
    Declaration,
    GivenArn,
    GivenIssuer,
    GivenSecret,
)
from chalicelib.x509.pem import GivenPem


def body_of(declaration: Declaration) -> dict[str, Any]:
    """Return a body that says all of a declaration."""
    body: dict[str, Any] = {
        "subnets": list(declaration.subnets),
        "cluster": declaration.cluster,
        "scheme": declaration.scheme,
        "listeners": [
            {
                "protocol": one.protocol,
                "port": one.port,
                "instance_protocol": one.instance_protocol,
                "instance_port": one.instance_port,
            }
            for one in declaration.listeners
        ],
        "certificate": certificate_of(declaration.certificate),
        "ssl_policy": policy_of(declaration.ssl_policy),
        "health_check": {**vars(declaration.health_check)},
        "keepalive": declaration.keepalive,
        "connection_draining": declaration.connection_draining,
        "cross_zone": declaration.cross_zone,
        "proxy_protocol": declaration.proxy_protocol,
        "access_logs": None if declaration.access_logs is None else {**vars(declaration.access_logs)},
        "instances": list(declaration.instances),
        "members": declaration.members
        and {kind: list(names) for kind, names in vars(declaration.members).items() if names},
        "hostname": declaration.hostname,
        "probe": {key: value for key, value in vars(declaration.probe).items() if value is not None},
        "tags": dict(declaration.tags),
    }
    if declaration.security_groups is None:
        allow = declaration.allow
        body["allow"] = {"mqtt": list(allow.mqtt), "dashboard": list(allow.dashboard)}
    else:
        body["security_groups"] = list(declaration.security_groups)
    return {key: value for key, value in body.items() if value is not None}


def certificate_of(source: CertificateSource | None) -> dict[str, Any] | None:
    match source:
        case None:
            return None
        case GivenArn():
            return {key: value for key, value in vars(source).items() if value}
        case GivenSecret():
            return {"secret_id": source.secret_id}
        case GivenPem():
            return {"pem": {**vars(source)}}
        case GivenIssuer():
            return {"issuer": source.issuer, "domains": list(source.domains)}
        case _:
            assert_never(source)


def policy_of(policy: SslPolicy | None) -> str | dict[str, Any] | None:
    match policy:
        case None:
            return None
        case PredefinedPolicy():
            return policy.name
        case CustomPolicy():
            return {
                "protocols": sorted(policy.protocols),
                "ciphers": sorted(policy.ciphers),
                "server_defined_order": policy.server_defined_order,
            }
        case _:
            assert_never(policy)
