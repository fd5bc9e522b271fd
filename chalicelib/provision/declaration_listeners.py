"""What must hold of listeners, and of what only listeners use: certificate, SSL policy, health check.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from chalicelib.model.ciphers import CIPHERS, PREDEFINED_POLICIES, PROTOCOLS
from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import (
    DEFAULT_SSL_POLICY,
    SECURE_PROTOCOLS,
    TCP_PROTOCOLS,
    CustomPolicy,
    PredefinedPolicy,
)
from chalicelib.model.syntax import (
    SECRET_PATTERN,
    SOURCE_PATTERN,
    certificate_arn_fault,
    domain_fault,
    health_target_fault,
    matches,
    quoted,
)
from chalicelib.provision.declaration import Allow, Declaration, GivenArn, GivenIssuer, GivenSecret
from chalicelib.x509.domains import covers
from chalicelib.x509.pem import GivenPem

WRONG_ID = "no id of a secret: 1 to 248 letters, digits and / _ + = . @ - (or its ARN) is right"
LISTENERS_MAX = 100
PORT_MAX = 65535
DOMAINS_MAX = 100
"""https://letsencrypt.org/docs/rate-limits/"""
SHOWN_DOMAINS_MAX = 8192
"""What fits into ACM's 32,768 characters of PEM, at three bytes a name.

https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html
"""
HEALTH_RANGES = {
    "interval": (5, 300),
    "timeout": (2, 60),
    "unhealthy_threshold": (2, 10),
    "healthy_threshold": (2, 10),
}


def acm_certificate(declaration: Declaration, region: str) -> Iterator[Fault]:
    """A certificate of ACM works only in its own region."""
    match declaration.certificate:
        case GivenArn(arn=arn) if certificate_arn_fault(arn) is None:
            if (wrong := certificate_arn_fault(arn, region)) is not None:
                yield Fault("certificate.arn", wrong)
        case _:
            pass


def _some_listener(declaration: Declaration) -> Iterator[Fault]:
    if not declaration.listeners:
        yield Fault("listeners", f"none is named: 1 to {LISTENERS_MAX} is right")


def _listeners(declaration: Declaration) -> Iterator[Fault]:
    taken: set[int] = set()
    backs: dict[int, bool] = {}
    for index, listener in enumerate(declaration.listeners):
        at = f"listeners[{index}]"
        for field, port in (("port", listener.port), ("instance_port", listener.instance_port)):
            if not 1 <= port <= PORT_MAX:
                yield Fault(f"{at}.{field}", f"{quoted(port)} is no port: 1 to {PORT_MAX} is right")
        if listener.port in taken:
            yield Fault(f"{at}.port", f"another listener has port {quoted(listener.port)} already")
        taken.add(listener.port)
        if (listener.protocol in TCP_PROTOCOLS) != (listener.instance_protocol in TCP_PROTOCOLS):
            yield Fault(
                f"{at}.instance_protocol",
                f"{listener.protocol} goes with {_partners(listener.protocol)}, "
                f"not {listener.instance_protocol}",
            )
        secure = listener.instance_protocol in SECURE_PROTOCOLS
        if backs.setdefault(listener.instance_port, secure) != secure:
            yield Fault(
                f"{at}.instance_protocol",
                f"another listener uses instance port {quoted(listener.instance_port)}: "
                "both must be secure (SSL, HTTPS), or both plain (TCP, HTTP)",
            )


def _partners(protocol: str) -> str:
    return "TCP or SSL" if protocol in TCP_PROTOCOLS else "HTTP or HTTPS"


def _certificate_needed(declaration: Declaration) -> Iterator[Fault]:
    if _secure(declaration) and declaration.certificate is None:
        yield Fault(
            "certificate", "a listener that speaks SSL or HTTPS needs one, and the default listeners do"
        )


def _certificate_wanted(declaration: Declaration) -> Iterator[Fault]:
    if declaration.certificate is not None and declaration.listeners and not _secure(declaration):
        yield Fault("certificate", "no listener would use it: none speaks SSL or HTTPS")


def _policy_wanted(declaration: Declaration) -> Iterator[Fault]:
    custom = declaration.ssl_policy != PredefinedPolicy(DEFAULT_SSL_POLICY)
    if custom and declaration.listeners and not _secure(declaration):
        yield Fault("ssl_policy", "no listener would use it: none speaks SSL or HTTPS")


def _proxy_protocol_wanted(declaration: Declaration) -> Iterator[Fault]:
    tcp = any(listener.protocol in TCP_PROTOCOLS for listener in declaration.listeners)
    if declaration.proxy_protocol and declaration.listeners and not tcp:
        yield Fault("proxy_protocol", "no listener would use it: none speaks TCP or SSL")


def _allow_wanted(declaration: Declaration) -> Iterator[Fault]:
    allow, listeners = declaration.allow, declaration.listeners
    if listeners and not _secure(declaration) and allow.mqtt != Allow().mqtt:
        yield Fault(
            "allow.mqtt", "it would let nobody in: no listener speaks SSL or HTTPS; use allow.dashboard"
        )
    if listeners and all(listener.secure for listener in listeners) and allow.dashboard:
        yield Fault(
            "allow.dashboard", "it would let nobody in: every listener speaks SSL or HTTPS; use allow.mqtt"
        )


def _secure(declaration: Declaration) -> bool:
    return any(listener.secure for listener in declaration.listeners)


def _certificate(declaration: Declaration) -> Iterator[Fault]:
    match declaration.certificate:
        case None | GivenPem():
            # What is wrong with a PEM text is the pre-flight's business.
            return
        case GivenArn(arn=arn, source=source):
            if (wrong := certificate_arn_fault(arn)) is not None:
                yield Fault("certificate.arn", wrong)
            if source is not None and not matches(SOURCE_PATTERN, source):
                yield Fault(
                    "certificate.source", f"{quoted(source)} is no source that GET shows: leave it out"
                )
        case GivenSecret(secret_id=secret):
            if not matches(SECRET_PATTERN, secret):
                yield Fault("certificate.secret_id", WRONG_ID)
        case GivenIssuer(domains=domains):
            yield from _domains(domains)
        case _:
            assert_never(declaration.certificate)


def _acme_names(declaration: Declaration) -> Iterator[Fault]:
    """What an ACME CA certifies is told to it, and devices ask for the hostname."""
    match declaration.certificate:
        case GivenIssuer("acme", domains):
            hostname = declaration.hostname
            if not domains and hostname is None:
                yield Fault("certificate.domains", "the CA has to be given names: these, or a `hostname`")
            if domains and hostname is not None and not covers(domains, hostname):
                yield Fault("certificate.domains", f"none of them covers {quoted(hostname)}, the `hostname`")
        case _:
            pass


def _domains(domains: tuple[str, ...]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, domain in enumerate(domains):
        if (wrong := domain_fault(domain)) is not None:
            yield Fault(f"certificate.domains[{index}]", wrong)
        elif domain.lower() in seen:
            yield Fault(f"certificate.domains[{index}]", f"{quoted(domain)} is named twice")
        seen.add(domain.lower())


def _ssl_policy(declaration: Declaration) -> Iterator[Fault]:
    policy = declaration.ssl_policy
    match policy:
        case PredefinedPolicy(name=name):
            if name not in PREDEFINED_POLICIES:
                yield Fault(
                    "ssl_policy", f"{quoted(name)} is none of AWS's: {', '.join(PREDEFINED_POLICIES)}"
                )
        case CustomPolicy():
            for field, chosen, known in (
                ("ssl_policy.protocols", policy.protocols, PROTOCOLS),
                ("ssl_policy.ciphers", policy.ciphers, CIPHERS),
            ):
                if not chosen:
                    yield Fault(field, "at least one is needed")
                for name in sorted(chosen.difference(known)):
                    yield Fault(
                        field,
                        f"{quoted(name)} is not on AWS's list: {', '.join(known[:3])} …",
                    )
        case _:
            assert_never(policy)


def _health_check(declaration: Declaration) -> Iterator[Fault]:
    check = declaration.health_check
    if (wrong := health_target_fault(check.target)) is not None:
        yield Fault("health_check.target", wrong)
    numbers = {
        "interval": check.interval,
        "timeout": check.timeout,
        "unhealthy_threshold": check.unhealthy_threshold,
        "healthy_threshold": check.healthy_threshold,
    }
    for field, (low, high) in HEALTH_RANGES.items():
        if not low <= numbers[field] <= high:
            yield Fault(
                f"health_check.{field}", f"{quoted(numbers[field])} is out of range: {low} to {high} is right"
            )
    if check.timeout >= check.interval:
        yield Fault(
            "health_check.timeout",
            f"{quoted(check.timeout)} must be below the interval, {quoted(check.interval)} seconds",
        )


CHECKS: tuple[tuple[str, Callable[[Declaration], Iterator[Fault]]], ...] = (
    ("listeners", _some_listener),
    ("listeners", _listeners),
    ("listeners certificate", _certificate_needed),
    ("listeners certificate", _certificate_wanted),
    ("listeners ssl_policy", _policy_wanted),
    ("listeners proxy_protocol", _proxy_protocol_wanted),
    ("listeners allow", _allow_wanted),
    ("certificate", _certificate),
    ("certificate hostname", _acme_names),
    ("ssl_policy", _ssl_policy),
    ("health_check", _health_check),
)
"""The fields that a check reads, and the check."""
OF_SOME = frozenset({_listeners, _certificate_needed})
"""Checks whose faults with some of the listeners are faults whatever the others are."""
