"""Hypothesis strategies for values of `model/load_balancer.py`: AWS would take every declaration here.

@given(declarations())
def test_…(declaration: Declaration) -> None: …
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chalicelib.model.ciphers import CIPHERS, PREDEFINED_POLICIES, PROTOCOLS
from chalicelib.model.load_balancer import (
    AccessLogs,
    CustomPolicy,
    HealthCheck,
    Listener,
    PredefinedPolicy,
    Protocol,
    keepalive_of,
)
from chalicelib.model.members import Members
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.provision.declaration import (
    Allow,
    CertificateSource,
    Declaration,
    GivenArn,
    GivenIssuer,
    GivenSecret,
)
from chalicelib.x509.pem import GivenPem

_HEX = "0123456789abcdef"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PARTNERS: dict[Protocol, tuple[Protocol, Protocol]] = {
    "TCP": ("TCP", "SSL"),
    "SSL": ("TCP", "SSL"),
    "HTTP": ("HTTP", "HTTPS"),
    "HTTPS": ("HTTP", "HTTPS"),
}

ports = st.integers(1, 65535)
names = st.from_regex(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not name.startswith(("internal-", "sg-"))
)
hostnames = st.lists(st.text(_LETTERS, min_size=1, max_size=8), min_size=2, max_size=4).map(".".join)
secret_ids = st.text(_LETTERS + "0123456789/_+=.@-", min_size=1, max_size=40)
private_keys = st.just("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0IGtleQ==\n-----END RSA PRIVATE KEY-----\n")


def ids(prefix: str) -> st.SearchStrategy[str]:
    """Ids as AWS makes them, the short ones of old and the long ones of today."""
    return st.sampled_from((8, 17)).flatmap(
        lambda size: st.text(_HEX, min_size=size, max_size=size).map(lambda digits: f"{prefix}-{digits}")
    )


@st.composite
def cidrs(draw: st.DrawFn) -> str:
    """IPv4 networks with their host bits zero."""
    prefix = draw(st.integers(0, 32))
    bits = draw(st.integers(0, 2**prefix - 1)) << (32 - prefix)
    return ".".join(str(byte) for byte in bits.to_bytes(4, "big")) + f"/{prefix}"


@st.composite
def listeners(draw: st.DrawFn) -> tuple[Listener, ...]:
    """One to five listeners that go together, in any order."""
    fronts = draw(st.lists(ports, min_size=1, max_size=5, unique=True))
    secure_backs: dict[int, bool] = {}
    made = []
    for front in fronts:
        protocol = draw(st.sampled_from(list(_PARTNERS)))
        back = draw(st.sampled_from((1883, 8883, 18083)) | ports)
        secure = secure_backs.setdefault(back, draw(st.booleans()))
        made.append(Listener(front, protocol, back, _PARTNERS[protocol][secure]))
    return tuple(made)


arns = st.builds(
    "arn:aws:iam::{:012d}:server-certificate/{}{}".format,
    st.integers(0, 10**12 - 1),
    st.sampled_from(("", "emq-elb/prod/eu-central-1/demo/")),
    st.text(_LETTERS + "+=,.@-_0123456789", min_size=1, max_size=40),
)
given_arns = st.builds(
    GivenArn, arns, st.sampled_from(("private-ca", "acme", "pem", "external", "secret:prod/mqtt"))
)
certificate_sources: st.SearchStrategy[CertificateSource] = st.one_of(
    given_arns,
    st.builds(GivenSecret, secret_ids),
    st.builds(GivenPem, st.just("-----BEGIN CERTIFICATE-----"), private_keys, st.just("")),
    st.builds(
        GivenIssuer,
        st.just("private-ca"),
        st.lists(hostnames | hostnames.map("*.{}".format), max_size=3, unique=True).map(tuple),
    ),
)
ssl_policies = st.sampled_from(PREDEFINED_POLICIES).map(PredefinedPolicy) | st.builds(
    CustomPolicy,
    st.frozensets(st.sampled_from(PROTOCOLS), min_size=1),
    st.frozensets(st.sampled_from(CIPHERS), min_size=1, max_size=6),
    st.booleans(),
)


@st.composite
def health_checks(draw: st.DrawFn) -> HealthCheck:
    """Health checks whose timeout is below their interval."""
    interval = draw(st.integers(5, 300))
    port = draw(ports)
    target = draw(
        st.sampled_from((f"TCP:{port}", f"SSL:{port}", f"HTTP:{port}/status", f"HTTPS:{port}/a?b=c"))
    )
    timeout = draw(st.integers(2, min(60, interval - 1)))
    return HealthCheck(target, interval, timeout, draw(st.integers(2, 10)), draw(st.integers(2, 10)))


access_logs = st.builds(
    AccessLogs,
    st.from_regex(r"[a-z0-9][a-z0-9-]{1,20}[a-z0-9]", fullmatch=True),
    st.sampled_from(("", "mqtt", "a/b_c")),
    st.sampled_from((5, 60)),
)
probe_options = st.builds(
    ProbeOptions,
    st.none() | st.booleans(),
    st.sampled_from((0, 1, 2)),
    st.sampled_from(("3.1.1", "5")),
    st.none() | secret_ids,
    st.none() | secret_ids,
    st.booleans(),
)
_profiles = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,12}\*?", fullmatch=True)
_groups = st.from_regex(r"[!-9;-~]{1,12}", fullmatch=True).filter(lambda name: name != "*")
members = st.none() | st.builds(
    Members,
    st.lists(_profiles, min_size=1, max_size=2, unique=True).map(tuple),
    st.lists(_groups, max_size=2, unique=True).map(tuple),
)
clusters = st.text(_LETTERS + "äé 1_.:/=+-@", min_size=1, max_size=20).filter(
    lambda text: text == text.strip() and not text.startswith("aws:")
)
user_tags = st.dictionaries(
    st.text(_LETTERS + "äé 1_.:/=+-@", min_size=1, max_size=20).filter(
        lambda key: not key.startswith(("aws:", "emq-elb:"))
    ),
    st.text(_LETTERS + "äé 1_.:/=+-@", max_size=20),
    max_size=5,
)


@st.composite
def declarations(draw: st.DrawFn, certificates: st.SearchStrategy[Any] = certificate_sources) -> Declaration:
    """Declarations without a fault; what only some listeners use is there only with such listeners."""
    chosen = draw(listeners())
    secure = any(listener.secure for listener in chosen)
    plain = not all(listener.secure for listener in chosen)
    tcp = any(listener.protocol in {"TCP", "SSL"} for listener in chosen)
    own_group = draw(st.booleans())
    networks = st.lists(cidrs(), max_size=3, unique=True).map(tuple)
    optional: dict[str, Any] = {}
    if secure:
        optional["certificate"] = draw(certificates)
        optional["ssl_policy"] = draw(ssl_policies)
    if own_group:
        optional["allow"] = Allow(
            mqtt=draw(networks) if secure else Allow().mqtt, dashboard=draw(networks) if plain else ()
        )
    else:
        optional["security_groups"] = tuple(draw(st.lists(ids("sg"), min_size=1, max_size=5, unique=True)))
    return Declaration(
        name=draw(names),
        subnets=tuple(draw(st.lists(ids("subnet"), min_size=1, max_size=3, unique=True))),
        cluster=draw(st.none() | clusters),
        scheme=draw(st.sampled_from(("internet-facing", "internal"))),
        listeners=chosen,
        health_check=draw(health_checks()),
        keepalive=draw(st.integers(1, 3600).map(keepalive_of)),
        connection_draining=draw(st.integers(0, 3600)),
        cross_zone=draw(st.booleans()),
        proxy_protocol=draw(st.booleans()) if tcp else False,
        access_logs=draw(st.none() | access_logs),
        instances=tuple(draw(st.lists(ids("i"), max_size=3, unique=True))),
        members=draw(members),
        hostname=draw(st.none() | hostnames),
        probe=draw(probe_options),
        tags=draw(user_tags),
        **optional,
    )
