"""Rules about two or more values of a declaration; what holds of one alone is judged in `api/body.py`.

An ordered list of small checks; each names the fields that it reads, so that a field which is already known
to be wrong spoils no judgement about the others. Each type of load balancer has checks of its own beside
those that both share.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from chalicelib.model.ciphers import POLICIES, nearest_policy, unknown_policy
from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import (
    IDLE_TIMEOUT_MAX,
    NETWORK_LISTENERS_MAX,
    SECURE_PROTOCOLS,
    TCP_PROTOCOLS,
    TLS_IDLE_TIMEOUT,
    CustomPolicy,
    LoadBalancerType,
    PredefinedPolicy,
    keepalive_of,
)
from chalicelib.model.members import members_tag
from chalicelib.model.names import security_group_name
from chalicelib.model.probe_options import probe_tag
from chalicelib.model.syntax import certificate_arn_fault, quoted
from chalicelib.model.user_tags import TAG_VALUE_MAX
from chalicelib.provision.declaration import DEFAULTS, Allow, Declaration, GivenArn, GivenIssuer
from chalicelib.x509.domains import covers

CLASSIC_TIMEOUT_MAX = 60
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
    With a `region` a certificate of ACM must be there. What a type alone forbids is left to `faults_of_type`
    where the body does not name the type.
    """
    found: list[Fault] = []
    if "listeners" not in unsound:
        found += _listeners(declaration, range(len(declaration.listeners)) if places is None else places)
    of_type = () if "type" in declaration.omitted else _OF_TYPE[declaration.type]
    for fields, check in (*_CHECKS, *of_type):
        read = set(fields.split())
        if read.isdisjoint(unsound) and (
            places is None or "listeners" not in read or check is _certificate_needed
        ):
            found += check(declaration)
    if region is not None and "certificate" not in unsound:
        found += _acm_certificate(declaration, region)
    return tuple(found)


def faults_of_type(declaration: Declaration) -> Iterator[Fault]:
    """Return what the declaration's type alone forbids, each with the reason."""
    for _, check in _OF_TYPE[declaration.type]:
        yield from check(declaration)


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
                "both must be secure (SSL, TLS, HTTPS), or both plain (TCP, HTTP)",
            )


def _partners(protocol: str) -> str:
    return "TCP, SSL or TLS" if protocol in TCP_PROTOCOLS else "HTTP or HTTPS"


def _certificate_needed(declaration: Declaration) -> Iterator[Fault]:
    if _secure(declaration) and declaration.certificate is None:
        yield Fault(
            "certificate", "a listener that speaks SSL, TLS or HTTPS needs one, and the default listeners do"
        )


def _certificate_wanted(declaration: Declaration) -> Iterator[Fault]:
    if declaration.certificate is not None and declaration.listeners and not _secure(declaration):
        yield Fault("certificate", "no listener would use it: none speaks SSL, TLS or HTTPS")


def _policy_wanted(declaration: Declaration) -> Iterator[Fault]:
    custom = declaration.ssl_policy not in {None, DEFAULTS[declaration.type]["ssl_policy"]}
    if custom and declaration.listeners and not _secure(declaration):
        yield Fault("ssl_policy", "no listener would use it: none speaks SSL, TLS or HTTPS")


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
            "allow.mqtt",
            "no listener speaks SSL, TLS or HTTPS, so it would admit no client: use allow.dashboard",
        )
    if listeners and all(listener.secure for listener in listeners) and allow.dashboard:
        yield Fault(
            "allow.dashboard",
            "every listener speaks SSL, TLS or HTTPS, so it would admit no client: use allow.mqtt",
        )


def _secure(declaration: Declaration) -> bool:
    return any(listener.secure for listener in declaration.listeners)


def _acme_names(declaration: Declaration) -> Iterator[Fault]:
    """An ACME order needs names, and `hostname` must be among them."""
    match declaration.certificate:
        case GivenIssuer("acme", domains):
            hostname = declaration.hostname
            if not domains and hostname is None:
                yield Fault("certificate.domains", "the CA needs names: give `domains` or `hostname`")
            if domains and hostname is not None and not covers(domains, hostname):
                yield Fault("certificate.domains", f"none of them covers {quoted(hostname)}, the `hostname`")
        case _:
            pass


def _name_of_record(declaration: Declaration) -> Iterator[Fault]:
    if declaration.dns is not None and declaration.hostname is None:
        yield Fault("dns", "it is the record of `hostname`: set that to the name that clients use")


def _health_check(declaration: Declaration) -> Iterator[Fault]:
    check = declaration.health_check
    if check.timeout > check.interval:
        yield Fault(
            "health_check.timeout",
            f"{quoted(check.timeout)} must be below the interval, {quoted(check.interval)} seconds",
        )


def _health_check_of_classic(declaration: Declaration) -> Iterator[Fault]:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html"""
    check = declaration.health_check
    if check.timeout == check.interval:
        yield Fault(
            "health_check.timeout",
            f"{quoted(check.timeout)} must be below the interval: a classic load balancer takes no equal one",
        )
    elif check.timeout > CLASSIC_TIMEOUT_MAX:
        yield Fault(
            "health_check.timeout",
            f"{quoted(check.timeout)} seconds are too long: a classic load balancer takes"
            f" {CLASSIC_TIMEOUT_MAX} at most",
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
            "members", "it is empty: name an instance profile or an Auto Scaling group, or leave it out"
        )
    if len(members_tag(declaration.members) or "") > TAG_VALUE_MAX:
        yield Fault(
            "members",
            f"the names together are longer than the {TAG_VALUE_MAX} characters of a tag: name fewer, or end"
            " a common beginning with a *",
        )


def _words_of_classic(declaration: Declaration) -> Iterator[Fault]:
    for index, listener in enumerate(declaration.listeners):
        for field in ("protocol", "instance_protocol"):
            if getattr(listener, field) == "TLS":
                yield Fault(
                    f"listeners[{index}].{field}",
                    'a classic load balancer calls it SSL; TLS is of the type "network"',
                )


def _policy_of_type(declaration: Declaration) -> Iterator[Fault]:
    type_ = declaration.type
    match declaration.ssl_policy:
        case PredefinedPolicy(name) as policy if name not in POLICIES[type_] and not unknown_policy(name):
            nearest = nearest_policy(policy, type_)
            yield Fault("ssl_policy", f"a {type_} load balancer has no {name}: the nearest is {nearest}")
        case _:
            pass


def _listeners_of_network(declaration: Declaration) -> Iterator[Fault]:
    if (count := len(declaration.listeners)) > NETWORK_LISTENERS_MAX:
        yield Fault(
            "listeners", f"a network load balancer has at most {NETWORK_LISTENERS_MAX} listeners, not {count}"
        )


def _no_custom_policy(declaration: Declaration) -> Iterator[Fault]:
    match declaration.ssl_policy:
        case CustomPolicy() as policy:
            nearest = nearest_policy(policy, declaration.type)
            yield Fault(
                "ssl_policy",
                f"a network load balancer takes AWS's own policies alone: the nearest is {nearest}",
            )
        case _:
            pass


def _keepalive_of_classic(declaration: Declaration) -> Iterator[Fault]:
    most = keepalive_of(IDLE_TIMEOUT_MAX)
    if declaration.keepalive > most:
        yield Fault(
            "keepalive",
            f"{declaration.keepalive:g} seconds are too long: {most:g} is the longest keepalive for which a"
            f" classic load balancer's idle timeout, at most {IDLE_TIMEOUT_MAX} seconds, is long enough",
        )


def _no_addresses(declaration: Declaration) -> Iterator[Fault]:
    if declaration.addresses:
        yield Fault(
            "addresses",
            "AWS chooses and changes the addresses of a classic load balancer: only one of the type"
            ' "network" has fixed ones',
        )


def _keepalive_of_network(declaration: Declaration) -> Iterator[Fault]:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html"""
    secure = [listener.port for listener in declaration.listeners if listener.secure]
    if secure and declaration.keepalive >= TLS_IDLE_TIMEOUT:
        yield Fault(
            "keepalive",
            f"{declaration.keepalive:g} seconds are too long: the TLS listener on port {secure[0]} closes a"
            f" connection after {TLS_IDLE_TIMEOUT} silent seconds, which AWS does not let us change. 230"
            " leave room for a late packet; without a TLS listener up to 4000 are possible",
        )


def _health_check_of_network(declaration: Declaration) -> Iterator[Fault]:
    target = declaration.health_check.target
    if target.startswith("SSL:"):
        yield Fault(
            "health_check.target",
            f"{quoted(target)}: a network load balancer has no health check by SSL; use HTTPS or TCP",
        )


def _logs_of_network(declaration: Declaration) -> Iterator[Fault]:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html"""
    if declaration.access_logs is None:
        return
    if not _secure(declaration):
        yield Fault("access_logs", "a network load balancer logs TLS listeners only, and there is none")
    if "access_logs.interval" not in declaration.omitted and declaration.access_logs.interval is not None:
        yield Fault(
            "access_logs.interval",
            "leave it out: a network load balancer always logs every five minutes",
        )


def _addresses_of_network(declaration: Declaration) -> Iterator[Fault]:
    internal = declaration.scheme == "internal"
    right = "a private address of the subnet" if internal else "an Elastic IP's allocation (eipalloc-…)"
    taken: set[str] = set()
    for subnet, address in declaration.addresses.items():
        field = f"addresses.{subnet}"
        if subnet not in declaration.subnets:
            yield Fault(field, f"{quoted(subnet)} is not among `subnets`")
        if address.startswith("eipalloc-") == internal:
            yield Fault(
                field,
                f"a load balancer that is {declaration.scheme} takes {right}, not {quoted(address)}",
            )
        if address in taken:
            yield Fault(field, f"{quoted(address)} is named twice")
        taken.add(address)


_CHECKS: tuple[tuple[str, Callable[[Declaration], Iterator[Fault]]], ...] = (
    ("name security_groups", _group_name),
    ("listeners certificate", _certificate_needed),
    ("listeners certificate", _certificate_wanted),
    ("listeners ssl_policy", _policy_wanted),
    ("listeners proxy_protocol", _proxy_protocol_wanted),
    ("listeners allow", _allow_wanted),
    ("certificate hostname", _acme_names),
    ("dns hostname", _name_of_record),
    ("health_check", _health_check),
    ("probe", _probe),
    ("members", _members),
)
"""The fields that a check reads, and the check."""

_OF_TYPE: Mapping[LoadBalancerType, tuple[tuple[str, Callable[[Declaration], Iterator[Fault]]], ...]] = {
    "classic": (
        ("listeners", _words_of_classic),
        ("ssl_policy", _policy_of_type),
        ("keepalive", _keepalive_of_classic),
        ("health_check", _health_check_of_classic),
        ("addresses", _no_addresses),
    ),
    "network": (
        ("listeners", _listeners_of_network),
        ("ssl_policy", _policy_of_type),
        ("ssl_policy", _no_custom_policy),
        ("listeners keepalive", _keepalive_of_network),
        ("health_check", _health_check_of_network),
        ("listeners access_logs", _logs_of_network),
        ("addresses subnets scheme", _addresses_of_network),
    ),
}
"""The same for what one type of load balancer alone has or has not."""
