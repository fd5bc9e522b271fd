"""Rules about two or more values of a declaration; what holds of one alone is judged in `api/body.py`.

An ordered list of small checks; each names the fields that it reads, so that a field which is already known
to be wrong spoils no judgement about the others.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import SECURE_PROTOCOLS, TCP_PROTOCOLS
from chalicelib.model.members import members_tag
from chalicelib.model.names import security_group_name
from chalicelib.model.probe_options import probe_tag
from chalicelib.model.syntax import certificate_arn_fault, quoted
from chalicelib.provision.declaration import DEFAULT_POLICY, Allow, Declaration, GivenArn, GivenIssuer
from chalicelib.x509.domains import covers

TAG_VALUE_MAX = 255
_HIGHEST_PORT = 65535


def faults(
    declaration: Declaration,
    *,
    region: str | None = None,
    unsound: Collection[str] = frozenset(),
    places: Sequence[int] | None = None,
) -> tuple[Fault, ...]:
    """Return every fault of two values that do not go together, under its field; empty when there is none.

    Checks that read an `unsound` field are left out. `places` are where in the body the declaration's
    listeners stand, if others beside them cannot be read: only what holds whatever those are is a fault.
    With a `region` a certificate of ACM must be there.
    """
    found: list[Fault] = []
    if "listeners" not in unsound:
        found += _listeners(declaration, range(len(declaration.listeners)) if places is None else places)
    for fields, check in _CHECKS:
        read = set(fields.split())
        if read.isdisjoint(unsound) and (
            places is None or "listeners" not in read or check is _certificate_needed
        ):
            found += check(declaration)
    if region is not None and "certificate" not in unsound:
        found += _acm_certificate(declaration, region)
    return tuple(found)


def _acm_certificate(declaration: Declaration, region: str) -> Iterator[Fault]:
    """A certificate of ACM works only in its own region."""
    match declaration.certificate:
        case GivenArn(arn=arn) if certificate_arn_fault(arn) is None:
            if (wrong := certificate_arn_fault(arn, region)) is not None:
                yield Fault("certificate.arn", wrong)
        case _:
            pass


def _group_name(declaration: Declaration) -> Iterator[Fault]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html"""
    if declaration.security_groups is None and declaration.name.lower().startswith("sg-"):
        yield Fault(
            "name",
            'AWS takes no security group whose name begins with "sg-", and ours would be'
            f" {security_group_name(declaration.name)}: name `security_groups`, or take another name",
        )


def _listeners(declaration: Declaration, places: Sequence[int]) -> Iterator[Fault]:
    taken: set[int] = set()
    backs: dict[int, bool] = {}
    for index, listener in zip(places, declaration.listeners, strict=True):
        at = f"listeners[{index}]"
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
    custom = declaration.ssl_policy != DEFAULT_POLICY
    if custom and declaration.listeners and not _secure(declaration):
        yield Fault("ssl_policy", "no listener would use it: none speaks SSL or HTTPS")


def _proxy_protocol_wanted(declaration: Declaration) -> Iterator[Fault]:
    if isinstance(declaration.proxy_protocol, tuple):
        behind = {listener.instance_port for listener in declaration.listeners}
        for place, port in enumerate(declaration.proxy_protocol):
            if port not in behind and 1 <= port <= _HIGHEST_PORT:
                yield Fault(f"proxy_protocol[{place}]", f"no listener sends to instance port {quoted(port)}")
        return
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


def _acme_names(declaration: Declaration) -> Iterator[Fault]:
    """An ACME order needs names, and `hostname` must be among them."""
    match declaration.certificate:
        case GivenIssuer("acme", domains):
            hostname = declaration.hostname
            if not domains and hostname is None:
                yield Fault("certificate.domains", "the CA has to be given names: these, or a `hostname`")
            if domains and hostname is not None and not covers(domains, hostname):
                yield Fault("certificate.domains", f"none of them covers {quoted(hostname)}, the `hostname`")
        case _:
            pass


def _health_check(declaration: Declaration) -> Iterator[Fault]:
    check = declaration.health_check
    if check.timeout >= check.interval:
        yield Fault(
            "health_check.timeout",
            f"{quoted(check.timeout)} must be below the interval, {quoted(check.interval)} seconds",
        )


def _probe(declaration: Declaration) -> Iterator[Fault]:
    """The options are kept in a tag."""
    if len(probe_tag(declaration.probe) or "") > TAG_VALUE_MAX:
        yield Fault(
            "probe",
            f"the options together are longer than {TAG_VALUE_MAX} characters: use shorter secret ids",
        )


def _members(declaration: Declaration) -> Iterator[Fault]:
    """The names are kept in a tag."""
    if declaration.members is None:
        return
    if not (declaration.members.instance_profiles or declaration.members.auto_scaling_groups):
        yield Fault(
            "members", "it names nobody: name an instance profile or an Auto Scaling group, or leave it out"
        )
    if len(members_tag(declaration.members) or "") > TAG_VALUE_MAX:
        yield Fault(
            "members",
            f"the names together are longer than the {TAG_VALUE_MAX} characters of a tag: name fewer, or what"
            " they begin with and a *",
        )


_CHECKS: tuple[tuple[str, Callable[[Declaration], Iterator[Fault]]], ...] = (
    ("name security_groups", _group_name),
    ("listeners certificate", _certificate_needed),
    ("listeners certificate", _certificate_wanted),
    ("listeners ssl_policy", _policy_wanted),
    ("listeners proxy_protocol", _proxy_protocol_wanted),
    ("listeners allow", _allow_wanted),
    ("certificate hostname", _acme_names),
    ("health_check", _health_check),
    ("probe", _probe),
    ("members", _members),
)
"""The fields that a check reads, and the check."""
